import type { Descriptor } from '../../../core/descriptor.ts';
import { BundleError } from '../../../core/errors.ts';
import type { HeldContent } from '../../../stores/oc/held-content.ts';
import type { Architecture } from '../architecture.ts';
import { listed, releasesIn } from './releases.ts';
import { tagsFor } from '../tags.ts';

/** Which of the release images in a folder is meant. */
export interface WantedRelease {
  readonly version: string;
  readonly architecture: Architecture;
}

/**
 * Finds a release image in a folder that `oc` or oc-mirror has written: by its tag, and where that
 * is lost, or is none of a version, by what its own config says.
 * @throws BundleError NOT_FOUND with the releases that are there; CONTENT_MISMATCH.
 */
export async function locateHeld(
  { version, architecture }: WantedRelease,
  store: HeldContent,
  signal: AbortSignal,
): Promise<Descriptor> {
  for (const tag of tagsFor(version, architecture)) {
    const digest = store.named(tag);
    if (digest !== undefined) return store.resolve(digest, { signal });
  }
  const releases = await releasesIn(store, signal);
  const [release, rival] = releases.filter(
    (one) => one.version === version && one.architecture === architecture,
  );
  if (release === undefined) {
    throw new BundleError(
      'NOT_FOUND',
      `${store.name} has no release ${version} for ${architecture}`,
      { hint: listed(releases) },
    );
  }
  if (rival === undefined) return store.resolve(release.digest, { signal });
  throw new BundleError(
    'UNSUPPORTED_CONTENT',
    `${store.name} has two release images that call themselves ${version} for ${architecture}`,
    {
      ...{ expected: release.digest, got: rival.digest },
      hint: `Name one by its digest: --from ${store.name}@${release.digest}`,
    },
  );
}
