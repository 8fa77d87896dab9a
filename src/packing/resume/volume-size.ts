import { basename, dirname, join } from 'node:path';

import { stemOf } from '../../bundle/format/names.ts';
import { utf8 } from '../../core/bytes.ts';
import { BundleError } from '../../core/errors.ts';
import { type OwnForm, refuseForeignFile } from '../../files/foreign.ts';
import { ifThere } from '../../files/look.ts';
import { isFileThere, PARTIAL_SUFFIX, removeFile } from '../../files/own-file.ts';
import { readSmallFile } from '../../files/small-file.ts';
import { writeWhole } from '../../files/write-whole.ts';
import { LOCKED } from '../beside-files.ts';

/** More than the digits of any size. */
const MAX_SIZE_BYTES = 64;

/** The first volume does not say how long it will be while it is unfinished: this file does. */
function volumeSizeForm(path: string): OwnForm {
  return {
    path: join(dirname(path), `${stemOf(path)}.volume-size${PARTIAL_SUFFIX}`),
    what: 'no size of volumes',
    limit: MAX_SIZE_BYTES,
    isOwn: (text) => /^(?:\d+\n)?$/.test(text),
  };
}

/** @throws BundleError USAGE for a file of somebody else, DISK for what is no file */
export async function refuseForeignVolumeSize(path: string): Promise<void> {
  const form = volumeSizeForm(path);
  await isFileThere(`${form.path}${PARTIAL_SUFFIX}`);
  await refuseForeignFile(form);
}

/** A run that starts over, or has finished, is bound to no size. @throws BundleError DISK */
export async function forgetVolumeSize(path: string): Promise<void> {
  await removeFile(volumeSizeForm(path).path);
}

/** @throws BundleError USAGE where a bundle was begun with volumes of another size */
export async function checkVolumeSize(path: string, size: number | undefined): Promise<void> {
  const content = await ifThere(readSmallFile(volumeSizeForm(path).path, MAX_SIZE_BYTES));
  if (content === undefined) return;
  const said = utf8(content).trim();
  if (said === String(size)) return;
  throw new BundleError('USAGE', `${basename(path)} was started with volumes of ${said} bytes`, {
    hint:
      'Give the same --volume-size as before. --restart starts over; ' +
      'with another folder you keep both.',
  });
}

export async function rememberVolumeSize(path: string, size: number | undefined): Promise<void> {
  await writeWhole(volumeSizeForm(path).path, `${String(size)}\n`, LOCKED);
}
