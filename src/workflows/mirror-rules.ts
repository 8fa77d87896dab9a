import { BundleError } from '../core/errors.ts';
import { formatRepository, isRegistry, isRepository, type RepositoryName } from '../core/reference.ts';

/** Fetch `prefix/…` from `location/…`; what is fetched is known by its digest and does not change. */
export interface MirrorRule {
  readonly prefix: string;
  readonly location: string;
}

/** `PREFIX=LOCATION`. @throws BundleError USAGE */
export function parseMirrorRule(text: string): MirrorRule {
  const [prefix, location, ...more] = text.split('=');
  const isPlace = (place: string | undefined): place is string => {
    const [registry = '', ...path] = place?.split('/') ?? [];
    return isRegistry(registry) && (path.length === 0 || isRepository(path.join('/')));
  };
  if (more.length === 0 && isPlace(prefix) && isPlace(location)) return { prefix, location };
  throw new BundleError('USAGE', `not a mirror rule: ${text}`, {
    hint: 'Write PREFIX=LOCATION, as in quay.io=mirror.example.com:5000/quay.',
  });
}

/** Where a repository is fetched from: the rule with the longest prefix decides, at the border of a path component. */
export function mirrored(name: RepositoryName, rules: readonly MirrorRule[]): RepositoryName {
  const full = formatRepository(name);
  const [best] = rules
    .filter(({ prefix }) => full === prefix || full.startsWith(`${prefix}/`))
    .toSorted((a, b) => b.prefix.length - a.prefix.length);
  if (best === undefined) return name;
  const place = `${best.location}${full.slice(best.prefix.length)}`;
  const slash = place.indexOf('/');
  return { registry: place.slice(0, slash), repository: place.slice(slash + 1) };
}
