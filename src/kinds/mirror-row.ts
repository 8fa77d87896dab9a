import { formatRepository, parseReference } from '../core/reference.ts';
import type { WalkedImage } from '../transfer/image.ts';
import type { Destinations } from './destinations.ts';

/** How clusters ask for an image: which of the two sorts of mirror sets has to list it. */
export type AskedBy = 'digest' | 'tag' | 'both';

/** The groups that mirror sets have: what belongs to releases, to operators, and all else. */
export type MirrorGroup = 'release' | 'operator' | 'generic';

/** A repository that clusters ask for, and one that they shall ask instead. */
export interface MirrorRow {
  readonly source: string;
  readonly mirror: string;
  readonly askedBy: AskedBy;
  readonly group: MirrorGroup;
}

/**
 * The rows of images that clusters ask for by digest. Where their content was fetched from does not
 * matter to a cluster, and what is attached to an image has its repository.
 */
export function mirrorRows(
  images: readonly WalkedImage[],
  at: Destinations,
  group: MirrorGroup,
): readonly MirrorRow[] {
  const asked = images.filter(({ request }) => request.attachment === undefined);
  return asked.map(({ request: { source, place } }) => ({
    source: formatRepository(parseReference(source)),
    mirror: formatRepository(at[place]),
    askedBy: 'digest',
    group,
  }));
}
