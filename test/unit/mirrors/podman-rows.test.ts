import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRepositoryName } from '../../../src/core/reference.ts';
import { parseRegistriesConf } from '../../../src/mirrors/registries-conf-file.ts';
import { loadRegistriesConf } from '../../../src/mirrors/registries-conf.ts';
import { findRule, pullPlaces, type RegistryRule } from '../../../src/mirrors/rules.ts';

/**
 * The tables by which containers/image tests how podman, skopeo and CRI-O read registries.conf, as
 * far as they are about full names: what each row says is said here, in names of our own.
 * docs/registries.md lists where this program does otherwise.
 */

const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;

const rule = (prefix: string, location?: string): RegistryRule => ({
  prefix,
  location,
  insecure: false,
  blocked: false,
  mirrors: [],
  from: 'registries.conf',
});

describe('a reference falls under a prefix', () => {
  it.each([
    // A host.
    ['hub.io', 'hub.io', true],
    ['hub.io', 'corp.net', false],
    ['corp.net:5000', 'corp.net:5000', true],
    ['corp.net:50000', 'corp.net:5000', false],
    ['corp.net:5000', 'corp.net', true],
    ['corp.net/', 'corp.net', true],
    ['corp.net/a', 'corp.net', true],
    ['corp.net/a/b', 'corp.net', true],
    ['corp.net/a/b:v1', 'corp.net', true],
    [`corp.net/a/b@${A}`, 'corp.net', true],
    ['corp.netx', 'corp.net', false],
    // A namespace, or a repository.
    ['hub.io', 'hub.io/team', false],
    ['hub.io/team', 'hub.io/team', true],
    ['corp.net/team', 'hub.io/team', false],
    ['hub.io/teams', 'hub.io/team', false],
    ['hub.io/team/tool', 'hub.io/team', true],
    ['hub.io', 'hub.io/team/tool', false],
    ['hub.io/team/tool', 'hub.io/team/tool', true],
    ['corp.net/team/tool', 'hub.io/team/tool', false],
    ['hub.io/team/tool2', 'hub.io/team/tool', false],
    // One image.
    ['corp.net', 'corp.net/a:v1', false],
    ['corp.net/a', 'corp.net/a:v1', false],
    ['corp.net/a:v1', 'corp.net/a:v1', true],
    ['corp.net/a:v12', 'corp.net/a:v1', false],
    ['corp.net', `corp.net/a@${A}`, false],
    ['corp.net/a', `corp.net/a@${A}`, false],
    [`corp.net/a@${A}`, `corp.net/a@${A}`, true],
    [`corp.net/a@${B}`, `corp.net/a@${A}`, false],
    // Wildcards.
    ['hub.io', '*.io', true],
    ['hub.io/a', '*.net', false],
    ['corp.net/a', '*.ne', false],
    ['corp.net/a', '*.corp.net', false],
    ['corp.net/a', '*.net', true],
    ['corp.net/a:v1', '*.net', true],
    ['corp.net/a/b:v1', '*.net', true],
    ['deep.in.corp.net/a', '**.corp.net', false],
    ['deep.in.corp.net/a', '***.in.corp.net', false],
    ['deep.in.corp.net/a', '*********.in.corp.net', false],
    ['deep.in.corp.net/a/b', '*********.in.corp.net', false],
    ['deep.in.corp.net/a/b', '*.in.corp.net', true],
    ['in.corp.net/path.net/a/b:v1', '*.corp.net', true],
    ['corp.io/path.net/a/b:v1', '*.net', false],
    ['in.corp.net/path.net/a/b:v1', '*.path.net', false],
    ['in.corp.net/a/b', '*.net', true],
    ['in.corp.net/a/b', '*.corp.net', true],
    ['deep.in.corp.net/a/b/c:v1', '*.corp.net', true],
    ['deep.in.corp.net/a/b/c:v1', '*.in.corp.net', true],
    [`deep.in.corp.net/a/b@${A}`, '*.corp.net', true],
    [`deep.in.corp.net/a/b@${A}`, '*.in.corp.net', true],
    [`very.deep.in.corp.net/a/b@${A}`, '*.in.corp.net', true],
    ['corp.net/a', '*', false],
  ])('%s under %s: %s', (reference, prefix, expected) => {
    expect(findRule(reference, [rule(prefix)]) !== undefined).toBe(expected);
  });
});

