import { type Catalog, imagesOf } from '../../../catalogs/catalog.ts';
import { skipsRelated } from '../../../catalogs/skip-related.ts';
import { BundleError, type ErrorCode } from '../../../core/errors.ts';
import { few } from '../../../core/text.ts';
import type { Drop, PartHole } from '../../holes.ts';
import type { Dropped, FindOptions, Lacking } from '../../kind.ts';
import type { Sources } from '../../sources.ts';
import { sourceIn } from '../bundle-images.ts';
import { findCatalog } from '../find.ts';
import type { CatalogPartRequest } from '../request.ts';
import type { CatalogSeed } from '../seed.ts';

/** Failures that say that nothing can be made of what is left. */
const REFUSALS: readonly ErrorCode[] = ['NOT_FOUND', 'CONFIGURATION', 'UNSUPPORTED_CONTENT'];

/**
 * Filters a catalog once more, without the bundles of it that lack an image. Other versions of an
 * operator may take their place. A package or a channel that was asked for has to keep a version:
 * if not, the catalog stays as it is.
 * @throws BundleError of the network
 */
export async function dropBundles(
  { request, seed, holes }: Lacking<CatalogPartRequest, CatalogSeed>,
  sources: Sources,
  options: FindOptions,
): Promise<Dropped<CatalogSeed>> {
  const { known, digest, from, mode } = seed;
  if (digest === from || known === undefined) return { stays: 'it is carried as it is' };
  if (mode !== 'strict') return { stays: 'only the filter strict can go without a bundle' };
  const lacking = bundlesWith(holes, known.catalog, seed);
  if (lacking.size === 0) return { stays: 'no version of an operator names what is missing' };
  const drops = new Map([...seed.droppedBundles, ...lacking]);
  const without = `without ${few([...drops.keys()]).join(', ')}`;
  try {
    const found = await findCatalog(request, sources, options, { from, drops });
    const empty = emptied(known.catalog, found.seed.known!.catalog, request);
    return empty === undefined ? found : { stays: `${without}, nothing is left of ${empty}` };
  } catch (error) {
    if (options.signal.aborted || !(error instanceof BundleError)) throw error;
    if (!REFUSALS.includes(error.code)) throw error;
    const isSaid = error.code === 'CONFIGURATION';
    return { stays: isSaid ? error.message : `${without}, ${error.message}` };
  }
}

/** The bundles that name an image that is missing, and which. */
function bundlesWith(
  holes: readonly PartHole[],
  { bundles }: Catalog,
  { pinned, skipRelated }: CatalogSeed,
): ReadonlyMap<string, Drop> {
  const missing = new Map(holes.map((hole) => [hole.source, hole]));
  const isSkipped = skipsRelated(skipRelated);
  const found = new Map<string, Drop>();
  for (const bundle of bundles) {
    for (const text of imagesOf(bundle, isSkipped)) {
      const hole = missing.get(sourceIn(text, bundle, pinned));
      if (hole === undefined) continue;
      const { source: image, reason, lacks } = hole;
      const drop = { image, reason, ...(lacks !== undefined && { lacks }) };
      found.set(`${bundle.package}/${bundle.name}`, drop);
      break;
    }
  }
  return found;
}

/**
 * What has lost its last version of all that was asked for. Packages that others required may go
 * with these.
 */
function emptied(
  before: Catalog,
  after: Catalog,
  { catalog: { packages } }: CatalogPartRequest,
): string | undefined {
  const asked = new Set(packages.map(({ name }) => name));
  const isAsked = (name: string): boolean => asked.size === 0 || asked.has(name);
  const left = new Set(after.channels.map((own) => JSON.stringify([own.package, own.name])));
  const lost = before.channels.find(
    (own) => isAsked(own.package) && !left.has(JSON.stringify([own.package, own.name])),
  );
  if (lost === undefined) return undefined;
  const isPackageLeft = after.channels.some((own) => own.package === lost.package);
  const channel = `channel ${lost.name} of package ${lost.package}`;
  return isPackageLeft ? channel : `package ${lost.package}`;
}
