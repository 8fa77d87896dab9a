import { type Catalog, imagesOf, versionOf } from '../../catalogs/catalog.ts';
import { checkCatalog } from '../../catalogs/check/check.ts';
import { type Finding, objectOf } from '../../catalogs/check/finding.ts';
import { type PackageContent, packagesOf } from '../../catalogs/packages.ts';
import { readCatalog } from '../../catalogs/reading/read-catalog.ts';
import { skipsRelated } from '../../catalogs/skip-related.ts';
import type { HoleReason } from '../../bundle/format/manifest.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { formatReference, parseReference, type RepositoryName } from '../../core/reference.ts';
import { compareText } from '../../core/text.ts';
import { TemporaryFolder } from '../../files/temporary/folder.ts';
import type { ManifestTree, WalkedImage } from '../../transfer/image.ts';
import { describeDrop, type Drop, type WantedImage } from '../holes.ts';
import type { Part, Walk } from '../kind.ts';
import { walkImages } from '../walk-images.ts';
import type { ContentSource } from '../sources.ts';
import { imageRequest } from '../image/request.ts';
import { bundleImage, digestIn, sourceIn, wayAround } from './bundle-images.ts';
import { readCatalogImage } from './read-catalog-image.ts';
import type { CatalogMode, CatalogProfile } from './request.ts';
import { type CatalogSeed, claimOf, type KnownCatalog } from './seed.ts';

/** The kind of catalogs of operators in rows of `bundle.json`. */
export const CATALOG = 'catalog';

/** What reports say of a catalog. */
export interface CatalogFacts extends Pick<
  CatalogSeed,
  'digest' | 'reference' | 'from' | 'path' | 'tag' | 'template' | 'skipRelated'
> {
  readonly profile: CatalogProfile;
  /** `undefined` for a catalog that is carried as it is. */
  readonly filter: CatalogMode | undefined;
  /** Whether the image serves the catalog by itself. If not, a cluster has to take it out. */
  readonly isRunnable: boolean;
  /** The folder of its documents in the image: `/configs`. */
  readonly configs: string;
  /** Why OLM would refuse the catalog. Never anything of one that was filtered strictly. */
  readonly findings: readonly Finding[];
  /** Related images that are left out, as bundles name them. */
  readonly skippedImages: readonly string[];
  readonly skippedBundles: readonly SkippedFacts[];
  readonly packages: readonly PackageFacts[];
  /** The sources of images that bundles name by a tag alone: clusters ask for them so. */
  readonly askedByTag: readonly string[];
  /** Images of bundles. */
  readonly relatedImages: number;
}

/** A bundle that the packer went without. */
export interface SkippedFacts {
  readonly package: string;
  readonly bundle: string;
  readonly cause: string;
  /** What of it could not be had, where it was left out for that. */
  readonly lacking?: Drop;
}

export interface PackageFacts {
  readonly name: string;
  readonly defaultChannel: string;
  /** The one of the catalog that it was filtered from, where that is another one. */
  readonly defaultWas?: string;
  /** The bundle that each channel leads to. */
  readonly heads: Readonly<Record<string, string>>;
  readonly bundles: readonly BundleFacts[];
}

export interface BundleFacts {
  readonly name: string;
  readonly version: string;
  readonly channels: readonly string[];
  /** As the catalog names it, and its digest. */
  readonly image: string;
  readonly digest: Digest | undefined;
  /** By channel: what an update to it may come from. */
  readonly updates: Readonly<Record<string, UpdateFacts>>;
  /** Why the packer has kept it, in words; empty in a catalog that was not filtered. */
  readonly reasons: readonly string[];
}

/** The bundles that one takes the place of in a channel; what is empty is left out. */
export interface UpdateFacts {
  readonly replaces?: string;
  readonly skips?: readonly string[];
  readonly skipRange?: string;
}

/**
 * The image of a catalog, and all images of its bundles. What is in the catalog is read from its
 * image, on both sides of the air gap, so that nothing is believed that a bundle says of it.
 * @throws BundleError naming the image
 */
