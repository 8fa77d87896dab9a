import { BundleError } from '../core/errors.ts';
import {
  formatRepository,
  isRegistry,
  isRepository,
  looksLikeHost,
  type RepositoryName,
} from '../core/reference.ts';
import { hintOnPassword, withoutPassword } from '../core/http/user-info.ts';

/**
 * Which content a mirror is asked for: by digest, which is the same everywhere, or by tag, which
 * may lag behind.
 */
export type PullKind = 'all' | 'digest-only' | 'tag-only';

export interface Mirror {
  /** Takes the place of the prefix. */
  readonly location: string;
  /** `undefined` where the rule for the location itself decides. */
  readonly insecure: boolean | undefined;
  readonly pull: PullKind;
}

/**
 * The configuration of a site for the repositories under a prefix (a `[[registry]]` of
 * containers-registries.conf(5)).
 */
export interface RegistryRule {
  /** `quay.io`, `quay.io/a/b`, `*.example.com`. */
  readonly prefix: string;
  /** Takes the place of the prefix in the end; `undefined` where the name stays. */
  readonly location: string | undefined;
  /** Of the location; `undefined` where the rule for the location itself decides. */
  readonly insecure: boolean | undefined;
  readonly blocked: boolean;
  /** In the order in which they are asked, before the location. */
  readonly mirrors: readonly Mirror[];
  /** The file, or the option, for messages. */
  readonly from: string;
}

/** A place to ask for content, that is known under another name perhaps. */
export interface PullPlace {
  readonly name: RepositoryName;
  readonly insecure: boolean;
  /** Who forbids to ask it. */
  readonly blockedBy: string | undefined;
}

/** `PREFIX=LOCATION`: fetch `PREFIX/…` from `LOCATION/…`. @throws BundleError USAGE */
export function parseMirrorOption(text: string): RegistryRule {
  const [prefix, location, ...more] = text.split('=');
  if (more.length === 0 && isPlace(prefix) && isPlace(location)) {
    const from = '--mirror';
    return { prefix, location, insecure: undefined, blocked: false, mirrors: [], from };
  }
  throw new BundleError('USAGE', `not a mirror rule: ${withoutPassword(text)}`, {
    hint: hintOnPassword(
      text,
      'Write PREFIX=LOCATION, as in quay.io=mirror.example.com:5000/quay.',
    ),
  });
}

/** `HOST[:PORT][/PATH]`, where the host can be told from a path. */
export function isPlace(place: string | undefined): place is string {
  const [registry = '', ...path] = place?.split('/') ?? [];
  return (
    isRegistry(registry) &&
    looksLikeHost(registry) &&
    (path.length === 0 || isRepository(path.join('/')))
  );
}

/** `*.example.com`, also `*.io`; without a port and a path. */
export function isWildcard(prefix: string): boolean {
  return prefix.startsWith('*.') && !prefix.includes(':') && isRegistry(prefix.slice(2));
}

/**
 * Where content of a repository is asked for, in order: the mirrors of the rule with the longest
 * prefix, then its location.
 * @param options rules of the command line: one that fits decides alone.
 * @param reference the tag or digest that is asked for.
 */
export function pullPlaces(
  name: RepositoryName,
  reference: string,
  rules: readonly RegistryRule[],
  options: readonly RegistryRule[] = [],
): readonly PullPlace[] {
  const byDigest = isByDigest(reference);
  const full = `${formatRepository(name)}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`;
  const rule = findRule(full, options) ?? findRule(full, rules);
  const mirrors =
    rule?.mirrors.filter(({ pull }) => pull === 'all' || (pull === 'digest-only') === byDigest) ??
    [];
  return [
    ...mirrors.map(({ location, insecure }) =>
      placeOf(rewritten(full, rule!, location), reference, insecure, rules),
    ),
    placeOf(
      rule === undefined ? name : rewritten(full, rule, rule.location),
      reference,
      rule?.insecure,
      rules,
    ),
  ];
}

/**
 * The same for a repository that is written to: nothing is rewritten, but it may be insecure or
 * blocked.
 */
export function pushPlace(name: RepositoryName, rules: readonly RegistryRule[]): PullPlace {
  return placeOf(name, '', undefined, rules);
}

/**
 * The tag of a cosign signature holds the digest it is about, and is looked for where that was
 * found.
 */
export function isSignatureTag(reference: string): boolean {
  return /^sha256-[0-9a-f]{64}\.(?:sig|att|sbom)$/.test(reference);
}

function isByDigest(reference: string): boolean {
  return reference.startsWith('sha256:') || isSignatureTag(reference);
}

/**
 * A place is blocked by what its own name is found under, as a mirror may be allowed where its
 * source is not.
 */
function placeOf(
  name: RepositoryName,
  reference: string,
  insecure: boolean | undefined,
  rules: readonly RegistryRule[],
): PullPlace {
  const own = findRule(
    `${formatRepository(name)}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`,
    rules,
  );
  return {
    name,
    insecure: insecure ?? own?.insecure ?? false,
    blockedBy: own?.blocked === true ? own.from : undefined,
  };
}

/**
 * The rule with the longest prefix; of equally long ones one that blocks, then the first in the
 * order of their characters.
 */
export function findRule(full: string, rules: readonly RegistryRule[]): RegistryRule | undefined {
  const [longest] = rules
    .filter(({ prefix }) => matchLength(full, prefix) !== undefined)
    .toSorted(
      (a, b) =>
        b.prefix.length - a.prefix.length ||
        Number(b.blocked) - Number(a.blocked) ||
        (a.prefix < b.prefix ? -1 : 1),
    );
  return longest;
}

/**
 * How much of a reference a prefix stands for, up to the border of a path component; with a
 * wildcard it is the host. A port is kept like the rest of the name: a prefix without one stands
 * for all ports of its host, as it does for podman. Names of hosts are the same in small and capital
 * letters (RFC 4343): what blocks one has to block the other.
 */
function matchLength(reference: string, place: string): number | undefined {
  const [full, prefix] = [withSmallHost(reference), withSmallHost(place)];
  if (prefix.startsWith('*.')) {
    const host = /^[^/:@]*/.exec(full)![0];
    return host.endsWith(prefix.slice(1)) ? host.length : undefined;
  }
  const isBorder = full.length === prefix.length || /[/:@]/.test(full.charAt(prefix.length));
  return full.startsWith(prefix) && isBorder ? prefix.length : undefined;
}

function withSmallHost(place: string): string {
  const [host = ''] = place.split('/', 1);
  return host.toLowerCase() + place.slice(host.length);
}

function rewritten(
  full: string,
  { prefix, from }: RegistryRule,
  location: string | undefined,
): RepositoryName {
  const place =
    location === undefined ? full : `${location}${full.slice(matchLength(full, prefix))}`;
  const bare = withoutDigest(place).replace(/:[^:/]*$/, '');
  const slash = bare.indexOf('/');
  const name = { registry: bare.slice(0, slash), repository: bare.slice(slash + 1) };
  if (slash > 0 && isRegistry(name.registry) && isRepository(name.repository)) return name;
  throw new BundleError(
    'CONFIGURATION',
    `${from} leads from ${withoutDigest(full)} to ${withoutDigest(place)}, ` +
      'which is not a repository',
    {
      hint: 'The location replaces the prefix; the rest of the name stays as it is.',
    },
  );
}

function withoutDigest(reference: string): string {
  return reference.replace(/@.*$/, '');
}
