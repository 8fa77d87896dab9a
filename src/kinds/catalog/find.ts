import { MadeStore } from '../../building/made-store.ts';
import { type Catalog, imagesOf } from '../../catalogs/catalog.ts';
import { filterAsOcMirror } from '../../catalogs/filter/oc-mirror.ts';
import { asCatalog, describeReason, type FilterResult } from '../../catalogs/filter/result.ts';
import { filterStrictly, type StrictOptions } from '../../catalogs/filter/strict.ts';
import { readCatalog } from '../../catalogs/reading/read-catalog.ts';
import { skipsRelated, unusedPatterns } from '../../catalogs/skip-related.ts';
import { filteredFiles, type WrittenFile } from '../../catalogs/writing/write-catalog.ts';
import type { HoleReason } from '../../bundle/format/manifest.ts';
import { mapLimited } from '../../core/concurrency.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import type { RepositoryName } from '../../core/reference.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import { compareText, oneLine } from '../../core/text.ts';
import { TemporaryFolder } from '../../files/temporary/folder.ts';
import { describeDrop, digestOfTag } from '../holes.ts';
import type { FindOptions, Found } from '../kind.ts';
import type { ContentSource, Sources } from '../sources.ts';
import { namesOfReference, needed } from '../image/blocked.ts';
import { basesOf } from './bases.ts';
import { bundleImage, told } from './bundle-images.ts';
import { DocumentsLayers } from './making/documents-layer.ts';
import { rebuildCatalog, type RebuiltCatalog } from './making/rebuild.ts';
import { placeOf } from './place.ts';
import type { CatalogPartRequest, CatalogProfile } from './request.ts';
import type { CatalogSeed, KnownCatalog } from './seed.ts';
import { readTemplateFile, refuseCache } from './source-template.ts';
import { tellFindings, tellNotes } from './tell.ts';

/** Requests for tags at a time. */
const LOOKUPS = 8;

/** What is known of a catalog that is filtered once more. */
export interface FilteredBefore {
  /** The image that its name has led to: a tag may have moved in between. */
  readonly from: Digest;
  /** What the filter is told to go without since images of it could not be had. */
  readonly drops: CatalogSeed['droppedBundles'];
}

/**
 * Reads a catalog, filters it, and makes an image of what is kept. A catalog of which everything is
 * wanted stays as it is, unless another image is asked for.
 * @throws BundleError NOT_FOUND, CONFIGURATION, UNSUPPORTED_CONTENT, and of the network
 */
export async function findCatalog(
  request: CatalogPartRequest,
  sources: Sources,
  options: FindOptions,
  before?: FilteredBefore,
): Promise<Found<CatalogSeed>> {
  const { catalog: asked, skipRelated = [] } = request;
  const { signal, observe } = options;
  const profile = profileOf(request);
  const place = await placeOf(asked.catalog, sources);
  const { store, reference } = place;
  const drops = before?.drops ?? options.dropped?.(reference) ?? new Map<string, never>();
  const template =
    asked.sourceTemplate === undefined ? undefined : await readTemplateFile(asked.sourceTemplate);
  if (template !== undefined && profile !== 'verbatim') refuseCache(template, reference);
  observe({ type: 'phase', what: `reading the catalog ${reference}` });
  const named = await store.resolve(before?.from ?? place.named, { signal });
  const image = { name: reference, store };
  const storeOf = (name: RepositoryName): ReadOnlyStore => sources.source(name);
  const settled = async (
    digest: Digest,
    found: Pick<CatalogSeed, 'mode' | 'why' | 'skippedBundles'> & { readonly known: KnownCatalog },
  ): Promise<CatalogSeed> => {
    const { catalog } = found.known;
    const blocked = blockedIn(catalog, reference, options);
    const patterns = [...new Set([...skipRelated, ...blocked])].sort(compareText);
    for (const value of unusedPatterns(patterns, catalog.bundles))
      observe({ type: 'noticed', code: 'skip-matches-nothing', catalog: reference, value });
    tellFindings(catalog, found.mode, { reference, observe });
    return {
      ...{ reference, from: named.digest, digest, template, ...found, skipRelated: patterns },
      droppedBundles: drops,
      path: asked.targetCatalog ?? place.path,
      tag: asked.targetTag ?? place.tag ?? `sha256-${hexOf(digest)}`,
      ...(await pinnedOf(catalog, patterns, { sources, options })),
    };
  };
  if (profile === 'verbatim') {
    const known = await contentOf(named, image, options);
    const nothing = { why: new Map<string, never>(), skippedBundles: new Map<string, never>() };
    const seed = await settled(named.digest, { mode: 'strict', known, ...nothing });
    return { seed, content: { root: store, storeOf } };
  }
  const scratch = await sources.scratch();
  const { result, rebuilt, known } = await filtered(named, image, {
    ...{ request: withoutDropped(request, drops), options, profile, scratch },
  });
  const skippedBundles = new Map(
    result.notes.flatMap((note) => {
      if (note.type !== 'bundle-skipped') return [];
      const name = `${note.package}/${note.bundle}`;
      return drops.has(name) ? [] : [[name, note.cause]];
    }),
  );
  const own = { mode: request.mode, why: whyOf(result), skippedBundles };
  const filteredSeed = await settled(rebuilt.index.digest, { known, ...own });
  const seed = { ...filteredSeed, defaults: defaultsOf(result) };
  return { seed, content: { root: new MadeStore(store, rebuilt.made), storeOf } };
}

