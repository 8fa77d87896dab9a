import { drain } from '../core/bytes.ts';
import { type Limit, mapLimited } from '../core/concurrency.ts';
import { BundleError, gravest } from '../core/errors.ts';
import { verified } from '../transfer/verified.ts';
import type { PlannedBlob } from '../transfer/plan.ts';

/** Blobs that a message names beside the first. */
const NAMED = 5;

/**
 * Looks whether folders on this machine hold the configs and layers that will be read from them, in
 * their sizes, before anything is written: a folder does not get complete while a run waits. The
 * bytes are hashed when they are read. Registries are not asked.
 * @throws BundleError NOT_FOUND or CONTENT_MISMATCH naming the blobs.
 */
export async function requirePresent(
  blobs: readonly PlannedBlob[],
  limit: Limit,
  signal: AbortSignal,
): Promise<void> {
  const failures = await mapLimited(
    blobs.filter(({ store }) => store.isSteady === true),
    limit,
    async ({ descriptor, store, image }) => {
      if (await store.exists(descriptor, { signal })) return undefined;
      try {
        await drain(verified(store.fetch(descriptor, { signal }), descriptor));
        return undefined;
      } catch (error) {
        if (!(error instanceof BundleError)) throw error;
        return { digest: descriptor.digest, error: error.about(`image ${image}`) };
      }
    },
    signal,
  );
  const found = failures.filter((failure) => failure !== undefined);
  const worst = gravest(found.map(({ error }) => error));
  if (!(worst instanceof BundleError)) return;
  const others = found.flatMap(({ digest, error }) => (error === worst ? [] : digest));
  if (others.length === 0) throw worst;
  const more = others.length > NAMED ? `, and ${others.length - NAMED} more` : '';
  throw new BundleError(
    worst.code,
    `${worst.message}; so it is with ${others.slice(0, NAMED).join(', ')}${more}`,
    worst,
  );
}
