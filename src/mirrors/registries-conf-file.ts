import type { TomlTable, TomlValue } from 'smol-toml';
import { BundleError } from '../core/errors.ts';
import { isPlace, isWildcard, type Mirror, type PullKind, type RegistryRule } from './rules.ts';

/**
 * The settings of containers-registries.conf(5) that matter to a program that is given full names.
 */
export interface RegistriesConf {
  readonly rules: readonly RegistryRule[];
  /** `undefined` where the file does not say; empty where it takes back what others said. */
  readonly credentialHelpers: readonly string[] | undefined;
}

/** The tables of format version 1. */
const VERSION_1 = ['search', 'insecure', 'block'] as const;

/** Any of them makes a file one of version 2, but for an empty text. */
const VERSION_2 = [
  'registry',
  'unqualified-search-registries',
  'credential-helpers',
  'short-name-mode',
  'aliases',
  'additional-layer-store-auth-helper',
];

const KEYS = new Set([
  ...VERSION_2,
  'registries',
  ...VERSION_1,
  'prefix',
  'location',
  'insecure',
  'blocked',
  'mirror',
  'mirror-by-digest-only',
  'pull-from-mirror',
]);

/**
 * Reads one file, of format version 2 or 1, as podman does.
 * @param isDropIn those have version 2 always.
 * @throws BundleError CONFIGURATION naming `path` and the place in it.
 */
export async function parseRegistriesConf(
  text: string,
  path: string,
  isDropIn = false,
): Promise<RegistriesConf> {
  const document = await parseToml(text, path);
  const first = firstVersion(document, path);
  if (first !== undefined) {
    const other = VERSION_2.find((key) => document[key] !== undefined && document[key] !== '');
    if (other !== undefined || isDropIn) {
      const why =
        other === undefined
          ? 'it has format version 1, and a drop-in has to have version 2'
          : `it mixes [registries] of format version 1 with ${other} of version 2`;
      throw refused(path, why, 'Write [[registry]] tables: containers-registries.conf(5).');
    }
    return { rules: first, credentialHelpers: undefined };
  }
  const rules = tables(document, 'registry', path).map((table, index) =>
    parseRule(table, `[[registry]] ${index + 1}`, path),
  );
  checkConflicts(rules, path);
  return { rules: firstOfEach(rules), credentialHelpers: helpersIn(document, path) };
}

async function parseToml(text: string, path: string): Promise<TomlTable> {
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
  return withKnownKeys(document, path);
}

/**
 * For podman, `Blocked = true` is `blocked = true`: its parser looks at no capitals in the keys
 * that it knows.
 */
function withKnownKeys(table: TomlTable, path: string): TomlTable {
  const known: TomlTable = {};
  for (const [key, value] of Object.entries(table)) {
    const name = key.toLowerCase();
    if (!KEYS.has(name)) continue;
    if (known[name] !== undefined)
      throw refused(path, `it says ${name} twice in one place, with and without capitals`);
    // Names of images, and not of settings.
    known[name] = name === 'aliases' ? value : valueWithKnownKeys(value, path);
  }
  return known;
}

function valueWithKnownKeys(value: TomlValue, path: string): TomlValue {
  if (Array.isArray(value)) return value.map((entry) => valueWithKnownKeys(entry, path));
  return isTable(value) ? withKnownKeys(value, path) : value;
}

/** The rules of a file of version 1; `undefined` for a file that has nothing of it. */
function firstVersion(document: TomlTable, path: string): readonly RegistryRule[] | undefined {
  const { registries } = document;
  if (registries === undefined) return undefined;
  if (!isTable(registries)) throw refused(path, 'registries is not a table');
  const lists = VERSION_1.map((key) => {
    const table = registries[key] ?? {};
    if (!isTable(table)) throw refused(path, `registries.${key} is not a table`);
    return listIn(table, `registries.${key}`, path);
  });
  if (lists.every((list) => list === undefined)) return undefined;
  const [, insecure = [], block = []] = lists;
  return [...new Set([...block, ...insecure])].map((location) => ({
    prefix: location,
    location,
    insecure: insecure.includes(location),
    blocked: block.includes(location),
    mirrors: [],
    from: path,
  }));
}

function listIn(table: TomlTable, where: string, path: string): readonly string[] | undefined {
  const { registries } = table;
  if (registries === undefined) return undefined;
  if (!Array.isArray(registries)) throw refused(path, `${where}.registries is not a list`);
  return registries.map((entry, index) => {
    const name = `${where}.registries, entry ${index + 1}`;
    const place = placeIn({ [name]: entry }, name, path);
    if (place === undefined) throw refused(path, `${name} is empty`);
    return place;
  });
}

function helpersIn(document: TomlTable, path: string): readonly string[] | undefined {
  const helpers = document['credential-helpers'];
  if (helpers === undefined) return undefined;
  const isName = (helper: TomlValue): helper is string =>
    typeof helper === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(helper);
  if (Array.isArray(helpers) && helpers.every(isName)) return helpers;
  throw refused(path, 'credential-helpers is not a list of names');
}

