import type { HoleReason } from '../bundle/format/manifest.ts';
import { drain } from '../core/bytes.ts';
import type { Context } from '../core/context.ts';
import { mapLimited } from '../core/concurrency.ts';
import type { Digest } from '../core/digest.ts';
import type { BundleError } from '../core/errors.ts';
import { isObject, type Json } from '../core/json.ts';
import { type Closure, dropsOf, holesOf } from '../kinds/closure.ts';
import { DROPS_KEY } from '../kinds/holes.ts';
import type { SigningKey } from '../trust/keys.ts';
import { verified } from '../transfer/verified.ts';
import type { PlannedBlob } from '../transfer/plan.ts';
import type { FoundParts } from './find-parts.ts';
import { hopeless, hostOf, mayBeTheHost, reasonOf } from './missing/leaving-holes.ts';
import type { PackReport } from './report.ts';
import { openSigned } from './resume/begun-content.ts';
import { findBegun } from './resume/begun.ts';
import { SetAside } from './resume/set-aside.ts';
import { type FileJob, packToFiles } from './to-files.ts';

/** A bundle that may lack images. */
export interface IncompleteJob {
  /** Where it is written. */
  readonly path: string;
  readonly key: SigningKey;
  readonly restart: boolean;
  /** Whether volumes may be on other media: then nothing that is written can be written again. */
  readonly isCarriedAway: boolean;
  /** What is to be written of a closure. */
  readonly jobOf: (closure: Closure) => FileJob;
}

/** A blob that its source does not give. */
interface Lost {
  readonly blob: PlannedBlob;
  readonly error: BundleError;
}

/**
 * Packs parts without the images that need a blob which cannot be had. Which blobs these are shows
 * only when they are fetched, and the listing of a bundle is signed before: so it is started again
 * without them, with all that was fetched before. What an earlier run has left out is tried again.
 * @throws BundleError as {@link packToFiles} does; of the source for a blob that no image may lack
 */
export async function packLeavingHoles(
  planned: FoundParts,
  job: IncompleteJob,
  context: Context,
): Promise<PackReport> {
  const aside = new SetAside(job.path, job.key);
  if (job.restart) await aside.remove();
  try {
    const { without } = planned;
    let closure: Closure = planned;
    const before = job.restart ? undefined : await holesBefore(closure, job, context);
    if (before !== undefined) {
      if (before.lost.size > 0) closure = await without(before.lost);
      // What is not missing any more belongs in the bundle, and a listing cannot be changed.
      const isSame = leftOut(closure) === before.leftOut;
      if (!isSame && !before.isFinished) await aside.take();
    }
    for (let restart = job.restart; ; restart = false) {
      let lost: Lost | undefined;
      const content = { ...closure.content, blobs: await aside.before(closure.content.blobs) };
      const own = { ...job.jobOf({ ...closure, content }), restart };
      const onLost = (blob: PlannedBlob, error: BundleError): void => {
        lost = { blob, error };
      };
      try {
        const report = await packToFiles({ ...own, onLost }, context);
        await aside.remove();
        return report;
      } catch (error) {
        const failed = lost;
        if (context.signal.aborted || failed === undefined || job.isCarriedAway) throw error;
        if (reasonOf(failed.error) === undefined) throw error;
        const gone = await goneWith(failed, closure, context);
        const rest = await without(gone);
        const { images, blobs } = rest.content;
        const isNeeded = blobs.some(({ descriptor }) => gone.has(descriptor.digest));
        if (isNeeded || images.length === 0) throw error;
        const facts = { blobs: gone.size, images: holesOf(rest).length + dropsOf(rest).length };
        context.observe({ type: 'noticed', code: 'packing-without', ...facts });
        await aside.take();
        closure = rest;
      }
    }
  } finally {
    await aside.close();
  }
}

/** What an earlier run has left out under the name. */
interface HolesBefore {
  /** As {@link leftOut} gives it. */
  readonly leftOut: string;
  readonly isFinished: boolean;
  /** The blobs of those that cannot be had this time either. */
  readonly lost: ReadonlyMap<Digest, HoleReason>;
}