const places = (repository: string, reference: string, rules: RegistryRule[]): string[] =>
  pullPlaces(parseRepositoryName(repository), reference, rules).map(
    ({ name, insecure }) => `${name.registry}/${name.repository}${insecure ? ' insecure' : ''}`,
  );

describe('the location takes the place of the prefix', () => {
  it.each([
    ['corp.net/a', 'corp.net', 'corp.net', 'corp.net/a'],
    ['corp.net:5000/a', 'corp.net:5000', 'corp.net:5000', 'corp.net:5000/a'],
    ['corp.net/team/a', 'corp.net/team', 'corp.net', 'corp.net/a'],
    ['corp.net/team/a', 'corp.net/team', 'corp.net/x', 'corp.net/x/a'],
    ['hub.io/library/a', 'hub.io', 'hub.io', 'hub.io/library/a'],
    ['hub.io/library/a', 'hub.io/library', 'corp.net', 'corp.net/a'],
    ['hub.io/library/a', 'hub.io', 'corp.net', 'corp.net/library/a'],
    ['hub.io/library/x/a', 'hub.io/library/x', 'corp.net', 'corp.net/a'],
    ['hub.io/x/a', '*.io', 'corp.net', 'corp.net/x/a'],
    ['hub.io/library/x/a', '*.io', 'corp.net', 'corp.net/library/x/a'],
    ['in.corp.io/library/x/a', '*.corp.io', 'corp.net', 'corp.net/library/x/a'],
    // The port of the name is kept.
    ['deep.in.corp.io:5000/x/a', '*.in.corp.io', 'corp.net', 'corp.net:5000/x/a'],
    ['in.corp.io/n1/n2/n3', '*.corp.io', 'deep.corp.net/m', 'deep.corp.net/m/n1/n2/n3'],
    // Without a location the name stays.
    ['in.own.corp.net/a', '*.own.corp.net', undefined, 'in.own.corp.net/a'],
    ['very.deep.corp.net/a', '*.net', undefined, 'very.deep.corp.net/a'],
    ['in.corp.io:5000/a', '*.corp.io', undefined, 'in.corp.io:5000/a'],
  ])('%s, %s = %s: %s', (name, prefix, location, expected) => {
    for (const reference of ['v1', A])
      expect(places(name, reference, [rule(prefix, location)])).toEqual([expected]);
  });

  it.each([
    // Nothing is left of the repository, or the port stands in the middle.
    ['corp.net/team', 'corp.net/team', 'corp.net'],
    ['corp.net/team/a', 'corp.net/team', 'corp.net/x/'],
    ['corp.net:5000/a', 'corp.net', 'corp.net:5000'],
    ['corp.net:5000/a', 'corp.net', 'corp.net/path'],
  ])('%s, %s = %s: refused', (name, prefix, location) => {
    for (const reference of ['v1', A])
      expect(() => places(name, reference, [rule(prefix, location)])).toThrow(
        expect.objectContaining({ code: 'CONFIGURATION' }) as Error,
      );
  });

  it.each([
    ['corp.net/team/a', 'team'],
    ['corp.net/team/a', 'corp.net//team'],
    ['corp.net/team/a', 'corp.net/team/'],
    ['corp.net/team/a', 'corp.net/te'],
    ['corp.net/team', 'corp.net/te'],
    ['hub.io/library/a', 'corp.net'],
    ['hub.io/library/a', '*.net'],
    ['in.hub.io/library/a', '*.corp.net'],
    ['in.hub.io/library/a', '*.hub.net'],
  ])('%s is left alone by %s', (name, prefix) => {
    expect(places(name, A, [rule(prefix, 'm.net')])).toEqual([name]);
  });
});

