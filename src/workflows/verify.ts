import { basename, dirname, resolve } from 'node:path';

import type { Fault } from '../bundle/reading/fault.ts';
import { volumesMissing } from '../bundle/reading/found-volumes.ts';
import { writeWhole } from '../files/write-whole.ts';
import { BundleError, gravest } from '../core/errors.ts';
import { isFolder } from '../files/folder.ts';
import { auditLayers, imagesHitBy } from '../opening/audit.ts';
import type { Context } from '../core/context.ts';
import { formatDamage } from '../opening/damage.ts';
import {
  type OpenedFacts,
  type OpenRequest,
  surveyBundle,
  type SurveyedBundle,
} from '../opening/open-bundle.ts';

export interface VerifyRequest extends OpenRequest {
  /** Where the damage map is written, if the bundle is damaged. */
  readonly damageFile?: string | undefined;
}

/** What an audit found out; an audit that found a fault throws it. */
export interface VerifyReport {
  readonly bundle: OpenedFacts;
  /** Blobs that were hashed, and their bytes. */
  readonly blobs: number;
  readonly bytes: number;
}

/**
 * A damaged bundle has one fault or few; of a heap of them the first ones are shown, and the damage
 * map has all.
 */
const SHOWN_FAULTS = 20;

/**
 * Audits a bundle: signer, listing, release signature, closure, and every byte of the file. It goes
 * on behind a fault, so that all of them are known in the end.
 * @throws BundleError the gravest of what was found, naming the entry and the images that need it.
 */
export async function verify(request: VerifyRequest, context: Context): Promise<VerifyReport> {
  const { damageFile } = request;
  if (damageFile !== undefined && !(await isFolder(dirname(resolve(damageFile))))) {
    throw new BundleError('DISK', `cannot write ${damageFile}: its folder is not there`, {
      hint: 'Make the folder first.',
    });
  }
  const faults: Fault[] = [];
  const onFault = (fault: Fault): void => {
    faults.push(fault);
  };
  const bundle = await surveyBundle(request, context, onFault);
  const { reader, path } = bundle;
  try {
    const { good, goodBytes, lost } = await auditLayers(bundle, onFault, context);
    const missing = reader.missingVolumes;
    const failures = [
      ...faults.map((fault) => aboutImages(fault, bundle)),
      ...(missing.length > 0 ? [volumesMissing(basename(path), missing, reader.volumeCount)] : []),
    ];
    if (failures.length > 0) {
      for (const { message } of failures.slice(0, SHOWN_FAULTS))
        context.observe({ type: 'noticed', message });
      context.observe({
        type: 'noticed',
        message: `${failures.length} faults; ${good} layers (${goodBytes} bytes) are right, ${lost.length} are not`,
      });
      if (damageFile !== undefined) {
        await writeWhole(damageFile, formatDamage(bundle, { faults, lost })).catch(
          (error: unknown) => {
            if (!(error instanceof BundleError)) throw error;
            context.observe({
              type: 'noticed',
              message: `there is no damage map: ${error.message}`,
            }); // what was found decides
          },
        );
      }
      throw gravest(failures);
    }
    const { release } = bundle;
    if (release === undefined) throw new RangeError('a bundle without a fault has its manifests');
    const metadata = release.content.metadata.reduce(
      (total, { descriptor }) => total + descriptor.size,
      0,
    );
    return {
      bundle: { ...bundle, release },
      blobs: good + release.content.metadata.length,
      bytes: goodBytes + metadata,
    };
  } finally {
    await bundle.closePatches();
    await reader.close();
  }
}

function aboutImages(fault: Fault, bundle: SurveyedBundle): BundleError {
  const images = imagesHitBy(fault, bundle);
  return images.length === 0 ? fault.error : fault.error.about(`images ${images.join(', ')}`);
}
