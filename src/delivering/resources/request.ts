import type { CatalogWishesRequest } from '../../kinds/catalog/wishes.ts';
import type { WantedExtras } from '../../kinds/resource-file.ts';

/** Whether a cluster may ask the source of an image when no mirror has it. */
export const SOURCE_POLICIES = ['AllowContactingSource', 'NeverContactSource'] as const;
export type SourcePolicy = (typeof SOURCE_POLICIES)[number];

/** Whose names files and objects have: those of this program, or those of oc-mirror. */
export const RESOURCE_NAMES = ['bundle', 'oc-mirror'] as const;
export type ResourceNames = (typeof RESOURCE_NAMES)[number];

/** How much of a source a mirror stands for: one repository, or all that are beside it. */
export const MIRROR_SCOPES = ['repository', 'namespace'] as const;
export type MirrorScope = (typeof MIRROR_SCOPES)[number];

/** What is written for clusters. */
export interface ResourceRequest {
  /**
   * The folder for all files, and nothing beside it; else `cluster-resources/` for the objects, and
   * beside it `install/` and `next-steps.txt`.
   */
  readonly folder: string | undefined;
  readonly names?: ResourceNames | undefined;
  /** `repository` if it is left out; with the names of oc-mirror, as oc-mirror does it. */
  readonly scope?: MirrorScope | undefined;
  /** What mirror sets say of it; nothing if it is left out, which allows it. */
  readonly sourcePolicy?: SourcePolicy | undefined;
  /** PEM files with the CA of the target, which clusters shall trust. */
  readonly caFiles?: readonly string[] | undefined;
  /** The URL at which nodes will find the signatures that are kept beside images. */
  readonly signatureServer?: string | undefined;
  readonly extras?: WantedExtras | undefined;
  /** For the objects of catalogs. */
  readonly catalogs?: CatalogWishesRequest | undefined;
}
