import { basename, dirname, join } from 'node:path';

import { stemOf } from '../bundle/format/names.ts';
import type { FinishedVolume } from '../bundle/writing/writer.ts';
import { utf8 } from '../core/bytes.ts';
import { type Digest, digestFromHex, hexOf } from '../core/digest.ts';
import { type OwnForm, refuseForeignFile } from '../files/foreign.ts';
import { ifThere, isThere } from '../files/look.ts';
import { isFileThere, PARTIAL_SUFFIX } from '../files/own-file.ts';
import { readSmallFile } from '../files/small-file.ts';
import { writeWhole } from '../files/write-whole.ts';

/** No other run writes beside a bundle meanwhile: its lock is held. */
export const LOCKED = { isLocked: true } as const;
/** More than the lines of a thousand volumes, and than any public key. */
const MAX_BESIDE_BYTES = 1024 * 1024;
/** Of a digest; a blank and the mark of its file follow. */
const HEX_LETTERS = 64;
const SUMS_FORM = /^(?:[0-9a-f]{64} [ *][^\n]+\n)*$/;
const KEY_FORM = /^(?:-----BEGIN PUBLIC KEY-----\n[^-]+-----END PUBLIC KEY-----\n*)?$/;

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
  const [sums, key] = besideForms(path);
  await refuseForeignBeside(path);
  const lines: string[] = [];
  const lineOf = ({ path: volume, digest }: Pick<FinishedVolume, 'path' | 'digest'>): string =>
    formatFileSum(basename(volume), digest);
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

/** What stands beside a bundle: its list of checksums, and the key that signed it. */
export function besideForms(path: string): readonly [sums: OwnForm, key: OwnForm] {
  const named = (suffix: string): string => join(dirname(path), `${stemOf(path)}.${suffix}`);
  const limit = MAX_BESIDE_BYTES;
  const isSums = (text: string): boolean => SUMS_FORM.test(text);
  const isKey = (text: string): boolean => KEY_FORM.test(text);
  return [
    { path: named('sha256'), what: 'no list of checksums', limit, isOwn: isSums },
    { path: named('pub'), what: 'no public key', limit, isOwn: isKey },
  ];
}

/**
 * The digests that stand in the list of checksums beside a bundle, by file name.
 * @throws BundleError DISK
 */
export async function listedDigests(path: string): Promise<ReadonlyMap<string, Digest>> {
  const [sums] = besideForms(path);
  const content = await ifThere(readSmallFile(sums.path, sums.limit));
  return (content && parseFileSums(utf8(content))) ?? new Map<string, never>();
}

/** A line of such a list. */
export function formatFileSum(name: string, digest: Digest): string {
  return `${hexOf(digest)}  ${name}\n`;
}

/** @returns `undefined` for what is no such list */
export function parseFileSums(text: string): ReadonlyMap<string, Digest> | undefined {
  if (!SUMS_FORM.test(text)) return undefined;
  return new Map(
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => [line.slice(HEX_LETTERS + 2), digestFromHex(line.slice(0, HEX_LETTERS))]),
  );
}

/**
 * Makes sure that these can be replaced. @throws BundleError USAGE for a file of somebody else, DISK
 * for what is no file
 */
export async function refuseForeignBeside(path: string): Promise<void> {
  for (const beside of besideForms(path)) {
    await isFileThere(`${beside.path}${PARTIAL_SUFFIX}`);
    await refuseForeignFile(beside);
  }
}
