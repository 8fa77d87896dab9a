import { join } from 'node:path';
import type { TomlTable, TomlValue } from 'smol-toml';
import { utf8 } from '../core/bytes.ts';
import { BundleError, diskError, hasCode } from '../core/errors.ts';
import { MAX_CONFIGURATION_BYTES } from '../core/limits.ts';
import { listFolder } from '../files/folder.ts';
import { ifThere, isThere } from '../files/look.ts';
import { readGivenFile } from '../files/small-file.ts';
import { isPlace, type Mirror, type PullKind, type RegistryRule } from './rules.ts';

/**
 * The settings of containers-registries.conf(5) that matter to a program that is given full names.
 */
export interface RegistriesConf {
  readonly rules: readonly RegistryRule[];
  /** `undefined` where the file does not say. */
  readonly credentialHelpers: readonly string[] | undefined;
}

export interface RegistriesConfOptions {
  /** The one file to read (`--registries-conf`). */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

const SYSTEM = '/etc/containers';

/**
 * Reads the registries.conf that podman would: the file that was named, or
 * `$CONTAINERS_REGISTRIES_CONF`, alone; else the user's or the system's, with the drop-in folders
 * beside. In drop-ins, a later rule takes the place of an earlier one for the same prefix.
 * @throws BundleError NOT_FOUND for a named file that is missing; CONFIGURATION naming file and
 * place; DISK.
 */
export async function loadRegistriesConf({
  file,
  env,
  home,
}: RegistriesConfOptions): Promise<RegistriesConf> {
  const named = file ?? env['CONTAINERS_REGISTRIES_CONF'];
  if (named !== undefined && named !== '') {
    const text = await readText(named);
    if (text !== undefined) return parseRegistriesConf(text, named);
    throw diskError('read', named, Object.assign(new Error(), { code: 'ENOENT' }));
  }
  const user = join(home, '.config/containers');
  const hasOwn = await isThere(join(user, 'registries.conf'));
  const paths = [
    join(hasOwn ? user : SYSTEM, 'registries.conf'),
    ...(hasOwn ? [] : await dropIns(join(SYSTEM, 'registries.conf.d'))),
    ...(await dropIns(join(user, 'registries.conf.d'))),
  ];
  const rules = new Map<string, RegistryRule>();
  let credentialHelpers: readonly string[] | undefined;
  for (const path of paths) {
    const text = await readText(path);
    if (text === undefined) continue;
    const conf = await parseRegistriesConf(text, path);
    for (const rule of conf.rules) rules.set(rule.prefix, rule);
    credentialHelpers = conf.credentialHelpers ?? credentialHelpers;
  }
  return { rules: [...rules.values()], credentialHelpers };
}

/** @throws BundleError CONFIGURATION naming `path` and the place in it. */
export async function parseRegistriesConf(text: string, path: string): Promise<RegistriesConf> {
  const { parse, TomlError } = await import('smol-toml');
  let document: TomlTable;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw refused(
      path,
      `line ${error.line}, column ${error.column}: ${error.message.split('\n')[0] ?? ''}`,
    );
  }
  if (isTable(document['registries'])) {
    throw refused(
      path,
      'it has format version 1, which has no mirrors',
      'Write [[registry]] tables: containers-registries.conf(5), version 2.',
    );
  }
  const rules = tables(document, 'registry', path).map((table, index) =>
    parseRule(table, `[[registry]] ${index + 1}`, path),
  );
  const helpers = document['credential-helpers'];
  if (helpers === undefined) return { rules, credentialHelpers: undefined };
  if (
    !Array.isArray(helpers) ||
    !helpers.every(
      (helper) => typeof helper === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(helper),
    )
  ) {
    throw refused(path, 'credential-helpers is not a list of names');
  }
  return { rules, credentialHelpers: helpers.length === 0 ? undefined : (helpers as string[]) };
}

