import type { Descriptor } from '../../core/descriptor.ts';
import { BundleError } from '../../core/errors.ts';
import type { Observe } from '../../core/events.ts';
import { MAX_INDEX_DEPTH } from '../../core/limits.ts';
import { type ImageManifest, parseManifest } from '../../core/manifest.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import type { TemporaryFolder } from '../../files/temporary/folder.ts';
import { readVerified, twiceIfWrong } from '../../transfer/verified.ts';
import { type CatalogConfig, readCatalogConfig } from './catalog-config.ts';
import { type ReadLayers, readCatalogLayers } from './catalog-layers.ts';

export interface CatalogImageOptions {
  readonly folder: TemporaryFolder;
  readonly signal: AbortSignal;
  readonly observe: Observe;
}

/**
 * The files of the catalog in an image. A catalog is the same for every platform, so that of one
 * image of an index is read: the one for amd64, or else the first.
 * @param name of the image, for messages.
 * @throws BundleError UNSUPPORTED_CONTENT, CONTENT_MISMATCH naming the image; what the store throws
 */
export async function readCatalogImage(
  {
    name,
    descriptor,
    store,
  }: { readonly name: string; readonly descriptor: Descriptor; readonly store: ReadOnlyStore },
  { folder, signal, observe }: CatalogImageOptions,
): Promise<ReadLayers & { readonly config: CatalogConfig }> {
  try {
    const { layers, config } = await oneImageOf(descriptor, { store, signal, observe }, 0);
    const read = await readCatalogConfig(config, { store, signal, observe });
    const content = { layers, store, config: read };
    return { ...(await readCatalogLayers(content, { folder, signal, observe })), config: read };
  } catch (error) {
    throw error instanceof BundleError ? error.about(`image ${name}`) : error;
  }
}

interface Place {
  readonly store: ReadOnlyStore;
  readonly signal: AbortSignal;
  readonly observe: Observe;
}

async function oneImageOf(
  descriptor: Descriptor,
  place: Place,
  depth: number,
): Promise<ImageManifest> {
  const { store, signal, observe } = place;
  const read = async (): Promise<Uint8Array> =>
    readVerified(store.fetch(descriptor, { signal }), descriptor);
  const bytes = await twiceIfWrong(store, read, descriptor.digest, observe);
  const manifest = parseManifest(bytes, descriptor.mediaType);
  if (manifest.kind === 'manifest') return manifest;
  const usual = manifest.manifests.find(({ platform }) => platform?.architecture === 'amd64');
  const chosen = usual ?? manifest.manifests[0];
  if (chosen !== undefined && depth < MAX_INDEX_DEPTH) return oneImageOf(chosen, place, depth + 1);
  throw new BundleError(
    'UNSUPPORTED_CONTENT',
    chosen === undefined
      ? 'it is an index without images'
      : `indexes are nested deeper than ${MAX_INDEX_DEPTH}`,
    { hint: 'Check the name: a catalog has an image for each platform.' },
  );
}
