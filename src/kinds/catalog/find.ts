import { basename } from 'node:path';

import { MadeStore } from '../../building/made-store.ts';
import { type Catalog, imagesOf } from '../../catalogs/catalog.ts';
import { dependenciesOf } from '../../catalogs/dependencies.ts';
import { filterAsOcMirror } from '../../catalogs/filter/oc-mirror.ts';
import { asCatalog, describeReason, type FilterResult } from '../../catalogs/filter/result.ts';
import { filterStrictly } from '../../catalogs/filter/strict.ts';
import { readCatalog } from '../../catalogs/reading/read-catalog.ts';
import { filteredFiles, type WrittenFile } from '../../catalogs/writing/write-catalog.ts';
import type { HoleReason } from '../../bundle/format/manifest.ts';
import { mapLimited } from '../../core/concurrency.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import type { Observe } from '../../core/events.ts';
import { formatReference, isRepository, parseReference } from '../../core/reference.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import { TemporaryFolder } from '../../files/temporary/folder.ts';
import { ImageLayout } from '../../stores/layout/layout.ts';
import type { FindOptions, Found } from '../kind.ts';
import type { ContentSource, Sources } from '../sources.ts';
import { basesOf } from './bases.ts';
import { bundleImage } from './bundle-images.ts';
import { rebuildCatalog } from './rebuild.ts';
import type { CatalogPartRequest } from './request.ts';
import type { CatalogSeed } from './seed.ts';
import { readTemplateFile, refuseCache } from './source-template.ts';

/** Requests for tags at a time. */
const LOOKUPS = 8;

/**
 * Reads a catalog, filters it, and makes an image of what is kept. A catalog of which everything is
 * wanted stays as it is.
 * @throws BundleError NOT_FOUND, CONFIGURATION, UNSUPPORTED_CONTENT, and of the network
 */
export async function findCatalog(
  request: CatalogPartRequest,
  sources: Sources,
  options: FindOptions,
): Promise<Found<CatalogSeed>> {
  const { catalog: asked } = request;
  const { signal, observe } = options;
  const place = await placeOf(asked.catalog, sources);
  const { store, reference } = place;
  const template =
    asked.sourceTemplate === undefined ? undefined : await readTemplateFile(asked.sourceTemplate);
  const isWhole = asked.full && asked.packages.length === 0;
  if (template !== undefined && !isWhole) refuseCache(template, reference);
  observe({ type: 'phase', what: `reading the catalog ${reference}` });
  const named = await store.resolve(place.named, { signal });
  const target = (digest: Digest): Pick<CatalogSeed, 'path' | 'tag'> => ({
    path: asked.targetCatalog ?? place.path,
    tag: asked.targetTag ?? place.tag ?? `sha256-${hexOf(digest)}`,
  });
  const common = { reference, from: named.digest, template };
  if (isWhole) {
    const known = await contentOf(named, { name: reference, store }, options);
    const pins = await pinnedOf(known, sources, options);
    const settled = { ...pins, known, why: new Map<string, readonly string[]>() };
    const seed = { ...common, digest: named.digest, ...target(named.digest), ...settled };
    return { seed, content: { root: store, storeOf: (name) => sources.source(name) } };
  }
  const { result, files, bases } = await filtered(
    named,
    { name: reference, store },
    {
      request,
      options,
    },
  );
  const { index, made } = rebuildCatalog(files, bases, named.digest);
  const known = asCatalog(result);
  const pins = await pinnedOf(known, sources, options);
  const why = whyOf(result);
  const settled = { ...pins, why, known, defaults: defaultsOf(result) };
  return {
    seed: { ...common, digest: index.digest, ...target(index.digest), ...settled },
    content: { root: new MadeStore(store, made), storeOf: (name) => sources.source(name) },
  };
}

interface NamedStore {
  readonly name: string;
  readonly store: ReadOnlyStore;
}

async function contentOf(
  descriptor: Descriptor,
  image: NamedStore,
  options: FindOptions,
): Promise<Catalog> {
  return TemporaryFolder.during(async (folder) => {
    const { files } = await basesOf(descriptor, image, { ...options, folder, isOne: true });
    return readCatalog(files);
  });
}

interface Filtered {
  readonly result: FilterResult;
  readonly files: readonly WrittenFile[];
  readonly bases: Awaited<ReturnType<typeof basesOf>>['bases'];
}

async function filtered(
  descriptor: Descriptor,
  image: NamedStore,
  { request, options }: { readonly request: CatalogPartRequest; readonly options: FindOptions },
): Promise<Filtered> {
  return TemporaryFolder.during(async (folder) => {
    const read = await basesOf(descriptor, image, { ...options, folder, isOne: false });
    const catalog = await readCatalog(read.files);
    const result =
      request.mode === 'strict'
        ? filterStrictly(catalog, request.catalog, request)
        : filterAsOcMirror(catalog, request.catalog);
    tell(result, catalog, options.observe);
    const files: WrittenFile[] = [];
    for await (const file of filteredFiles(result, read.files)) files.push(file);
    return { result, files, bases: read.bases };
  });
}

