import { compareText } from '../../core/text.ts';

/** A version after Semantic Versioning 2.0.0. Numbers have no upper end: some are timestamps. */
export interface Version {
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  /** Identifiers of the prerelease, as they are written. */
  readonly pre: readonly string[];
  /** Build metadata, without `+`; it never counts in comparisons. */
  readonly build: string;
}

const NUMBER = String.raw`(?:0|[1-9]\d*)`;
const PRE = String.raw`(?:${NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)`;
const BUILD = String.raw`[0-9A-Za-z-]+`;
const TAIL = String.raw`(?:-(${PRE}(?:\.${PRE})*))?(?:\+(${BUILD}(?:\.${BUILD})*))?`;
const STRICT = new RegExp(String.raw`^(${NUMBER})\.(${NUMBER})\.(${NUMBER})${TAIL}$`);
const LENIENT = new RegExp(String.raw`^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?${TAIL}$`);
/** `opm` holds numbers in 64 bits. */
const MOST = 2n ** 64n - 1n;

/**
 * A version as catalogs write it: three numbers without leading zeros. It is what `opm` accepts.
 * @returns `undefined` for anything else.
 */
export function parseVersion(text: string): Version | undefined {
  const version = read(STRICT.exec(text));
  if (version === undefined) return undefined;
  const numbers = [version.major, version.minor, version.patch];
  const inPre = version.pre.filter((identifier) => /^\d+$/.test(identifier));
  return [...numbers, ...inPre.map(BigInt)].some((number) => number > MOST) ? undefined : version;
}

/** A version as people write it in a configuration: `4`, `4.18` and `v1.2.3`, too. */
export interface LenientVersion extends Version {
  /** How many of the three numbers are written. */
  readonly written: 1 | 2 | 3;
}

/** @returns `undefined` for what is no version even so. */
export function parseLenientVersion(text: string): LenientVersion | undefined {
  const match = LENIENT.exec(text);
  const version = read(match);
  if (match === null || version === undefined) return undefined;
  return { ...version, written: match[2] === undefined ? 1 : match[3] === undefined ? 2 : 3 };
}

function read(match: RegExpExecArray | null): Version | undefined {
  if (match === null) return undefined;
  const [, major = '0', minor = '0', patch = '0', pre, build = ''] = match;
  return {
    major: BigInt(major),
    minor: BigInt(minor),
    patch: BigInt(patch),
    pre: pre?.split('.') ?? [],
    build,
  };
}

/** The version as text, with its build metadata. */
export function formatVersion({ major, minor, patch, pre, build }: Version): string {
  const tail = (mark: string, text: string): string => (text === '' ? '' : `${mark}${text}`);
  return `${major}.${minor}.${patch}${tail('-', pre.join('.'))}${tail('+', build)}`;
}

/**
 * Orders versions as section 11 of the specification does.
 * @returns negative when `a` comes before `b`, positive when after, 0 when equal.
 */
export function compareVersions(a: Version, b: Version): number {
  for (const part of ['major', 'minor', 'patch'] as const) {
    const order = compareNumbers(a[part], b[part]);
    if (order !== 0) return order;
  }
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length - a.pre.length;
  for (const [index, left] of a.pre.entries()) {
    const right = b.pre[index];
    if (right === undefined) return 1;
    const order = compareIdentifiers(left, right);
    if (order !== 0) return order;
  }
  return a.pre.length - b.pre.length;
}

/** Numbers by value and before words; words by their characters. */
function compareIdentifiers(a: string, b: string): number {
  const isNumber = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumber[0] === true && isNumber[1] === true) return compareNumbers(BigInt(a), BigInt(b));
  if (isNumber[0] !== isNumber[1]) return isNumber[0] === true ? -1 : 1;
  return compareText(a, b);
}

function compareNumbers(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
