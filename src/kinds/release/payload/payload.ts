import type { Descriptor } from '../../../core/descriptor.ts';
import { BundleError } from '../../../core/errors.ts';
import { MAX_PAYLOAD_LAYER_BYTES } from '../../../core/limits.ts';
import type { ReadOnlyStore } from '../../../core/store.ts';
import { givenBy, verified } from '../../../transfer/verified.ts';
import { BOOT_IMAGES } from './boot-images.ts';
import { type LayerFindings, type PayloadFileName, searchLayer } from './payload-layer.ts';

/** The files of a release image that say what the release is, as they are in it. */
export interface Payload {
  readonly imageReferences: Uint8Array;
  readonly releaseMetadata: Uint8Array;
  /** {@link BOOT_IMAGES}, where that was asked for and is there. */
  readonly bootImages: Uint8Array | undefined;
}

export interface PayloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Whether {@link BOOT_IMAGES} is looked for as well: down to the base layer, if need be. */
  readonly withBootImages?: boolean;
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
  const names: readonly PayloadFileName[] = [
    ...(['image-references', 'release-metadata'] as const),
    ...(options.withBootImages === true ? ([BOOT_IMAGES] as const) : []),
  ];
  const found = new Map<PayloadFileName, Finding>();
  const budget = { bytes: options.maxUnpackedBytes ?? MAX_PAYLOAD_LAYER_BYTES };
  for (const layer of layers.toReversed()) {
    const wanted = names.filter((name) => !found.has(name));
    const findings = await readLayer(layer, store, { budget, wanted }, options.signal);
    for (const name of wanted) {
      const finding = findings.get(name);
      if (finding !== undefined) found.set(name, finding);
    }
    if (found.size === names.length) break;
  }
  const bootImages = found.get(BOOT_IMAGES);
  return {
    imageReferences: present(found.get('image-references'), 'image-references'),
    releaseMetadata: present(found.get('release-metadata'), 'release-metadata'),
    bootImages: bootImages instanceof Uint8Array ? bootImages : undefined,
  };
}

async function readLayer(
  layer: Descriptor,
  store: ReadOnlyStore,
  { budget, wanted }: { budget: { bytes: number }; wanted: readonly PayloadFileName[] },
  signal: AbortSignal | undefined,
): Promise<LayerFindings> {
  try {
    return await searchLayer(
      verified(store.fetch(layer, signal && { signal }), layer),
      wanted,
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
