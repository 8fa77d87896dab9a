import { join } from 'node:path';

import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { compareText } from '../core/text.ts';
import { refuseForeignFile } from '../files/foreign.ts';
import { isFileThere } from '../files/own-file.ts';
import type { OpenedRelease } from './opened-release.ts';
import { parseReleaseText, type ReleaseTextFacts } from './release-text.ts';

export const SUMS = 'sha256sum.txt';
export const RELEASE = 'release.txt';

/** More than the lines of all archives that a release may have. */
const MAX_BESIDE_BYTES = 1024 * 1024;
const SUM = /^([0-9a-f]{64}) {2}([A-Za-z0-9][A-Za-z0-9._+-]*)$/;

/** What earlier runs have written beside their archives. */
export interface Beside {
  /** Left out where there are no archives yet. */
  readonly release: ReleaseTextFacts | undefined;
  /** Of archives that are still there: SHA-256 in hex by name. */
  readonly sums: ReadonlyMap<string, string>;
}

/**
 * Reads what earlier runs have left in a folder.
 * @throws BundleError USAGE for files of somebody else, which would be lost; DISK
 */
export async function readBeside(folder: string): Promise<Beside> {
  const releasePath = join(folder, RELEASE);
  const sumsPath = join(folder, SUMS);
  const release = await readOwn(releasePath, 'no text of this program', parseReleaseText);
  const listed = await readOwn(sumsPath, 'no list of checksums', parseSums);
  const sums = new Map<string, string>();
  for (const [name, sum] of listed ?? []) {
    if (name !== RELEASE && (await isFileThere(join(folder, name)))) sums.set(name, sum);
  }
  if (sums.size === 0 || release !== undefined) return { release, sums };
  throw new BundleError('USAGE', `${sumsPath} lists files of an unknown release`, {
    expected: `a file ${RELEASE} beside it, which names the release`,
    got: 'none, or an empty one',
    hint: 'It would be overwritten: move it away, or choose another folder.',
  });
}

/**
 * Makes sure that a folder never has programs of two releases: some archives have no version in
 * their name. @throws BundleError USAGE
 */
export function refuseOtherRelease(
  { release: there }: Beside,
  { release, pinned }: OpenedRelease,
  folder: string,
): void {
  const { version, digest } = release.facts;
  if (there === undefined || (there.digest === digest && there.pinned === pinned)) return;
  const isOther = there.digest !== digest;
  const what = isOther ? `another release, ${there.version}` : `${version} from another place`;
  throw new BundleError('USAGE', `${folder} has the programs of ${what}`, {
    expected: isOther ? `${version}, ${digest}` : pinned,
    got: isOther ? `${there.version}, ${there.digest}` : there.pinned,
    hint: 'Nothing was changed there: choose another folder.',
  });
}

/** The text of sha256sum.txt: archives in the order of their names, and then other files. */
export function sumsText(
  archives: ReadonlyMap<string, string>,
  others: readonly (readonly [string, Digest])[],
): string {
  const sorted = [...archives].sort(([a], [b]) => compareText(a, b));
  const all = [...sorted, ...others.map(([name, digest]) => [name, hexOf(digest)] as const)];
  return all.map(([name, sum]) => `${sum}  ${name}\n`).join('');
}

function parseSums(text: string): ReadonlyMap<string, string> | undefined {
  const sums = new Map<string, string>();
  const lines = text.split('\n');
  if (lines.pop() !== '') return undefined;
  for (const line of lines) {
    const [, sum, name] = SUM.exec(line) ?? [];
    if (sum === undefined || name === undefined || sums.has(name)) return undefined;
    sums.set(name, sum);
  }
  return sums;
}

/** Nothing is lost with an empty file, as a power cut may leave one. */
async function readOwn<T>(
  path: string,
  what: string,
  parse: (text: string) => T | undefined,
): Promise<T | undefined> {
  let parsed: T | undefined;
  const isOwn = (text: string): boolean => {
    parsed = parse(text);
    return text === '' || parsed !== undefined;
  };
  await refuseForeignFile({ path, what, limit: MAX_BESIDE_BYTES, isOwn });
  return parsed;
}
