import { join } from 'node:path';

import { utf8 } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import { MAX_CONFIGURATION_BYTES } from '../core/limits.ts';
import type { RepositoryName } from '../core/reference.ts';
import { listFolder } from '../files/folder.ts';
import { ifThere, isFolder } from '../files/look.ts';
import { readGivenFile } from '../files/small-file.ts';
import { parseDocument } from '../yaml/documents.ts';

/** Where a namespace keeps the signatures of its images. */
interface Namespace {
  /** For reading; a namespace that only says where they are written has none. */
  readonly lookaside: string | undefined;
  readonly from: string;
}

/** What the files of containers-registries.d(5) say about reading signatures. */
export interface RegistriesD {
  readonly fallback: Namespace | undefined;
  readonly docker: ReadonlyMap<string, Namespace>;
}

export interface RegistriesDOptions {
  /** In place of the user's folder and of the system's (`--registries-d`). */
  readonly folder?: string | undefined;
  readonly home: string;
  /** The system's folder; tests have one of their own. */
  readonly system?: string;
}

const SYSTEM = '/etc/containers/registries.d';

/** Where Red Hat keeps the signatures of its images: what its own hosts have in these files. */
const RED_HAT: ReadonlyMap<string, string> = new Map([
  ['registry.redhat.io', 'https://registry.redhat.io/containers/sigstore'],
  ['registry.access.redhat.com', 'https://access.redhat.com/webassets/docker/content/sigstore'],
]);

/** The folder in which nobody has said anything. */
export const NO_REGISTRIES_D: RegistriesD = { fallback: undefined, docker: new Map() };

/**
 * Reads the files that podman and skopeo would: all `*.yaml` of the folder that was named, else of
 * the user's folder where there is one, else of the system's. Each namespace may stand in one file.
 * @throws BundleError NOT_FOUND for a named folder that is missing; CONFIGURATION naming the file;
 * DISK.
 */
export async function loadRegistriesD({
  folder,
  home,
  system = SYSTEM,
}: RegistriesDOptions): Promise<RegistriesD> {
  const user = join(home, '.config/containers/registries.d');
  const isUsers =
    folder === undefined &&
    (await ifThere(isFolder(user), ['ENOENT', 'ENOTDIR', 'EACCES'])) === true;
  const chosen = folder ?? (isUsers ? user : system);
  const listed = listFolder(chosen);
  const names =
    folder === undefined ? ((await ifThere(listed, ['ENOENT', 'ENOTDIR'])) ?? []) : await listed;
  let fallback: Namespace | undefined;
  const docker = new Map<string, Namespace>();
  for (const name of names.filter((one) => one.endsWith('.yaml')).toSorted()) {
    const from = join(chosen, name);
    const file = parseFile(await readText(from), from);
    if (fallback !== undefined && file.fallback !== undefined)
      throw refused(from, `default-docker stands in ${fallback.from}, too`);
    fallback ??= file.fallback;
    for (const [namespace, own] of file.docker) {
      const other = docker.get(namespace);
      if (other !== undefined)
        throw refused(from, `the namespace ${namespace} stands in ${other.from}, too`);
      docker.set(namespace, own);
    }
  }
  return { fallback, docker };
}

/** What was said, and whether what was not said counts: the places of Red Hat. */
export interface LookasideRules extends RegistriesD {
  readonly builtIn: boolean;
}

/**
 * The URL below which the signatures of a repository are kept: that of the most exact namespace that
 * has one, else the default; else where Red Hat keeps its own.
 */
export function lookasideOf(
  { registry, repository }: RepositoryName,
  digest: Digest,
  { docker, fallback, builtIn }: LookasideRules,
): string | undefined {
  const names = namespacesOf(registry, repository, digest);
  const urlOf = (some: ReadonlyMap<string, Namespace>): string | undefined =>
    names.map((name) => some.get(name)?.lookaside).find((url) => url !== undefined);
  const said = urlOf(docker) ?? fallback?.lookaside;
  return said ?? (builtIn ? RED_HAT.get(registry) : undefined);
}

/** From the image to its host, and then to the domains that the host is in. */
function namespacesOf(registry: string, repository: string, digest: Digest): readonly string[] {
  const path = repository.split('/');
  const paths = path.map((_, index) => path.slice(0, path.length - index).join('/'));
  const labels = registry.replace(/:[0-9]+$/, '').split('.');
  return [
    `${registry}/${repository}@${digest}`,
    ...paths.map((some) => `${registry}/${some}`),
    registry,
    ...labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`),
  ];
}

async function readText(path: string): Promise<string> {
  try {
    return utf8(await readGivenFile(path, MAX_CONFIGURATION_BYTES));
  } catch (error) {
    throw hasCode(error, 'CONFIGURATION') ? refused(path, error.message) : error;
  }
}

function parseFile(text: string, path: string): RegistriesD {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) {
    const [at] = error.linePos ?? [];
    const where = at === undefined ? '' : `line ${at.line}, column ${at.col}: `;
    throw refused(
      path,
      `${where}${/unique/i.test(error.message) ? 'a key stands twice' : 'it is not YAML'}`,
    );
  }
  let value: Json;
  try {
    value = document.toJS({ maxAliasCount: 100 }) as Json;
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw refused(path, cause.message);
  }
  if (value === null) return NO_REGISTRIES_D;
  if (!isObject(value)) throw refused(path, 'it is not a map');
  const { docker = null } = value;
  const own = value['default-docker'] ?? null;
  if (docker !== null && !isObject(docker)) throw refused(path, 'docker is not a map');
  return {
    fallback: own === null ? undefined : namespaceIn(own, 'default-docker', path),
    docker: new Map(
      Object.entries(docker ?? {}).map(([name, entry]) => [
        name.replace(/\/+$/, ''),
        namespaceIn(entry, `docker, ${name}`, path),
      ]),
    ),
  };
}

/** `sigstore` is what `lookaside` was called before; where they are written does not matter here. */
function namespaceIn(entry: Json, where: string, path: string): Namespace {
  if (entry === null) return { lookaside: undefined, from: path };
  if (!isObject(entry)) throw refused(path, `${where} is not a map`);
  const lookaside = urlIn(entry, 'lookaside', where, path) ?? urlIn(entry, 'sigstore', where, path);
  return { lookaside, from: path };
}

function urlIn(entry: JsonObject, key: string, where: string, path: string): string | undefined {
  const url = entry[key];
  if (url === undefined || url === null || url === '') return undefined;
  if (typeof url === 'string' && /^(?:https?|file):\/\//i.test(url) && URL.canParse(url))
    return url;
  throw refused(
    path,
    `${where}: ${key} is not a URL that begins with https://, http:// or file:///`,
  );
}

function refused(path: string, why: string): BundleError {
  return new BundleError('CONFIGURATION', `cannot use ${path}: ${why}`, {
    hint: 'containers-registries.d(5) says what such a file has. --registries-d names another folder.',
    subject: path,
  });
}
