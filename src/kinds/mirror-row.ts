import { formatRepository, parseReference, type Reference } from '../core/reference.ts';
import { namesItsPart, type WalkedImage } from '../transfer/image.ts';
import { type Destinations, repositoryAt } from './destinations.ts';

/**
 * How images of a repository are known: which of the two sorts of mirror sets can list it. An image
 * that has both is asked for by its digest.
 */
export type KnownBy = 'digest' | 'tag' | 'both';

/** How clusters ask for an image that they know by this name. */
export function knownBy({ tag, digest }: Reference): KnownBy {
  if (digest === undefined) return 'tag';
  return tag === undefined ? 'digest' : 'both';
}

/** The groups that mirror sets have: what belongs to releases, to operators, and all else. */
export type MirrorGroup = 'release' | 'operator' | 'generic';

/** A repository that clusters ask for, and one that they shall ask instead. */
export interface MirrorRow {
  readonly source: string;
  readonly mirror: string;
  readonly knownBy: KnownBy;
  readonly group: MirrorGroup;
}

/**
 * The rows of images that clusters ask for by digest, unless `known` says otherwise; what names a
 * part has a tag too. Where their
 * content was fetched from does not matter to a cluster, and what is attached to an image has its
 * repository.
 */
export function mirrorRows(
  images: readonly WalkedImage[],
  at: Destinations,
  group: MirrorGroup,
  known?: KnownBy,
): readonly MirrorRow[] {
  const asked = images.filter(({ request }) => request.attachment === undefined);
  return asked.map(({ request }) => ({
    source: formatRepository(parseReference(request.source)),
    mirror: formatRepository(repositoryAt(at, request.place)),
    knownBy: known ?? (namesItsPart(request) ? 'both' : 'digest'),
    group,
  }));
}
