import { delimiter, dirname, isAbsolute, join } from 'node:path';

import { utf8 } from '../core/bytes.ts';
import type { Environment } from '../core/context.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import { MAX_KUBECONFIG_BYTES } from '../core/limits.ts';
import { readGivenFile } from '../files/small-file.ts';
import { parse } from '../yaml/documents.ts';

/** Which cluster, and as who, as the user says it. */
export interface ClusterChoice {
  /** A kubeconfig in place of those that oc would read. */
  readonly kubeconfig: string | undefined;
  /** A context in place of the current one. */
  readonly context: string | undefined;
}

/** An entry of a kubeconfig. */
export interface KubeEntry {
  readonly name: string;
  /** What it says, as it stands in the file. */
  readonly said: JsonObject;
  readonly file: string;
}

/** The cluster and the user that a context names. */
export interface KubeContext {
  readonly name: string;
  readonly cluster: KubeEntry;
  /** `undefined` where the context names no user: nobody in particular asks. */
  readonly user: KubeEntry | undefined;
  /** The kubeconfigs that were read. */
  readonly files: readonly string[];
}

/** What one file says. */
interface KubeFile {
  readonly path: string;
  readonly current: string | undefined;
  readonly clusters: readonly KubeEntry[];
  readonly users: readonly KubeEntry[];
  readonly contexts: readonly KubeEntry[];
}

const CHOOSE = 'Name a kubeconfig with --kubeconfig FILE, or log in with oc login.';

/**
 * Finds the context that is asked for in the kubeconfigs that oc and kubectl read: the file that
 * was named, or those of `$KUBECONFIG`, or `~/.kube/config`. Of several files, the first that says
 * something counts.
 * @throws BundleError NOT_ALLOWED where there is no kubeconfig, or it cannot be read or understood;
 * CONFIGURATION where it lacks what it names.
 */
export async function findContext(
  { kubeconfig, context }: ClusterChoice,
  environment: Environment,
): Promise<KubeContext> {
  const files = await readFiles(kubeconfig, environment);
  const paths = files.map(({ path }) => path);
  const places = paths.join(', ');
  const name = context ?? files.find(({ current }) => current !== undefined)?.current;
  const contexts = files.flatMap((file) => file.contexts);
  const names = [...new Set(contexts.map((entry) => entry.name))];
  if (name === undefined) {
    throw new BundleError('CONFIGURATION', `${places}: no context is the current one`, {
      hint: `Choose one with --context: ${names.join(', ') || 'there is none'}.`,
    });
  }
  const chosen = contexts.find((entry) => entry.name === name);
  if (chosen === undefined) {
    throw new BundleError('CONFIGURATION', `${places}: there is no context ${name}`, {
      hint: names.length === 0 ? CHOOSE : `Choose one with --context: ${names.join(', ')}.`,
      subject: name,
    });
  }
  const wanted = (kind: 'cluster' | 'user', entries: readonly KubeEntry[]): KubeEntry => {
    const called = textOf(chosen, kind);
    const entry = entries.find((some) => some.name === called);
    if (entry !== undefined) return entry;
    throw new BundleError(
      'CONFIGURATION',
      `${chosen.file}: the context ${name} names the ${kind} ${called ?? '(none)'}, ` +
        'which is not there',
      { hint: 'Correct the kubeconfig: oc config view shows what oc makes of it.', subject: name },
    );
  };
  const hasUser = textOf(chosen, 'user') !== undefined;
  return {
    name,
    cluster: wanted(
      'cluster',
      files.flatMap((file) => file.clusters),
    ),
    user: hasUser
      ? wanted(
          'user',
          files.flatMap((file) => file.users),
        )
      : undefined,
    files: paths,
  };
}

/** A text in an entry; an empty one is as good as none. @throws BundleError CONFIGURATION */
export function textOf(entry: KubeEntry, key: string): string | undefined {
  const value = entry.said[key] ?? '';
  if (typeof value === 'string') return value === '' ? undefined : value;
  throw entryFault(entry, `${key} is not a text`);
}

/** What is wrong with an entry of a kubeconfig. */
export function entryFault(
  { name, file }: KubeEntry,
  why: string,
  hint = 'Correct the kubeconfig.',
): BundleError {
  return new BundleError('CONFIGURATION', `${file}: ${name}: ${why}`, { hint, subject: name });
}

/** The path of a file that an entry names: beside its kubeconfig, where it is relative. */
export function pathOf(entry: KubeEntry, key: string): string | undefined {
  const path = textOf(entry, key);
  return path === undefined || isAbsolute(path) ? path : join(dirname(entry.file), path);
}

async function readFiles(
  named: string | undefined,
  { env, home }: Environment,
): Promise<readonly KubeFile[]> {
  if (named !== undefined) return [await readFile(named)];
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  const paths = listed.length > 0 ? listed : [join(home, '.kube', 'config')];
  const found: KubeFile[] = [];
  for (const path of new Set(paths)) {
    const file = await readFile(path).catch((error: unknown) => {
      if (hasCode(error, 'NOT_ALLOWED') && hasCode(error.cause, 'NOT_FOUND')) return undefined;
      throw error;
    });
    if (file !== undefined) found.push(file);
  }
  if (found.length > 0) return found;
  const where = paths.join(', ');
  const which = listed.length > 0 ? `${where}, which $KUBECONFIG names` : where;
  throw new BundleError('NOT_ALLOWED', `there is no kubeconfig: ${which}`, { hint: CHOOSE });
}

async function readFile(path: string): Promise<KubeFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readGivenFile(path, MAX_KUBECONFIG_BYTES, 'the kubeconfig');
  } catch (cause) {
    if (!(cause instanceof BundleError) || cause.code === 'CONFIGURATION') throw cause;
    throw new BundleError('NOT_ALLOWED', cause.message, { cause, hint: CHOOSE, subject: path });
  }
  const said = parsed(utf8(bytes), path);
  const list = (key: string, member: string): readonly KubeEntry[] => {
    const entries = said[key] ?? [];
    if (!Array.isArray(entries)) throw notKubeconfig(path, `${key} is not a list`);
    return (entries as readonly Json[]).map((entry) => {
      if (!isObject(entry) || typeof entry['name'] !== 'string')
        throw notKubeconfig(path, `an entry of ${key} has no name`);
      const body = entry[member] ?? {};
      if (!isObject(body))
        throw notKubeconfig(path, `${member} of ${entry['name']} is not an object`);
      return { name: entry['name'], said: body, file: path };
    });
  };
  const current = said['current-context'];
  return {
    path,
    current: typeof current === 'string' && current !== '' ? current : undefined,
    clusters: list('clusters', 'cluster'),
    users: list('users', 'user'),
    contexts: list('contexts', 'context'),
  };
}

/** The text of the file is in no message: it may be a token. */
function parsed(text: string, path: string): JsonObject {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100, logLevel: 'error' }) ?? {};
  } catch {
    throw notKubeconfig(path, 'it is not YAML');
  }
  const said = value as Json;
  if (!isObject(said)) throw notKubeconfig(path, 'it is not an object');
  const kind = said['kind'] ?? 'Config';
  if (kind !== 'Config') throw notKubeconfig(path, 'its kind is not Config');
  return said;
}

function notKubeconfig(path: string, why: string): BundleError {
  return new BundleError('NOT_ALLOWED', `${path} is not a kubeconfig: ${why}`, {
    hint: 'Check the path; oc config view --kubeconfig FILE shows what oc makes of a file.',
    subject: path,
  });
}
