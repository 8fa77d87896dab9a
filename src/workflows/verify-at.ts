import { basename } from 'node:path';

import type { Fault } from '../bundle/reading/fault.ts';
import { volumesMissing } from '../bundle/reading/found-volumes.ts';
import type { Context } from '../core/context.ts';
import { BundleError, gravest } from '../core/errors.ts';
import type { ReadOnlyStore } from '../core/store.ts';
import { type Compared, compareImages, type Difference } from '../delivering/compare.ts';
import { type PartAtTarget, partsAtTarget } from '../delivering/part-at-target.ts';
import { heldBackParts } from '../delivering/held-back.ts';
import type { DeliveryTarget } from '../delivering/delivery-target.ts';
import { selectParts } from '../kinds/closure.ts';
import { forEachRepository } from '../kinds/destinations.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import {
  type OpenedFacts,
  type OpenRequest,
  surveyBundle,
  type SurveyedBundle,
} from '../opening/open-bundle.ts';
import { placesInLayout } from '../delivering/places.ts';
import { ImageLayout } from '../stores/layout/layout.ts';
import type { PlannedImage } from '../transfer/image.ts';

/**
 * What a registry cannot read in its own storage it refuses each time with a status that might
 * pass. Waiting long for each of many such things would help nobody.
 */
const ATTEMPTS = 4;

export interface VerifyAtRequest {
  readonly bundle: OpenRequest;
  /** Where the bundle was unpacked to. */
  readonly at: DeliveryTarget;
  readonly network: NetworkOptions;
  /** The parts that should be there, by any of their names; all of them if none is named. */
  readonly select: readonly string[];
  /** Reads and hashes every byte at the target. */
  readonly deep: boolean;
}

export interface VerifyAtReport {
  readonly bundle: OpenedFacts;
  readonly target: string;
  readonly deep: boolean;
  readonly compared: Compared;
  /** How much of each part is there, in the order of the parts. */
  readonly parts: readonly PartAtTarget[];
  /** The gravest of the differences; `undefined` where there is none. */
  readonly failure: BundleError | undefined;
}

/**
 * Compares a target with what a bundle has brought there: every tag, manifest and blob. Of the
 * bundle only the metadata is read: its volumes with layers may be elsewhere. Differences are in
 * the report, not thrown.
 * @throws BundleError as opening a bundle does; NOT_ALLOWED, NETWORK where the target cannot be
 * asked; NOT_FOUND where there is no image layout.
 */
export async function verifyAt(
  request: VerifyAtRequest,
  context: Context,
): Promise<VerifyAtReport> {
  const { at, deep, select } = request;
  const faults: Fault[] = [];
  const bundle = await surveyBundle(request.bundle, context, (fault) => faults.push(fault));
  try {
    if (bundle.closure === undefined) throw withoutMetadata(bundle, faults);
    const closure = selectParts(bundle.closure, select);
    const { placeOf, close } = await openTarget(at, request.network, context);
    try {
      const heldBack = heldBackParts(closure, request.bundle.kinds);
      // What names a part that lacks images was not brought there.
      const images = closure.content.images.filter(
        ({ order, parts }) => order === 'first' || parts.some((part) => !heldBack.has(part)),
      );
      const compared = await compareImages(images, placeOf, { ...context, deep });
      const failures = compared.differences.map(failureOf);
      const failure = failures.length === 0 ? undefined : (gravest(failures) as BundleError);
      const parts = partsAtTarget(closure, compared.differences);
      return { bundle: { ...bundle, closure }, target: at.name, deep, compared, parts, failure };
    } finally {
      await close();
    }
  } finally {
    await bundle.close();
  }
}

/** The stores of a target, to be read only; nothing is made there. */
async function openTarget(
  at: DeliveryTarget,
  options: NetworkOptions,
  context: Context,
): Promise<{ placeOf: (image: PlannedImage) => ReadOnlyStore; close: () => Promise<void> }> {
  if (at.kind === 'layout') {
    const layout = await ImageLayout.open(at.folder);
    const inLayout = placesInLayout(layout);
    return { placeOf: ({ place }) => inLayout(place), close: async () => undefined };
  }
  const network = await Network.open({ ...options, attempts: ATTEMPTS }, context);
  const written = forEachRepository(at.destinations, (name) => network.written(name));
  return { placeOf: ({ place }) => written(place), close: async () => network.close() };
}

/** The list of images is in the metadata, which is damaged, or in a volume that is not here. */
function withoutMetadata({ path, reader }: SurveyedBundle, faults: readonly Fault[]): unknown {
  if (faults.length > 0) return gravest(faults.map(({ error }) => error));
  return volumesMissing(basename(path), reader.missingVolumes, reader.volumeCount);
}

function failureOf({ flaw, subject, digest, got }: Difference): BundleError {
  if (flaw === 'absent') return new BundleError('NOT_FOUND', `${subject} is not there`);
  if (flaw === 'unreadable') return new BundleError('REGISTRY', got ?? `${subject} is not given`);
  const detail = { expected: digest, got };
  return new BundleError('CONTENT_MISMATCH', `${subject} is not what it should be`, detail);
}
