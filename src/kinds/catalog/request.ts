import type { CatalogRequest } from '../../catalogs/filter/request.ts';
import type { StrictOptions } from '../../catalogs/filter/strict.ts';

/** How a catalog is filtered: so that OLM takes it, or as oc-mirror does. */
export type CatalogMode = 'strict' | 'oc-mirror';

/**
 * What the image of a catalog is: one with the program that serves it, one of documents alone, or
 * the one that was named.
 */
export const CATALOG_PROFILES = ['runnable', 'content', 'verbatim'] as const;
export type CatalogProfile = (typeof CATALOG_PROFILES)[number];

/** A catalog of operators, and what of it. */
export interface CatalogPartRequest extends StrictOptions {
  readonly catalog: CatalogRequest;
  readonly mode: CatalogMode;
  /** Without one, all of a catalog is carried as it is, and a part of it in an image that runs. */
  readonly profile?: CatalogProfile | undefined;
  /** Patterns of related images that are not carried. */
  readonly skipRelated?: readonly string[];
}
