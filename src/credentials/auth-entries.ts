import { Credentials } from '../core/credentials.ts';
import { BundleError } from '../core/errors.ts';
import { isObject, type Json } from '../core/json.ts';
import type { RepositoryName } from '../core/reference.ts';

/** One auth file's entries by key: `quay.io/a/b`, `quay.io`, `https://index.docker.io/v1/`. */
export type AuthEntries = ReadonlyMap<string, Credentials>;

/** Names under which files and people know the one registry of Docker Hub. */
const DOCKER_HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/**
 * Reads an auth file: `{"auths": {…}}` (containers-auth.json(5)), or the flat `.dockercfg` where `legacy`.
 * Entries that hold no credentials, as Docker leaves them for its helpers, are left out.
 * @throws BundleError CONFIGURATION. The parser's own message would quote the file and so is not passed on.
 */
export function parseAuthFile(text: string, path: string, legacy = false): AuthEntries {
  let document: Json;
  try {
    document = JSON.parse(text) as Json;
  } catch {
    throw malformed(path, 'it is not valid JSON');
  }
  if (!isObject(document)) throw malformed(path, 'it is not a JSON object');
  const auths = legacy ? document : (document['auths'] ?? {});
  if (!isObject(auths)) throw malformed(path, '"auths" is not an object');
  const entries = new Map<string, Credentials>();
  for (const [key, value] of Object.entries(auths)) {
    const credentials = parseEntry(value);
    if (credentials) entries.set(key, credentials);
  }
  return entries;
}

/**
 * The entry for a repository: the longest path first (`quay.io/a/b`, `quay.io/a`, `quay.io`), then a key that is a URL
 * or another name of the same registry. A port has to match literally.
 */
export function findEntry(entries: AuthEntries, name: RepositoryName): Credentials | undefined {
  const parts = [name.registry, ...name.repository.split('/')];
  for (let length = parts.length; length > 0; length--) {
    const found = entries.get(parts.slice(0, length).join('/'));
    if (found) return found;
  }
  const registry = normalRegistry(name.registry);
  for (const [key, credentials] of entries) {
    if (registryOfKey(key) === registry) return credentials;
  }
  return undefined;
}

function registryOfKey(key: string): string | undefined {
  const url = /^https?:\/\/([^/]+)/.exec(key);
  if (url) return normalRegistry(url[1]!);
  return key.includes('/') ? undefined : normalRegistry(key);
}

function normalRegistry(registry: string): string {
  return DOCKER_HUB.has(registry) ? 'docker.io' : registry;
}

function parseEntry(value: Json): Credentials | undefined {
  if (!isObject(value)) return undefined;
  const { auth, identitytoken } = value;
  const token = typeof identitytoken === 'string' && identitytoken !== '' ? identitytoken : undefined;
  const decoded = typeof auth === 'string' ? Buffer.from(auth, 'base64').toString('utf8') : '';
  const colon = decoded.indexOf(':');
  if (colon === -1) return token === undefined ? undefined : new Credentials('', '', token);
  const password = decoded.slice(colon + 1).replace(/\0+$/, '');
  return new Credentials(decoded.slice(0, colon), password, token);
}

function malformed(path: string, why: string): BundleError {
  return new BundleError('CONFIGURATION', `cannot use the auth file ${path}: ${why}`, {
    hint: 'It has to be JSON of the form {"auths": {"quay.io": {"auth": "…"}}}, as podman login and the pull secret have it.',
    subject: path,
  });
}