/** The filter goes without what was dropped as without what somebody has named. */
function withoutDropped(
  request: CatalogPartRequest,
  drops: CatalogSeed['droppedBundles'],
): CatalogPartRequest {
  if (drops.size === 0) return request;
  const reasons = [...drops].map(([name, drop]) => [name, describeDrop(drop)] as const);
  return { ...request, skipBundles: { ...request.skipBundles, ...Object.fromEntries(reasons) } };
}

/**
 * What image is made; nothing where none is asked for and the base decides.
 * @throws BundleError USAGE
 */
function profileOf({
  catalog: { catalog, full, packages },
  profile,
  skipBundles = {},
}: CatalogPartRequest): CatalogProfile | undefined {
  const isAsked = profile === 'verbatim';
  const isWhole = full && packages.length === 0;
  if (isAsked && packages.length > 0)
    throw new BundleError('USAGE', `${catalog}: operators are named, and it is to stay as it is`, {
      hint: 'Leave out the operators, or --catalog-profile verbatim: it carries all of a catalog.',
    });
  if (!isAsked && (profile !== undefined || !isWhole)) return profile;
  if (Object.keys(skipBundles).length === 0) return 'verbatim';
  throw new BundleError('USAGE', `${catalog} stays as it is: no bundle can be left out of it`, {
    hint: 'Give --catalog-profile runnable: then the catalog is made anew without the bundle.',
  });
}

interface NamedStore {
  readonly name: string;
  readonly store: ReadOnlyStore;
}

async function contentOf(
  descriptor: Descriptor,
  image: NamedStore,
  options: FindOptions,
): Promise<KnownCatalog> {
  return TemporaryFolder.during(async (folder) => {
    const wanted = { ...options, folder, of: 'documents' } as const;
    const { files, bases } = await basesOf(descriptor, image, wanted);
    const { configs, isRunnable } = bases[0]!.config;
    return { catalog: await readCatalog(files), configs, isRunnable };
  });
}

interface Filtered {
  readonly result: FilterResult;
  readonly rebuilt: RebuiltCatalog;
  readonly known: KnownCatalog;
}

async function filtered(
  descriptor: Descriptor,
  image: NamedStore,
  {
    request,
    options,
    profile,
    scratch,
  }: {
    readonly request: CatalogPartRequest;
    readonly options: FindOptions;
    readonly profile: CatalogProfile | undefined;
    readonly scratch: TemporaryFolder;
  },
): Promise<Filtered> {
  return TemporaryFolder.during(async (folder) => {
    const of = profile === 'content' ? 'configs' : 'layers';
    const read = await basesOf(descriptor, image, { ...options, folder, of });
    const { configs, isRunnable } = read.bases[0]!.config;
    if (profile === 'runnable' && !isRunnable) throw noProgram(image.name);
    const catalog = await readCatalog(read.files);
    const result =
      request.mode === 'strict'
        ? filterStrictly(catalog, request.catalog, withReasons(request, catalog))
        : filterAsOcMirror(catalog, request.catalog);
    tellNotes(result, catalog, { reference: image.name, observe: options.observe });
    const files: WrittenFile[] = [];
    for await (const file of filteredFiles(result, read.files)) files.push(file);
    const rebuilt = await rebuildCatalog(read.bases, {
      from: descriptor.digest,
      layers: new DocumentsLayers(files, scratch),
      isContent: profile === 'content',
    });
    const known = {
      ...{ catalog: asCatalog(result), configs },
      isRunnable: isRunnable && profile !== 'content',
    };
    return { result, rebuilt, known };
  });
}

