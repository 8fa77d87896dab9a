import type { CatalogBundle } from '../catalog.ts';
import { dependenciesOf, describeRequirement, type Test, testOf } from '../dependencies.ts';
import type { PackageContent } from '../packages.ts';
import type { Selection } from './selection.ts';

/**
 * Keeps what kept bundles require, and what that requires in turn. A requirement that several
 * packages satisfy is left to people: OLM would take one of them, and nobody knows which.
 */
export function addDependencies(
  selection: Selection,
  packages: ReadonlyMap<string, PackageContent>,
): void {
  const available = [...packages.values()].flatMap(({ bundles }) => [...bundles.values()]);
  for (let isChanged = true; isChanged;) {
    isChanged = false;
    const kept = selection.bundles().map(({ bundle }) => bundle);
    const byName = new Map(kept.map((bundle) => [`${bundle.package}/${bundle.name}`, bundle]));
    for (const { package: ofPackage, bundle, requires, state, providers } of dependenciesOf(
      kept,
      available,
    )) {
      const [provider, ...others] = providers;
      if (state !== 'available' || provider === undefined || others.length > 0) continue;
      const test = testOfWords(byName.get(`${ofPackage}/${bundle}`)!, requires);
      isChanged = keepOne(selection, packages.get(provider)!, { test, by: ofPackage }) || isChanged;
    }
  }
}

function testOfWords({ requires }: CatalogBundle, words: string): Test {
  return testOf(requires.find((own) => describeRequirement(own) === words)!)!;
}

/**
 * The highest version of the default channel that satisfies a requirement; where it has none, that
 * of another channel.
 */
function keepOne(
  selection: Selection,
  content: PackageContent,
  { test, by }: { readonly test: Test; readonly by: string },
): boolean {
  const { defaultChannel } = content.package;
  const channels = [...content.channels.keys()].sort(
    (a, b) =>
      Number(b === defaultChannel) - Number(a === defaultChannel) ||
      b.localeCompare(a, 'en', { numeric: true }),
  );
  for (const channel of channels) {
    const entries = content.newestFirst(content.channels.get(channel)!.entries);
    const entry = entries.find(({ name }) => {
      const bundle = content.bundles.get(name);
      return bundle !== undefined && test(bundle);
    });
    if (entry === undefined) continue;
    selection.keep(content, channel, new Map([[entry.name, { type: 'required', by }]]));
    return true;
  }
  return false;
}
