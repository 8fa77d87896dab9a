import { basename } from 'node:path';

import { BundleError } from '../../core/errors.ts';
import { formatReference, isRepository, parseReference } from '../../core/reference.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import { ImageLayout } from '../../stores/layout/layout.ts';
import type { Sources } from '../sources.ts';

/** Where a catalog is, and where it goes if nobody says otherwise. */
export interface CatalogPlace {
  readonly store: ReadOnlyStore;
  /** With its registry. */
  readonly reference: string;
  /** The tag or digest to resolve. */
  readonly named: string;
  readonly path: string;
  readonly tag: string | undefined;
}

/** @throws BundleError USAGE for what names no image; as layouts are opened */
export async function placeOf(catalog: string, sources: Sources): Promise<CatalogPlace> {
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
async function layoutAt(catalog: string): Promise<CatalogPlace> {
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