/** A reason that nobody gave is what is wrong with the bundle, if something is. */
function withReasons(
  { skipBundles, ...options }: CatalogPartRequest,
  { bundles }: Catalog,
): StrictOptions {
  if (skipBundles === undefined) return options;
  const reasonOf = (name: string): string => {
    for (const bundle of bundles.filter((own) => own.name === name))
      for (const text of imagesOf(bundle))
        try {
          bundleImage(text, bundle);
        } catch (error) {
          if (error instanceof BundleError) return oneLine(error.message);
          throw error;
        }
    return 'it was named to be left out';
  };
  const reasons = Object.entries(skipBundles).map(
    ([name, reason]) => [name, reason === '' ? reasonOf(name) : reason] as const,
  );
  return { ...options, skipBundles: Object.fromEntries(reasons) };
}

function noProgram(catalog: string): BundleError {
  return new BundleError('CONFIGURATION', `the image ${catalog} has no program that serves it`, {
    subject: catalog,
    expected: 'an image that says what is started, as opm makes them',
    got: 'one of documents alone',
    hint: 'Give --catalog-profile content, or leave that option out.',
  });
}

/**
 * The related images that patterns of a file block, as patterns of `--skip-related` that fit each
 * of them alone: what is left out is recorded by name.
 * @throws BundleError CONFIGURATION for the image of a bundle
 */
function blockedIn(
  { bundles }: Catalog,
  reference: string,
  { blocker, observe }: FindOptions,
): readonly string[] {
  if (blocker === undefined) return [];
  const found = new Map<string, string>();
  for (const { name, package: ofPackage, image, relatedImages } of bundles) {
    for (const text of [image, ...relatedImages.map((related) => related.image)]) {
      if (text === '' || found.has(text)) continue;
      const blocked = blocker.blocks(namesOfReference(text));
      if (blocked === undefined) continue;
      const what = `the bundle ${name} of the operator ${ofPackage}`;
      if (text === image) throw needed(text, what, blocked, blocker);
      // Only what has a slash is compared with the image, and no reference without one is whole.
      if (text.includes('/')) found.set(text, blocked.pattern);
    }
  }
  const [first] = found;
  if (first !== undefined) {
    const [image, pattern] = first;
    const facts = { of: reference, images: found.size, image, pattern };
    observe({ type: 'noticed', code: 'images-blocked', ...facts });
  }
  return [...found.keys()];
}

/** The digests of images that are named by a tag alone. Tags move: they are settled here. */
async function pinnedOf(
  { bundles }: Catalog,
  skipRelated: readonly string[],
  { sources, options }: { readonly sources: Sources; readonly options: FindOptions },
  before: ReadonlyMap<string, Digest> = new Map(),
): Promise<Required<Pick<CatalogSeed, 'pinned' | 'absent'>>> {
  const { signal, observe } = options;
  const isSkipped = skipsRelated(skipRelated);
  const tagged = new Map<string, () => Promise<Descriptor>>();
  const absent = new Map<string, HoleReason>();
  for (const bundle of bundles)
    for (const text of imagesOf(bundle, isSkipped)) {
      const { reference } = bundleImage(text, bundle);
      if (reference.digest !== undefined || tagged.has(text) || before.has(text)) continue;
      tagged.set(text, async () => {
        try {
          return await sources.source(reference).resolve(reference.tag ?? 'latest', { signal });
        } catch (error) {
          const image = `image ${text} of bundle ${bundle.name} of package ${bundle.package}`;
          throw told(error, image, bundle.name);
        }
      });
    }
  const found = await mapLimited(
    [...tagged],
    LOOKUPS,
    async ([text, resolve]): Promise<readonly (readonly [string, Digest])[]> => {
      const own = await digestOfTag(text, resolve, options.absent);
      if (own.digest !== undefined) return [[text, own.digest]];
      absent.set(text, own.absent);
      return [];
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
  const { skipRelated } = seed;
  const places = { sources, options };
  const { pinned, absent } = await pinnedOf(known.catalog, skipRelated, places, seed.pinned);
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
