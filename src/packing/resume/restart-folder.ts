import { basename, dirname, join } from 'node:path';

import { BUNDLE_SUFFIX, stemOf } from '../../bundle/format/names.ts';
import { pathWord } from '../../core/text.ts';
import { PARTIAL_SUFFIX } from '../../files/own-file.ts';

const FOLDER_SUFFIX = `.restart${PARTIAL_SUFFIX}`;

/** The folder in which a bundle grows that is to replace an older one. */
export function folderBeside(path: string): string {
  return join(dirname(path), `${stemOf(path)}${FOLDER_SUFFIX}`);
}

/** The path that the bundle has in that folder. */
export function pathBeside(path: string): string {
  return join(folderBeside(path), basename(path));
}

/** The name of a file of a bundle as messages say it: with the folder that no user has named. */
export function shownName(path: string): string {
  const folder = basename(dirname(path));
  return folder.endsWith(FOLDER_SUFFIX) ? join(folder, basename(path)) : basename(path);
}

/**
 * What else can be done about a file of that folder.
 * @returns nothing for other files
 */
export function wayOutOf(path: string): string {
  const folder = dirname(path);
  if (!basename(folder).endsWith(FOLDER_SUFFIX)) return '';
  const older = basename(folder).slice(0, -FOLDER_SUFFIX.length) + BUNDLE_SUFFIX;
  return (
    ` ${basename(folder)} holds what an interrupted --restart has written. To keep the older ` +
    `${older} instead, delete that folder: rm -r ${pathWord(folder)}`
  );
}
