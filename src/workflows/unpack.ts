import { basename } from 'node:path';

import type { Fault } from '../bundle/reading/fault.ts';
import { volumesMissing } from '../bundle/reading/found-volumes.ts';
import { type BundleError, gravest, hasCode, systemCode } from '../core/errors.ts';
import type { Context } from '../core/context.ts';
import { deliver, type DeliveryReport, type DeliveryRequest } from '../delivering/deliver.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
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
  /** Pushes what is whole of a bundle that is damaged or lacks volumes. */
  readonly partial?: boolean;
}

export interface UnpackReport {
  readonly bundle: OpenedFacts;
  readonly delivery: DeliveryReport;
}

/**
 * Verifies a bundle and pushes it. What can be checked without the layers is checked before the
 * first upload; each layer is hashed while it is sent, and completed at the target only if it was
 * right.
 *
 * A damaged bundle is accepted with patches that hold what it lacks, or if only what is whole is to
 * be pushed.
 * @throws BundleError as opening a bundle and delivering a release do
 */
export async function unpack(request: UnpackRequest, context: Context): Promise<UnpackReport> {
  const faults: Fault[] = [];
  const surveyed = await surveyBundle(request.bundle, context, (fault) => faults.push(fault));
  const { reader, isPatched, signer, standing, digest, path } = surveyed;
  const partial = request.partial === true;
  let network: Network | undefined;
  try {
    if (!partial && !isPatched) {
      if (faults.length > 0) throw gravest(faults.map(({ error }) => error));
      if (reader.missingVolumes.length > 0) throw missing(surveyed);
    }
    const { release } = surveyed;
    if (release === undefined)
      throw faults.length > 0 ? gravest(faults.map(({ error }) => error)) : missing(surveyed);
    const bundle = { ...surveyed, release };
    context.observe({
      type: 'noticed',
      message: `release ${release.version} for ${release.architecture}, ${release.digest}, made ${release.created}; bundle ${digest}`,
    });
    if (standing === 'unknown') {
      context.observe({
        type: 'noticed',
        message: `content proven by the release signature; packer not known here: ${signer.id}`,
      });
    }
    for (const { error } of faults)
      context.observe({
        type: 'noticed',
        message: `${basename(path)} is damaged: ${error.message}`,
      });
    const isIncomplete = !isPatched && (faults.length > 0 || reader.missingVolumes.length > 0);
    const delivery = await deliver(
      release,
      request.delivery,
      async () => (network = await Network.open(request.network, context)),
      context,
      {
        leaves: partial ? { isIncomplete, isLoss: isSourceFailure } : undefined,
        pass: reader.pass,
      },
    );
    await reader.pass?.finish(); // a dry run sends nothing, and says no less
    return { bundle, delivery };
  } finally {
    await network?.close();
    await surveyed.closePatches();
    await reader.close();
  }
}

function missing({ path, reader }: SurveyedBundle): BundleError {
  return volumesMissing(basename(path), reader.missingVolumes, reader.volumeCount);
}

/** Whether a blob could not be had from the bundle, which says nothing about the target. */
function isSourceFailure(error: unknown): boolean {
  if (hasCode(error, 'CONTENT_MISMATCH') || hasCode(error, 'BUNDLE_UNUSABLE')) return true;
  return hasCode(error, 'DISK') && systemCode(error.cause) === 'EIO';
}
