import type { Json } from '../core/json.ts';
import type { DocumentPlace } from './reading/raw-document.ts';

/**
 * A file-based catalog of operators, without what is large and decides nothing: manifests, metadata
 * of CSVs, icons. Each part knows where its document lies.
 */
export interface Catalog {
  readonly packages: readonly CatalogPackage[];
  readonly channels: readonly CatalogChannel[];
  readonly bundles: readonly CatalogBundle[];
  readonly deprecations: readonly CatalogDeprecations[];
  /** Documents of other schemas. */
  readonly others: readonly OtherDocument[];
}

interface Placed {
  readonly place: DocumentPlace;
}

/** `olm.package` */
export interface CatalogPackage extends Placed {
  readonly name: string;
  readonly defaultChannel: string;
}

/** `olm.channel` */
export interface CatalogChannel extends Placed {
  readonly name: string;
  readonly package: string;
  readonly entries: readonly ChannelEntry[];
}

/** A version in the update graph of a channel. Texts that are missing are empty, as in Go. */
export interface ChannelEntry {
  /** Of the bundle. */
  readonly name: string;
  readonly replaces: string;
  readonly skips: readonly string[];
  readonly skipRange: string;
}

/** `olm.bundle` */
export interface CatalogBundle extends Placed {
  readonly name: string;
  readonly package: string;
  readonly image: string;
  readonly relatedImages: readonly RelatedImage[];
  /** Its properties `olm.package`: one, in a catalog that can be served. */
  readonly versions: readonly PackageVersion[];
  /** APIs that it provides. */
  readonly provides: readonly Api[];
  readonly requires: readonly Requirement[];
  /** Manifests in the document itself, as old catalogs have them. */
  readonly objects: number;
  /** What is wrong with the shape of a property. */
  readonly fault: string | undefined;
}

export interface RelatedImage {
  readonly name: string;
  readonly image: string;
}

export interface PackageVersion {
  readonly packageName: string;
  readonly version: string;
  readonly release: string;
}

/** A kind of object of a cluster, by which operators find one another. */
export interface Api {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** What has to be on a cluster beside a bundle. */
export type Requirement =
  | { readonly type: 'package'; readonly name: string; readonly range: string }
  | { readonly type: 'api'; readonly api: Api }
  | { readonly type: 'constraint'; readonly value: Json };

/** `olm.deprecations` */
export interface CatalogDeprecations extends Placed {
  readonly package: string;
  readonly entries: readonly Deprecation[];
}

export interface Deprecation {
  readonly schema: string;
  readonly name: string;
  readonly message: string;
}

export interface OtherDocument extends Placed {
  readonly schema: string;
  readonly package: string;
  readonly name: string;
}

/** The version of a bundle as text, of its first property: oc-mirror takes that one, too. */
export function versionOf(bundle: CatalogBundle): string {
  return bundle.versions[0]?.version ?? '';
}

/**
 * All images of a bundle, each once: related ones, and always its own.
 * @param isSkipped whether a related image is left out; its own is needed in any case.
 */
export function imagesOf(
  bundle: CatalogBundle,
  isSkipped: (related: RelatedImage) => boolean = () => false,
): readonly string[] {
  const related = bundle.relatedImages.filter((own) => !isSkipped(own));
  const all = [bundle.image, ...related.map(({ image }) => image)];
  return [...new Set(all)].filter((image) => image !== '');
}
