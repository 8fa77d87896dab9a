import { gzipSync } from 'node:zlib';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readCatalog } from '../../../../src/catalogs/reading/read-catalog.ts';
import type { Observe } from '../../../../src/core/events.ts';
import type { Descriptor } from '../../../../src/core/descriptor.ts';
import { digestOf } from '../../../../src/core/digest.ts';
import {
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../../../src/core/media-types.ts';
import { streamOf } from '../../../../src/core/bytes.ts';
import { TemporaryFolder } from '../../../../src/files/temporary/folder.ts';
import type { ReadLayers } from '../../../../src/kinds/catalog/catalog-layers.ts';
import { readCatalogImage } from '../../../../src/kinds/catalog/read-catalog-image.ts';
import { MemoryStore } from '../../../../src/stores/memory.ts';
import { type HeaderFields, tarEntry, withHeader } from '../../../support/crafted-tar.ts';

const LABEL = 'operators.operatorframework.io.index.configs.v1';

/** Files of a layer; `null` is a folder. */
type Files = Readonly<Record<string, string | null>>;

let folder: TemporaryFolder;
let store: MemoryStore;

beforeEach(async () => {
  folder = await TemporaryFolder.make();
  store = new MemoryStore('registry.example.com/ops/index');
});

afterEach(async () => {
  await folder.remove();
});

async function put(mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await store.push(descriptor, streamOf(bytes));
  return descriptor;
}

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

function tarOf(entries: readonly Uint8Array[]): Uint8Array {
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));
}

const layerOf = (files: Files): Uint8Array =>
  tarOf(
    Object.entries(files).map(([path, text]) =>
      text === null
        ? withHeader(tarEntry(path, Buffer.alloc(0), 0), { type: '5' })
        : tarEntry(path, Buffer.from(text), 0),
    ),
  );

interface MadeImage {
  readonly labels?: Readonly<Record<string, string>>;
  readonly cmd?: readonly string[];
}

async function image(
  layers: readonly Uint8Array[],
  {
    labels = { [LABEL]: '/configs' },
    cmd = ['serve', '/configs', '--cache-dir=/tmp/cache'],
  }: MadeImage = {},
): Promise<Descriptor> {
  const config = await put(
    OCI_CONFIG,
    json({ config: { Labels: labels, Cmd: cmd }, n: layers.length }),
  );
  const own: Descriptor[] = [];
  for (const layer of layers) own.push(await put(OCI_LAYER_GZIP, layer));
  return put(
    OCI_MANIFEST,
    json({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: own }),
  );
}

const signal = new AbortController().signal;

async function read(
  descriptor: Descriptor,
  observe: Observe = () => undefined,
): Promise<ReadLayers> {
  return readCatalogImage({ name: 'index:v1', descriptor, store }, { folder, signal, observe });
}

async function filesIn(layers: readonly Files[]): Promise<Readonly<Record<string, string>>> {
  const { files } = await read(await image(layers.map(layerOf)));
  const found: Record<string, string> = {};
  for (const file of files) {
    let text = '';
    for await (const chunk of file.read()) text += Buffer.from(chunk).toString();
    found[file.path] = text;
  }
  return found;
}

