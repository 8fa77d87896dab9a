import { basename, dirname, join } from 'node:path';

import { stemOf } from '../bundle/format/names.ts';
import type { FinishedVolume } from '../bundle/writing/writer.ts';
import { utf8 } from '../core/bytes.ts';
import { hexOf } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { isLink, isRegular, isThere } from '../files/look.ts';
import { checkReplaceable, isFileThere, PARTIAL_SUFFIX } from '../files/own-file.ts';
import { readSmallFile } from '../files/small-file.ts';
import { writeWhole } from '../files/write-whole.ts';

/** No other run writes beside a bundle meanwhile: its lock is held. */
const LOCKED = { isLocked: true } as const;
/** More than the lines of a thousand volumes, and than any public key. */
const MAX_BESIDE_BYTES = 1024 * 1024;

/** A file beside a bundle, and what one of this program looks like. */
interface Beside {
  readonly path: string;
  readonly what: string;
  readonly form: RegExp;
}

export interface BesideRequest {
  /** Of the bundle; volumes are numbered behind it. */
  readonly path: string;
  /** PEM of the signer's key. */
  readonly publicKey: string;
  /** Volumes that earlier runs have finished. */
  readonly before: readonly Pick<FinishedVolume, 'path' | 'digest'>[];
}

/**
 * Beside the bundle: what `sha256sum -c` wants, a line for each file that is finished, and the key
 * that signed it. Older ones are replaced. What is not of this program is looked for now, so that a
 * pack does not fail at its very end.
 * @returns what is to be called with each file that is finished.
 * @throws BundleError USAGE for a file of somebody else, DISK for what is no file.
 */
export async function besideFiles({
  path,
  publicKey,
  before,
}: BesideRequest): Promise<(volume: Pick<FinishedVolume, 'path' | 'digest'>) => Promise<void>> {
  const folder = dirname(path);
  const sums: Beside = {
    path: join(folder, `${stemOf(path)}.sha256`),
    what: 'no list of checksums',
    form: /^(?:[0-9a-f]{64} [ *][^\n]+\n)*$/,
  };
  const key: Beside = {
    path: join(folder, `${stemOf(path)}.pub`),
    what: 'no public key',
    form: /^(?:-----BEGIN PUBLIC KEY-----\n[^-]+-----END PUBLIC KEY-----\n*)?$/,
  };
  for (const beside of [sums, key]) {
    await isFileThere(`${beside.path}${PARTIAL_SUFFIX}`);
    await checkReplaceable(beside.path);
    if (!(await isOwn(beside))) throw foreign(beside);
  }
  const lines: string[] = [];
  const lineOf = ({ path: volume, digest }: Pick<FinishedVolume, 'path' | 'digest'>): string =>
    `${hexOf(digest)}  ${basename(volume)}\n`;
  for (const volume of before) {
    if (await isThere(join(folder, basename(volume.path)))) lines.push(lineOf(volume));
  }
  let hasKey = false;
  return async (volume) => {
    lines.push(lineOf(volume));
    await writeWhole(sums.path, lines.join(''), LOCKED);
    if (!hasKey) await writeWhole(key.path, publicKey, LOCKED);
    hasKey = true;
  };
}

/** Whether nothing would be lost: a link is replaced, and what it leads to stays as it is. */
async function isOwn({ path, form }: Beside): Promise<boolean> {
  if ((await isLink(path)) || !(await isRegular(path))) return true;
  try {
    return form.test(utf8(await readSmallFile(path, MAX_BESIDE_BYTES)));
  } catch (error) {
    if (hasCode(error, 'CONFIGURATION')) return false; // it is larger
    throw error;
  }
}

function foreign({ path, what }: Beside): BundleError {
  return new BundleError('USAGE', `${path} exists already, and is ${what}`, {
    hint: 'It would be overwritten: move it away, or choose another folder.',
  });
}