const MIRRORS = `
[[registry]]
prefix = "a.net/all"
location = "a.net/bar"
[[registry.mirror]]
location = "m1.a.net"
[[registry.mirror]]
location = "m2.a.net"
insecure = true

[[registry]]
prefix = "b.net/registry-digest"
location = "b.net/bar"
mirror-by-digest-only = true
[[registry.mirror]]
location = "m1.b.net"
[[registry.mirror]]
location = "m2.b.net"

[[registry]]
prefix = "b.net/mirror-digest"
location = "b.net/bar"
[[registry.mirror]]
pull-from-mirror = "digest-only"
location = "m1.b.net"
[[registry.mirror]]
pull-from-mirror = "digest-only"
location = "m2.b.net"

[[registry]]
prefix = "c.net/one-digest"
location = "c.net/bar"
[[registry.mirror]]
location = "m1.c.net"
[[registry.mirror]]
pull-from-mirror = "digest-only"
location = "m2.c.net"

[[registry]]
prefix = "e.net/mirror-tag"
location = "e.net/bar"
[[registry.mirror]]
pull-from-mirror = "tag-only"
location = "m1.e.net"
[[registry.mirror]]
pull-from-mirror = "tag-only"
location = "m2.e.net"

[[registry]]
prefix = "f.net/one-tag"
location = "f.net/bar"
[[registry.mirror]]
location = "m1.f.net"
[[registry.mirror]]
pull-from-mirror = "tag-only"
location = "m2.f.net"

[[registry]]
prefix = "g.net/each"
location = "g.net/bar"
[[registry.mirror]]
pull-from-mirror = "digest-only"
location = "m1.g.net"
[[registry.mirror]]
pull-from-mirror = "tag-only"
location = "m2.g.net"
[[registry.mirror]]
location = "m3.g.net"
[[registry.mirror]]
pull-from-mirror = "all"
location = "m4.g.net"

[[registry]]
location = "m1.a.net"
insecure = true
`;

describe('the places of a pull', () => {
  it.each([
    ['a.net/all', ['m1.a.net', 'm2.a.net insecure'], ['m1.a.net', 'm2.a.net insecure']],
    ['b.net/registry-digest', ['m1.b.net', 'm2.b.net'], []],
    ['b.net/mirror-digest', ['m1.b.net', 'm2.b.net'], []],
    ['c.net/one-digest', ['m1.c.net', 'm2.c.net'], ['m1.c.net']],
    ['e.net/mirror-tag', [], ['m1.e.net', 'm2.e.net']],
    ['f.net/one-tag', ['m1.f.net'], ['m1.f.net', 'm2.f.net']],
    ['g.net/each', ['m1.g.net', 'm3.g.net', 'm4.g.net'], ['m2.g.net', 'm3.g.net', 'm4.g.net']],
  ])('of %s by digest %s, by tag %s', async (prefix, byDigest, byTag) => {
    const { rules } = await parseRegistriesConf(MIRRORS, 'registries.conf');
    const expected = (mirrors: readonly string[]): string[] =>
      [...mirrors, `${prefix.split('/')[0]!}/bar`].map((place) => {
        const [location, ...insecure] = place.split(' ');
        return [`${location!}/image`, ...insecure].join(' ');
      });
    expect(places(`${prefix}/image`, A, [...rules])).toEqual(expected(byDigest));
    expect(places(`${prefix}/image`, 'v1', [...rules])).toEqual(expected(byTag));
  });
});

const registry = (location: string, ...more: string[]): string =>
  `[[registry]]\nlocation = "${location}"\n${more.join('\n')}\n`;
const mirror = (...lines: string[]): string => `[[registry.mirror]]\n${lines.join('\n')}\n`;

