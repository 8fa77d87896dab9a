import { compareText, few, oneLine } from '../core/text.ts';

/** More steps than these apart, a name is another one. */
const FAR = 3;
const MOST = 3;
const LONGEST = 100;

/** The names that somebody may have meant, the nearest first. */
export function nearestNames(name: string, names: Iterable<string>): readonly string[] {
  const wanted = name.toLowerCase();
  return [...new Set(names)]
    .map((own) => ({ own, rank: rankOf(wanted, own.toLowerCase()) }))
    .filter(({ rank }) => rank <= Math.min(FAR, Math.ceil(wanted.length / 3)))
    .sort((a, b) => a.rank - b.rank || compareText(a.own, b.own))
    .slice(0, MOST)
    .map(({ own }) => own);
}

/** The way out for somebody who asked for a name that is not there. */
export function nearestHint(name: string, names: Iterable<string>): string {
  const all = [...names];
  const near = nearestNames(name, all).map(shown);
  return near.length > 0 ? `Did you mean ${near.join(' or ')}?` : thereHint(all.sort(compareText));
}

/** Names that are there, in the order in which they are to be shown. */
export function thereHint(names: readonly string[]): string {
  if (names.length === 0) return 'Nothing of that sort is there.';
  return `These are there: ${few(names).map(shown).join(', ')}.`;
}

/** Names of catalogs may be anything. */
function shown(name: string): string {
  return oneLine(name, LONGEST);
}

/** One that contains the other is near: `odf` for odf-operator. */
function rankOf(a: string, b: string): number {
  if (a.length > 2 && (b.startsWith(a) || a.startsWith(b))) return 1;
  if (a.length > 2 && (b.includes(a) || a.includes(b))) return 2;
  return distance(a, b);
}

/** How many letters have to be changed, put in or taken out. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > FAR) return FAR + 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [index, letter] of Array.from(a).entries()) {
    const next = [index + 1];
    for (const [at, other] of Array.from(b).entries())
      next.push(Math.min(next[at]! + 1, row[at + 1]! + 1, row[at]! + (letter === other ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? FAR + 1;
}

/** For what was written as a version, and is none that a catalog has. */
export const SHOWN_VERSION = 'Write the version that catalogs and bundle catalog list show.';
