import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { Publisher } from '../../scripts/lib/destination.ts';
import { makeIndex, makeStartedImage } from '../../scripts/lib/image.ts';
import type { TarEntry } from '../../scripts/lib/tar.ts';
import { randomLayer, textLayer } from '../../scripts/lib/layer.ts';
import { anonymous } from '../../src/core/credentials.ts';
import type { Digest } from '../../src/core/digest.ts';
import type { Store } from '../../src/core/store.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import { CATALOGS } from './catalogs.ts';

const LABEL = 'operators.operatorframework.io.index.configs.v1';

/**
 * Publishes an image of two architectures with a catalog of `fixtures/catalogs`, as opm makes them:
 * a layer of the program, one of the documents, one of the cache.
 * @returns the digest of the index.
 */
export async function publishCatalog(store: Store, path: string, tag: string): Promise<Digest> {
  return publishDocuments(store, await documentsIn(path), tag);
}

/** The files of a catalog of `fixtures/catalogs`, as entries of a layer. */
async function documentsIn(path: string): Promise<readonly TarEntry[]> {
  const folder = join(CATALOGS, path);
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.sort().map(async (file): Promise<TarEntry> => {
      return documentEntry(relative(folder, file), await readFile(file));
    }),
  );
}

/** A file of a catalog as an entry of a layer. */
export function documentEntry(path: string, bytes: Uint8Array): TarEntry {
  return {
    ...{ name: `configs/${path}`, type: 'file', size: bytes.length },
    ...{ mode: 0o644, mtime: 0, content: [bytes] },
  };
}

/** The same for documents that were just made. */
export async function publishDocuments(
  store: Store,
  documents: readonly TarEntry[],
  tag: string,
): Promise<Digest> {
  const layers = [
    await randomLayer('opm', 'bin', 5000),
    textLayer(documents),
    await randomLayer('cache', 'tmp/cache', 3000),
  ];
  const images = ['amd64', 'arm64'].map((architecture) => ({
    architecture,
    image: makeStartedImage({
      ...{ kind: 'docker', architecture, layers, labels: { [LABEL]: '/configs' } },
      starts: {
        Entrypoint: ['/bin/opm'],
        Cmd: ['serve', '/configs', '--cache-dir=/tmp/cache'],
      },
    }),
  }));
  const index = makeIndex('docker', images);
  const publisher = new Publisher();
  for (const { image } of images) await publisher.publish(store, image);
  await publisher.publish(store, index, tag);
  return index.descriptor.digest;
}

/** The same at a registry. @param name `repository:tag` */
export async function publishCatalogAt(host: string, path: string, name: string): Promise<Digest> {
  const [repository = '', tag = ''] = name.split(':');
  const client = new RegistryClient({ credentials: anonymous, ca: [] });
  try {
    return await publishCatalog(client.repository({ registry: host, repository }), path, tag);
  } finally {
    await client.close();
  }
}
