import type { CatalogRequest } from '../../../catalogs/filter/request.ts';
import { BundleError } from '../../../core/errors.ts';
import { type PartRequest, partRequest } from '../../../kinds/kind.ts';
import type { CatalogMode, CatalogProfile } from '../../../kinds/catalog/request.ts';
import { flag, text, texts } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import { strictOptions } from '../catalog.ts';
import { many, one, type OptionTable, yes } from '../table.ts';

const group = 'Operators:';

/** A catalog of operators, and which of them. */
export const catalogPartOptions: OptionTable = {
  catalog: one(
    'catalog of operators, by tag or digest, or oci:DIR; =PATH[:TAG] behind it says where it goes',
    { group },
  ),
  operator: many('operator of the catalog, with the newest versions (repeatable; default: all)', {
    group,
  }),
  'whole-catalog': yes('every version of every operator, and the catalog as it is', { group }),
  'allow-missing': yes('leave out operators that the catalog lacks', { group }),
  'with-dependencies': yes('also what these operators require, where one operator has it', {
    group,
  }),
  filter: one(
    'how to filter catalogs: strict gives what OLM takes, oc-mirror what oc-mirror gives ' +
      '(default: strict)',
    { choices: ['strict', 'oc-mirror'], group },
  ),
  'catalog-profile': one(
    'image of the catalog: runnable serves itself, content has the documents alone, verbatim is ' +
      'the whole catalog as it is (default: runnable; verbatim for a whole catalog)',
    { choices: ['runnable', 'content', 'verbatim'], group },
  ),
  'skip-related': many(
    'related images to leave out: a pattern with * and ? for the name that bundles give to an ' +
      'image, or, with a slash in it, for the image (repeatable)',
    { group },
  ),
  'skip-bundle': many(
    'version of an operator to go without, as foo.v1.2.3; =REASON behind it is recorded ' +
      '(repeatable)',
    { group },
  ),
};

/**
 * The catalogs that a command line asks for.
 * @param ofFile those that a file asks for.
 * @throws BundleError USAGE
 */
export async function catalogParts(
  args: Arguments,
  ofFile: readonly CatalogRequest[] = [],
): Promise<readonly PartRequest[]> {
  const named = namedCatalog(args, ofFile.length > 0);
  const asked = [...ofFile, ...(named === undefined ? [] : [named])];
  if (asked.length === 0) return [];
  // Imported here and not at the start: a kind needs libraries that take time to load.
  const { catalogKind } = await import('../../../kinds/catalog/catalog.ts');
  const mode = (text(args, 'filter') ?? 'strict') as CatalogMode;
  const profile = text(args, 'catalog-profile') as CatalogProfile | undefined;
  const skipRelated = texts(args, 'skip-related');
  const options = {
    mode,
    ...(profile !== undefined && { profile }),
    ...(skipRelated.length > 0 && { skipRelated }),
    ...strictOptions(args, mode),
  };
  return asked.map((catalog) => partRequest(catalogKind, { catalog, ...options }));
}

/** Options that concern catalogs of a file, too. */
const FOR_ALL = [
  ...['allow-missing', 'with-dependencies', 'filter', 'catalog-profile'],
  ...['skip-related', 'skip-bundle'],
];

function namedCatalog(args: Arguments, hasOthers: boolean): CatalogRequest | undefined {
  const named = text(args, 'catalog');
  const operators = texts(args, 'operator');
  const isWhole = flag(args, 'whole-catalog');
  if (named === undefined) {
    const other = Object.keys(catalogPartOptions).find(
      (name) => args[name] !== undefined && !(hasOthers && FOR_ALL.includes(name)),
    );
    if (other === undefined) return undefined;
    throw new BundleError('USAGE', `--${other} has a meaning only with --catalog`, {
      hint: `Give --catalog, or leave --${other} out.`,
    });
  }
  if (isWhole && operators.length > 0)
    throw new BundleError('USAGE', '--whole-catalog and --operator exclude each other', {
      hint: 'Leave out the one that is not meant.',
    });
  const [, catalog = '', path, tag] = /^([^=]*)(?:=([^:]*)(?::(.*))?)?$/s.exec(named) ?? [];
  return {
    ...{ catalog, full: isWhole },
    packages: operators.map((name) => ({ name, channels: [] })),
    ...(path !== undefined && { targetCatalog: path }),
    ...(tag !== undefined && { targetTag: tag }),
  };
}
