import type { Descriptor } from '../../../core/descriptor.ts';
import { BundleError } from '../../../core/errors.ts';
import { MAX_PAYLOAD_LAYER_BYTES } from '../../../core/limits.ts';
import type { ReadOnlyStore } from '../../../core/store.ts';
import { givenBy, verified } from '../../../transfer/verified.ts';
import { type LayerFindings, searchLayer } from './payload-layer.ts';

/** The two files of a release image that say what the release is, as they are in it. */
export interface Payload {
  readonly imageReferences: Uint8Array;
  readonly releaseMetadata: Uint8Array;
}

export interface PayloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** How many unpacked bytes are read in all before giving up. */
  readonly maxUnpackedBytes?: number;
}

type Finding = Uint8Array | 'deleted' | undefined;

/**
 * Reads `release-manifests/` of a release image as a container would see it: the topmost layer that
 * has a file decides, and a file that a higher layer deletes is not there. No layer below the one
 * that completes the search is fetched; every layer that is fetched is hashed to its end before
 * anything of it counts.
 *
 * @param layers as in the manifest, base layer first.
 * @throws BundleError CONTENT_MISMATCH for a layer with other bytes; UNSUPPORTED_CONTENT for one
 * that is no tar, for two entries of one name, for files over the ceilings, and for an image that
 * is no release image.
 */
export async function readPayload(
  layers: readonly Descriptor[],
  store: ReadOnlyStore,
  options: PayloadOptions = {},
): Promise<Payload> {
  let imageReferences: Finding;
  let releaseMetadata: Finding;
  const budget = { bytes: options.maxUnpackedBytes ?? MAX_PAYLOAD_LAYER_BYTES };
  for (const layer of layers.toReversed()) {
    const findings = await readLayer(layer, store, budget, options.signal);
    imageReferences ??= findings.get('image-references');
    releaseMetadata ??= findings.get('release-metadata');
    if (imageReferences !== undefined && releaseMetadata !== undefined) break;
  }
  return {
    imageReferences: present(imageReferences, 'image-references'),
    releaseMetadata: present(releaseMetadata, 'release-metadata'),
  };
}

async function readLayer(
  layer: Descriptor,
  store: ReadOnlyStore,
  budget: { bytes: number },
  signal: AbortSignal | undefined,
): Promise<LayerFindings> {
  try {
    return await searchLayer(
      verified(store.fetch(layer, signal && { signal }), layer),
      budget,
      signal,
    );
  } catch (error) {
    const told = givenBy(store, layer.digest, error);
    throw told instanceof BundleError ? told.about(`release image layer ${layer.digest}`) : told;
  }
}

function present(file: Finding, name: string): Uint8Array {
  if (file instanceof Uint8Array) return file;
  throw new BundleError('UNSUPPORTED_CONTENT', `the image has no release-manifests/${name}`, {
    hint: 'This is not an OpenShift release image: check the reference.',
  });
}
