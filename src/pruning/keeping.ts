import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { compareVersions } from '../updates/version-order.ts';
import { type PushedPart, versionOf } from './pushed.ts';

/** What is to stay; everything else goes. */
export interface Keeping {
  /** Names of parts. */
  readonly names: readonly string[];
  /** So many of the newest releases. */
  readonly last: number | undefined;
  readonly bundles: readonly Digest[];
}

const RELEASE = 'release';
const GRAPH = 'graph';

/**
 * The keys of the parts that stay, and why each does. Where releases are named or counted, other
 * parts stay as long as a bundle brought them that has a release which stays, and the newest of each
 * in any case.
 * @param isThere whether a release is at the target: only such ones are counted.
 * @throws BundleError NOT_FOUND for a name that no part has, since what is meant would be pruned by a
 * slip of a key; and for a release that is not there, since nothing at all might be left.
 */
export function staying(
  parts: readonly PushedPart[],
  { names, last, bundles }: Keeping,
  isThere: (part: PushedPart) => boolean,
): ReadonlyMap<string, string> {
  refuseUnknown(parts, names, bundles);
  refuseAbsent(parts, { names, bundles }, isThere);
  const stay = new Map<string, string>();
  const keep = (key: string, why: string): void => {
    if (!stay.has(key)) stay.set(key, why);
  };
  for (const part of parts) {
    const isNamed = part.names.some((name) => names.includes(name));
    const isInBundle = part.rows.some(({ bundle }) => bundles.includes(bundle));
    if (isNamed) keep(part.key, 'named with --keep');
    if (isInBundle) keep(part.key, 'in a bundle of --keep-bundle');
  }
  for (const part of newestReleases(parts.filter(isThere), last ?? 0))
    keep(part.key, 'among the newest');
  if (names.length > 0 || last !== undefined) {
    for (const { key, why } of companions(parts, stay)) keep(key, why);
  }
  return stay;
}

function newestReleases(parts: readonly PushedPart[], count: number): readonly PushedPart[] {
  const releases = parts.filter(({ kind }) => kind === RELEASE);
  const versions = [...new Set(releases.map(versionOf))].sort((a, b) => compareVersions(b, a));
  const newest = versions.slice(0, count);
  return releases.filter((part) => newest.includes(versionOf(part)));
}

/** Parts that are no releases, and stay with them. */
function companions(
  parts: readonly PushedPart[],
  stay: ReadonlyMap<string, string>,
): readonly { readonly key: string; readonly why: string }[] {
  const bundles = new Set(
    parts
      .filter(({ kind, key }) => kind === RELEASE && stay.has(key))
      .flatMap(({ rows }) => rows.map(({ bundle }) => bundle)),
  );
  const newest = new Map<string, number>();
  for (const part of parts)
    newest.set(lineOf(part), Math.max(part.order, newest.get(lineOf(part)) ?? 0));
  return parts.flatMap((part) => {
    if (part.kind === RELEASE) return [];
    if (part.rows.some(({ bundle }) => bundles.has(bundle)))
      return [{ key: part.key, why: 'came with a release that stays' }];
    if (newest.get(lineOf(part)) !== part.order) return [];
    return [{ key: part.key, why: 'the newest of its name' }];
  });
}

/**
 * What follows each other under one name. A graph is called by its digest, and each of them takes the
 * place of the one before it.
 */
function lineOf({ kind, label }: PushedPart): string {
  return kind === GRAPH ? kind : `${kind} ${label}`;
}

function refuseUnknown(
  parts: readonly PushedPart[],
  names: readonly string[],
  bundles: readonly Digest[],
): void {
  const [name] = names.filter((one) => parts.every((part) => !part.names.includes(one)));
  const [bundle] = bundles.filter((one) =>
    parts.every(({ rows }) => rows.every((row) => row.bundle !== one)),
  );
  if (name === undefined && bundle === undefined) return;
  const what = name ?? `the bundle ${hexOf(bundle!)}`;
  throw new BundleError('NOT_FOUND', `${what} is to stay, and is not among what was pushed`, {
    expected: what,
    got: parts.map(({ label }) => label).join(', '),
    hint: 'Nothing was removed. Check the name; a bundle that no receipt names is given by its path.',
  });
}

function refuseAbsent(
  parts: readonly PushedPart[],
  { names, bundles }: Pick<Keeping, 'names' | 'bundles'>,
  isThere: (part: PushedPart) => boolean,
): void {
  const releases = parts.filter(({ kind }) => kind === RELEASE);
  const wanted = [
    ...names.map((name) => ({ what: name, has: (part: PushedPart) => part.names.includes(name) })),
    ...bundles.map((bundle) => ({
      what: `the bundle ${hexOf(bundle)}`,
      has: ({ rows }: PushedPart) => rows.some((row) => row.bundle === bundle),
    })),
  ];
  for (const { what, has } of wanted) {
    const meant = releases.filter(has);
    if (meant.length === 0 || meant.some(isThere)) continue;
    const there = releases.filter(isThere).map(({ label }) => label);
    throw new BundleError('NOT_FOUND', `${what} is to stay, and is not at the target`, {
      expected: what,
      got: there.length === 0 ? 'no release' : there.join(', '),
      hint: 'Nothing was removed. Name a release that is there, or unpack this one first.',
    });
  }
}
