import type { Catalog } from '../../catalogs/catalog.ts';
import { catalogFiles } from '../../catalogs/reading/catalog-folder.ts';
import { type CatalogFile, readCatalog } from '../../catalogs/reading/read-catalog.ts';
import type { Context } from '../../core/context.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { formatRepository, parseReference } from '../../core/reference.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import { isFolder, isThere } from '../../files/look.ts';
import { TemporaryFolder } from '../../files/temporary/folder.ts';
import { readCatalogImage } from '../../kinds/catalog/read-catalog-image.ts';
import { Network, type NetworkOptions } from '../../network/network.ts';
import { ImageLayout } from '../../stores/layout/layout.ts';

/** Where a catalog is: a folder or a file, `oci:DIR[@DIGEST]`, or a reference. */
export interface CatalogSource {
  readonly source: string;
  readonly network: NetworkOptions;
}

/** A catalog that was read. Its files are there while it is open. */
export interface OpenedCatalog {
  /** As somebody named it. */
  readonly name: string;
  readonly catalog: Catalog;
  readonly files: readonly CatalogFile[];
  /** Of the image that it came from, if it came from one. */
  readonly image: Digest | undefined;
}

/**
 * Reads a catalog, and hands it to `work`. What an image has is kept in a temporary folder
 * meanwhile.
 * @throws BundleError NOT_FOUND, DISK, UNSUPPORTED_CONTENT; as registries do; what `work` throws
 */
export async function withCatalog<T>(
  { source, network }: CatalogSource,
  context: Context,
  work: (opened: OpenedCatalog) => Promise<T>,
): Promise<T> {
  if (await isLocal(source)) {
    const files = await catalogFiles(source);
    return work({ name: source, catalog: await readCatalog(files), files, image: undefined });
  }
  const { signal, observe } = context;
  observe({ type: 'phase', what: `reading the catalog ${source}` });
  return TemporaryFolder.during(async (folder) =>
    withImage(source, { network, context }, async (image) => {
      const read = await readCatalogImage({ name: source, ...image }, { folder, signal, observe });
      const catalog = await readCatalog(read.files);
      return work({ name: source, catalog, files: read.files, image: image.descriptor.digest });
    }),
  );
}

/** What exists is a path; so is what can only be one. */
async function isLocal(source: string): Promise<boolean> {
  if (source.startsWith('oci:')) return false;
  if (await isThere(source)) {
    if (!(await isFolder(source)) || !(await isThere(`${source}/oci-layout`))) return true;
    throw new BundleError('USAGE', `${source} is an image layout, and no folder of documents`, {
      hint: `Write oci:${source}.`,
    });
  }
  return /^(?:\/|\.{1,2}(?:\/|$)|~)/.test(source);
}

interface FoundImage {
  readonly descriptor: Descriptor;
  readonly store: ReadOnlyStore;
}

async function withImage<T>(
  source: string,
  { network: options, context }: { readonly network: NetworkOptions; readonly context: Context },
  work: (image: FoundImage) => Promise<T>,
): Promise<T> {
  const { signal } = context;
  if (source.startsWith('oci:')) {
    const [, folder = '', digest] =
      /^oci:(?:\/\/)?(.*?)(?:@(sha256:[0-9a-f]*))?$/s.exec(source) ?? [];
    if (folder === '')
      throw new BundleError('USAGE', `not an image layout: ${source}`, {
        hint: 'Write oci:DIR, or oci:DIR@sha256:….',
      });
    const store = await ImageLayout.open(folder);
    return work({
      store,
      descriptor: await store.resolve(digest ?? (await onlyTag(store, source))),
    });
  }
  const reference = parseReference(source);
  const named = reference.digest ?? reference.tag;
  if (named === undefined)
    throw new BundleError('USAGE', `${source} has neither a tag nor a digest`, {
      hint: `Write the tag, as in ${formatRepository(reference)}:v4.17.`,
    });
  const network = await Network.open(options, context);
  try {
    const store = network.source(reference);
    return await work({ store, descriptor: await store.resolve(named, { signal }) });
  } catch (error) {
    throw hasCode(error, 'NOT_FOUND') && error.hint === undefined
      ? error.withHint(
          'Check the name, as in registry.redhat.io/redhat/redhat-operator-index:v4.17.',
        )
      : error;
  } finally {
    await network.close();
  }
}

/** A layout with one tag needs none to be named. */
async function onlyTag(store: ImageLayout, source: string): Promise<string> {
  const tags = await store.tags();
  const [tag] = tags;
  if (tag !== undefined && tags.length === 1) return tag;
  throw new BundleError('USAGE', `${source} has ${tags.length === 0 ? 'no tag' : 'several tags'}`, {
    hint: `Name the image by its digest: ${source}@sha256:….`,
  });
}