export async function expandCatalog(
  seed: CatalogSeed,
  content: ContentSource,
  walk: Walk,
): Promise<Part<CatalogFacts>> {
  const { digest, reference, from, path, tag, template, skipRelated } = seed;
  const { root } = content;
  const { registry, repository } = parseReference(reference);
  const image = await walk.walker.walkOne({
    ...{ name: reference, role: CATALOG, tags: [tag], store: root },
    descriptor: await root.resolve(digest, { signal: walk.signal }),
    source: formatReference({ registry, repository, digest }),
    ...{ place: `/${path}`, proof: 'signer', order: 'last' },
  });
  const known = seed.known ?? (await readContent(image, walk));
  const { catalog, configs, isRunnable } = known;
  const isAsNamed = digest === from;
  const profile = isAsNamed ? 'verbatim' : isRunnable ? 'runnable' : 'content';
  const findings = findingsOf(seed, catalog);
  const requests = requestsOf(catalog, seed, content);
  const { images: related, holes } = await walkImages(requests, walk);
  const images = [
    ...(await walk.attached.addTo(related)),
    // Nobody has signed what was made here.
    ...(isAsNamed ? await walk.attached.addTo([image]) : [image]),
  ];
  const claim = claimOf(seed);
  return {
    ...{ kind: CATALOG, label: catalogLabel(reference), names: [reference, digest] },
    facts: {
      ...{ digest, reference, from, path, tag, template, skipRelated },
      ...{ profile, isRunnable, findings },
      filter: isAsNamed ? undefined : seed.mode,
      configs: `/${configs}`,
      skippedImages: skippedImages(catalog, seed),
      skippedBundles: skippedBundles(catalog, seed),
      askedByTag: [...seed.pinned].map(([name, own]) => {
        const { registry: host, repository: ofImage } = imageRequest(name).reference;
        return formatReference({ registry: host, repository: ofImage, digest: own });
      }),
      packages: packagesIn(catalog, seed),
      relatedImages: related.length + holes.length,
    },
    ...{ claim, images, holes, files: [] },
    ...(seed.droppedBundles.size > 0 && { drops: seed.droppedBundles }),
    leading: leadingOf(image.tree),
  };
}

/** How reports call a catalog. */
export function catalogLabel(reference: string): string {
  return `catalog ${reference}`;
}

async function readContent(
  { request }: WalkedImage,
  { signal, observe }: Walk,
): Promise<KnownCatalog> {
  return TemporaryFolder.during(async (folder) => {
    const { name, descriptor, store } = request;
    // Its layers are counted when they are moved, and not when they are looked at.
    const options = {
      ...{ folder, signal },
      observe: (event: Parameters<typeof observe>[0]) => {
        if (event.type === 'noticed') observe(event);
      },
    };
    const { files, config } = await readCatalogImage({ name, descriptor, store }, options);
    const { configs, isRunnable } = config;
    return { catalog: await readCatalog(files), configs, isRunnable };
  });
}

/** What the check says of it; the strict filter never gives a catalog with findings. */
function findingsOf(
  { digest, from, mode, known }: CatalogSeed,
  catalog: Catalog,
): readonly Finding[] {
  const isStrict = digest !== from && mode === 'strict';
  if (isStrict && known !== undefined) return [];
  const findings = checkCatalog(catalog);
  const [first] = findings;
  if (!isStrict || first === undefined) return findings;
  throw foreign(`OLM would refuse it: ${objectOf(first)} ${first.message}`);
}

function skippedImages({ bundles }: Catalog, { skipRelated }: CatalogSeed): readonly string[] {
  if (skipRelated.length === 0) return [];
  const isSkipped = skipsRelated(skipRelated);
  const carried = new Set(bundles.flatMap((bundle) => imagesOf(bundle, isSkipped)));
  const all = new Set(bundles.flatMap((bundle) => imagesOf(bundle)));
  return [...all].filter((image) => !carried.has(image)).sort(compareText);
}

function skippedBundles({ bundles }: Catalog, seed: CatalogSeed): readonly SkippedFacts[] {
  const names = new Set(bundles.map((bundle) => `${bundle.package}/${bundle.name}`));
  const factsOf = (name: string): Pick<SkippedFacts, 'package' | 'bundle'> => {
    if (names.has(name)) throw foreign(`it has the bundle ${name}, which was left out`);
    const slash = name.indexOf('/');
    return { package: name.slice(0, slash), bundle: name.slice(slash + 1) };
  };
  return [
    ...[...seed.skippedBundles].map(([name, cause]) => ({ ...factsOf(name), cause })),
    ...[...seed.droppedBundles].map(([name, lacking]) => ({
      ...{ ...factsOf(name), cause: describeDrop(lacking), lacking },
    })),
  ];
}

/** An image of bundles, which several of them may name in several ways. */
interface Wanted {
  readonly name: RepositoryName;
  readonly digest: Digest | undefined;
  readonly absent: HoleReason | undefined;
  readonly path: string;
  readonly tags: Set<string>;
  /** Who names it, for messages. */
  readonly by: string;
  readonly bundle: string;
}

