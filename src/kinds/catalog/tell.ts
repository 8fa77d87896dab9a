import type { Catalog } from '../../catalogs/catalog.ts';
import { checkCatalog } from '../../catalogs/check/check.ts';
import { objectOf } from '../../catalogs/check/finding.ts';
import { dependenciesOf } from '../../catalogs/dependencies.ts';
import type { FilterResult } from '../../catalogs/filter/result.ts';
import type { Observe } from '../../core/events.ts';
import { oneLine } from '../../core/text.ts';
import type { CatalogMode } from './request.ts';

export interface Telling {
  /** Of the catalog. */
  readonly reference: string;
  readonly observe: Observe;
}

/** More faults than these are counted. */
const FAULTS = 10;

/** That there is nothing in a catalog, and what OLM would refuse of what nobody has filtered so that it does not. */
export function tellFindings(catalog: Catalog, filter: CatalogMode, telling: Telling): void {
  const { reference, observe } = telling;
  if (catalog.packages.length === 0)
    observe({ type: 'noticed', code: 'catalog-empty', catalog: reference });
  const findings = checkCatalog(catalog);
  if (findings.length === 0) return;
  const all = findings.map((finding) => oneLine(`${objectOf(finding)} ${finding.message}`));
  const more = all.length - FAULTS;
  const faults = [...all.slice(0, FAULTS), ...(more > 0 ? [`${more} more`] : [])];
  const about = { catalog: reference, filter, count: all.length, faults };
  observe({ type: 'noticed', code: 'catalog-refused', ...about });
}

/** What somebody has to know who expects what was asked for. */
export function tellNotes(
  result: FilterResult,
  catalog: Catalog,
  { reference, observe }: Telling,
): void {
  for (const note of result.notes) {
    if (note.type === 'skip-unknown') {
      const { bundle: value } = note;
      observe({ type: 'noticed', code: 'skip-matches-nothing', catalog: reference, value });
      continue;
    }
    const { package: own } = note;
    if (note.type === 'bundle-skipped') {
      const { bundle, cause } = note;
      observe({ type: 'noticed', code: 'bundle-left-out', package: own, bundle, cause });
      continue;
    }
    if (note.type === 'default-channel') {
      const { was, is } = note;
      observe({ type: 'noticed', code: 'operator-default-channel', package: own, was, is });
    } else if (note.type !== 'prereleases') {
      const left = { type: 'noticed', code: 'operator-left-out', package: own } as const;
      if (note.type === 'package-missing') observe({ ...left, cause: note.why });
      else if (note.type === 'channel-missing')
        observe({ ...left, channel: note.channel, cause: 'the catalog does not have it' });
      else
        observe({
          ...left,
          ...{ channel: note.channel, cause: note.why ?? 'it has no version in range' },
        });
    }
  }
  const kept = result.bundles.map(({ bundle }) => bundle);
  for (const own of dependenciesOf(kept, catalog.bundles)) {
    const { package: ofPackage, bundle, requires, state, providers } = own;
    if (state === 'available' || state === 'missing')
      observe({
        ...{ type: 'noticed', code: 'operator-requires' },
        ...{ package: ofPackage, bundle, requires, providers },
      });
  }
}