describe('a file', () => {
  it.each([
    ['', []],
    [registry('corp.net'), ['corp.net corp.net']],
    [registry('corp.net/'), ['corp.net corp.net']],
    [registry('corp.net//////'), ['corp.net corp.net']],
    [registry('corp.net:5000/with/path'), ['corp.net:5000/with/path corp.net:5000/with/path']],
    [registry('localhost/path'), ['localhost/path localhost/path']],
    [registry('[::1]:5000'), ['[::1]:5000 [::1]:5000']],
    [registry('corp.net', 'prefix = ""'), ['corp.net corp.net']],
    [registry('corp.net', 'prefix = "hub.io/"'), ['hub.io corp.net']],
    ['[[registry]]\nprefix = "*.corp.net"', ['*.corp.net -']],
    ['[[registry]]\nprefix = "*.net"\nlocation = ""', ['*.net -']],
    [registry('corp.net', `prefix = "hub.io/a@${A}"`), [`hub.io/a@${A} corp.net`]],
    [registry('corp.net', 'prefix = "hub.io/a:v1"'), ['hub.io/a:v1 corp.net']],
    [registry('corp.net', 'pull-from-mirror = ""'), ['corp.net corp.net']],
    // One location for two prefixes, where nothing contradicts.
    [registry('a.net') + registry('a.net', 'prefix = "b.net"'), ['a.net a.net', 'b.net a.net']],
    [
      registry('a.net', 'blocked = true') + registry('b.net', 'prefix = "c.net"'),
      ['a.net a.net blocked', 'c.net b.net'],
    ],
    // What this program has no use for.
    ['unqualified-search-registries = ["https://a.net"]\nshort-name-mode = "x"', []],
    ['aliases = { registry = "a.net/x", Registry = "a.net/x" }', []],
    [registry('a.net', 'proxy = "ftp://b.net"', 'unqualified-search = true'), ['a.net a.net']],
    [registry('a.net', 'credential-helper = "h"') + mirror('location = "b.net"'), ['a.net a.net']],
    // Keys are read without regard to capitals.
    ['[[Registry]]\nLocation = "a.net"\nBLOCKED = true', ['a.net a.net blocked']],
    // The first of two for one prefix counts.
    [
      registry('a.net', 'prefix = "p.net"') + registry('b.net', 'prefix = "p.net"'),
      ['p.net a.net'],
    ],
    [registry('a.net') + registry('a.net'), ['a.net a.net']],
    ['nobody = "knows"\n[else]\nthis = 1', []],
  ])('%j has the rules %j', async (text, expected) => {
    const { rules } = await parseRegistriesConf(text, 'registries.conf');
    const shown = rules.map(
      ({ prefix, location = '-', blocked }) => `${prefix} ${location}${blocked ? ' blocked' : ''}`,
    );
    expect(shown).toEqual(expected);
  });

  it.each([
    [registry('a.net') + registry('a.net', 'insecure = true'), 'insecure'],
    [registry('a.net') + registry('a.net', 'blocked = true'), 'blocked'],
    [registry('a.net', 'blocked = true') + registry('a.net', 'prefix = "b.net"'), 'blocked'],
    ['[[registry]]\nprefix = "*.a.net"\n[[registry]]\nprefix = "*.a.net"\nblocked = true', 'a.net'],
    ['[[registry]]\nblocked = true', 'neither prefix nor location'],
    [`${registry('a.net')}[[registry]]\n`, '2 has neither prefix nor location'],
    ['[[registry]]\nprefix = ""\nlocation = ""', 'neither prefix nor location'],
    ['[registry]\nlocation = "a.net"', 'not a list of tables'],
    ['[[registry]]\nprefix = "a.net"', 'no location'],
    [registry('a.net') + mirror('insecure = true'), 'no location'],
    [registry('a.net') + mirror('location = ""'), 'no location'],
    [registry('a.net', 'prefix = "http://b.net"'), 'has a scheme'],
    [registry('http://a.net:5000'), 'has a scheme'],
    [registry('https://a.net:5000', 'prefix = "b.net"'), 'has a scheme'],
    [registry('a.net') + mirror('location = "https://b.net/"'), 'has a scheme'],
    [registry('a.net', 'prefix = "*"'), 'wildcard'],
    [registry('a.net', 'prefix = "**.b.net"'), 'wildcard'],
    [registry('a.net', 'prefix = "b.*.net"'), 'wildcard'],
    [registry('a.net', `prefix = "*.b.net@${A}"`), 'wildcard'],
    [registry('a.net', 'prefix = "image"'), 'begins with no host'],
    [registry('image'), 'begins with no host'],
    [registry('mirror/path'), 'begins with no host'],
    [registry('a.net') + mirror('location = "mirror/path"'), 'begins with no host'],
    [registry('me@a.net'), 'has a user name'],
    [registry('a.net', 'prefix = "b.net//path"'), 'not a host with a path'],
    [registry('a.net', 'insecure = false', 'Insecure = true'), 'says insecure twice'],
    [registry('a.net', 'prefix = "*.b.net/path"'), 'wildcard'],
    [registry('a.net', 'prefix = "*.b.net:5000"'), 'wildcard'],
    [registry('a.net', 'pull-from-mirror = "all"') + mirror('location = "b.net"'), 'mirror'],
    [
      registry('a.net', 'mirror-by-digest-only = true') +
        mirror('location = "b.net"', 'pull-from-mirror = "tag-only"'),
      'exclude each other',
    ],
    [
      registry('a.net', 'mirror-by-digest-only = true') +
        mirror('location = "b.net"', 'pull-from-mirror = "all"'),
      'exclude each other',
    ],
    [registry('a.net') + mirror('location = "b.net"', 'pull-from-mirror = "x"'), 'not "x"'],
  ])('%j is refused', async (text, why) => {
    const parsing = parseRegistriesConf(text, 'registries.conf');
    await expect(parsing).rejects.toMatchObject({ code: 'CONFIGURATION' });
    await expect(parsing).rejects.toThrow(why);
  });

  it.each([
    ['https://mirror.corp/ocp', 'has a scheme', 'Write mirror.corp/ocp'],
    ['mirror.corp/ocp:v1', 'has a tag or a digest', 'Write mirror.corp/ocp'],
    ['me:secret@mirror.corp/ocp', 'has a user name', 'Write mirror.corp/ocp'],
    ['mirror.corp/Ocp', 'is not a host with a path', 'HOST[:PORT][/PATH]'],
  ])('with the location %s says how to write it', async (location, why, hint) => {
    const error = await parseRegistriesConf(registry(location), 'registries.conf').catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'CONFIGURATION' });
    expect((error as Error).message).toContain(why);
    expect((error as { hint: string }).hint).toContain(hint);
  });
});

