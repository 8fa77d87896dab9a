import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import { MAX_IMAGE_SET_BYTES, MAX_LOCK_BYTES } from '../../core/limits.ts';
import { pathWord } from '../../core/text.ts';
import { readGivenFile, tooLarge } from '../../files/small-file.ts';
import { refuseTakenName, writeOnce } from '../../files/write-once.ts';
import type { ImageSet } from '../../image-sets/image-set.ts';
import { readImageSet, type ReadImageSet, requireImageSet } from '../../image-sets/read.ts';
import { type ImageSetDraft, writeImageSet } from '../../image-sets/write.ts';
import { looksLikeLock } from '../../packing/lock/lock.ts';
import { textOfFile } from './encoding.ts';

/**
 * Reads a file for oc-mirror v2, and says what is wrong with it. It fetches nothing.
 * @throws BundleError NOT_FOUND, DISK, CONFIGURATION for a lock, or what is no text of that size
 */
export async function checkImageSet(path: string): Promise<ReadImageSet> {
  // Of a lock, every line would be a fault. It may be larger than an image set.
  const content = await readGivenFile(path, MAX_LOCK_BYTES);
  if (looksLikeLock(content)) throw isLock(path);
  if (content.length > MAX_IMAGE_SET_BYTES) throw tooLarge(path, MAX_IMAGE_SET_BYTES);
  return readImageSet(textOfFile(content, path));
}

function isLock(path: string): BundleError {
  const word = pathWord(path);
  const message =
    `${path} is a lock, as pack --lock writes it: bundle pack --locked ${word} and ` +
    'bundle imageset diff read it';
  return new BundleError('CONFIGURATION', message, {
    expected: 'an ImageSetConfiguration',
    got: 'a lock',
    subject: path,
    hint: 'Name the ImageSetConfiguration that the lock was written for.',
  });
}

/**
 * What a file without errors asks for; its warnings are told.
 * @throws BundleError CONFIGURATION with the first error; as {@link checkImageSet}
 */
export async function usableImageSet(path: string, { observe }: Context): Promise<ImageSet> {
  const read = await checkImageSet(path);
  for (const { level, line, message } of read.findings)
    if (level === 'warning')
      observe({ type: 'noticed', code: 'image-set-warning', path, line, message });
  return requireImageSet(read, path);
}

/**
 * Tells early that a file is there already: nobody wants to be asked for nothing.
 * @throws BundleError USAGE, DISK
 */
export async function requireNoFile(path: string): Promise<void> {
  if (path === '-')
    throw new BundleError('USAGE', 'init writes a file, and - is no name for one', {
      hint: 'Name a file, or write ./- for one that is called so.',
    });
  await refuseTakenName(path, 0);
}

/**
 * Writes a new file for oc-mirror v2, and never over another one.
 * @throws BundleError USAGE for what makes no usable file, or one that is there; DISK
 */
export async function makeImageSet(path: string, draft: ImageSetDraft): Promise<ReadImageSet> {
  const text = writeImageSet(draft);
  const read = readImageSet(text);
  const fault = read.findings.find(({ level }) => level === 'error');
  if (fault !== undefined) throw new BundleError('USAGE', fault.message, { hint: fault.hint });
  await writeOnce(path, Buffer.from(text));
  return read;
}
