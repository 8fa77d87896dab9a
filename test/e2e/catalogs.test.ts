import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ImageLayout } from '../../src/stores/layout/layout.ts';
import { publishCatalog, publishCatalogAt } from '../support/catalog-image.ts';
import { CATALOGS } from '../support/catalogs.ts';
import { describeWith } from '../support/needs.ts';
import { startRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

const LATEST = join(CATALOGS, 'oc-mirror/test-catalog-latest');

interface ListJson {
  readonly catalog: string;
  readonly image?: string;
  readonly packages: readonly { readonly name: string; readonly newest: string }[];
}

describe('a catalog of operators', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let user: User;
  let config: string;
  beforeAll(async () => {
    temporary = await temporaryFolder('catalogs');
    user = await User.new(temporary.path);
    config = join(temporary.path, 'imageset.yaml');
    await writeFile(
      config,
      `kind: ImageSetConfiguration
apiVersion: mirror.openshift.io/v2alpha1
mirror:
  operators:
    - catalog: registry.example.com/ops/index:v4.22
      packages:
        - name: foo
          minVersion: 0.2.0
          maxVersion: 0.3.0
        - name: bar
          maxVersion: 0.2.0
`,
    );
  });
  afterAll(() => temporary.remove());

  it('is listed', async () => {
    const { status, stdout } = await user.bundle(['catalog', 'list', LATEST]);
    expect(status).toBe(0);
    expect(stdout).toContain('3 packages, 10 bundles');
    expect(stdout).toMatch(/foo +0\.3\.1 +4 +1 +beta/);
  });

  it('shows the channels of an operator as trees, and what it requires', async () => {
    const { status, stdout } = await user.bundle(['catalog', 'show', LATEST, 'foo']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/beta \(default\)/);
    expect(stdout).toMatch(/^ {2}0\.3\.1 .*\n {4}0\.3\.0 .*\n {2}0\.2\.0 /m);
    expect(stdout).toMatch(/package bar <0\.2\.0 +bar/);
  });

  it.each([
    ['svg', /^<svg .*<title>foo, channel beta<\/title>/s],
    ['dot', /"0\.2\.0" -> "0\.3\.1" \[penwidth=3\]/],
    ['mermaid', /0\.3\.1/],
  ])('is drawn as %s', async (format, expected) => {
    const { status, stdout } = await user.bundle([
      ...['catalog', 'show', LATEST, 'foo', '--channel', 'beta', '--output', format],
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(expected);
  });

  it('says why each version would be carried', async () => {
    const { status, stdout } = await user.bundle([
      ...['catalog', 'why', LATEST, 'foo', '--config', config],
    ]);
    expect(status).toBe(0);
    expect(stdout).toContain('3 of 4 versions kept');
    expect(stdout).toMatch(/0\.3\.1 +links 0\.3\.0/);
    expect(stdout).toMatch(/0\.2\.0 +in range/);
    expect(stdout).toMatch(/0\.1\.0 +not kept: below the minimum 0\.2\.0/);
  });

  it('is filtered into files that pass the check and are listed again', async () => {
    const folder = join(temporary.path, 'filtered');
    const filtered = (await user.json([
      ...['catalog', 'filter', LATEST, '--config', config, '-o', folder],
    ])) as { bundles: object[]; notes: object[]; images: string[]; files: { path: string }[] };
    expect(filtered.bundles).toContainEqual({
      ...{ package: 'foo', name: 'foo.v0.3.1', version: '0.3.1' },
      reasons: ['links 0.3.0'],
    });
    expect(filtered.notes).toContainEqual({
      ...{ type: 'default-channel', package: 'bar', was: 'stable', is: 'alpha' },
    });
    expect(filtered.images).toContain('quay.io/oc-mirror/oc-mirror-dev:foo-bundle-v0.3.1');
    expect(filtered.files.map(({ path }) => path)).toEqual([
      ...['bar/catalog.json', 'bar/catalog.yaml', 'foo/catalog.json', 'foo/catalog.yaml'],
    ]);
    expect(await user.bundle(['catalog', 'check', folder])).toMatchObject({ status: 0 });
    const { packages } = (await user.json(['catalog', 'list', folder])) as ListJson;
    expect(packages.map(({ name, newest }) => [name, newest])).toEqual([
      ['bar', '0.2.0'],
      ['foo', '0.3.1'],
    ]);
    const again = ['catalog', 'filter', LATEST, '--package', 'foo', '-o', folder];
    expect(await user.bundle(again)).toMatchObject({ status: 2 });
  });

  it('leaves nothing where it is filtered into, if it fails half-way', async () => {
    const names = ['a', 'no folder'];
    const documents = names.flatMap((name) => [
      { schema: 'olm.package', name, defaultChannel: 'c' },
      { schema: 'olm.channel', package: name, name: 'c', entries: [{ name: `${name}.v1.0.0` }] },
      {
        ...{ schema: 'olm.bundle', package: name, name: `${name}.v1.0.0`, image: 'r.io/a:1' },
        properties: [{ type: 'olm.package', value: { packageName: name, version: '1.0.0' } }],
      },
    ]);
    const catalog = join(temporary.path, 'half.json');
    await writeFile(catalog, documents.map((document) => JSON.stringify(document)).join('\n'));
    const fresh = join(temporary.path, 'fresh');
    const empty = join(temporary.path, 'empty');
    await mkdir(empty);
    for (const folder of [fresh, empty]) {
      const words = names.flatMap((name) => ['--package', name]);
      const run = await user.bundle([
        ...['catalog', 'filter', catalog, '--filter', 'oc-mirror', ...words, '-o', folder],
      ]);
      expect(run.stderr).toContain('a package has a name that is none: no folder');
      expect(run.status).toBe(20);
    }
    expect(existsSync(fresh)).toBe(false);
    expect(await readdir(empty)).toEqual([]);
  });

  it('has each name on one line, and long ranges cut, whatever is in them', async () => {
    const name = 'p\nZ\u001b[31mq';
    const catalog = join(temporary.path, 'odd.json');
    const documents = [
      { schema: 'olm.package', name, defaultChannel: 'c\nZd' },
      {
        ...{ schema: 'olm.channel', package: name, name: 'c\nZd' },
        entries: [{ name: 'b\nZ1', skipRange: `<1.0.0${' || <1.0.0'.repeat(10_000)}` }],
      },
      {
        ...{ schema: 'olm.bundle', package: name, name: 'b\nZ1', image: 'r.io/a:1' },
        properties: [{ type: 'olm.package', value: { packageName: name, version: '1.0.0' } }],
      },
    ];
    await writeFile(catalog, documents.map((document) => JSON.stringify(document)).join('\n'));
    const empty = join(temporary.path, 'none.json');
    await writeFile(empty, '');
    for (const words of [
      ['list', catalog],
      ['show', catalog, name],
      ['why', catalog, name, '--package', name],
      ['diff', empty, catalog],
      ['diff', catalog, LATEST],
      ['show', catalog, 'p'],
    ]) {
      const { stdout, stderr } = await user.bundle(['catalog', ...words]);
      expect(stdout + stderr, words[0]).toMatch(/p\ufffd|p /);
      // eslint-disable-next-line no-control-regex -- that is what is looked for
      expect(stdout + stderr, words[0]).not.toMatch(/\u001b|^\s*Z/m);
      expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThan(300);
    }
  });

  it('is filtered as oc-mirror does, and said to be refused where OLM would', async () => {
    const synth = JSON.parse(await readFile(join(CATALOGS, 'oc-mirror-cases.json'), 'utf8')) as {
      synth: Record<string, unknown[]>;
    };
    const catalog = join(temporary.path, 'synth.json');
    const documents = Object.values(synth.synth).flat();
    await writeFile(catalog, documents.map((document) => JSON.stringify(document)).join('\n'));
    const asked = join(temporary.path, 'pinned.yaml');
    const text = await readFile(config, 'utf8');
    await writeFile(
      asked,
      `${text.replace(/packages:.*/s, '')}packages:
        - {name: p, minVersion: 1.0.0, maxVersion: 1.0.0}\n`,
    );
    const run = async (mode: string) =>
      user.bundle([
        ...['catalog', 'filter', catalog, '--config', asked, '--filter', mode],
        ...['-o', join(temporary.path, mode)],
      ]);
    const defective = await run('oc-mirror');
    expect(defective.status).toBe(0);
    expect(defective.stdout).toContain('OLM would refuse this catalog');
    expect(defective.stdout).toContain('package p, channel candidate has no entry');
    expect((await run('strict')).stdout).not.toContain('OLM would refuse');
    const check = async (mode: string) =>
      user.bundle(['catalog', 'check', join(temporary.path, mode)]);
    expect(await check('oc-mirror')).toMatchObject({ status: 20 });
    expect(await check('strict')).toMatchObject({ status: 0 });
  });

  it('is compared with another one', async () => {
    const before = join(CATALOGS, 'oc-mirror/test-catalog-prune');
    const difference = (await user.json(['catalog', 'diff', before, LATEST])) as object;
    expect(difference).toMatchObject({
      added: [{ name: 'baz', bundles: 3 }],
      removed: [],
      changed: [
        { name: 'bar', defaultChannel: { was: 'alpha', is: 'stable' } },
        { name: 'foo', heads: [{ channel: 'beta', was: '0.1.1', is: '0.3.1' }] },
      ],
    });
    const { status, stdout } = await user.bundle(['catalog', 'diff', LATEST, LATEST]);
    expect(status).toBe(0);
    expect(stdout).toContain('The two catalogs have the same operators');
  });

  it.each<[string, readonly string[], number, string]>([
    ['an unknown package', ['show', LATEST, 'fooo'], 23, 'Did you mean foo?'],
    ['an unknown channel', ['show', LATEST, 'foo', '--channel', 'betta'], 23, 'Did you mean beta?'],
    ['a package that is not there', ['why', LATEST, 'foo', '--package', 'baar'], 23, 'bar'],
    ['a folder that is not there', ['list', './nothing'], 23, 'nothing'],
    ['no tag', ['list', 'registry.example.com/ops/index'], 2, 'neither a tag nor a digest'],
    [
      'two ways to ask',
      ['why', LATEST, 'foo', '--package', 'foo', '--config', 'x'],
      2,
      '--package',
    ],
    ['an entry without a file', ['why', LATEST, 'foo', '--entry', 'x'], 2, '--entry'],
    [
      'what oc-mirror cannot do',
      ['why', LATEST, 'foo', '--filter', 'oc-mirror', '--allow-missing'],
      2,
      '--allow-missing',
    ],
  ])('is refused with %s', async (_, args, status, text) => {
    const ran = await user.bundle(['catalog', ...args]);
    expect(ran.status).toBe(status);
    expect(ran.stderr).toContain(text);
  });

  it('is refused by file and document where it is none', async () => {
    const bad = join(temporary.path, 'bad.json');
    await writeFile(bad, '{"schema": "olm.package", "name": "p"}\n{"schema":');
    const { status, stderr } = await user.bundle(['catalog', 'check', bad]);
    expect(status).toBe(20);
    expect(stderr).toContain('document 2 of bad.json ends in the middle');
  });

  it('is read from an image layout, and leaves nothing in the temporary folder', async () => {
    const folder = join(temporary.path, 'layout');
    const digest = await publishCatalog(
      await ImageLayout.create(folder),
      'oc-mirror/test-catalog-latest',
      'v4.22',
    );
    // A folder of its own: other runs make folders in the usual one meanwhile.
    const own = join(temporary.path, 'tmp');
    await mkdir(own);
    const listed = await user.bundle(['catalog', 'list', `oci:${folder}`, '--output', 'json'], {
      env: { TMPDIR: own },
    });
    expect(listed.status, listed.stderr).toBe(0);
    const list = JSON.parse(listed.stdout) as ListJson;
    expect(list).toMatchObject({ image: digest });
    expect(list.packages.map(({ name }) => name)).toEqual(['bar', 'baz', 'foo']);
    expect(await readdir(own)).toEqual([]);
    const { status, stderr } = await user.bundle(['catalog', 'list', folder]);
    expect(status).toBe(2);
    expect(stderr).toContain(`Write oci:${folder}.`);
  });
});

describeWith(['docker-registry'], 'a catalog at a registry', () => {
  it('is read by its tag and by its digest', async () => {
    const temporary = await temporaryFolder('catalog-at-registry');
    const registry = await startRegistry();
    try {
      const user = await User.new(temporary.path);
      const digest = await publishCatalogAt(
        registry.host,
        'oc-mirror/test-catalog-latest',
        'ops/index:v4.22',
      );
      for (const end of [':v4.22', `@${digest}`]) {
        const source = `${registry.host}/ops/index${end}`;
        const list = (await user.json(['catalog', 'list', source])) as ListJson;
        expect(list).toMatchObject({ catalog: source, image: digest });
        expect(list.packages).toHaveLength(3);
      }
      const missing = await user.bundle(['catalog', 'list', `${registry.host}/ops/index:v9`]);
      expect(missing.status).toBe(23);
    } finally {
      await registry.stop();
      await temporary.remove();
    }
  });
});
