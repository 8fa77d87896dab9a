import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { FLATTEN, pathOfPeer } from '../../scripts/lib/go-peers.ts';
import type { Layer } from '../../scripts/lib/layer.ts';
import type { Digest } from '../../src/core/digest.ts';
import { findCatalog } from '../../src/kinds/catalog/find.ts';
import type { CatalogProfile } from '../../src/kinds/catalog/request.ts';
import { TemporaryFolder } from '../../src/files/temporary/folder.ts';
import { MemoryStore } from '../../src/stores/memory.ts';
import { SampleCatalog } from '../support/catalog-bundle.ts';
import {
  IMAGE_READERS,
  type ImageReader,
  type SeenFiles,
  seenBy,
  writeLayout,
} from '../support/flattened-image.ts';
import { describeWhere } from '../support/needs.ts';
import { fileLayer, type LayerFiles, publishOpmImage } from '../support/opm-image.ts';
import { sourcesOf } from '../support/sample-parts.ts';

const sample = new SampleCatalog();
const FOO = sample.documents('foo', sample.byDigest('foo-bundle'));
const BAR = sample.documents('bar', sample.byDigest('bar-bundle'));

const OPM: LayerFiles = { 'bin/': 0o755, 'bin/opm': 'opm', 'tmp/': 0o1777, 'etc/': 0o755 };
const CONFIGS: LayerFiles = {
  'configs/': 0o755,
  'configs/bar/': 0o755,
  'configs/bar/catalog.json': BAR,
  'configs/foo/': 0o755,
  'configs/foo/a.json': FOO,
};
const CACHE: LayerFiles = {
  ...{ 'tmp/': 0o1777, 'tmp/cache/': 0o770, 'tmp/cache/digest': 'stale' },
  ...{ 'tmp/cache/cache/': 0o770, 'tmp/cache/cache/x': 'stale' },
};

/** How the layers of catalogs are laid out that have foo and bar. */
const LAYOUTS: Readonly<Record<string, readonly LayerFiles[]>> = {
  'a layer each': [OPM, CONFIGS, CACHE],
  'documents in the layer of the program': [{ ...OPM, ...CONFIGS }, CACHE],
  'the cache in the layer of the program': [{ ...OPM, ...CACHE }, CONFIGS],
  'all in one layer': [{ ...OPM, ...CONFIGS, ...CACHE }],
  'a folder for all only beside the cache': [{ 'bin/opm': 'opm' }, CONFIGS, CACHE],
  'a folder for all nowhere': [{ 'bin/opm': 'opm' }, CONFIGS, { 'tmp/cache/digest': 'stale' }],
  'no folders': [{ 'bin/opm': 'opm', 'configs/bar/x.json': BAR, 'configs/foo.json': FOO }, CACHE],
  'documents in several layers': [
    { ...OPM, 'configs/bar/catalog.json': BAR },
    {
      'etc/x': 'x',
      'configs/foo/a.json': FOO,
      'configs/foo/b/c/d.json': '{"schema":"x","package":"bar"}',
    },
    CACHE,
  ],
  'a document in place of a folder, and a folder in place of a document': [
    {
      ...{ ...OPM, 'configs/foo': BAR, 'configs/bar/catalog.json/': 0o755 },
      'configs/bar/catalog.json/x': BAR,
    },
    { 'etc/x': 'x', 'configs/.wh.bar': '', 'configs/.wh.foo': '' },
    {
      ...{ 'etc/y': 'y', 'configs/bar': BAR, 'configs/foo/': 0o755 },
      ...{ 'configs/foo/catalog.json/': 0o755, 'configs/foo/catalog.json/a/': 0o755 },
      'configs/foo/catalog.json/a/b.json': FOO,
    },
    CACHE,
  ],
  'whiteouts between layers': [
    { ...OPM, 'configs/old/catalog.json': 'no document', 'configs/foo/old.json': 'no document' },
    { 'etc/x': 'x', 'configs/.wh.old': '', 'configs/foo/.wh.old.json': '' },
    { 'etc/y': 'y', ...CONFIGS },
    CACHE,
  ],
  'an opaque folder': [
    { ...OPM, 'configs/old/catalog.json': 'no document' },
    { 'etc/x': 'x', ...CONFIGS, 'configs/.wh..wh..opq': '' },
    CACHE,
  ],
  'a whiteout of all documents': [
    { ...OPM, 'configs/old/catalog.json': 'no document' },
    { '.wh.configs': '', 'etc/x': 'x' },
    CONFIGS,
    CACHE,
  ],
  'files that are ignored': [
    { ...OPM, 'configs/.indexignore': '*.md\n/foo/catalog.json\n', 'configs/README.md': '#' },
    { 'etc/x': 'x', ...CONFIGS },
    CACHE,
  ],
  'names with a dot before them': [
    Object.fromEntries(
      Object.entries({ ...OPM, ...CONFIGS, ...CACHE }).map(([path, value]) => [`./${path}`, value]),
    ),
  ],
};

/**
 * What an empty file takes the place of: documents that a lower layer hides so that not all readers
 * understand it. Overlayfs would show a whiteout of what is hidden already as a broken file.
 */
const EMPTIED: SeenFiles = { 'configs/old/catalog.json': '' };
const WITH_EMPTIED = ['an opaque folder', 'a whiteout of all documents'];