describe('the catalog in an image', () => {
  it('is read layer by layer, and says how far that is', async () => {
    const counted: number[][] = [];
    await read(await image([layerOf({ 'configs/a': '1' }), layerOf({ b: '2' })]), (event) => {
      if (event.type === 'counted') counted.push([event.done, event.total]);
    });
    expect(counted).toEqual([
      [0, 2],
      [1, 2],
    ]);
  });

  it('is what a container would see', async () => {
    expect(
      await filesIn([
        { 'configs/a/x': 'old', 'configs/a/y': 'y', 'configs/b/z': 'z', 'etc/passwd': 'no' },
        { 'configs/a/x': 'new', 'configs/.wh.b': '', './configs/c': 'c' },
      ]),
    ).toEqual({ 'a/x': 'new', 'a/y': 'y', c: 'c' });
  });

  it.each<[string, readonly Files[], Readonly<Record<string, string>>]>([
    [
      'a whiteout of all',
      [{ 'configs/a': '1' }, { '.wh.configs': '' }, { 'configs/b': '2' }],
      { b: '2' },
    ],
    [
      'a whiteout and new files in one layer',
      [{ 'configs/a': '1' }, { 'configs/b': '2', '.wh.configs': '' }],
      { b: '2' },
    ],
    [
      'an opaque folder',
      [
        { 'configs/a': '1', 'configs/d/e': '1' },
        { 'configs/.wh..wh..opq': '', 'configs/b': '2' },
      ],
      { b: '2' },
    ],
    ['an opaque folder above', [{ 'configs/a': '1' }, { '.wh..wh..opq': '' }], {}],
    [
      'an opaque folder within',
      [{ 'configs/a/b': '1', 'configs/c': '1' }, { 'configs/a/.wh..wh..opq': '' }],
      { c: '1' },
    ],
    ['a file in place of a folder', [{ 'configs/a/b': '1' }, { 'configs/a': '2' }], { a: '2' }],
    ['a folder in place of a file', [{ 'configs/a': '1' }, { 'configs/a/b': '2' }], { 'a/b': '2' }],
    ['an empty folder in place of a file', [{ 'configs/a': '1' }, { 'configs/a/': null }], {}],
    [
      'an .indexignore',
      [{ 'configs/.indexignore': '*.md\n', 'configs/x.md': '[', 'configs/y': 'y' }],
      { y: 'y' },
    ],
  ])('with %s', async (_, layers, expected) => {
    expect(await filesIn(layers)).toEqual(expected);
  });

  it('is taken from the folder that the label names', async () => {
    const descriptor = await image([layerOf({ 'opt/catalog/a': '{}', 'configs/b': '{}' })], {
      labels: { [LABEL]: '/opt/catalog/' },
    });
    expect((await read(descriptor)).files.map(({ path }) => path)).toEqual(['a']);
  });

  it('has what lies in a cache below its folder: opm reads that, too', async () => {
    const descriptor = await image([layerOf({ 'configs/a': '{}', 'configs/.cache/b': '{}' })], {
      cmd: ['serve', '/configs', '--cache-dir=/configs/.cache'],
    });
    expect((await read(descriptor)).files.map(({ path }) => path)).toEqual(['.cache/b', 'a']);
  });

  it('of an index is that for amd64', async () => {
    const [arm, amd] = [
      await image([layerOf({ 'configs/arm': '{}' })]),
      await image([layerOf({ 'configs/amd': '{}' })]),
    ];
    const index = await put(
      OCI_INDEX,
      json({
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [
          { ...arm, platform: { os: 'linux', architecture: 'arm64' } },
          { ...amd, platform: { os: 'linux', architecture: 'amd64' } },
        ],
      }),
    );
    expect((await read(index)).files.map(({ path }) => path)).toEqual(['amd']);
  });

  it('says which layers have nothing but documents or cache', async () => {
    const { layers } = await read(
      await image([
        layerOf({ 'bin/opm': 'x', 'tmp/': null }),
        layerOf({ 'configs/': null, 'configs/a': '{}' }),
        layerOf({ 'tmp/': null, 'tmp/cache/digest': 'x' }),
        layerOf({ 'configs/b': '{}', 'etc/x': 'x' }),
        layerOf({ 'configs/.wh.b': '' }),
        layerOf({ '.wh..wh..opq': '', 'configs/c': '{}' }),
      ]),
    );
    expect(layers.map(({ isPure, documents, hasCache }) => [isPure, documents, hasCache])).toEqual([
      [false, [], false],
      [true, ['a'], false],
      [true, [], true],
      [false, ['b'], false],
      [true, [], false],
      [false, ['c'], false],
    ]);
  });

  it('names file and document where one is bad', async () => {
    const { files } = await read(await image([layerOf({ 'configs/foo/catalog.json': '{"a":' })]));
    await expect(readCatalog(files)).rejects.toMatchObject({
      exitStatus: 20,
      message: 'document 1 of foo/catalog.json ends in the middle',
    });
  });
});

