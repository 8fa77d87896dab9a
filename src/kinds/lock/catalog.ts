import type {
  CatalogRequest,
  ChannelRequest,
  PackageRequest,
} from '../../catalogs/filter/request.ts';
import type { Digest } from '../../core/digest.ts';
import { formatReference } from '../../core/reference.ts';
import { imageRequest } from '../image/request.ts';
import type { Part } from '../kind.ts';
import { digest, listOf, mapOf, objectOf, oneOf, text, yesOrNo } from './fields.ts';
import type { LockedTag, LockForm } from './lock-form.ts';
import { catalogKind } from '../catalog/catalog.ts';
import { CATALOG, type CatalogFacts, type UpdateFacts } from '../catalog/expand.ts';
import { CATALOG_PROFILES, type CatalogPartRequest } from '../catalog/request.ts';

/** A catalog in a lock: what it was made of and by which filter, and what came of it. */
export interface LockedCatalog {
  readonly reference: string;
  /** Of the catalog that was named. */
  readonly from: Digest;
  /** Of the image that is carried. */
  readonly digest: Digest;
  readonly path: string;
  readonly tag: string;
  /** The images for platforms in it, as `linux/amd64`. */
  readonly platforms: Readonly<Record<string, Digest>>;
  readonly asked: CatalogPartRequest;
  /** The digests of images that bundles name by a tag alone. */
  readonly pinned: Readonly<Record<string, Digest>>;
  readonly packages: readonly LockedPackage[];
  readonly bundles: readonly LockedBundle[];
}

export interface LockedPackage {
  readonly name: string;
  readonly defaultChannel: string;
  /** In the catalog that it was made of, where that is another one. */
  readonly defaultWas?: string;
  /** The bundle that each channel leads to. */
  readonly heads: Readonly<Record<string, string>>;
}

export interface LockedBundle {
  readonly package: string;
  readonly name: string;
  readonly version: string;
  readonly channels: readonly string[];
  readonly image: string;
  /** Left out where the bundle has no image. */
  readonly digest?: Digest;
  /** By channel: what it takes the place of. Locks of earlier versions of the program have none. */
  readonly updates?: Readonly<Record<string, UpdateFacts>>;
  /** Why it was kept; none in a catalog that was not filtered. */
  readonly reasons: readonly string[];
}

export const catalogLock: LockForm<LockedCatalog, CatalogPartRequest, CatalogFacts> = {
  kind: catalogKind,
  rowOf: (part, asked) => {
    const { reference, from, digest: own, path, tag, packages } = part.facts;
    // What a file has blocked besides is no part of what is asked for, and is left out again.
    const skipRelated = [...new Set([...(asked.skipRelated ?? []), ...part.facts.skipRelated])];
    return {
      ...{ reference, from, digest: own, path, tag, platforms: platformsOf(part) },
      asked: {
        ...asked,
        catalog: { ...asked.catalog, catalog: placeIn(asked.catalog.catalog) },
        ...(skipRelated.length > 0 && { skipRelated }),
      },
      pinned: pinnedIn(part),
      packages: packages.map(({ name, defaultChannel, defaultWas, heads }) => ({
        ...{ name, defaultChannel, ...(defaultWas !== undefined && { defaultWas }), heads },
      })),
      bundles: packages.flatMap(({ name: ofPackage, bundles }) =>
        bundles.map(({ name, version, channels, image, digest: ofImage, updates, reasons }) => ({
          ...{ package: ofPackage, name, version, channels, image },
          ...(ofImage !== undefined && { digest: ofImage }),
          ...{ updates, reasons },
        })),
      ),
    };
  },
  read: objectOf<LockedCatalog>({
    reference: text,
    from: digest,
    digest,
    path: text,
    tag: text,
    platforms: mapOf(digest),
    asked: objectOf<CatalogPartRequest>({
      catalog: objectOf<CatalogRequest>({
        catalog: text,
        full: yesOrNo,
        packages: listOf(
          objectOf<PackageRequest>({
            name: text,
            defaultChannel: { optional: text },
            minVersion: { optional: text },
            maxVersion: { optional: text },
            channels: listOf(
              objectOf<ChannelRequest>({
                name: text,
                minVersion: { optional: text },
                maxVersion: { optional: text },
              }),
            ),
          }),
        ),
        targetCatalog: { optional: text },
        targetTag: { optional: text },
        sourceTemplate: { optional: text },
      }),
      mode: oneOf(['strict', 'oc-mirror']),
      allowMissing: { optional: yesOrNo },
      withDependencies: { optional: yesOrNo },
      profile: { optional: oneOf(CATALOG_PROFILES) },
      skipRelated: { optional: listOf(text) },
      skipBundles: { optional: mapOf(text) },
    }),
    pinned: mapOf(digest),
    packages: listOf(
      objectOf<LockedPackage>({
        name: text,
        defaultChannel: text,
        defaultWas: { optional: text },
        heads: mapOf(text),
      }),
    ),
    bundles: listOf(
      objectOf<LockedBundle>({
        package: text,
        name: text,
        version: text,
        channels: listOf(text),
        image: text,
        digest: { optional: digest },
        updates: {
          optional: mapOf(
            objectOf<UpdateFacts>({
              replaces: { optional: text },
              skips: { optional: listOf(text) },
              skipRange: { optional: text },
            }),
          ),
        },
        reasons: listOf(text),
      }),
    ),
  }),
  requestOf: ({ asked, from }) => {
    const { catalog } = asked.catalog;
    return isLayout(catalog)
      ? { ...asked, catalog: { ...asked.catalog, catalog: `${catalog}@${from}` } }
      : asked;
  },
  tagsIn: ({ asked, reference, from, pinned }) => [
    ...(isLayout(asked.catalog.catalog) ? [] : [[reference, from] as const]),
    ...Object.entries(pinned).map(([image, own]): LockedTag => {
      const { tag = 'latest', ...name } = imageRequest(image).reference;
      return [formatReference({ ...name, tag }), own];
    }),
  ],
};

function isLayout(catalog: string): boolean {
  return catalog.startsWith('oci:');
}

/** A layout without the digest in it: the lock has that elsewhere. */
function placeIn(catalog: string): string {
  return isLayout(catalog) ? catalog.replace(/@sha256:[0-9a-f]*$/, '') : catalog;
}

function platformsOf({ images }: Part<CatalogFacts>): LockedCatalog['platforms'] {
  const manifest = images.find(({ request }) => request.role === CATALOG)?.tree.manifest;
  if (manifest?.kind !== 'index') return {};
  return Object.fromEntries(
    manifest.manifests.flatMap(({ platform, digest: own }) =>
      platform === undefined ? [] : [[`${platform.os}/${platform.architecture}`, own]],
    ),
  );
}

/** As its row in a bundle has them. */
function pinnedIn({ claim }: Part<CatalogFacts>): LockedCatalog['pinned'] {
  return mapOf(digest)(claim['pinned'] ?? {}, 'pinned');
}
