import { basename, posix } from 'node:path';

import { utf8 } from '../../core/bytes.ts';
import { BundleError } from '../../core/errors.ts';
import { MAX_CATALOG_FILES, MAX_CONFIGURATION_BYTES } from '../../core/limits.ts';
import { oneLine } from '../../core/text.ts';
import { isFolder, isRegular } from '../../files/look.ts';
import { readPiece } from '../../files/piece.ts';
import { readSmallFile } from '../../files/small-file.ts';
import { entriesOf, linkWithin, realFolder } from '../../files/within.ts';
import { IgnoredFiles } from './ignore.ts';
import type { CatalogFile } from './read-catalog.ts';

const IGNORE_FILE = '.indexignore';

/**
 * The files of a catalog that lies in a folder, or the one file that it is, in the order of their
 * paths. What `.indexignore` files name is left out.
 * @throws BundleError NOT_FOUND, DISK; UNSUPPORTED_CONTENT for links that lead out of the folder,
 * pipes and the like
 */
export async function catalogFiles(path: string): Promise<readonly CatalogFile[]> {
  if (await isRegular(path)) return [fileAt(basename(path), path)];
  const root = await realFolder(path);
  const found: { readonly path: string; readonly place: string }[] = [];
  const ignored = new IgnoredFiles();
  const visit = async (folder: string, below: string): Promise<void> => {
    for (const { name, path: entry, type } of await entriesOf(folder)) {
      const own = posix.join(below, name);
      if (type === 'folder') {
        await visit(entry, own);
        continue;
      }
      const place = type === 'link' ? await linkWithin(root, entry) : entry;
      if (type === 'other' || place === undefined || (await isFolder(place)))
        throw noFile(own, type === 'other' ? 'no file' : 'a link to no file of the catalog');
      if (name === IGNORE_FILE)
        ignored.add(below, utf8(await readSmallFile(place, MAX_CONFIGURATION_BYTES)));
      else found.push({ path: own, place });
      if (found.length > MAX_CATALOG_FILES) throw tooMany(path);
    }
  };
  await visit(root, '');
  return found
    .filter((file) => !ignored.has(file.path))
    .map((file) => fileAt(file.path, file.place));
}

/** A file of a catalog that lies at a place of the disk. */
export function fileAt(path: string, place: string): CatalogFile {
  return { path, read: (range) => readPiece({ path: place, start: 0 }, { range }) };
}

function noFile(path: string, got: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `${oneLine(path)} is ${got}`, {
    expected: 'files, and folders of files',
    got,
    hint: 'Copy the catalog with what its links lead to: cp -rL.',
  });
}

function tooMany(path: string): BundleError {
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `${path} has more than ${MAX_CATALOG_FILES} files`,
    {
      hint: 'Name the folder of the catalog itself: the one below which all files are documents.',
    },
  );
}
