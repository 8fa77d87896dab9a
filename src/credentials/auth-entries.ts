import { Credentials } from '../core/credentials.ts';
import { BundleError } from '../core/errors.ts';
import { isObject, type Json, type JsonObject, notJson } from '../core/json.ts';
import type { RepositoryName } from '../core/reference.ts';

/**
 * The contents of one auth file. An entry is decoded only when it is needed, so that a broken entry
 * does not make the others unusable.
 */
export interface AuthFile {
  readonly path: string;
  readonly legacy: boolean;
  /** By key: `quay.io/a/b`, `quay.io`, `https://index.docker.io/v1/`. */
  readonly auths: JsonObject;
  /** Names of helper programs, by registry. */
  readonly credHelpers: Readonly<Record<string, string>>;
  /** The helper for every registry without an entry. */
  readonly credsStore: string | undefined;
}

/** A program that has the credentials, and the name by which it knows the registry. */
export interface HelperCall {
  readonly helper: string;
  readonly server: string;
}

/** Names under which files and people know the one registry of Docker Hub. */
const DOCKER_HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);
/** How Docker calls it when it talks to its store. */
const DOCKER_HUB_SERVER = 'https://index.docker.io/v1/';

/**
 * Reads an auth file: `{"auths": {…}}` (containers-auth.json(5)), or the flat `.dockercfg` where
 * `legacy`.
 * @throws BundleError CONFIGURATION naming file and place. The parser's own message would quote the
 * file and so is not passed on.
 */
export function parseAuthFile(text: string, path: string, legacy = false): AuthFile {
  const document = parseDocument(text, path);
  const auths = legacy ? document : (settingOf(document, 'auths') ?? {});
  if (!isObject(auths)) throw malformed(path, '"auths" is not an object');
  const credsStore = legacy ? undefined : settingOf(document, 'credsStore');
  const credHelpers = (legacy ? undefined : settingOf(document, 'credHelpers')) ?? {};
  if (!isObject(credHelpers)) throw malformed(path, '"credHelpers" is not an object');
  const helpers = Object.entries(credHelpers)
    .filter(([, helper]) => !isAbsent(helper))
    .map(([key, helper]) => [key, helperName(helper, path, `credHelpers.${key}`)]);
  const store = isAbsent(credsStore) ? undefined : helperName(credsStore, path, 'credsStore');
  return {
    path,
    legacy,
    auths,
    credHelpers: Object.fromEntries(helpers) as Record<string, string>,
    credsStore: store,
  };
}

/**
 * The name by which a file calls one of its settings: for Docker and podman, `Auths` is `auths`.
 */
export function nameOfSetting(object: JsonObject, name: string): string {
  if (Object.hasOwn(object, name)) return name;
  const wanted = name.toLowerCase();
  return Object.keys(object).find((other) => other.toLowerCase() === wanted) ?? name;
}

function settingOf(object: JsonObject, name: string): Json | undefined {
  return object[nameOfSetting(object, name)];
}

/** For Docker and podman, `null` says nothing, as an empty text does. */
function isAbsent(value: Json | undefined): value is undefined | null | '' {
  return value === undefined || value === null || value === '';
}

/** The file as it is, for a change of one entry. @throws BundleError CONFIGURATION */
export function parseDocument(text: string, path: string): JsonObject {
  let document: Json;
  try {
    document = JSON.parse(text) as Json;
  } catch {
    throw malformed(path, `it ${notJson(text)}`);
  }
  if (document === null) return {};
  if (!isObject(document)) throw malformed(path, 'it is not a JSON object');
  return document;
}

/**
 * Finds the credentials of a repository in a file, in this order: the helper of its registry; else
 * the longest path (`quay.io/a/b`, `quay.io/a`, `quay.io`), then a key that is a URL or another
 * name of the same registry; else the file's store. A port has to match literally. Entries that
 * hold no credentials, as Docker leaves them for its helpers, are passed over.
 * @throws BundleError CONFIGURATION for an entry that cannot be decoded.
 */
export function findEntry(
  file: AuthFile,
  name: RepositoryName,
): Credentials | HelperCall | undefined {
  const { auths, credsStore, legacy } = file;
  const registry = normalRegistry(name.registry);
  const helper = helperFor(file, name.registry);
  if (helper) return helper;
  const parts = legacy ? [name.registry] : [name.registry, ...name.repository.split('/')];
  for (let length = parts.length; length > 0; length--) {
    const found = decodeEntry(file, parts.slice(0, length).join('/'));
    if (found) return found;
  }
  for (const key of Object.keys(auths)) {
    const found = registryOfKey(key, legacy) === registry ? decodeEntry(file, key) : undefined;
    if (found) return found;
  }
  if (credsStore === undefined) return undefined;
  return {
    helper: credsStore,
    server: registry === 'docker.io' ? DOCKER_HUB_SERVER : name.registry,
  };
}

/** The helper program that a file names for a registry. */
export function helperFor(
  { credHelpers }: Pick<AuthFile, 'credHelpers'>,
  registry: string,
): HelperCall | undefined {
  const wanted = normalRegistry(registry);
  const key = Object.hasOwn(credHelpers, registry)
    ? registry
    : Object.keys(credHelpers).find((other) => registryOfKey(other) === wanted);
  return key === undefined ? undefined : { helper: credHelpers[key]!, server: key };
}

/** The keys of a `.dockercfg` are URLs of an API, with a scheme or without. */
function registryOfKey(key: string, legacy = false): string | undefined {
  const url = (legacy ? /^(?:https?:\/\/)?([^/]+)/ : /^https?:\/\/([^/]+)/).exec(key);
  if (url) return normalRegistry(url[1]!);
  return key.includes('/') ? undefined : normalRegistry(key);
}

function normalRegistry(registry: string): string {
  return DOCKER_HUB.has(registry) ? 'docker.io' : registry;
}

function decodeEntry({ auths, path }: AuthFile, key: string): Credentials | undefined {
  const value = Object.hasOwn(auths, key) ? auths[key] : undefined;
  if (!isObject(value)) return undefined;
  const auth = settingOf(value, 'auth') ?? '';
  const identitytoken = settingOf(value, 'identitytoken') ?? '';
  if (typeof auth !== 'string') throw malformed(path, `"auth" of "${key}" is not a string`);
  if (typeof identitytoken !== 'string')
    throw malformed(path, `"identitytoken" of "${key}" is not a string`);
  if (
    !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(
      auth.replace(/[\r\n]/g, ''),
    )
  ) {
    throw malformed(path, `"auth" of "${key}" is not base64`);
  }
  const token = identitytoken === '' ? undefined : identitytoken;
  const decoded = Buffer.from(auth, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon === -1) return token === undefined ? undefined : new Credentials('', '', token);
  const password = decoded.slice(colon + 1).replace(/^\0+|\0+$/g, '');
  return new Credentials(decoded.slice(0, colon), password, token);
}

/** A helper is a program `docker-credential-NAME` in the search path, and nothing else. */
export function helperName(value: Json, path: string, place: string): string {
  if (typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(value)) return value;
  throw malformed(path, `"${place}" is not the name of a credential helper`);
}

function malformed(path: string, why: string): BundleError {
  return new BundleError('CONFIGURATION', `cannot use the auth file ${path}: ${why}`, {
    hint:
      'It has to be JSON of the form {"auths": {"quay.io": {"auth": "…"}}}, as bundle login, ' +
      'podman login and the pull secret have it.',
    subject: path,
  });
}