describe('a file of version 1', () => {
  const list = (table: string, ...registries: string[]): string =>
    `[registries.${table}]\nregistries = ${JSON.stringify(registries)}\n`;
  const ALL = `${list('search', 'a.net////', 'c.net')}${list('block', 'b.net')}${list('insecure', 'd.net', 'b.net/')}`;

  it('blocks, and allows plain HTTP', async () => {
    const { rules } = await parseRegistriesConf(ALL, 'registries.conf');
    expect(rules).toEqual([
      { ...rule('b.net', 'b.net'), blocked: true, insecure: true },
      { ...rule('d.net', 'd.net'), insecure: true },
    ]);
  });

  it('is one of version 2 where a table has no list', async () => {
    for (const text of ['[registries]', '[registries.search]', '[registries.block]'])
      expect((await parseRegistriesConf(text, '1.conf', true)).rules).toEqual([]);
    const empty = 'short-name-mode = ""\nadditional-layer-store-auth-helper = ""\n';
    expect((await parseRegistriesConf(empty + ALL, 'registries.conf')).rules).toHaveLength(2);
  });

  it.each(['search', 'block', 'insecure'])(
    'is what a list makes of it, an empty one too: registries.%s',
    async (table) => {
      for (const text of [list(table), list(table, 'a.net')])
        await expect(parseRegistriesConf(text, '1.conf', true)).rejects.toThrow('version 1');
    },
  );

  it.each([
    'registry = []',
    'unqualified-search-registries = []',
    'unqualified-search-registries = ["a.net"]',
    'credential-helpers = []',
    'credential-helpers = ["h1"]',
    'aliases = {}',
    'aliases = { a = "a.net/b" }',
    'short-name-mode = "enforcing"',
    'additional-layer-store-auth-helper = "h1"',
  ])('is refused with %s of version 2', async (setting) => {
    const text = `${setting}\n${list('block')}`;
    await expect(parseRegistriesConf(text, 'registries.conf')).rejects.toThrow('mixes');
  });

  it.each([
    list('block', ''),
    list('block', 'https://a.net'),
    list('insecure', 'http://a.net'),
    list('search', 'https://a.net'),
    '[registries.block]\nregistries = "a.net"',
    ALL + registry('a.net'),
    `unqualified-search-registries = []\n${list('search')}${list('block')}${list('insecure')}`,
  ])('is refused as %j', async (text) => {
    await expect(parseRegistriesConf(text, 'registries.conf')).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
  });

  it('is refused as a drop-in', async () => {
    await expect(parseRegistriesConf(ALL, '1.conf', true)).rejects.toThrow('version 1');
  });
});

