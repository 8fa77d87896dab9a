import { BundleError } from '../../core/errors.ts';
import { oneLine } from '../../core/text.ts';
import type { Catalog } from '../catalog.ts';
import type { CatalogRequest } from './request.ts';

/**
 * Of a catalog without operators there is nothing to keep: who asks for the newest ones expects some.
 * Who asks for all of it gets that.
 * @throws BundleError NOT_FOUND
 */
export function refuseEmpty({ packages: there }: Catalog, request: CatalogRequest): void {
  const { catalog, packages, full } = request;
  if (there.length > 0 || packages.length > 0 || full) return;
  throw new BundleError('NOT_FOUND', `the catalog ${oneLine(catalog)} has no operators`, {
    subject: catalog,
    hint: 'Check its name and its tag. With full: true in the file it is carried all the same.',
  });
}
