import { basename } from 'node:path';

import type { Fault } from '../bundle/reading/fault.ts';
import { volumesMissing } from '../bundle/reading/found-volumes.ts';
import type { Context } from '../core/context.ts';
import { type BundleError, gravest, systemCode } from '../core/errors.ts';
import { deliver, type DeliveryReport, type DeliveryRequest } from '../delivering/deliver.ts';
import { type Closure, selectParts } from '../kinds/closure.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import { ofBundle } from '../opening/damaged.ts';
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
    const held = usable(bundle, faults, partial);
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
    return { bundle: { ...bundle, closure }, delivery };
  } catch (error) {
    throw reader.pass === undefined ? ofBundle(error) : error;
  } finally {
    await network?.close();
    await bundle.close();
  }
}

/**
 * The closure of the bundle. @throws BundleError if the bundle is not whole, unless the user
 * accepts that.
 */
function usable(bundle: SurveyedBundle, faults: readonly Fault[], partial: boolean): Closure {
  const { reader, path, closure, isPatched } = bundle;
  const { missingVolumes, volumeCount } = reader;
  if (closure !== undefined && (partial || isPatched)) return closure;
  if (faults.length > 0) throw gravest(faults.map(({ error }) => error));
  if (closure !== undefined && missingVolumes.length === 0) return closure;
  throw volumesMissing(basename(path), missingVolumes, volumeCount);
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
