/** A version of which the last parts may be missing, as oc-mirror takes those of operators. */
const VERSION =
  /^v?(0|[1-9]\d*)(?:\.(0|[1-9]\d*))?(?:\.(0|[1-9]\d*))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

export interface Version {
  /** Up to three numbers. */
  readonly numbers: readonly bigint[];
  readonly prerelease?: string;
}

/** @returns `undefined` for what is no version. */
export function parseVersion(text: string): Version | undefined {
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  const [, major, minor, patch, prerelease] = match;
  const numbers = [major, minor, patch].filter((part) => part !== undefined).map(BigInt);
  return { numbers, ...(prerelease !== undefined && { prerelease }) };
}

/**
 * Whether no version can be in a range. The parts that a bound leaves out are open, and so are
 * prereleases where only one bound has one: a catalog of Red Hat calls a build one.
 */
export function isEmptyRange(min: Version, max: Version): boolean {
  for (const [index, least] of min.numbers.entries()) {
    const most = max.numbers[index];
    if (most === undefined || least < most) return false;
    if (least > most) return true;
  }
  if (min.numbers.length !== max.numbers.length) return false;
  if (min.prerelease === undefined || max.prerelease === undefined) return false;
  return comparePrereleases(min.prerelease, max.prerelease) > 0;
}

/** As Semantic Versioning 2.0.0 section 11 orders them. */
function comparePrereleases(a: string, b: string): number {
  const [left, right] = [a.split('.'), b.split('.')];
  for (const [index, one] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    if (one === other) continue;
    const isNumber = [one, other].map((word) => /^\d+$/.test(word));
    if (isNumber[0] === true && isNumber[1] === true) return BigInt(one) < BigInt(other) ? -1 : 1;
    if (isNumber[0] !== isNumber[1]) return isNumber[0] === true ? -1 : 1;
    return one < other ? -1 : 1;
  }
  return left.length - right.length;
}
