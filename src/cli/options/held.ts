import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import type { Architecture } from '../../kinds/release/architecture.ts';
import type { ReleaseRequest } from '../../kinds/release/request.ts';

/** A release of a folder, named by its digest and by what its config says. */
export type HeldRequest = Pick<ReleaseRequest, 'version' | 'architecture' | 'from'>;

/**
 * The releases in a folder that `oc` or oc-mirror has written: those that are meant if no version is
 * named.
 * @param architectures that are meant; all if none is named.
 * @returns `undefined` if `from` is no such folder, or names the release.
 * @throws BundleError NOT_FOUND where there is none; as reading the folder does.
 */
export async function heldRequests(
  from: string | undefined,
  architectures: readonly Architecture[],
  { observe, signal }: Context,
): Promise<readonly HeldRequest[] | undefined> {
  // Imported here and not at the start: few commands need them.
  const { openHeldPlace, parseHeldPlace } = await import('../../stores/oc/open.ts');
  const { listed, releasesIn } = await import('../../kinds/release/held/releases.ts');
  const place = from === undefined ? undefined : parseHeldPlace(from);
  if (place === undefined || place.digest !== undefined) return undefined;
  observe({ type: 'phase', what: `looking for releases in ${place.folder}` });
  const store = await openHeldPlace(place, signal);
  const releases = await releasesIn(store, signal);
  const meant = releases.filter(
    ({ architecture }) => architectures.length === 0 || architectures.includes(architecture),
  );
  if (meant.length === 0) {
    const named = architectures.length === 0 ? '' : ` for ${architectures.join(' or ')}`;
    throw new BundleError('NOT_FOUND', `${store.name} has no release${named}`, {
      hint: listed(releases),
    });
  }
  return meant.map(({ version, architecture, digest }) => ({
    ...{ version, architecture, from: `${store.name}@${digest}` },
  }));
}
