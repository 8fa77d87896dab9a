import { versionOf } from '../../../catalogs/catalog.ts';
import type { FilterNote } from '../../../catalogs/filter/result.ts';
import type { Dependency } from '../../../catalogs/dependencies.ts';
import type { PackageContent } from '../../../catalogs/packages.ts';
import type { CatalogFacts } from '../../../workflows/catalog/look.ts';
import { counted, few } from '../../../core/text.ts';
import { printableLine } from '../../units.ts';
import type { Section } from '../layout.ts';

/** More rows than these are counted. */
const SHOWN = 40;

/** A catalog as documents name it. */
export function catalogJson({ name, image }: CatalogFacts): object {
  return { catalog: name, ...(image !== undefined && { image }) };
}

/** The version of a bundle; its name where there is no such bundle. */
export function versionIn(content: PackageContent, bundle: string): string {
  const own = content.bundles.get(bundle);
  return own === undefined ? bundle : versionOf(own) || bundle;
}

/** Requirements that are not met by what is kept, or that nobody can tell. */
export function unmetSection(dependencies: readonly Dependency[], isVerbose: boolean): Section {
  const open = dependencies.filter(({ state }) => state !== 'kept');
  return requirementSection('Required, and not kept:', open, isVerbose);
}

/** Requirements under a heading, with the packages that meet them. */
export function requirementSection(
  heading: string,
  open: readonly Dependency[],
  isVerbose: boolean,
): Section {
  if (open.length === 0) return [];
  return [
    { text: heading },
    {
      table: {
        heads: ['operator', 'requires', 'of the catalog'],
        rows: open
          .slice(0, isVerbose ? undefined : SHOWN)
          .map(({ bundle, requires, state, providers }) => [
            bundle,
            requires,
            state === 'not-evaluated' ? 'not evaluated' : few(providers).join(', ') || 'nothing',
          ]),
        cut: 1,
      },
    },
    ...(open.length > SHOWN && !isVerbose
      ? [{ text: `${open.length - SHOWN} more with --verbose.` }]
      : []),
  ];
}

/** What is otherwise than somebody may expect. */
export function noteSection(notes: readonly FilterNote[]): Section {
  return notes.map((note) => ({ text: printableLine(noteText(note)) }));
}

function noteText(note: FilterNote): string {
  switch (note.type) {
    case 'default-channel':
      return (
        `${note.package}: the default channel is ${note.is}` +
        (note.was === '' ? '' : `; in the catalog it was ${note.was}`)
      );
    case 'channel-dropped':
      return (
        `${note.package}: channel ${note.channel} is left out: ` +
        (note.why ?? 'it has no version in range')
      );
    case 'bundle-skipped':
      return `${note.bundle} is left out: ${note.cause}`;
    case 'skip-unknown':
      return `${note.bundle}, which was to be left out, is not in the catalog`;
    case 'package-missing':
      return `${note.package} is left out: ${note.why}`;
    case 'channel-missing':
      return `${note.package}: channel ${note.channel} is left out: the package does not have it`;
    case 'prereleases':
      return (
        `${note.package}: ${few(note.versions).join(', ')} ` +
        `${note.versions.length === 1 ? 'counts' : 'count'} as prerelease for oc-mirror, which ` +
        'would leave it out; here a minimum without a prerelease takes builds of it'
      );
  }
}

/** `3 packages, 12 bundles`. */
export function contentText(packages: number, bundles: number): string {
  return `${counted(packages, 'package')}, ${counted(bundles, 'bundle')}`;
}
