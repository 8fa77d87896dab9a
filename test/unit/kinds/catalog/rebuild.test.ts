import { gzipSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

import type { MadeImage } from '../../../../src/building/image.ts';
import type { WrittenFile } from '../../../../src/catalogs/writing/write-catalog.ts';
import { streamOf } from '../../../../src/core/bytes.ts';
import type { Descriptor } from '../../../../src/core/descriptor.ts';
import { type Digest, digestOf } from '../../../../src/core/digest.ts';
import type { JsonObject } from '../../../../src/core/json.ts';
import { type ImageManifest, parseManifest } from '../../../../src/core/manifest.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../../../src/core/media-types.ts';
import { CONFIGS_LABEL } from '../../../../src/kinds/catalog/catalog-config.ts';
import { readCatalogLayers } from '../../../../src/kinds/catalog/catalog-layers.ts';
import {
  type CatalogBase,
  FROM_LABEL,
  rebuildCatalog,
} from '../../../../src/kinds/catalog/making/rebuild.ts';
import { DocumentsLayers } from '../../../../src/kinds/catalog/making/documents-layer.ts';
import { TemporaryFolder } from '../../../../src/files/temporary/folder.ts';
import { readVerified } from '../../../../src/transfer/verified.ts';
import { MemoryStore } from '../../../../src/stores/memory.ts';
import { tarEntry, withHeader } from '../../../support/crafted-tar.ts';
import {
  entriesIn,
  type Flat,
  flattenAsGgcr,
  flattenAsOlm,
  flattenAsOverlay,
} from '../../../support/image-readers.ts';

const FROM = digestOf('the catalog before');

const file = (path: string, text: string): WrittenFile => {
  const bytes = Buffer.from(text);
  return { path, size: bytes.length, read: () => streamOf(bytes) };
};
const FILES: readonly WrittenFile[] = [
  file('catalog.json', '{"schema":"other"}'),
  file('foo/catalog.json', '{"schema":"olm.package","name":"foo"}'),
];
const EXPECTED: Flat = {
  'configs/catalog.json': '{"schema":"other"}',
  'configs/foo/catalog.json': '{"schema":"olm.package","name":"foo"}',
};

/** Files of a layer; a number is the mode of a folder, and behind an arrow a link has its target. */
type Files = Readonly<Record<string, string | number>>;

const layerOf = (files: Files): Uint8Array =>
  gzipSync(
    Buffer.concat([
      ...Object.entries(files).map(([path, value]) =>
        typeof value === 'number'
          ? withHeader(tarEntry(path, Buffer.alloc(0), 0), {
              ...{ type: '5', mode: value.toString(8).padStart(7, '0') },
            })
          : value.startsWith('-> ')
            ? withHeader(tarEntry(path, Buffer.alloc(0), 0), { type: '2', target: value.slice(3) })
            : tarEntry(path, Buffer.from(value), 0),
      ),
      Buffer.alloc(1024),
    ]),
  );

const OPM: Files = { 'bin/opm': 'opm', 'tmp/': 0o1777, 'etc/': 0o755 };
const CONFIGS: Files = {
  'configs/': 0o755,
  'configs/old/catalog.json': 'old',
  'configs/foo/a.json': 'old',
};
const CACHE: Files = { 'tmp/': 0o1777, 'tmp/cache/digest': 'stale', 'tmp/cache/cache/x': 'stale' };

/** The ways in which layers of catalogs are laid out. */
const LAYOUTS: Readonly<Record<string, readonly Files[]>> = {
  'a layer each': [OPM, CONFIGS, CACHE],
  'documents in the layer of the program': [{ ...OPM, ...CONFIGS }, CACHE],
  'the cache in the layer of the program': [{ ...OPM, ...CACHE }, CONFIGS],
  'all in one layer': [{ ...OPM, ...CONFIGS, ...CACHE }],
  'a folder for all only beside the cache': [{ 'bin/opm': 'opm' }, CONFIGS, CACHE],
  'nothing but documents': [CONFIGS],
};

interface Made {
  readonly image: MadeImage;
  readonly manifest: ImageManifest;
  readonly config: JsonObject;
  readonly layers: readonly Uint8Array[];
}

async function baseOf(
  files: readonly Files[],
  isDocker = false,
): Promise<{ base: CatalogBase; blobs: Map<Digest, Uint8Array> }> {
  const store = new MemoryStore();
  const blobs = new Map<Digest, Uint8Array>();
  const layers: Descriptor[] = [];
  for (const own of files) {
    const bytes = layerOf(own);
    const descriptor = {
      mediaType: isDocker ? DOCKER_LAYER : OCI_LAYER_GZIP,
      digest: digestOf(bytes),
      size: bytes.length,
    };
    blobs.set(descriptor.digest, bytes);
    await store.push(descriptor, streamOf(bytes));
    layers.push(descriptor);
  }
  const config = { configs: 'configs', cache: 'tmp/cache', isRunnable: true };
  const read = await readCatalogLayers(
    { layers, store, config },
    { folder: undefined, signal: new AbortController().signal, observe: () => undefined },
  );
  const document = {
    architecture: 'amd64',
    os: 'linux',
    created: '2026-01-02T03:04:05Z',
    config: {
      Entrypoint: ['/bin/opm'],
      Cmd: ['serve', '/configs', '--cache-dir=/tmp/cache'],
      User: '1001',
      Labels: { [CONFIGS_LABEL]: '/configs', name: 'index' },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    history: [
      { created_by: 'ENTRYPOINT', empty_layer: true },
      ...files.map((_, index) => ({ created_by: `layer ${index}` })),
      { created_by: 'CMD', empty_layer: true },
    ],
  };
  const configType = isDocker ? DOCKER_CONFIG : OCI_CONFIG;
  const manifest: ImageManifest = {
    kind: 'manifest',
    mediaType: isDocker ? DOCKER_MANIFEST : OCI_MANIFEST,
    config: { mediaType: configType, digest: digestOf('config'), size: 6 },
    layers,
  };
  return {
    base: {
      platform: { architecture: 'amd64', os: 'linux' },
      ...{ manifest, config: { document, ...config }, layers: read.layers },
    },
    blobs,
  };
}

/** As {@link rebuildCatalog}, with all that it makes in memory. */
async function rebuiltOf(bases: readonly CatalogBase[], isContent = false): Promise<MadeImage> {
  return TemporaryFolder.during(async (folder) => {
    const layers = new DocumentsLayers(FILES, folder);
    const { index, made } = await rebuildCatalog(bases, { from: FROM, layers, isContent });
    const all = made.map(async (content) => {
      const { descriptor } = content;
      if ('bytes' in content) return content;
      return { descriptor, bytes: await readVerified(content.read(), descriptor) };
    });
    return { index, made: await Promise.all(all) };
  });
}

async function rebuilt(
  files: readonly Files[],
  { isDocker = false, isContent = false } = {},
): Promise<Made> {
  const { base, blobs } = await baseOf(files, isDocker);
  const image = await rebuiltOf([base], isContent);
  const made = new Map(image.made.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  const index = parseManifest(made.get(image.index.digest)!);
  if (index.kind !== 'index') throw new Error('no index');
  const manifest = parseManifest(made.get(index.manifests[0]!.digest)!);
  if (manifest.kind !== 'manifest') throw new Error('no manifest');
  const config = JSON.parse(
    Buffer.from(made.get(manifest.config.digest)!).toString(),
  ) as JsonObject;
  const layers = manifest.layers.map(({ digest }) => made.get(digest) ?? blobs.get(digest)!);
  return { image, manifest, config, layers };
}

/** The files, without folders, of which readers may or may not speak. */
const filesOf = (flat: Flat, folder: string): Flat =>
  Object.fromEntries(
    Object.entries(flat).filter(
      ([name, value]) => name.startsWith(`${folder}/`) && !value.startsWith('folder '),
    ),
  );

describe('a rebuilt catalog', () => {
  it.each(Object.entries(LAYOUTS))(
    'has only the new documents for every reader: %s',
    async (_, own) => {
      const { layers } = await rebuilt(own);
      const overlay = await flattenAsOverlay(layers);
      expect(filesOf(overlay, 'configs')).toEqual(EXPECTED);
      expect(filesOf(await flattenAsGgcr(layers), 'configs')).toEqual(EXPECTED);
      expect(filesOf(await flattenAsOlm(layers, 'configs'), 'configs')).toEqual(EXPECTED);
    },
  );

  it.each(Object.entries(LAYOUTS).slice(0, 5))(
    'has opm and a folder for its cache, but no old cache: %s',
    async (_, own) => {
      const { layers } = await rebuilt(own);
      for (const flat of [await flattenAsOverlay(layers), await flattenAsGgcr(layers)]) {
        expect(flat).toMatchObject({ 'bin/opm': 'opm', tmp: 'folder 1777' });
        expect(filesOf(flat, 'tmp')).toEqual({});
      }
    },
  );

  it.each<[string, readonly Files[], readonly string[]]>([
    [
      'said again where something in it is hidden',
      [{ ...OPM, ...CACHE }, CONFIGS],
      ['tmp directory 1777', 'tmp/.wh.cache file 644'],
    ],
    [
      'said again where the layer that has said it is gone',
      [{ 'bin/opm': 'opm' }, CONFIGS, CACHE],
      ['tmp directory 1777'],
    ],
    [
      'what the last layer says',
      [OPM, CONFIGS, { ...CACHE, 'tmp/': 0o1770 }],
      ['tmp directory 1770'],
    ],
    ['made where no layer names it', [{ 'bin/opm': 'opm' }, CONFIGS], ['tmp directory 1777']],
    ['made where a layer has taken it away', [OPM, { '.wh.tmp': '' }], ['tmp directory 1777']],
    ['left to layers that say it', [OPM, CONFIGS, CACHE], []],
    ['left alone where it is a link', [{ 'bin/opm': 'opm', tmp: '-> var/tmp' }, CONFIGS], []],
  ])('has a folder for all to write to, %s', async (_, own, expected) => {
    const { layers } = await rebuilt(own);
    const entries = await entriesIn(layers.at(-1)!);
    const told = entries.map(({ name, type, mode }) => `${name} ${type} ${mode.toString(8)}`);
    expect(told.filter((entry) => entry.startsWith('tmp'))).toEqual(expected);
  });

  it('hides what some readers see, where others would see that it is hidden twice', async () => {
    const all = [
      { ...OPM, 'configs/gone/a.json': 'old', 'configs/old/a.json': 'old', 'configs/b': 'old' },
      { 'etc/x': '', 'configs/.wh.gone': '', 'configs/old/.wh..wh..opq': '', 'configs/.wh.b': '' },
      { 'etc/y': '', 'configs/gone/b.json': 'old', 'configs/c/d': 'old', 'configs/c': 'old' },
    ];
    const { layers } = await rebuilt(all);
    const entries = await entriesIn(layers.at(-1)!);
    expect(entries.map(({ name, text }) => `${name} ${text.length}`)).toEqual([
      ...['configs 0', 'configs/.wh.c 0', 'configs/catalog.json 18', 'configs/foo 0'],
      ...['configs/foo/catalog.json 37', 'configs/gone 0', 'configs/gone/.wh.b.json 0'],
      ...['configs/gone/a.json 0', 'configs/old 0', 'configs/old/a.json 0'],
    ]);
  });

  it('has no layer that holds nothing but old documents or cache', async () => {
    const own = LAYOUTS['a layer each']!;
    const { manifest, config, layers } = await rebuilt(own);
    expect(manifest.layers[0]?.digest).toBe(digestOf(layerOf(OPM)));
    expect(layers).toHaveLength(2);
    const names = (await entriesIn(layers[1]!)).map(
      ({ name, mode, type }) => `${name} ${type} ${mode.toString(8)}`,
    );
    expect(names).toEqual([
      'configs directory 755',
      'configs/catalog.json file 644',
      'configs/foo directory 755',
      'configs/foo/catalog.json file 644',
    ]);
    expect(config['rootfs']).toMatchObject({ diff_ids: { length: 2 } });
    const history = config['history'] as { created_by: string }[];
    expect(history.map((entry) => entry.created_by.replace(/sha256:.*/, 'DIGEST'))).toEqual([
      ...['ENTRYPOINT', 'layer 0', 'CMD', 'bundle: catalog DIGEST'],
    ]);
  });

  it('starts without a cache, and says what it was made of', async () => {
    const { config } = await rebuilt(LAYOUTS['a layer each']!);
    expect(config['config']).toEqual({
      Entrypoint: ['/bin/opm'],
      Cmd: ['serve', '/configs'],
      User: '1001',
      Labels: { [CONFIGS_LABEL]: '/configs', name: 'index', [FROM_LABEL]: FROM },
    });
    expect(config['created']).toBe('2026-01-02T03:04:05Z');
  });

  it('is the same on every machine', async () => {
    const { image } = await rebuilt(LAYOUTS['all in one layer']!);
    const zone = process.env['TZ'];
    const mask = process.umask(0o077);
    process.env['TZ'] = 'Pacific/Chatham';
    try {
      const again = await rebuilt(LAYOUTS['all in one layer']!);
      expect(again.image.index.digest).toBe(image.index.digest);
    } finally {
      process.umask(mask);
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
    // The layer that is made depends on nothing but the documents.
    const { layers } = await rebuilt(LAYOUTS['nothing but documents']!);
    expect(digestOf(layers.at(-1)!)).toBe(
      'sha256:32266598d0d828909e0b45b0680375e6a0fa71ec5628ba12670a711f74db3d2c',
    );
  });

  it('keeps the media types of Docker', async () => {
    const { image, manifest } = await rebuilt(LAYOUTS['a layer each']!, { isDocker: true });
    expect(image.index.mediaType).toBe(DOCKER_LIST);
    expect(manifest.mediaType).toBe(DOCKER_MANIFEST);
    expect(manifest.layers.map(({ mediaType }) => mediaType)).toEqual([DOCKER_LAYER, DOCKER_LAYER]);
  });

  it('is refused where layers and config do not agree', async () => {
    const { base } = await baseOf(LAYOUTS['a layer each']!);
    const document = { ...base.config.document, rootfs: { diff_ids: [] } };
    const other = { ...base, config: { ...base.config, document } };
    await expect(rebuiltOf([other])).rejects.toMatchObject({ exitStatus: 20 });
  });

  it('is one layer of documents for all platforms, where nothing is to serve it', async () => {
    const { base } = await baseOf(LAYOUTS['all in one layer']!);
    const arm = {
      ...base,
      platform: { architecture: 'arm64', os: 'linux' },
      config: { ...base.config, document: { ...base.config.document, architecture: 'arm64' } },
      layers: [],
    };
    const { index, made } = await rebuiltOf([base, arm], true);
    const bytesOf = (digest: Digest): Uint8Array =>
      made.find(({ descriptor }) => descriptor.digest === digest)!.bytes;
    const list = parseManifest(bytesOf(index.digest));
    if (list.kind !== 'index') throw new Error('no index');
    const images = list.manifests.map(({ digest }) => parseManifest(bytesOf(digest)));
    const layers = images.map((own) => (own.kind === 'manifest' ? own.layers : []));
    expect(layers[0]).toHaveLength(1);
    expect(layers[1]).toEqual(layers[0]);
    expect(await flattenAsOverlay([bytesOf(layers[0]![0]!.digest)])).toMatchObject(EXPECTED);
    const configs = images.map((own) =>
      own.kind === 'manifest'
        ? (JSON.parse(Buffer.from(bytesOf(own.config.digest)).toString()) as JsonObject)
        : {},
    );
    expect(configs.map(({ architecture }) => architecture)).toEqual(['amd64', 'arm64']);
    expect(configs[0]!['config']).toEqual({
      Labels: { [CONFIGS_LABEL]: '/configs', [FROM_LABEL]: FROM },
    });
  });
});