/** The images; one that nobody could pin when it was packed has no digest. */
function requestsOf(
  catalog: Catalog,
  seed: CatalogSeed,
  content: ContentSource,
): readonly WantedImage[] {
  const wanted = new Map<string, Wanted>();
  const unused = new Set(seed.pinned.keys());
  const isSkipped = skipsRelated(seed.skipRelated);
  for (const bundle of catalog.bundles)
    for (const text of imagesOf(bundle, isSkipped)) {
      const { reference, path, tag } = bundleImage(text, bundle);
      const digest = reference.digest ?? seed.pinned.get(text);
      if (reference.digest === undefined) unused.delete(text);
      const { registry, repository } = reference;
      const source = sourceIn(text, bundle, seed.pinned);
      const absent = seed.absent?.get(text);
      const by = `${text} of bundle ${bundle.name} of package ${bundle.package}`;
      const known = wanted.get(source) ?? {
        ...{ name: { registry, repository }, digest, absent, path },
        ...{ tags: new Set<string>(), by, bundle: bundle.name },
      };
      known.tags.add(tag);
      wanted.set(source, known);
    }
  const [odd] = unused;
  if (odd !== undefined) throw foreign(`no bundle of it names ${odd} by a tag alone`);
  const sorted = [...wanted].sort(([a], [b]) => compareText(a, b));
  return sorted.map(([source, { name, digest, absent, path, tags, by, bundle }]) => ({
    ...{ name: source, role: 'operator-image', tags: [...tags].sort(), source, digest, absent, by },
    // On the closed side nobody can go without it any more.
    ...(content.holdsMade !== true && { around: wayAround(bundle) }),
    store: content.storeOf(name),
    ...{ place: `/${path}`, proof: 'signer', order: 'first' },
  }));
}

function packagesIn(
  catalog: Catalog,
  { why, pinned, defaults }: CatalogSeed,
): readonly PackageFacts[] {
  const { packages, bundles } = catalog;
  const contents = packagesOf(catalog);
  const names = new Set(bundles.map((bundle) => `${bundle.package}/${bundle.name}`));
  const odd = [...why.keys()].find((name) => !names.has(name));
  if (odd !== undefined) throw foreign(`it has no bundle ${odd}`);
  return packages
    .map(({ name, defaultChannel }) => ({
      ...{ name, defaultChannel, ...wasOf(defaults?.get(name)) },
      heads: contents.get(name)!.heads(),
      bundles: bundles
        .filter((bundle) => bundle.package === name)
        .map((bundle) => ({
          name: bundle.name,
          version: versionOf(bundle),
          channels: contents.get(name)!.channelsWith(bundle.name),
          image: bundle.image,
          digest: digestIn(bundle, pinned),
          updates: updatesOf(contents.get(name)!, bundle.name),
          reasons: why.get(`${name}/${bundle.name}`) ?? [],
        }))
        .sort((a, b) => compareText(a.name, b.name)),
    }))
    .sort((a, b) => compareText(a.name, b.name));
}

function updatesOf({ channels }: PackageContent, bundle: string): BundleFacts['updates'] {
  const all = [...channels.values()].flatMap(({ name: channel, entries }) =>
    entries.flatMap(({ name, replaces, skips, skipRange }): readonly [string, UpdateFacts][] => {
      if (name !== bundle) return [];
      const own: UpdateFacts = {
        ...(replaces !== '' && { replaces }),
        ...(skips.length > 0 && { skips }),
        ...(skipRange !== '' && { skipRange }),
      };
      return [[channel, own]];
    }),
  );
  return Object.fromEntries(all.sort(([a], [b]) => compareText(a, b)));
}

function wasOf(defaultWas: string | undefined): Pick<PackageFacts, 'defaultWas'> {
  return defaultWas === undefined ? {} : { defaultWas };
}

/** The config and the layers of the image that the catalog is read from. */
function leadingOf({ manifest, children }: ManifestTree): readonly Descriptor[] {
  if (manifest.kind === 'manifest') return [manifest.config, ...manifest.layers];
  const usual = manifest.manifests.findIndex(({ platform }) => platform?.architecture === 'amd64');
  const child = children[Math.max(usual, 0)];
  return child === undefined ? [] : leadingOf(child);
}

function foreign(why: string): BundleError {
  return new BundleError('CLOSURE_MISMATCH', `the row of the catalog is not that of it: ${why}`, {
    hint: 'This program did not make the bundle from this catalog: do not use it.',
  });
}
