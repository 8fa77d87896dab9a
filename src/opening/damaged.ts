import { basename } from 'node:path';

import { METADATA, type Fault } from '../bundle/reading/fault.ts';
import { volumesMissing } from '../bundle/reading/found-volumes.ts';
import type { BundleError } from '../core/errors.ts';
import { optionWords, shellWord } from '../core/text.ts';
import type { OpenRequest, SurveyedBundle } from './open-bundle.ts';

/** Where a damage map goes that nobody has named yet. */
const DAMAGE_FILE = 'damage.json';

/** The bundle and the keys, as the command line has them. */
type Asked = Pick<OpenRequest, 'paths' | 'trustedKeyFiles' | 'releaseKeyFiles'>;

/**
 * What to do where images are damaged.
 * @param damageFile that lists what is damaged, if there is one.
 */
export function copyOrPatch(asked: Asked, damageFile?: string): string {
  const { paths, trustedKeyFiles, releaseKeyFiles } = asked;
  const list = [
    ...['bundle', 'verify', ...paths.map(shellWord)],
    ...optionWords('trusted-key', trustedKeyFiles),
    ...optionWords('release-key', releaseKeyFiles),
    ...optionWords('damage', [DAMAGE_FILE]),
  ].join(' ');
  const file = damageFile ?? `the file that this writes (${list})`;
  const pack = `bundle pack VERSION --repair ${shellWord(basename(damageFile ?? DAMAGE_FILE))}`;
  return (
    'Copy the bundle again from where it was made. If that cannot be done, make a patch: ' +
    `take ${file} to the connected side, and pack what it lists: ${pack} -o FOLDER`
  );
}

/**
 * The failure of volumes that are not there. A first volume whose manifests are useless counts as
 * missing, but that has been told as a fault.
 */
export function missingVolumesOf(
  { path, reader }: Pick<SurveyedBundle, 'path' | 'reader'>,
  faults: readonly Fault[],
): BundleError | undefined {
  const isToldOfFirst = faults.some(({ entries }) => entries.includes(METADATA));
  const missing = reader.missingVolumes.filter((number) => number > 1 || !isToldOfFirst);
  if (missing.length === 0) return undefined;
  return volumesMissing(basename(path), missing, reader.volumeCount);
}
