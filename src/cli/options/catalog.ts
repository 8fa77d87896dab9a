import type { StrictOptions } from '../../catalogs/filter/strict.ts';
import { BundleError } from '../../core/errors.ts';
import type { CatalogSource } from '../../extracting/catalog/open-catalog.ts';
import type { FilterMode, FilterRequest } from '../../workflows/catalog/filter.ts';
import { flag, requiredText, text, texts } from '../arguments.ts';
import type { Arguments, Command } from '../command.ts';
import { networkRequest, sourceOptions } from './network.ts';
import { many, one, type OptionTable, yes } from './table.ts';

const group = 'Filter:';

const PLACES = 'a folder or file of documents, oci:DIR, or REGISTRY/REPOSITORY:TAG';

/** A catalog that is named on the command line. */
export const catalogPositional = (
  name: string,
  describe = `catalog: ${PLACES}`,
): Command['positionals'] => ({
  [name]: { type: 'string', demandOption: true, describe },
});

/** For commands that read a catalog. */
export const catalogOptions: OptionTable = sourceOptions;

export function catalogSource(args: Arguments, name = 'CATALOG'): CatalogSource {
  return { source: requiredText(args, name), network: networkRequest(args) };
}

/** For commands that filter a catalog. */
export const filterOptions: OptionTable = {
  config: one('ImageSetConfiguration that says what is wanted', { group }),
  entry: one('catalog of that file that is meant, as it is written there (default: this one)', {
    group,
  }),
  package: many('without a file: operator whose newest versions are wanted (repeatable)', {
    group,
  }),
  filter: one('how to filter: strict gives what OLM takes, oc-mirror what oc-mirror gives', {
    choices: ['strict', 'oc-mirror'],
    default: 'strict',
    group,
  }),
  'allow-missing': yes('leave out packages, channels and versions that the catalog lacks', {
    group,
  }),
  'with-dependencies': yes('keep also what kept bundles require, where one package has it', {
    group,
  }),
  'skip-bundle': many(
    'version of an operator to go without, as foo.v1.2.3; =REASON behind it (repeatable)',
    { group },
  ),
};

/** @throws BundleError USAGE for options that exclude each other */
export function filterRequest(args: Arguments, usual: readonly string[] = []): FilterRequest {
  const [config, entry] = [text(args, 'config'), text(args, 'entry')];
  const packages = texts(args, 'package');
  const mode = requiredText(args, 'filter') as FilterMode;
  if (config !== undefined && packages.length > 0)
    throw excluded('--package', '--config', 'The file names the packages. Leave out --package.');
  if (config === undefined && entry !== undefined)
    throw new BundleError('USAGE', '--entry has a meaning only with --config', {
      hint: 'Give --config, or leave --entry out.',
    });
  return {
    ...{ mode, config, entry },
    packages: packages.length > 0 ? packages : usual,
    ...strictOptions(args, mode),
  };
}

/** Options that the filter of oc-mirror has nothing like. */
const STRICT_ONLY = ['allow-missing', 'with-dependencies', 'skip-bundle', 'drop-incomplete'];

/**
 * What a filter that gives what OLM takes can be told.
 * @throws BundleError USAGE for the filter of oc-mirror
 */
export function strictOptions(args: Arguments, mode: FilterMode): StrictOptions {
  const other = STRICT_ONLY.find((option) => args[option] !== undefined && args[option] !== false);
  if (mode === 'oc-mirror' && other !== undefined)
    throw excluded(`--${other}`, '--filter oc-mirror', 'oc-mirror has nothing like it.');
  const skipped = texts(args, 'skip-bundle').map((written): readonly [string, string] => {
    const equals = written.indexOf('=');
    return equals === -1 ? [written, ''] : [written.slice(0, equals), written.slice(equals + 1)];
  });
  return {
    allowMissing: flag(args, 'allow-missing'),
    withDependencies: flag(args, 'with-dependencies'),
    ...(skipped.length > 0 && { skipBundles: Object.fromEntries(skipped) }),
  };
}

function excluded(one: string, other: string, hint: string): BundleError {
  return new BundleError('USAGE', `${one} and ${other} exclude each other`, { hint });
}
