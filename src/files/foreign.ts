import { utf8 } from '../core/bytes.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { isFileThere } from './own-file.ts';
import { readSmallFile, withoutMark } from './small-file.ts';

/** A file that is about to be written, and what one of this program looks like. */
export interface OwnForm {
  readonly path: string;
  /** What a file of somebody else is called: `no public key`. */
  readonly what: string;
  /** More bytes than a file of this program has. */
  readonly limit: number;
  /** Whether this program may have written so. */
  readonly isOwn: (text: string) => boolean;
  /** What else can be chosen: `folder` where it is left out. */
  readonly other?: 'folder' | 'file name';
}

/**
 * Makes sure that nothing is lost when a file is written: there is none yet, or one of this
 * program. @throws BundleError USAGE for a file of somebody else, DISK for what is no file.
 */
export async function refuseForeignFile(form: OwnForm): Promise<void> {
  const { path, what, other = 'folder' } = form;
  if (!(await isFileThere(path)) || (await isOwnFile(form))) return;
  throw new BundleError('USAGE', `${path} exists already, and is ${what}`, {
    hint: `It would be overwritten: move it away, or choose another ${other}.`,
  });
}

async function isOwnFile({ path, limit, isOwn }: OwnForm): Promise<boolean> {
  try {
    // An editor may have put a byte order mark before it.
    return isOwn(utf8(withoutMark(await readSmallFile(path, limit))));
  } catch (error) {
    if (hasCode(error, 'CONFIGURATION')) return false; // it is larger
    throw error;
  }
}
