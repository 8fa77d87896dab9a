import type { CatalogFile } from '../../catalogs/reading/read-catalog.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import type { Observe } from '../../core/events.ts';
import { asArray, asObject, isObject, type JsonObject, parseStrictJson } from '../../core/json.ts';
import { parseManifest } from '../../core/manifest.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import type { TemporaryFolder } from '../../files/temporary/folder.ts';
import { fetchVerified } from '../../transfer/verified.ts';
import { readCatalogConfig } from './catalog-config.ts';
import { type LayerFacts, readCatalogLayers } from './catalog-layers.ts';
import type { CatalogBase } from './making/rebuild.ts';

interface BaseOptions {
  readonly folder: TemporaryFolder;
  readonly signal: AbortSignal;
  readonly observe: Observe;
  /**
   * What is wanted: the documents alone, for which one platform is enough, that of amd64 or else
   * the first; also what the configs of all platforms say; or also what all layers have.
   */
  readonly of: 'documents' | 'configs' | 'layers';
}

interface Bases {
  /** The documents: the same for every platform. */
  readonly files: readonly CatalogFile[];
  /** For each platform of the index. */
  readonly bases: readonly CatalogBase[];
}

/**
 * The image of a catalog, platform by platform, with what its layers have. Layers that platforms
 * share are read once.
 * @throws BundleError UNSUPPORTED_CONTENT, CONTENT_MISMATCH naming the image; what the store throws
 */
export async function basesOf(
  descriptor: Descriptor,
  { name, store }: { readonly name: string; readonly store: ReadOnlyStore },
  options: BaseOptions,
): Promise<Bases> {
  const { folder, signal, observe, of } = options;
  const known = new Map<Digest, LayerFacts>();
  let files: readonly CatalogFile[] | undefined;
  const bases: CatalogBase[] = [];
  try {
    for (const { platform, own } of await imagesOf(descriptor, store, options)) {
      const manifest = parseManifest(
        await fetchVerified(store, own, { signal, observe }),
        own.mediaType,
      );
      if (manifest.kind === 'index')
        throw new BundleError('UNSUPPORTED_CONTENT', 'its index lists another index');
      const config = await readCatalogConfig(manifest.config, { store, signal, observe });
      if (files !== undefined && of === 'configs') {
        bases.push({ platform, manifest, config, layers: [] });
        continue;
      }
      // The documents come from the first; of the others only layers that are new are looked at.
      const unknown = manifest.layers.filter(({ digest }) => !known.has(digest));
      const layers = files === undefined ? manifest.layers : unknown;
      const read = await readCatalogLayers(
        { layers, store, config },
        { folder: files === undefined ? folder : undefined, signal, observe },
      );
      files ??= read.files;
      for (const facts of read.layers) known.set(facts.layer.digest, facts);
      const facts = manifest.layers.map(({ digest }) => known.get(digest)!);
      bases.push({ platform, manifest, config, layers: facts });
    }
  } catch (error) {
    throw error instanceof BundleError ? error.about(`image ${name}`) : error;
  }
  return { files: files ?? [], bases };
}

interface PlatformImage {
  readonly platform: JsonObject | undefined;
  readonly own: Descriptor;
}

async function imagesOf(
  descriptor: Descriptor,
  store: ReadOnlyStore,
  { signal, observe, of }: BaseOptions,
): Promise<readonly PlatformImage[]> {
  const bytes = await fetchVerified(store, descriptor, { signal, observe });
  const manifest = parseManifest(bytes, descriptor.mediaType);
  if (manifest.kind === 'manifest') return [{ platform: undefined, own: descriptor }];
  const rows = asArray(
    asObject(parseStrictJson(bytes, 'index'), 'index')['manifests'],
    'manifests',
  );
  const images = manifest.manifests.flatMap((own, index): readonly PlatformImage[] => {
    const row = rows[index];
    const platform = isObject(row) && isObject(row['platform']) ? row['platform'] : undefined;
    // Attestations of builders are listed as images for no platform.
    if (platform === undefined || platform['os'] === 'unknown') return [];
    const { mediaType, digest, size } = own;
    return [{ platform, own: { mediaType, digest, size } }];
  });
  const usual = images.find(({ platform }) => platform?.['architecture'] === 'amd64') ?? images[0];
  if (usual === undefined)
    throw new BundleError('UNSUPPORTED_CONTENT', 'it is an index without images for platforms', {
      hint: 'Check the name: a catalog has an image for each platform.',
    });
  return of === 'documents' ? [usual] : [usual, ...images.filter((image) => image !== usual)];
}