function parseRule(table: TomlTable, where: string, path: string): RegistryRule {
  const location = placeIn(table, 'location', path, where);
  const prefix = prefixIn(table, where, path) ?? location;
  if (prefix === undefined) throw refused(path, `${where} has neither prefix nor location`);
  if (location === undefined && !prefix.startsWith('*.'))
    throw refused(
      path,
      `${where} has the prefix ${prefix} and no location`,
      `Write location = "${prefix}" beside it. ` +
        'Only a prefix of the form *.example.com may do without.',
    );
  if (textIn(table, 'pull-from-mirror', where, path) !== undefined)
    throw refused(path, `${where}: pull-from-mirror belongs to a mirror`);
  const byDigest = flagIn(table, 'mirror-by-digest-only', where, path);
  const mirrors = tables(table, 'mirror', path).map((mirror, index): Mirror => {
    const place = `${where}, mirror ${index + 1}`;
    const target = placeIn(mirror, 'location', path, place);
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

/**
 * One location under several prefixes is one registry: where one entry blocks it and another does
 * not, nobody could say what is meant.
 */
function checkConflicts(rules: readonly RegistryRule[], path: string): void {
  for (const [index, rule] of rules.entries()) {
    const place = rule.location ?? rule.prefix;
    const other = rules.findIndex(
      (known) =>
        (known.location ?? known.prefix) === place &&
        (known.blocked !== rule.blocked || known.insecure !== rule.insecure),
    );
    if (other === -1) continue;
    const setting = rules[other]!.blocked === rule.blocked ? 'insecure' : 'blocked';
    throw refused(
      path,
      `[[registry]] ${index + 1} and ${other + 1} are both for ${place}, ` +
        `and only one of them says ${setting} = true`,
      `Write ${setting} into both or into none, or leave one of them out.`,
    );
  }
}

/** The first of several entries for one prefix counts. */
function firstOfEach(rules: readonly RegistryRule[]): readonly RegistryRule[] {
  return rules.filter(
    ({ prefix }, index) => rules.findIndex((rule) => rule.prefix === prefix) === index,
  );
}

const PULL_KINDS: readonly PullKind[] = ['all', 'digest-only', 'tag-only'];

function pullKind(text: string | undefined, where: string, path: string): PullKind {
  if (text === undefined) return 'all';
  const known = PULL_KINDS.find((kind) => kind === text);
  if (known !== undefined) return known;
  throw refused(path, `${where}: pull-from-mirror is ${PULL_KINDS.join(', ')}, and not "${text}"`);
}

/** A repository, a part of its path, a host, `*.example.com`, or one image by tag or digest. */
function prefixIn(table: TomlTable, where: string, path: string): string | undefined {
  const prefix = textIn(table, 'prefix', where, path)?.replace(/\/+$/, '');
  if (prefix === undefined) return undefined;
  const bare = prefix.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/(?<=\/[^/]*):[^/:]+$/, '');
  if (isPlace(bare) || isWildcard(prefix)) return prefix;
  const shown = `${where}: the prefix ${JSON.stringify(prefix)}`;
  if (prefix.includes('*'))
    throw refused(path, `${shown} is no wildcard`, 'A wildcard has the form *.example.com.');
  throw noPlace(path, shown, prefix);
}

/** `HOST[:PORT][/PATH]`; an empty one is as good as none. */
function placeIn(table: TomlTable, key: string, path: string, where?: string): string | undefined {
  const place = textIn(table, key, where, path)?.replace(/\/+$/, '');
  if (place === undefined || isPlace(place)) return place;
  const shown = where === undefined ? key : `${where}: the ${key}`;
  throw noPlace(path, `${shown} ${JSON.stringify(place)}`, place);
}

function noPlace(path: string, shown: string, text: string): BundleError {
  const form = 'Write HOST[:PORT][/PATH], as in mirror.example.com:5000/ocp.';
  const bare = text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '');
  const better = bare.replace(/^[^/@]*@/, '').replace(/[?#].*$/, '');
  const hint = isPlace(better) ? `Write ${better}` : form;
  if (bare !== text) return refused(path, `${shown} has a scheme`, hint);
  if (better !== bare && /^[^/]*@/.test(bare))
    return refused(path, `${shown} has a user name: credentials belong into an auth file`, hint);
  const untagged = text.replace(/@.*$/, '').replace(/(?<=\/[^/]*):[^/:]*$/, '');
  if (untagged !== text && isPlace(untagged))
    return refused(path, `${shown} has a tag or a digest`, `Write ${untagged}`);
  const [host = '', ...rest] = text.split('/');
  if (isPlace([`${host}.example`, ...rest].join('/')))
    return refused(
      path,
      `${shown} begins with no host: a host has a dot or a port, or is localhost`,
      form,
    );
  return refused(path, `${shown} is not a host with a path`, form);
}

/** An empty value is as good as none. */
function textIn(
  table: TomlTable,
  key: string,
  where: string | undefined,
  path: string,
): string | undefined {
  const value = table[key];
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw refused(path, `${where === undefined ? '' : `${where}: `}${key} is not a text`);
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

/** A registries.conf that cannot be used. */
export function refused(path: string, why: string, hint?: string): BundleError {
  return new BundleError('CONFIGURATION', `cannot use ${path}: ${why}`, {
    hint:
      hint ??
      'containers-registries.conf(5) describes the file; ' +
        '--registries-conf FILE reads another one instead.',
    subject: path,
  });
}