describe('the files of a host', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'bundle-conf-'));
  });
  afterEach(async () => {
    await rm(root, { recursive: true });
  });

  const USER = 'home/.config/containers';
  const put = async (path: string, text: string): Promise<string> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    return join(root, path);
  };
  const load = async (file?: string, env = {}): ReturnType<typeof loadRegistriesConf> =>
    loadRegistriesConf({
      file,
      env,
      home: join(root, 'home'),
      system: join(root, 'etc'),
    });
  const shown = async (file?: string, env = {}): Promise<string> => {
    const { rules } = await load(file, env);
    const names = rules.map(({ prefix, blocked }) => `${prefix}${blocked ? ' blocked' : ''}`);
    return names.toSorted().join(', ');
  };

  it('are none', async () => {
    expect(await shown()).toBe('');
  });

  it('are read with a byte order mark', async () => {
    await put('etc/registries.conf', `\ufeff${registry('main.net')}`);
    await put('etc/registries.conf.d/1.conf', `\ufeff${registry('more.net')}`);
    expect(await shown()).toBe('main.net, more.net');
  });

  it('the main file is the one that was named, else the user’s, else the system’s', async () => {
    await put('etc/registries.conf', registry('system.net'));
    expect(await shown()).toBe('system.net');
    await put(`${USER}/registries.conf`, registry('user.net'));
    expect(await shown()).toBe('user.net');
    const named = await put('named.conf', registry('named.net'));
    expect(await shown(named)).toBe('named.net');
    expect(await shown(undefined, { CONTAINERS_REGISTRIES_CONF: named })).toBe('named.net');
    expect(await shown(named, { CONTAINERS_REGISTRIES_CONF: '/nonexistent' })).toBe('named.net');
    expect(await shown('/dev/null')).toBe('');
    await expect(load(join(root, 'absent'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(load('$HOME')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const broken = await put('broken.conf', 'not TOML');
    for (const [path, code] of [
      [join(root, 'absent'), 'NOT_FOUND'],
      [broken, 'CONFIGURATION'],
    ] as const) {
      const named = shown(undefined, { CONTAINERS_REGISTRIES_CONF: path });
      const message = expect.stringContaining('$CONTAINERS_REGISTRIES_CONF names this') as string;
      await expect(named).rejects.toMatchObject({ code, message });
    }
  });

  it('drop-ins count beside each main file; the system’s not beside the user’s', async () => {
    const system = registry('base.net', 'blocked = true') + registry('1.net');
    await put('etc/registries.conf.d/1.conf', system);
    await put(`${USER}/registries.conf.d/2.conf`, registry('2.net', 'blocked = true'));
    await put(`${USER}/registries.conf.d/3.ignore`, 'not TOML');
    await mkdir(join(root, USER, 'registries.conf.d/folder.conf'));
    await symlink('/nonexistent', join(root, USER, 'registries.conf.d/link.conf'));
    const both = '1.net, 2.net blocked, base.net blocked';
    expect(await shown()).toBe(both);
    await put('etc/registries.conf', registry('base.net', 'insecure = true'));
    expect(await shown()).toBe(both);
    const named = await put('named.conf', registry('base.net') + registry('2.net'));
    expect(await shown(named)).toBe(both);
    expect(await shown(undefined, { CONTAINERS_REGISTRIES_CONF: named })).toBe(both);
    expect(await shown('/dev/null')).toBe(both);
    await put(`${USER}/registries.conf`, registry('base.net'));
    expect(await shown()).toBe('2.net blocked, base.net');
  });

  it('of two drop-ins the later one counts, for the same prefix', async () => {
    await put(
      `${USER}/registries.conf`,
      registry('one.net', 'prefix = "*.in.p.net"') + registry('four.net', 'prefix = "*.q.net"'),
    );
    await put(`${USER}/registries.conf.d/1.conf`, registry('two.net', 'prefix = "*.in.p.net"'));
    await put(`${USER}/registries.conf.d/2.conf`, registry('three.net', 'prefix = "*.p.net"'));
    await put(`${USER}/registries.conf.d/3.conf`, registry('five.net', 'prefix = "*.q.org"'));
    const { rules } = await load();
    const found = (name: string): string => places(name, A, [...rules])[0]!;
    expect(found('a.q.net:5000/x')).toBe('four.net:5000/x');
    expect(found('a.in.p.net:5000/x')).toBe('two.net:5000/x');
    expect(found('a.p.net/x')).toBe('three.net/x');
    expect(found('p.net/x')).toBe('p.net/x');
  });

  it('the longest prefix counts, a wildcard or not', async () => {
    const text = [
      ['*.p.net', 'wide.net'],
      ['*.in.p.net', 'narrow.net'],
      ['deep.in.p.net:5000', 'exact.net'],
      ['p.net:4000/with/path', 'path.net:5000'],
    ].map(([prefix, location]) => registry(location!, `prefix = "${prefix!}"`));
    const { rules } = await load(await put('named.conf', text.join('')));
    const found = (name: string): string => places(name, 'v1', [...rules])[0]!;
    expect(found('a.p.net/x')).toBe('wide.net/x');
    expect(found('a.in.p.net:6000/x')).toBe('narrow.net:6000/x');
    expect(found('deep.in.p.net:5000/x')).toBe('exact.net/x');
    expect(found('p.net:4000/with/path/and/more')).toBe('path.net:5000/and/more');
    expect(found('p.netx/x')).toBe('p.netx/x');
  });

  it.each([
    ['credential-helpers = ["h1", "h2"]', undefined, ['h1', 'h2']],
    ['', undefined, undefined],
    ['credential-helpers = ["h1", "h2"]', 'credential-helpers = []', undefined],
    ['credential-helpers = ["h1", "h2"]', 'credential-helpers = ["d1", "d2"]', ['d1', 'd2']],
    ['Credential-Helpers = ["h1"]', undefined, ['h1']],
    ['credential-helpers = ["h1"]', registry('a.net'), ['h1']],
  ])('%j with the drop-in %j asks the helpers %j', async (main, dropIn, expected) => {
    const named = await put('named.conf', main);
    if (dropIn !== undefined) await put('etc/registries.conf.d/1.conf', dropIn);
    expect((await load(named)).credentialHelpers).toEqual(expected);
  });
});
