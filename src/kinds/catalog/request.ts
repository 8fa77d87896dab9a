import type { CatalogRequest } from '../../catalogs/filter/request.ts';
import type { StrictOptions } from '../../catalogs/filter/strict.ts';

/** A catalog of operators, and what of it. */
export interface CatalogPartRequest extends StrictOptions {
  readonly catalog: CatalogRequest;
  readonly mode: 'strict' | 'oc-mirror';
}
