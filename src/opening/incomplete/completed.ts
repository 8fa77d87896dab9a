import { basename } from 'node:path';

import type { BundleManifest, RequiredBundle } from '../../bundle/format/manifest.ts';
import type { BundleContent, BundleReader } from '../../bundle/reading/reader.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import type { FetchOptions } from '../../core/store.ts';
import type { ByteStream } from '../../core/bytes.ts';

/**
 * A bundle that completes earlier ones, with these: the configs and layers that it leaves out are
 * taken from there. All else is its own.
 */
export class CompletedBundle implements BundleContent {
  readonly manifest: BundleManifest;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly isSteady = true;
  readonly #content: BundleContent;
  readonly #earlier: ReadonlyMap<Digest, readonly BundleContent[]>;

  constructor(content: BundleContent, earlier: ReadonlyMap<Digest, BundleReader>) {
    this.manifest = content.manifest;
    this.files = content.files;
    this.#content = content;
    const holders = new Map<Digest, BundleContent[]>();
    for (const { bundle, blobs } of content.manifest.requires ?? []) {
      const reader = earlier.get(bundle);
      if (reader === undefined) continue;
      for (const { digest } of blobs) holders.set(digest, [...(holders.get(digest) ?? []), reader]);
    }
    this.#earlier = holders;
  }

  get name(): string {
    return this.#content.name;
  }

  get metadataDigests(): readonly Digest[] {
    return this.#content.metadataDigests;
  }

  async *fetch(descriptor: Descriptor, options?: FetchOptions): ByteStream {
    const [first, ...others] = this.#holdersOf(descriptor.digest);
    let holder = first;
    for (const other of others) if (!(await holder.exists(descriptor))) holder = other;
    yield* holder.fetch(descriptor, options);
  }

  async exists(descriptor: Descriptor): Promise<boolean> {
    for (const holder of this.#holdersOf(descriptor.digest))
      if (await holder.exists(descriptor)) return true;
    return false;
  }

  resolve = (reference: string): Promise<Descriptor> => this.#content.resolve(reference);
  tags = (): Promise<readonly string[]> => this.#content.tags();
  referrers = (subject: Digest): Promise<readonly Descriptor[]> => this.#content.referrers(subject);

  placeOf(digest: Digest): string | undefined {
    return this.#holdersOf(digest)[0].placeOf?.(digest);
  }

  #holdersOf(digest: Digest): readonly [BundleContent, ...BundleContent[]] {
    const [first = this.#content, ...others] = this.#earlier.get(digest) ?? [];
    return [first, ...others];
  }
}

/**
 * Makes sure that a bundle is one that another requires, and has what that leaves out.
 * @throws BundleError BUNDLE_UNUSABLE, CLOSURE_MISMATCH
 */
export function checkRequired(
  earlier: BundleReader,
  digest: Digest,
  requires: readonly RequiredBundle[],
): void {
  const row = requires.find(({ bundle }) => bundle === digest);
  const name = basename(earlier.name);
  if (row === undefined) {
    throw new BundleError('BUNDLE_UNUSABLE', `${name} is not a bundle that the other completes`, {
      expected: requires.map(({ bundle }) => hexOf(bundle)).join(', '),
      got: hexOf(digest),
      hint: 'Name the bundle that lacked images, and the one that was packed to complete it.',
    });
  }
  const { name: signed } = earlier.manifest;
  if (row.name !== signed) {
    throw new BundleError('CLOSURE_MISMATCH', `${name} has another name than it should have`, {
      ...{ expected: row.name, got: signed },
      hint: FOREIGN,
    });
  }
  const held = new Map(earlier.manifest.blobs.map((blob) => [blob.digest, blob.size]));
  const foreign = row.blobs.find((blob) => held.get(blob.digest) !== blob.size);
  if (foreign === undefined) return;
  throw new BundleError('CLOSURE_MISMATCH', `${name} should have ${foreign.digest}, and has not`, {
    hint: FOREIGN,
  });
}

const FOREIGN = 'This program did not make the second bundle for this one: do not use it.';