/** The digests of images that are named by a tag alone. Tags move: they are settled here. */
async function pinnedOf(
  { bundles }: Catalog,
  sources: Sources,
  { signal, observe, excuse }: FindOptions,
  before: ReadonlyMap<string, Digest> = new Map(),
): Promise<Required<Pick<CatalogSeed, 'pinned' | 'absent'>>> {
  const tagged = new Map<string, () => Promise<Digest>>();
  const absent = new Map<string, HoleReason>();
  for (const bundle of bundles)
    for (const text of imagesOf(bundle)) {
      const { reference } = bundleImage(text, bundle);
      if (reference.digest !== undefined || tagged.has(text) || before.has(text)) continue;
      tagged.set(text, async () => {
        try {
          const store = sources.source(reference);
          return (await store.resolve(reference.tag ?? 'latest', { signal })).digest;
        } catch (error) {
          throw error instanceof BundleError
            ? error.about(`image ${text} of bundle ${bundle.name} of package ${bundle.package}`)
            : error;
        }
      });
    }
  const found = await mapLimited(
    [...tagged],
    LOOKUPS,
    async ([text, resolve]): Promise<readonly (readonly [string, Digest])[]> => {
      try {
        return [[text, await resolve()]];
      } catch (error) {
        const reason = excuse?.(text, error);
        if (reason === undefined) throw error;
        absent.set(text, reason);
        return [];
      }
    },
    signal,
  );
  const pinned = new Map(found.flat());
  for (const [image, digest] of pinned)
    observe({ type: 'noticed', code: 'image-by-tag', image, digest });
  return { pinned, absent };
}

/** The seed with the digests of images that could not be pinned when it was packed. */
export async function settleCatalog(
  seed: CatalogSeed,
  { root }: ContentSource,
  sources: Sources,
  options: FindOptions,
): Promise<CatalogSeed> {
  const { digest, reference } = seed;
  const descriptor = await root.resolve(digest, { signal: options.signal });
  const known = await contentOf(descriptor, { name: reference, store: root }, options);
  const { pinned, absent } = await pinnedOf(known, sources, options, seed.pinned);
  return { ...seed, pinned: new Map([...seed.pinned, ...pinned]), absent, known };
}

function whyOf({ bundles }: FilterResult): ReadonlyMap<string, readonly string[]> {
  return new Map(
    bundles.map(({ bundle, reasons }) => [
      `${bundle.package}/${bundle.name}`,
      [...new Set(reasons.map(describeReason))],
    ]),
  );
}

/** The default channels that packages had before. */
function defaultsOf({ notes }: FilterResult): ReadonlyMap<string, string> {
  return new Map(
    notes.flatMap((note) => (note.type === 'default-channel' ? [[note.package, note.was]] : [])),
  );
}

/** What somebody has to know who expects what was asked for. */
function tell(result: FilterResult, catalog: Catalog, observe: Observe): void {
  for (const note of result.notes) {
    const { package: own } = note;
    if (note.type === 'default-channel') {
      const { was, is } = note;
      observe({ type: 'noticed', code: 'operator-default-channel', package: own, was, is });
    } else if (note.type !== 'prereleases') {
      const left = { type: 'noticed', code: 'operator-left-out', package: own } as const;
      if (note.type === 'package-missing') observe({ ...left, cause: note.why });
      else if (note.type === 'channel-missing')
        observe({ ...left, channel: note.channel, cause: 'the catalog does not have it' });
      else observe({ ...left, channel: note.channel, cause: 'it has no version in range' });
    }
  }
  const kept = result.bundles.map(({ bundle }) => bundle);
  for (const own of dependenciesOf(kept, catalog.bundles)) {
    const { package: ofPackage, bundle, requires, state, providers } = own;
    if (state === 'available' || state === 'missing')
      observe({
        ...{ type: 'noticed', code: 'operator-requires' },
        ...{ package: ofPackage, bundle, requires, providers },
      });
  }
}

interface Place {
  readonly store: ReadOnlyStore;
  /** With its registry. */
  readonly reference: string;
  /** The tag or digest to resolve. */
  readonly named: string;
  readonly path: string;
  readonly tag: string | undefined;
}

async function placeOf(catalog: string, sources: Sources): Promise<Place> {
  if (catalog.startsWith('oci:')) return layoutAt(catalog);
  const reference = parseReference(catalog);
  const { registry, repository, tag, digest } = reference;
  const named = digest ?? tag;
  if (named === undefined)
    throw new BundleError('USAGE', `${catalog} has neither a tag nor a digest`, {
      hint: `Write the tag, as in ${catalog}:v4.17.`,
    });
  const store = sources.source({ registry, repository });
  return { store, reference: formatReference(reference), named, path: repository, tag };
}

/** An image layout has no registry: it is called as podman calls images of its host. */
async function layoutAt(catalog: string): Promise<Place> {
  const [, folder = '', digest] =
    /^oci:(?:\/\/)?(.*?)(?:@(sha256:[0-9a-f]*))?$/s.exec(catalog) ?? [];
  const path = basename(folder).toLowerCase();
  if (folder === '' || !isRepository(path))
    throw new BundleError('USAGE', `not the image layout of a catalog: ${catalog}`, {
      hint: 'Write oci:DIR, and a targetCatalog where the name of the folder is no repository.',
    });
  const store = await ImageLayout.open(folder);
  const [tag, ...others] = await store.tags();
  const named = digest ?? (others.length === 0 ? tag : undefined);
  if (named === undefined)
    throw new BundleError('USAGE', `${catalog} has no tag, or several`, {
      hint: `Name the image by its digest: ${catalog}@sha256:….`,
    });
  const reference = `localhost/${path}:latest`;
  return { store, reference, named, path, tag: 'latest' };
}
