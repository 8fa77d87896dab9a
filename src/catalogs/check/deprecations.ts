import { oneLine } from '../../core/text.ts';
import type { Catalog, Deprecation } from '../catalog.ts';
import type { Finding } from './finding.ts';

/** What is wrong with the deprecations of a catalog: each has to name something that is there. */
export function* checkDeprecations(
  catalog: Catalog,
  packages: ReadonlySet<string>,
  channels: ReadonlyMap<string, ReadonlyMap<string, unknown>>,
): Generator<Finding> {
  const bundles = new Map<string, Set<string>>();
  for (const { package: ofPackage, name } of catalog.bundles)
    bundles.set(ofPackage, (bundles.get(ofPackage) ?? new Set()).add(name));
  const seen = new Set<string>();
  for (const { package: ofPackage, entries } of catalog.deprecations) {
    const told = (message: string): Finding => ({
      rule: 'deprecation',
      package: ofPackage,
      message,
    });
    if (!packages.has(ofPackage)) yield told('has deprecations, but is not there');
    else if (seen.has(ofPackage)) yield told('has more than one olm.deprecations');
    else {
      const has = (kind: string, name: string): boolean =>
        kind === 'olm.bundle'
          ? bundles.get(ofPackage)?.has(name) === true
          : channels.get(ofPackage)?.has(name) === true;
      for (const message of faultsOf(entries, has)) yield told(message);
    }
    seen.add(ofPackage);
  }
}

function* faultsOf(
  entries: readonly Deprecation[],
  has: (schema: string, name: string) => boolean,
): Generator<string> {
  const seen = new Set<string>();
  for (const { schema, name, message } of entries) {
    const what = `${schema.replace(/^olm\./, '')} ${name === '' ? '(without a name)' : oneLine(name)}`;
    const key = JSON.stringify([schema, name]);
    if (schema === '') yield 'has a deprecation without a schema';
    else if (seen.has(key)) yield `deprecates ${what} twice`;
    else if (schema === 'olm.package') {
      if (name !== '')
        yield `deprecates a package with a name, ${oneLine(name)}: it has to be empty`;
    } else if (schema !== 'olm.bundle' && schema !== 'olm.channel')
      yield `deprecates something of the schema ${oneLine(schema)}, which nothing has`;
    else if (!has(schema, name)) yield `deprecates ${what}, which is not there`;
    if (schema !== '' && message === '') yield `deprecates ${what} without a message`;
    seen.add(key);
  }
}
