import { basename } from 'node:path';

import { isDamage } from '../bundle/reading/fault.ts';
import type { BundleManifest } from '../bundle/format/manifest.ts';
import type { BundleContent, BundleReader } from '../bundle/reading/reader.ts';
import { drain } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { FetchOptions } from '../core/store.ts';
import { verified } from '../transfer/verified.ts';
import type { Context } from '../core/context.ts';

/** A patch, every layer of which has been hashed. */
export interface CheckedPatch {
  readonly reader: BundleReader;
  /** Layers that it should hold and does not, since it was damaged itself. */
  readonly damaged: ReadonlySet<Digest>;
}

/**
 * A damaged bundle with patches for it: what a patch holds is taken from there, everything else
 * from the bundle.
 */
export class PatchedBundle implements BundleContent {
  readonly manifest: BundleManifest;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly isSteady = true;
  readonly #broken: BundleReader;
  readonly #patches: readonly CheckedPatch[];

  constructor(broken: BundleReader, patches: readonly CheckedPatch[]) {
    this.manifest = broken.manifest;
    this.files = new Map([...patches.flatMap(({ reader }) => [...reader.files]), ...broken.files]);
    this.#broken = broken;
    this.#patches = patches;
  }

  get name(): string {
    return this.#broken.name;
  }

  get metadataDigests(): readonly Digest[] {
    const whole = this.#patches.find(({ reader }) => reader.metadataDigests.length > 0);
    return this.#broken.metadataDigests.length > 0
      ? this.#broken.metadataDigests
      : (whole?.reader.metadataDigests ?? []);
  }

  async *fetch(descriptor: Descriptor, options?: FetchOptions): AsyncGenerator<Uint8Array> {
    const patch = await this.#patchWith(descriptor);
    yield* (patch ?? this.#broken).fetch(descriptor, options);
  }

  async exists(descriptor: Descriptor): Promise<boolean> {
    return (await this.#patchWith(descriptor)) !== undefined || this.#broken.exists(descriptor);
  }

  async resolve(reference: string): Promise<Descriptor> {
    for (const store of [this.#broken, ...this.#patches.map(({ reader }) => reader)]) {
      try {
        return await store.resolve(reference);
      } catch (error) {
        if (!hasCode(error, 'NOT_FOUND')) throw error;
      }
    }
    throw new BundleError(
      'NOT_FOUND',
      `neither ${this.name} nor the patches for it hold ${reference}`,
    );
  }

  async #patchWith(descriptor: Descriptor): Promise<BundleReader | undefined> {
    for (const { reader, damaged } of this.#patches) {
      if (!damaged.has(descriptor.digest) && (await reader.exists(descriptor))) return reader;
    }
    return undefined;
  }

  placeOf(digest: Digest): string | undefined {
    const patch = this.#patches.find(
      ({ reader, damaged }) => !damaged.has(digest) && reader.layerDigests.includes(digest),
    );
    return (patch?.reader ?? this.#broken).placeOf(digest);
  }

  tags(): Promise<readonly string[]> {
    return this.#broken.tags();
  }

  referrers(subject: Digest): Promise<readonly Descriptor[]> {
    return this.#broken.referrers(subject);
  }
}

/**
 * Makes sure that a patch is one, and for this bundle.
 * @throws BundleError BUNDLE_UNUSABLE
 */
export function checkPatch(patch: BundleReader, broken: BundleReader, digest: Digest): void {
  const { repairs, blobs } = patch.manifest;
  const name = basename(patch.name);
  if (repairs === undefined) {
    throw new BundleError(
      'BUNDLE_UNUSABLE',
      `${name} has the name of a patch, but is a whole bundle`,
      {
        hint: 'Use it instead of the damaged bundle.',
      },
    );
  }
  if (repairs !== digest) {
    throw new BundleError('BUNDLE_UNUSABLE', `${name} is a patch for another bundle`, {
      expected: hexOf(digest),
      got: hexOf(repairs),
      hint: 'Name the bundle that the damage was found in, and the patch that was made for it.',
    });
  }
  const known = new Map(broken.manifest.blobs.map((blob) => [blob.digest, blob.size]));
  const foreign = blobs.find((blob) => known.get(blob.digest) !== blob.size);
  if (foreign !== undefined) {
    throw new BundleError(
      'CLOSURE_MISMATCH',
      `${name} holds ${foreign.digest}, which does not belong to the damaged bundle`,
      {
        hint: 'This program did not make the patch: do not use it.',
      },
    );
  }
}

/**
 * Hashes every layer of a patch: one that was damaged on its own medium must not stand in front of
 * a good one.
 */
export async function checkedPatch(
  reader: BundleReader,
  { observe, signal }: Pick<Context, 'observe' | 'signal'>,
): Promise<CheckedPatch> {
  const damaged = new Set<Digest>();
  const layers = [...reader.layers];
  for (const [done, layer] of layers.entries()) {
    observe({ type: 'counted', what: 'layers', done, total: layers.length });
    try {
      await drain(verified(reader.fetch(layer, { signal }), layer));
    } catch (error) {
      if (!isDamage(error)) throw error;
      damaged.add(layer.digest);
      const patch = basename(reader.name);
      observe({ type: 'noticed', code: 'patch-damaged', patch, cause: error.message });
    }
  }
  return { reader, damaged };
}
