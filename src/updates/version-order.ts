import { compareText } from '../core/text.ts';

/**
 * Orders versions as Semantic Versioning 2.0.0 section 11 does; build metadata (after `+`, or `_`
 * in a tag) does not count.
 * @returns negative when `a` comes before `b`, positive when after, 0 when equal.
 */
export function compareVersions(a: string, b: string): number {
  const [coreA, preA] = parts(a);
  const [coreB, preB] = parts(b);
  const core = compareLists(coreA, coreB);
  if (core !== 0) return core;
  if (preA.length === 0 || preB.length === 0) return preB.length - preA.length;
  return compareLists(preA, preB);
}

function parts(version: string): [string[], string[]] {
  const [plain = ''] = version.split(/[+_]/);
  const dash = plain.indexOf('-');
  return dash === -1
    ? [plain.split('.'), []]
    : [plain.slice(0, dash).split('.'), plain.slice(dash + 1).split('.')];
}

function compareLists(a: readonly string[], b: readonly string[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index];
    if (right === undefined) return 1;
    const order = compareIdentifiers(left, right);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Numbers by value and before words; words by their characters. */
function compareIdentifiers(a: string, b: string): number {
  const numeric = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (numeric[0] === true && numeric[1] === true) return Number(a) - Number(b);
  if (numeric[0] !== numeric[1]) return numeric[0] === true ? -1 : 1;
  return compareText(a, b);
}

/** The major and minor numbers of a version: `4.17` of 4.17.3. */
export function minorOf(version: string): string {
  return version.split('.', 2).join('.');
}