/** Files below a folder, without the folders between. */
function filesBelow(seen: SeenFiles, folder: string): SeenFiles {
  const files = Object.entries(seen).filter(([, value]) => !value.startsWith('folder '));
  return Object.fromEntries(files.filter(([path]) => path.startsWith(`${folder}/`)));
}

/** Overlayfs has to be mounted, which a container may not be allowed. */
async function canMount(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-overlay-'));
  try {
    const store = new MemoryStore();
    const images = { amd64: [fileLayer({ 'a/b': 'b' }), fileLayer({ 'a/.wh..wh..opq': '' })] };
    const digest = await publishOpmImage(store, images, { folder: '/a', tag: 'v1' });
    const [image] = await writeLayout(folder, store, await store.resolve(digest));
    await seenBy('overlay', folder, image!);
    return true;
  } catch {
    return false;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const isThere = existsSync(pathOfPeer(FLATTEN));
const mounts = isThere && (await canMount());
const readers = new Map<ImageReader, boolean>(
  IMAGE_READERS.map((reader) => [reader, mounts || !['overlay', 'crio'].includes(reader)]),
);

for (const [reader, met] of readers)
  describeWhere(
    isThere && met,
    isThere ? 'mounts of overlayfs' : 'flatten: npm run peers',
    `a rebuilt catalog, as ${reader} sees it,`,
    () => {
      let folder: string;
      let scratch: TemporaryFolder;
      let layouts = 0;

      beforeAll(async () => {
        folder = await mkdtemp(join(tmpdir(), 'bundle-flattened-'));
        scratch = await TemporaryFolder.make();
      });
      afterAll(async () => {
        await scratch.remove();
        await rm(folder, { recursive: true });
      });

      /** The images of a catalog that was filtered to foo. */
      const filtered = async (
        images: Readonly<Record<string, readonly Layer[]>>,
        {
          configs = '/configs',
          profile,
        }: { readonly configs?: string; readonly profile?: CatalogProfile } = {},
      ): Promise<{ readonly layout: string; readonly digests: readonly Digest[] }> => {
        const store = new MemoryStore('quay.io/ops/index');
        await publishOpmImage(store, images, { folder: configs, tag: 'v1' });
        const request = {
          ...{ mode: 'strict' as const, profile },
          catalog: {
            ...{ catalog: 'quay.io/ops/index:v1', full: false },
            packages: [{ name: 'foo', channels: [] }],
          },
        };
        const signal = new AbortController().signal;
        const options = { now: new Date(0), signal, observe: () => undefined };
        const { seed, content } = await findCatalog(
          request,
          { ...sourcesOf(() => store), scratch: async () => scratch },
          options,
        );
        const layout = join(folder, `layout-${(layouts += 1)}`);
        const root = await content.root.resolve(seed.digest);
        return { layout, digests: await writeLayout(layout, content.root, root) };
      };

      it.each(Object.entries(LAYOUTS))('has what was kept alone: %s', async (name, layers) => {
        const own = layers.map(fileLayer);
        const { layout, digests } = await filtered({ amd64: own });
        expect(digests).toHaveLength(1);
        const seen = await seenBy(reader, layout, digests[0]!);
        expect(filesBelow(seen, 'configs')).toEqual({
          'configs/foo/catalog.json': FOO,
          ...(WITH_EMPTIED.includes(name) && EMPTIED),
        });
        if (reader === 'olm') return;
        // opm makes its cache anew, as whichever user it runs: in /tmp.
        expect(seen).toMatchObject({ 'bin/opm': 'opm', tmp: 'folder 1777' });
        expect(filesBelow(seen, 'tmp')).toEqual({});
      });

      it('has what was kept alone, in the image of each architecture', async () => {
        const shared = fileLayer(CONFIGS);
        const { layout, digests } = await filtered({
          amd64: [fileLayer(OPM), shared, fileLayer(CACHE)],
          arm64: [fileLayer({ ...OPM, ...CACHE, 'bin/opm': 'arm' }), shared],
          s390x: [fileLayer({ ...OPM, ...CONFIGS, 'configs/more.json': BAR }), fileLayer(CACHE)],
        });
        expect(digests).toHaveLength(3);
        for (const digest of digests) {
          const seen = await seenBy(reader, layout, digest);
          expect(filesBelow(seen, 'configs')).toEqual({ 'configs/foo/catalog.json': FOO });
        }
      });

      it('has what was kept alone, in an image of nothing else', async () => {
        const own = [fileLayer({ ...OPM, ...CONFIGS }), fileLayer(CACHE)];
        const images = { amd64: own, arm64: own };
        const { layout, digests } = await filtered(images, { profile: 'content' });
        expect(digests).toHaveLength(2);
        for (const digest of digests) {
          const seen = await seenBy(reader, layout, digest);
          expect(Object.entries(seen).filter(([, value]) => !value.startsWith('folder '))).toEqual([
            ['configs/foo/catalog.json', FOO],
          ]);
        }
      });

      it('has what was kept alone, in another folder', async () => {
        const layer = { ...OPM, 'srv/': 0o700, 'srv/all/bar.json': BAR, 'srv/all/f.json': FOO };
        const { layout, digests } = await filtered(
          { amd64: [fileLayer(layer)] },
          { configs: '/srv/all' },
        );
        const seen = await seenBy(reader, layout, digests[0]!, '/srv/all');
        expect(filesBelow(seen, 'srv')).toEqual({ 'srv/all/foo/catalog.json': FOO });
      });
    },
  );
