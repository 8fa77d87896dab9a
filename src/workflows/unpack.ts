import { basename } from 'node:path';

import type { Fault } from '../bundle/reading/fault.ts';
import type { Context } from '../core/context.ts';
import { type BundleError, gravest, hasCode, systemCode } from '../core/errors.ts';
import { deliver, type DeliveryReport, type DeliveryRequest } from '../delivering/deliver.ts';
import { type Closure, selectParts } from '../kinds/closure.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import { copyOrPatch, missingVolumesOf } from '../opening/damaged.ts';
import { incompleteParts } from '../opening/audit.ts';
import {
  type OpenedFacts,
  type OpenRequest,
  surveyBundle,
  type SurveyedBundle,
} from '../opening/open-bundle.ts';

export interface UnpackRequest {
  readonly bundle: OpenRequest;
  readonly delivery: DeliveryRequest;
  readonly network: NetworkOptions;
  /** The parts that are pushed, by any of their names; all of them if none is named. */
  readonly select: readonly string[];
  /** Pushes what is whole of a bundle that is damaged or lacks volumes. */
  readonly partial: boolean;
}

export interface UnpackReport {
  readonly bundle: OpenedFacts;
  readonly delivery: DeliveryReport;
  /** Numbers of the volumes that were not there. */
  readonly missingVolumes: readonly number[];
}

/**
 * Verifies a bundle and pushes it. What can be checked without the blobs is checked before the
 * first upload; each blob is hashed while it is sent, and completed at the target only if it was
 * right.
 *
 * A damaged bundle is accepted with patches that hold what it lacks, or if only what is whole is to
 * be pushed.
 * @throws BundleError as opening a bundle and delivering its parts do
 */
export async function unpack(request: UnpackRequest, context: Context): Promise<UnpackReport> {
  const { partial, bundle: open, select, delivery: to } = request;
  const faults: Fault[] = [];
  const bundle = await surveyBundle(open, context, (fault) => faults.push(fault));
  const { reader, isPatched } = bundle;
  let network: Network | undefined;
  try {
    const held = usable(bundle, faults, request);
    announce(bundle, faults, held, context);
    const closure = selectParts(held, select);
    const incomplete = isPatched ? new Set<number>() : incompleteParts(closure, bundle, faults);
    const delivery = await deliver(
      { closure, kinds: open.kinds, request: to },
      async () => (network = await Network.open(request.network, context)),
      context,
      {
        leaves: partial ? { incompleteParts: incomplete, isLoss: isDamageOfSource } : undefined,
        pass: reader.pass,
      },
    );
    await reader.pass?.finish(); // a dry run sends nothing, and says no less
    return { bundle: { ...bundle, closure }, delivery, missingVolumes: reader.missingVolumes };
  } catch (error) {
    throw reader.pass === undefined ? withWayOut(error, request) : error;
  } finally {
    await network?.close();
    await bundle.close();
  }
}

/**
 * The closure of the bundle. @throws BundleError if the bundle is not whole, unless the user
 * accepts that.
 */
function usable(
  bundle: SurveyedBundle,
  faults: readonly Fault[],
  { partial, bundle: asked }: UnpackRequest,
): Closure {
  const { closure, isPatched } = bundle;
  if (closure !== undefined && (partial || isPatched)) return closure;
  if (faults.length > 0) {
    const error = gravest(faults.map((fault) => fault.error)) as BundleError;
    throw error.withHint(wayOut(asked, { canBePartial: closure !== undefined }));
  }
  const missing = missingVolumesOf(bundle, faults);
  if (missing !== undefined) throw closure === undefined ? missing.withHint(NO_MANIFESTS) : missing;
  if (closure === undefined) throw new RangeError('a bundle without a fault has its manifests');
  return closure;
}

/**
 * Where bytes of the bundle are wrong, what to do about that; what was found before the copy began
 * says it already.
 */
function withWayOut(error: unknown, { partial, bundle: asked }: UnpackRequest): unknown {
  const isDamage = hasCode(error, 'CONTENT_MISMATCH') || hasCode(error, 'BUNDLE_UNUSABLE');
  if (!isDamage || error.side !== 'source') return error;
  const isTold = error.hint?.endsWith(copyOrPatch(asked)) === true;
  return isTold ? error : error.withHint(wayOut(asked, { canBePartial: !partial }));
}

const NO_MANIFESTS =
  'Name the folders of all volumes: without them nobody knows which images the releases have, so ' +
  'that nothing can be pushed, not even with --partial.';

function wayOut(asked: OpenRequest, { canBePartial }: { readonly canBePartial: boolean }): string {
  const pushWhole = 'To push the images that are whole now, add --partial. ';
  return (canBePartial ? pushWhole : '') + copyOrPatch(asked);
}

function announce(
  { path, digest, signer, standing }: SurveyedBundle,
  faults: readonly Fault[],
  { parts }: Closure,
  { observe }: Context,
): void {
  const labels = parts.map(({ label }) => label);
  observe({ type: 'noticed', code: 'bundle-opened', bundle: digest, parts: labels });
  if (standing === 'unknown') {
    observe({ type: 'noticed', code: 'signer-not-trusted', signer: signer.id });
  }
  const bundle = basename(path);
  for (const { error } of faults) {
    observe({ type: 'noticed', code: 'bundle-damaged', bundle, cause: error.message });
  }
}

/** Whether a failure of the bundle is one of its bytes: anything else ends the run. */
function isDamageOfSource(error: BundleError): boolean {
  const { code, cause } = error;
  if (code === 'CONTENT_MISMATCH' || code === 'BUNDLE_UNUSABLE') return true;
  return code === 'DISK' && systemCode(cause) === 'EIO';
}