describe('an image', () => {
  const entry = (fields: HeaderFields): Uint8Array =>
    tarOf([withHeader(tarEntry('x', Buffer.alloc(0), 0), fields)]);

  it.each<[string, Uint8Array, RegExp]>([
    [
      'an entry that leads out',
      entry({ path: 'configs/../../etc/x' }),
      /leads out: configs\/\.\.\/\.\./,
    ],
    [
      'a link of the catalog',
      entry({ path: 'configs/a', type: '2', target: '/etc/passwd' }),
      /a link/,
    ],
    ['a hard link of it', entry({ path: 'configs/a', type: '1', target: 'etc/passwd' }), /a link/],
    ['a device of it', entry({ path: 'configs/a', type: '3' }), /something else than a file/],
    [
      'a link for the folder',
      entry({ path: 'configs', type: '2', target: 'opt' }),
      /configs of the catalog as a link/,
    ],
    [
      'a file twice',
      tarOf([
        tarEntry('configs/a', Buffer.from('1'), 0),
        tarEntry('configs/a', Buffer.from('2'), 0),
      ]),
      /configs\/a twice/,
    ],
    ['no layer', Buffer.from('nothing'), /cannot be read as an image layer/],
  ])('with %s is refused', async (_, layer, message) => {
    await expect(read(await image([layer]))).rejects.toMatchObject({
      exitStatus: 20,
      message: expect.stringMatching(message) as string,
    });
  });

  it('with links elsewhere is read', async () => {
    const link = withHeader(tarEntry('x', Buffer.alloc(0), 0), {
      path: 'lib',
      type: '2',
      target: 'usr/lib',
    });
    const { files } = await read(
      await image([tarOf([link, tarEntry('configs/a', Buffer.from('{}'), 0)])]),
    );
    expect(files).toHaveLength(1);
  });

  it('of the old sort is refused, with what to do', async () => {
    const labels = { 'operators.operatorframework.io.index.database.v1': '/database/index.db' };
    await expect(read(await image([layerOf({ a: 'x' })], { labels }))).rejects.toMatchObject({
      exitStatus: 20,
      message: 'image index:v1: it is a catalog of the old sort, a SQLite database',
      hint: expect.stringContaining('4.11') as string,
    });
  });

  it('without the label is refused', async () => {
    await expect(read(await image([layerOf({ a: 'x' })], { labels: {} }))).rejects.toMatchObject({
      exitStatus: 20,
      message: 'image index:v1: it is no catalog of operators',
    });
  });

  it('whose label names no folder is refused', async () => {
    for (const label of ['/', '../x', ''])
      await expect(
        read(await image([layerOf({ a: 'x' })], { labels: { [LABEL]: label } })),
      ).rejects.toMatchObject({ exitStatus: 20 });
  });

  it('with a damaged layer is refused', async () => {
    const descriptor = await image([layerOf({ 'configs/a': '{}' })]);
    const other: MemoryStore = Object.assign(Object.create(store) as MemoryStore, {
      fetch: (own: Descriptor, options: object) =>
        own.mediaType === OCI_LAYER_GZIP
          ? streamOf(layerOf({ 'configs/a': '[]' }))
          : store.fetch(own, options),
    });
    await expect(
      readCatalogImage(
        { name: 'index:v1', descriptor, store: other },
        { folder, signal, observe: () => undefined },
      ),
    ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
  });
});

describe('a temporary folder', () => {
  it('leaves nothing behind', async () => {
    const made = await TemporaryFolder.make();
    await made.write(streamOf(Buffer.from('x')));
    await made.remove();
    const name = made.path.slice(made.path.lastIndexOf('/') + 1);
    expect(await readdir(tmpdir())).not.toContain(name);
  });
});
