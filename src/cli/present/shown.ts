import { exactBytes, few, formatBytes, pathWord } from '../../core/text.ts';
import type { Closure } from '../../kinds/closure.ts';
import type { Screen } from './screen.ts';

/** Enough of a digest to tell it from all others that somebody has to do with. */
const SHOWN_DIGITS = 12;

/**
 * A digest or the id of a key, or a text that has some in it: with their first digits, where nobody
 * copies them from; whole for somebody who wants everything.
 */
export function shortened(text: string, { isVerbose }: Screen): string {
  return isVerbose ? text : withShortDigests(text);
}

/** The same for what is the same on every screen. */
export function withShortDigests(text: string): string {
  return text.replace(/\b([0-9a-f]{12})[0-9a-f]{52}\b/g, (_, digits: string) =>
    digits.slice(0, SHOWN_DIGITS),
  );
}

/** A size for people; with every byte for somebody who wants everything. */
export function size(bytes: number, { isVerbose }: Screen): string {
  return isVerbose ? exactBytes(bytes) : formatBytes(bytes);
}

/** The parts in a sentence: releases first, since of many parts only a few are named. */
export function partsText(labels: readonly string[]): string {
  const isRelease = (label: string): boolean => /^\d/.test(label);
  return listed(few(labels.toSorted((a, b) => Number(isRelease(b)) - Number(isRelease(a)))));
}

export function labelsIn({ parts }: Closure): readonly string[] {
  return parts.map(({ label }) => label);
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)!}`;
}

/** Checks the files that a list of checksums names, from wherever it is typed. */
export function checking(folder: string, sums: string): string {
  const check = `sha256sum -c ${pathWord(sums)}`;
  return folder === '.' ? check : `(cd ${pathWord(folder)} && ${check})`;
}

/** ` in stable-4.17 for x86_64`, as far as that is known of a graph. */
export function scope({
  channel,
  architecture,
}: {
  readonly channel: string | undefined;
  readonly architecture: string | undefined;
}): string {
  const where = channel === undefined ? '' : ` in ${channel}`;
  return architecture === undefined ? where : `${where} for ${architecture}`;
}
