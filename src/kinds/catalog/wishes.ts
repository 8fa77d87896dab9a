import { BundleError } from '../../core/errors.ts';
import { formatReference, formatRepository, parseReference } from '../../core/reference.ts';
import type { Part } from '../kind.ts';
import type { CatalogWish, CatalogWishes } from '../resource-file.ts';
import { CATALOG, type CatalogFacts } from './expand.ts';
import { readTemplateFile } from './source-template.ts';

/** What somebody has wished, with files that are not read yet. */
export interface CatalogWishesRequest {
  readonly names: readonly CatalogWish<string>[];
  readonly templateFiles: readonly CatalogWish<string>[];
}

export const NO_WISHES: CatalogWishesRequest = { names: [], templateFiles: [] };

/** @throws BundleError CONFIGURATION, NOT_FOUND, DISK for a template that is none */
export async function readWishes(request: CatalogWishesRequest): Promise<CatalogWishes> {
  const templates = [];
  for (const { catalog, value } of request.templateFiles)
    templates.push({ catalog, value: await readTemplateFile(value) });
  return { names: request.names, templates };
}

type Named = Pick<CatalogFacts, 'reference' | 'path' | 'tag'>;

/**
 * What users may call a catalog: as it was named when it was packed, and by its place at a target;
 * each with its tag or digest, and without it.
 */
function namesOf({ reference, path, tag }: Named): readonly string[] {
  const parsed = parseReference(reference);
  return [formatReference(parsed), formatRepository(parsed), `${path}:${tag}`, path];
}

/** What is wished for a catalog; nothing unless somebody has wished for it. */
export function wishFor<T>(wishes: readonly CatalogWish<T>[], facts: Named): T | undefined {
  const names = namesOf(facts);
  return wishes.find(({ catalog }) => catalog === undefined || names.includes(catalog))?.value;
}

/**
 * Refuses wishes for catalogs that are not there, and those of which it is not clear which catalog
 * they mean. @throws BundleError USAGE
 */
export function refuseUnmetWishes(
  parts: readonly Part[],
  { names, templates }: CatalogWishes,
): void {
  const catalogs = parts
    .filter(({ kind }) => kind === CATALOG)
    .map(({ facts }) => facts as CatalogFacts);
  refuseUnmet(catalogs, names, '--catalog-name');
  refuseUnmet(catalogs, templates, '--catalog-source-template');
}

function refuseUnmet(
  catalogs: readonly Named[],
  wishes: readonly CatalogWish<unknown>[],
  option: string,
): void {
  const taken = new Map<Named, string>();
  for (const { catalog: asked } of wishes) {
    const meant = catalogs.filter((facts) => asked === undefined || namesOf(facts).includes(asked));
    const [first] = meant;
    const what = asked === undefined ? option : `${option} for ${asked}`;
    const held = catalogs.map(fullName).join(', ');
    if (first === undefined)
      throw new BundleError('USAGE', `${what}: no such catalog is among what is delivered`, {
        expected: asked ?? 'a catalog of operators',
        got: held === '' ? 'no catalog' : held,
        hint:
          held === ''
            ? `Leave ${option} out.`
            : 'Name a catalog as "bundle inspect" does, or by its path at the target.',
      });
    if (meant.length > 1)
      throw new BundleError('USAGE', `${what} could mean several catalogs`, {
        got: meant.map(fullName).join(', '),
        hint: `Say which, as in ${option} ${fullName(first)}=….`,
      });
    if (taken.has(first))
      throw new BundleError('USAGE', `${option} was given twice for ${fullName(first)}`, {
        hint: 'Leave out one of the two.',
      });
    taken.set(first, what);
  }
}

/** A name that no other catalog has: two of one reference differ in their place. */
function fullName({ path, tag }: Named): string {
  return `${path}:${tag}`;
}