function parseRule(table: TomlTable, where: string, path: string): RegistryRule {
  const location = placeIn(table, 'location', where, path);
  const prefix = textIn(table, 'prefix', where, path) ?? location;
  if (prefix === undefined) throw refused(path, `${where} has neither prefix nor location`);
  const bare = prefix.startsWith('*.')
    ? prefix.slice(2)
    : prefix.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/(?<=\/[^/]*):[^/:]+$/, '');
  if (!isPlace(bare) || (prefix.startsWith('*.') && /[/:]/.test(bare)))
    throw refused(path, `${where}: "${prefix}" is not a prefix`);
  if (table['pull-from-mirror'] !== undefined)
    throw refused(path, `${where}: pull-from-mirror belongs to a mirror`);
  const byDigest = flagIn(table, 'mirror-by-digest-only', where, path);
  const mirrors = tables(table, 'mirror', path).map((mirror, index): Mirror => {
    const place = `${where}, mirror ${index + 1}`;
    const target = placeIn(mirror, 'location', place, path);
    if (target === undefined) throw refused(path, `${place} has no location`);
    const pull = textIn(mirror, 'pull-from-mirror', place, path);
    if (pull !== undefined && byDigest)
      throw refused(
        path,
        `${place}: pull-from-mirror and mirror-by-digest-only exclude each other`,
      );
    return {
      location: target,
      insecure: flagIn(mirror, 'insecure', place, path),
      pull: byDigest ? 'digest-only' : pullKind(pull, place, path),
    };
  });
  return {
    prefix,
    location,
    insecure: flagIn(table, 'insecure', where, path),
    blocked: flagIn(table, 'blocked', where, path),
    mirrors,
    from: path,
  };
}

const PULL_KINDS: readonly PullKind[] = ['all', 'digest-only', 'tag-only'];

function pullKind(text: string | undefined, where: string, path: string): PullKind {
  if (text === undefined) return 'all';
  const known = PULL_KINDS.find((kind) => kind === text);
  if (known !== undefined) return known;
  throw refused(path, `${where}: pull-from-mirror is ${PULL_KINDS.join(', ')}, and not "${text}"`);
}

function placeIn(table: TomlTable, key: string, where: string, path: string): string | undefined {
  const place = textIn(table, key, where, path)?.replace(/\/+$/, '');
  if (place === undefined || isPlace(place)) return place;
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(place)?.[0];
  const hint =
    scheme === undefined
      ? 'write HOST[:PORT][/PATH]'
      : `leave ${scheme} out: write HOST[:PORT][/PATH]`;
  throw refused(path, `${where}: ${key} is ${JSON.stringify(place)}, which is no place: ${hint}`);
}

/** An empty value is as good as none. */
function textIn(table: TomlTable, key: string, where: string, path: string): string | undefined {
  const value = table[key];
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw refused(path, `${where}: ${key} is not a text`);
}

function flagIn(table: TomlTable, key: string, where: string, path: string): boolean {
  const value = table[key] ?? false;
  if (typeof value === 'boolean') return value;
  throw refused(path, `${where}: ${key} is neither true nor false`);
}

function tables(table: TomlTable, key: string, path: string): readonly TomlTable[] {
  const list = table[key] ?? [];
  if (Array.isArray(list) && list.every(isTable)) return list;
  throw refused(path, `${key} is not a list of tables`);
}

function isTable(value: TomlValue | undefined): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);
}

async function dropIns(folder: string): Promise<readonly string[]> {
  const names = (await ifThere(listFolder(folder), ['ENOENT', 'ENOTDIR'])) ?? [];
  return names.filter((name) => name.endsWith('.conf')).map((name) => join(folder, name));
}

/** `undefined` where there is no such file. */
async function readText(path: string): Promise<string | undefined> {
  try {
    const content = await ifThere(readGivenFile(path, MAX_CONFIGURATION_BYTES));
    return content && utf8(content);
  } catch (error) {
    throw hasCode(error, 'CONFIGURATION') ? refused(path, error.message) : error;
  }
}

function refused(path: string, why: string, hint?: string): BundleError {
  return new BundleError('CONFIGURATION', `cannot use ${path}: ${why}`, {
    hint:
      hint ??
      'containers-registries.conf(5) describes the file; ' +
        '--registries-conf FILE reads another one instead.',
    subject: path,
  });
}
