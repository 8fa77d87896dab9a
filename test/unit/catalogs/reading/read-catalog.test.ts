import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { imagesOf } from '../../../../src/catalogs/catalog.ts';
import { catalogFiles } from '../../../../src/catalogs/reading/catalog-folder.ts';
import { readCatalog } from '../../../../src/catalogs/reading/read-catalog.ts';
import { catalogOf, fixtureCatalog } from '../../../support/catalogs.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-test-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(path: string, content: unknown): Promise<void> {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(
    join(folder, path),
    typeof content === 'string' ? content : JSON.stringify(content),
  );
}

const packageNamed = (name: string): object => ({ schema: 'olm.package', name });
const namesIn = async (): Promise<readonly string[]> =>
  (await readCatalog(await catalogFiles(folder))).packages.map(({ name }) => name);

describe('a catalog', () => {
  it('of a real operator has what decides, and knows where each document lies', async () => {
    const catalog = await fixtureCatalog('real/mtv-operator-v4.22.catalog.json');
    expect(catalog.packages).toMatchObject([
      { name: 'mtv-operator', defaultChannel: 'release-v2.12' },
    ]);
    expect(catalog.channels.map(({ name, entries }) => [name, entries.length])).toEqual([
      ['release-v2.11', 1],
      ['release-v2.12', 7],
    ]);
    expect(catalog.bundles).toHaveLength(8);
    expect(imagesOf(catalog.bundles[0]!).length).toBeGreaterThan(10);
    expect(catalog.bundles.every(({ provides }) => provides.length > 0)).toBe(true);
    expect(catalog.bundles[0]!.place).toMatchObject({ index: 3, format: 'json' });
    // Nothing of the manifests is kept: 650 KB of JSON are some 20 KB.
    expect(JSON.stringify(catalog).length).toBeLessThan(60_000);
  });

  it('always has the image of a bundle itself among its images, each once', async () => {
    const { bundles } = await catalogOf([
      {
        schema: 'olm.bundle',
        name: 'b',
        image: 'own',
        relatedImages: [{ image: 'a' }, { image: '' }, { image: 'a' }],
      },
    ]);
    expect(imagesOf(bundles[0]!)).toEqual(['own', 'a']);
  });

  it('is read as Go does: keys in any case, null for nothing', async () => {
    const catalog = await catalogOf([
      { Schema: 'olm.package', NAME: 'p', DefaultChannel: 'stable' },
      { schema: 'olm.channel', package: 'p', name: 'c', entries: [{ Name: 'x', name: 'y' }] },
      { schema: 'olm.bundle', package: 'p', name: 'b', relatedImages: null, image: null },
    ]);
    expect(catalog.packages).toMatchObject([{ name: 'p', defaultChannel: 'stable' }]);
    expect(catalog.channels[0]?.entries).toMatchObject([{ name: 'y' }]);
    expect(catalog.bundles).toMatchObject([{ image: '', relatedImages: [] }]);
  });

  it.each([
    [{ name: 'p' }, 'document 1 of catalog.json (p) is refused: schema is missing'],
    [{ schema: 'olm.package', name: 1 }, /name is no text/],
    [{ schema: 'olm.package', name: null }, /name is no text/],
    [{ schema: 'olm.package', name: 'p', Name: 'q' }, /has the key name a second time as Name/],
    [{ schema: 'olm.channel', entries: {} }, /\(olm\.channel\) is refused: entries is no list/],
    [{ schema: 'olm.channel', entries: ['x'] }, /entries holds something else than objects/],
    [{ schema: 'olm.channel', entries: [{ skips: [1] }] }, /skips holds something else than texts/],
    [{ schema: 'olm.bundle', properties: 'x' }, /properties is no list/],
  ])('is refused with %j', async (document, message) => {
    await expect(catalogOf([document])).rejects.toMatchObject({
      exitStatus: 20,
      message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
    });
  });

  it('remembers a property of a wrong shape, for the check', async () => {
    const { bundles } = await catalogOf([
      { schema: 'olm.bundle', properties: [{ type: 'olm.gvk', value: { group: 1 } }] },
    ]);
    expect(bundles[0]?.fault).toBe('property 1 (olm.gvk): group is no text');
  });
});

describe('a catalog in a folder', () => {
  it('may have any layout', async () => {
    await write('b/catalog.yaml', '---\nschema: olm.package\nname: second\n');
    await write('a.json', packageNamed('first'));
    await write('c/deep/er/x', packageNamed('third'));
    expect(await namesIn()).toEqual(['first', 'second', 'third']);
  });

  it('may be one file', async () => {
    await write('x.json', packageNamed('p'));
    const { packages } = await readCatalog(await catalogFiles(join(folder, 'x.json')));
    expect(packages).toMatchObject([{ name: 'p', place: { file: 'x.json' } }]);
  });

  it('leaves out what .indexignore names', async () => {
    for (const path of ['a.json', 'b.json', 'c/a.json', 'c/d/e.json', 'f/g.json', 'x[1].json'])
      await write(path, packageNamed(path));
    await write('README.md', 'no document: [');
    await write('.indexignore', '# comment\n*.md\n/a.json\nd/\n!b.json\nf/**\nx\\[1].json\n');
    await write('c/.indexignore', '?.jso[m-o]\n!a.json\n');
    expect(await namesIn()).toEqual(['b.json', 'c/a.json']);
  });

  it('is refused with a link that leads out of it, and read with one that does not', async () => {
    await write('a.json', packageNamed('p'));
    await symlink('a.json', join(folder, 'b.json'));
    expect(await namesIn()).toEqual(['p', 'p']);
    await symlink('/etc/passwd', join(folder, 'c.json'));
    await expect(namesIn()).rejects.toMatchObject({
      exitStatus: 20,
      message: 'c.json is a link to no file of the catalog',
    });
  });

  it('has to be there', async () => {
    await expect(catalogFiles(join(folder, 'gone'))).rejects.toMatchObject({ exitStatus: 23 });
  });
});