async function holesBefore(
  { content }: Closure,
  { path, key }: IncompleteJob,
  { observe, lookups, signal }: Context,
): Promise<HolesBefore | undefined> {
  const begun = await findBegun(path);
  if (begun.length === 0) return undefined;
  const reader = await openSigned(
    begun.map((file) => file.path),
    key,
  );
  if (reader === undefined) return undefined;
  const { holes = [], parts } = reader.manifest;
  await reader.close();
  const drops = parts.flatMap(({ claim }) => namedIn(claim[DROPS_KEY]));
  if (holes.length === 0 && drops.length === 0) return undefined;
  const lacking = drops.map(([, drop]) => (isObject(drop) ? drop['lacks'] : undefined));
  const names = new Set<unknown>([...holes.map(({ lacks }) => lacks), ...lacking]);
  observe({ type: 'phase', what: 'trying again what was missing' });
  const lost = await failing(
    content.blobs.filter(({ descriptor }) => names.has(descriptor.digest)),
    async ({ descriptor, store }, stop) => {
      await drain(verified(store.fetch(descriptor, { signal: stop }), descriptor));
      return undefined;
    },
    { lookups, signal, observe },
  );
  return {
    leftOut: textOf(holes, drops),
    isFinished: begun.every(({ isFinished }) => isFinished),
    lost,
  };
}

/** All that a bundle does without, to be compared. */
function leftOut(closure: Closure): string {
  const drops = closure.parts.flatMap(({ claim }) => namedIn(claim[DROPS_KEY]));
  return textOf(holesOf(closure), drops);
}

function textOf(holes: readonly object[], drops: readonly unknown[]): string {
  return JSON.stringify([holes, drops]);
}

function namedIn(value: Json | undefined): readonly (readonly [string, Json])[] {
  return isObject(value) ? Object.entries(value) : [];
}

/**
 * What cannot be had beside a blob that could not. All other blobs are asked for, and not read: a
 * registry that has lost one has often lost others, and each would cost a start of its own.
 * @throws the failure, where its host has given nothing at all
 */
async function goneWith(
  { blob: { descriptor }, error }: Lost,
  { content: { blobs, images } }: Closure,
  { lookups, signal, observe }: Context,
): Promise<ReadonlyMap<Digest, HoleReason>> {
  observe({ type: 'phase', what: 'asking for all other blobs' });
  const hosts = new Map(images.map(({ name, source }) => [name, hostOf(source)]));
  const at = blobs.findIndex((blob) => blob.descriptor.digest === descriptor.digest);
  const asked = blobs.slice(at + 1);
  const lost = await failing(
    asked,
    async ({ descriptor: other, store }, stop) =>
      (await store.exists(other, { signal: stop })) ? undefined : 'not-found',
    { lookups, signal, observe },
  );
  const gives = new Set(
    [...blobs.slice(0, at), ...asked.filter((blob) => !lost.has(blob.descriptor.digest))].map(
      ({ image }) => hosts.get(image),
    ),
  );
  const reason = reasonOf(error) ?? 'unreadable';
  const host = hosts.get(blobs[at]?.image ?? '');
  if (mayBeTheHost(reason) && host !== undefined && !gives.has(host))
    throw error.withHint(hopeless(host, error.hint));
  return new Map([[descriptor.digest, reason], ...lost]);
}

/** Tries something with blobs. @returns those with which it failed as holes do, and why. */
async function failing(
  blobs: readonly PlannedBlob[],
  attempt: (blob: PlannedBlob, signal: AbortSignal) => Promise<HoleReason | undefined>,
  { lookups, signal, observe }: Pick<Context, 'lookups' | 'signal' | 'observe'>,
): Promise<ReadonlyMap<Digest, HoleReason>> {
  const lost = new Map<Digest, HoleReason>();
  let done = 0;
  await mapLimited(
    blobs,
    lookups,
    async (blob, stop) => {
      try {
        const reason = await attempt(blob, stop);
        if (reason !== undefined) lost.set(blob.descriptor.digest, reason);
      } catch (error) {
        const reason = signal.aborted ? undefined : reasonOf(error);
        if (reason === undefined) throw error;
        lost.set(blob.descriptor.digest, reason);
      }
      done += 1;
      observe({ type: 'counted', what: 'blobs', done, total: blobs.length });
    },
    signal,
  );
  return lost;
}
