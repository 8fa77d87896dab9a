import { basename } from 'node:path';

import type { BundleManifest } from '../bundle/manifest.ts';
import type { BundleContent, BundleReader } from '../bundle/reader.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { FetchOptions } from '../core/store.ts';

/** A damaged bundle with patches for it: what a patch holds is taken from there, everything else from the bundle. */
export class PatchedBundle implements BundleContent {
  readonly manifest: BundleManifest;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly #broken: BundleReader;
  readonly #patches: readonly BundleReader[];

  constructor(broken: BundleReader, patches: readonly BundleReader[]) {
    this.manifest = broken.manifest;
    this.files = new Map([...patches.flatMap(({ files }) => [...files]), ...broken.files]);
    this.#broken = broken;
    this.#patches = patches;
  }

  get name(): string {
    return this.#broken.name;
  }

  get metadataDigests(): readonly Digest[] {
    const [whole] = this.#patches.filter(({ metadataDigests }) => metadataDigests.length > 0);
    return this.#broken.metadataDigests.length > 0 ? this.#broken.metadataDigests : (whole?.metadataDigests ?? []);
  }

  async *fetch(descriptor: Descriptor, options?: FetchOptions): AsyncGenerator<Uint8Array> {
    for (const patch of this.#patches) {
      if (!(await patch.exists(descriptor))) continue;
      yield* patch.fetch(descriptor, options);
      return;
    }
    yield* this.#broken.fetch(descriptor, options);
  }

  async exists(descriptor: Descriptor): Promise<boolean> {
    for (const store of [...this.#patches, this.#broken]) {
      if (await store.exists(descriptor)) return true;
    }
    return false;
  }

  async resolve(reference: string): Promise<Descriptor> {
    for (const store of [this.#broken, ...this.#patches]) {
      try {
        return await store.resolve(reference);
      } catch (error) {
        if (!hasCode(error, 'NOT_FOUND')) throw error;
      }
    }
    throw new BundleError('NOT_FOUND', `neither ${this.name} nor the patches for it hold ${reference}`);
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
    throw new BundleError('BUNDLE_UNUSABLE', `${name} is called like a patch, and is a whole bundle`, {
      hint: 'Use it in place of the damaged one.',
    });
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
    throw new BundleError('CLOSURE_MISMATCH', `${name} holds ${foreign.digest}, which is no part of the bundle`, {
      hint: 'The patch was not made by this program: do not use it.',
    });
  }
}
