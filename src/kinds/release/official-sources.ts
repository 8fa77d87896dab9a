import { digestOf } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { OCI_MANIFEST } from '../../core/media-types.ts';
import { OFFICIAL_COMPONENTS, OFFICIAL_RELEASES } from './official.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import { answeredBy } from '../../stores/registry/http/answers.ts';
import type { Sources } from '../sources.ts';

const PULL_SECRET = 'https://console.redhat.com/openshift/install/pull-secret';

/**
 * A blob that no repository holds. The answer to a request for it tells whether the credentials may
 * read there: 404 if they may, 401 or 403 if not.
 */
const NOTHING = { mediaType: OCI_MANIFEST, digest: digestOf(''), size: 0 };

/**
 * Asks both repositories of official releases, or the mirrors of them, whether they may be read,
 * before anything is planned: release images are for everybody, components are not.
 * @throws BundleError NOT_ALLOWED, which says where a pull secret comes from; REGISTRY.
 */
export async function askOfficialSources(
  network: Pick<Sources, 'source'>,
  signal: AbortSignal,
): Promise<void> {
  for (const name of [OFFICIAL_RELEASES, OFFICIAL_COMPONENTS])
    await askSource(network.source(name), signal);
}

async function askSource(store: ReadOnlyStore, signal: AbortSignal): Promise<void> {
  try {
    await store.exists(NOTHING, { signal });
  } catch (error) {
    // The place itself may be out of reach, and a mirror have all of it: the digest that is asked
    // for here no mirror has.
    if (hasCode(error, 'NETWORK')) return;
    if (!hasCode(error, 'NOT_ALLOWED')) throw error;
    // A mirror of the site has credentials of its own.
    const registry = answeredBy(error) ?? store.name.split('/')[0];
    if (registry !== OFFICIAL_COMPONENTS.registry) throw error;
    throw new BundleError('NOT_ALLOWED', error.message, {
      hint: (
        `Red Hat's registries want a pull secret: get it from ${PULL_SECRET}, ` +
        `and name the file with --authfile FILE. ${error.hint ?? ''}`
      ).trim(),
      cause: error,
    });
  }
}
