import { Publisher } from '../../scripts/lib/destination.ts';
import type { Content, Image } from '../../scripts/lib/image.ts';
import { makeIndex } from '../../scripts/lib/image.ts';
import type { Layer } from '../../scripts/lib/layer.ts';
import { storedGzip } from '../../scripts/lib/stored-gzip.ts';
import { type TarEntry, tarOf } from '../../scripts/lib/tar.ts';
import { streamOf } from '../../src/core/bytes.ts';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '../../src/core/media-types.ts';
import type { Store } from '../../src/core/store.ts';
import { CONFIGS_LABEL } from '../../src/kinds/catalog/catalog-config.ts';

/** Files of a layer in their order; a number is the mode of a folder. */
export type LayerFiles = Readonly<Record<string, string | number>>;

/** A layer of such files: the same bytes with every version of zlib. */
export function fileLayer(files: LayerFiles): Layer {
  const entries = Object.entries(files).map(([path, value]): TarEntry => {
    const isFolder = typeof value === 'number';
    const bytes = Buffer.from(isFolder ? '' : value);
    return {
      ...{ name: path, type: isFolder ? 'directory' : 'file', mode: isFolder ? value : 0o644 },
      ...{ mtime: 0, size: bytes.length, content: [bytes] },
    };
  });
  const tar = Buffer.concat([...tarOf(entries)]);
  const bytes = Buffer.concat([...storedGzip([tar])]);
  const [digest, diffId] = [digestOf(bytes), digestOf(tar)];
  return { digest, diffId, size: bytes.length, content: () => streamOf(bytes) };
}

/**
 * Puts the image of a catalog into a store, as opm makes them: it is started with a cache.
 * @param images layers by architecture.
 * @returns the digest of the index.
 */
export async function publishOpmImage(
  store: Store,
  images: Readonly<Record<string, readonly Layer[]>>,
  { folder, tag }: { readonly folder: string; readonly tag: string },
): Promise<Digest> {
  const publisher = new Publisher();
  const rows = Object.entries(images).map(([architecture, layers]) => ({
    architecture,
    image: opmImage(architecture, layers, folder),
  }));
  for (const { image } of rows) await publisher.publish(store, image);
  const index = makeIndex('oci', rows);
  await publisher.publish(store, index, tag);
  return index.descriptor.digest;
}

function opmImage(architecture: string, layers: readonly Layer[], folder: string): Image {
  const config = documentOf(OCI_CONFIG, {
    ...{ architecture, os: 'linux', created: '2026-01-02T03:04:05Z' },
    config: {
      Entrypoint: ['/bin/opm'],
      Cmd: ['serve', folder, '--cache-dir=/tmp/cache'],
      Labels: { [CONFIGS_LABEL]: folder },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  });
  const contents = layers.map(({ digest, size, content }): Content => ({
    descriptor: { mediaType: OCI_LAYER_GZIP, digest, size },
    content,
  }));
  const manifest = documentOf(OCI_MANIFEST, {
    ...{ schemaVersion: 2, mediaType: OCI_MANIFEST, config: config.descriptor },
    layers: contents.map(({ descriptor }) => descriptor),
  });
  return { descriptor: manifest.descriptor, contents: [...contents, config, manifest] };
}

function documentOf(mediaType: string, value: unknown): Content {
  const bytes = Buffer.from(JSON.stringify(value));
  return {
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
    content: () => streamOf(bytes),
  };
}
