import { type Digest, parseDigest } from './digest.ts';
import { BundleError } from './errors.ts';
import { hintOnPassword, withoutPassword } from './http/user-info.ts';

/** A repository at a registry: where manifests and blobs live. */
export interface RepositoryName {
  /** Host name, IPv4 address or bracketed IPv6 address, with `:port` where one was given. */
  readonly registry: string;
  /** Path of one or more components: `openshift-release-dev/ocp-release`. */
  readonly repository: string;
}

/**
 * `registry/repository[:tag][@digest]`. With both, the digest decides and the tag is for people.
 */
export interface Reference extends RepositoryName {
  readonly tag?: string;
  readonly digest?: Digest;
}

const HOST = String.raw`(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:.]+\])`;
const COMPONENT = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`;
const REGISTRY = new RegExp(`^${HOST}(?::(?<port>[0-9]{1,5}))?$`);
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

const MAX_PORT = 65_535;

/** The longest name the distribution specification allows for host and path together. */
export const MAX_NAME_LENGTH = 255;

/**
 * Parses a full reference after the grammar of the distribution specification. The registry has to
 * be written out: there is no default one. A leading `docker://` is understood, as skopeo writes
 * it.
 * @throws BundleError USAGE naming the part that is wrong.
 */
export function parseReference(text: string): Reference {
  const bare = text.startsWith('docker://') ? text.slice('docker://'.length) : text;
  const [beforeDigest, digestText, ...more] = bare.split('@');
  if (more.length > 0) throw refused(text, 'it has more than one @');
  const slash = beforeDigest!.lastIndexOf('/');
  const colon = beforeDigest!.indexOf(':', slash + 1);
  const hasTag = slash !== -1 && colon !== -1;
  const name = hasTag ? beforeDigest!.slice(0, colon) : beforeDigest!;
  const tag = hasTag ? beforeDigest!.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) throw refused(text, `"${tag}" is not a tag`);
  if (digestText !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digestText)) {
    throw refused(text, `"${digestText}" is not a SHA-256 digest`);
  }
  return {
    ...readRepositoryName(name, text),
    ...(tag !== undefined && { tag }),
    ...(digestText !== undefined && { digest: parseDigest(digestText) }),
  };
}

/**
 * `registry/path`, without tag or digest. A leading `docker://` is understood here too.
 * @throws BundleError USAGE, telling of `whole` where the name is a part of it.
 */
export function parseRepositoryName(name: string, whole: string = name): RepositoryName {
  return readRepositoryName(
    name.startsWith('docker://') ? name.slice('docker://'.length) : name,
    whole,
  );
}

function readRepositoryName(bare: string, whole: string): RepositoryName {
  const slash = bare.indexOf('/');
  if (slash === -1) throw refused(whole, 'it has no repository after the registry');
  const registry = bare.slice(0, slash);
  const repository = bare.slice(slash + 1);
  if (!isRegistry(registry) || !looksLikeHost(registry)) {
    throw refused(
      whole,
      `"${registry}" is not a registry: write the host out, as in quay.io/${bare}`,
    );
  }
  if (bare.length > MAX_NAME_LENGTH)
    throw refused(whole, `its name is longer than ${MAX_NAME_LENGTH} characters`);
  if (!isRepository(repository)) throw refused(whole, `"${repository}" is not a repository path`);
  return { registry, repository };
}

/**
 * A name without dot, port or brackets is a path component on Docker Hub to other tools;
 * `localhost` alone is a host.
 */
export function looksLikeHost(registry: string): boolean {
  return /[.:[]/.test(registry) || registry === 'localhost';
}

export function isRegistry(text: string): boolean {
  const match = REGISTRY.exec(text);
  const port = match?.groups?.['port'];
  return match !== null && (port === undefined || (Number(port) >= 1 && Number(port) <= MAX_PORT));
}

/** Whether a registry is named by an address that means another machine on each machine. */
export function isLoopback(registry: string): boolean {
  const host = registry.replace(/:[0-9]+$/, '').toLowerCase();
  return host === 'localhost' || host.endsWith('.localhost') || /^127\.|^\[::1\]$/.test(host);
}

export function isRepository(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && REPOSITORY.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

export function formatRepository(name: RepositoryName): string {
  return `${name.registry}/${name.repository}`;
}

export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${formatRepository(reference)}${tag}${digest}`;
}

function refused(text: string, why: string): BundleError {
  const shown = withoutPassword(text);
  // Why may quote a piece of what was written, and the piece may be the password.
  const told = shown === text ? why : 'it has a user name and a password in it';
  return new BundleError('USAGE', `not a reference: ${shown}: ${told}`, {
    hint: hintOnPassword(
      text,
      'A reference is REGISTRY/REPOSITORY[:TAG][@DIGEST], ' +
        'as in quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64.',
    ),
  });
}
