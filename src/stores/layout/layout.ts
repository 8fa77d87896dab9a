import { join, resolve as absolute } from 'node:path';
import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, hexOf, isDigest } from '../../core/digest.ts';
import { BundleError, hasCode, systemCode } from '../../core/errors.ts';
import { diskError } from '../../files/disk-error.ts';
import { MAX_MANIFEST_BYTES } from '../../core/limits.ts';
import {
  type ImageIndex,
  type ImageManifest,
  parseManifest,
  referrersTagOf,
  subjectOf,
} from '../../core/manifest.ts';
import { isManifestType, OCI_INDEX } from '../../core/media-types.ts';
import type { FetchOptions, PushOptions, Store, StoreOptions } from '../../core/store.ts';
import { ownSizeOf, sizeOf } from '../../files/look.ts';
import { openRegular } from '../../files/reading/open-regular.ts';
import { readVerified, verified } from '../../transfer/verified.ts';
import { ingest } from './ingest.ts';
import { hasLayout, initialiseLayout, requireLayout } from './folder.ts';
import { LayoutIndex } from './layout-index.ts';

/** Hashing and writing are fastest with large chunks; a few of them in flight are still small. */
const CHUNK_BYTES = 512 * 1024;

/**
 * An image layout: a folder with `oci-layout`, `index.json` and `blobs/sha256/` (OCI image-spec,
 * image-layout.md). Content becomes visible only when it is whole; manifests that are pushed are
 * listed in `index.json`.
 */
export class ImageLayout implements Store {
  readonly name: string;
  readonly isSteady = true;
  readonly #dir: string;
  readonly #index: LayoutIndex;
  /** The subjects of the manifests that were read. */
  readonly #subjects = new Map<Digest, Digest | undefined>();

  private constructor(dir: string) {
    this.name = `oci:${dir}`;
    this.#dir = absolute(dir);
    this.#index = new LayoutIndex(this.#dir);
  }

  /**
   * The layout in an existing folder.
   * @throws BundleError NOT_FOUND where there is nothing, UNSUPPORTED_CONTENT where the folder is
   * no image layout of version 1.
   */
  static async open(dir: string): Promise<ImageLayout> {
    await requireLayout(dir);
    const layout = new ImageLayout(dir);
    await layout.tags();
    return layout;
  }

  /**
   * The layout in `dir`, made where the folder is empty or absent.
   * @throws BundleError USAGE for a folder that holds something else, DISK when it cannot be
   * written.
   */
  static async create(dir: string): Promise<ImageLayout> {
    await initialiseLayout(dir);
    return ImageLayout.open(dir);
  }

  /**
   * The layout in `dir`, or `undefined` where {@link create} would make one; nothing is made.
   * @throws BundleError as `create` does.
   */
  static async find(dir: string): Promise<ImageLayout | undefined> {
    return (await hasLayout(dir)) ? ImageLayout.open(dir) : undefined;
  }

  async *fetch(
    { digest }: Descriptor,
    { range, signal }: FetchOptions = {},
  ): AsyncGenerator<Uint8Array> {
    signal?.throwIfAborted();
    if (range && range.start >= range.end) return;
    const path = this.#blobPath(digest);
    const part = range && { start: range.start, end: range.end - 1 };
    try {
      const opened = await openRegular(path);
      if (opened === undefined) throw this.#absent(digest);
      const options = { ...part, ...(signal && { signal }), highWaterMark: CHUNK_BYTES };
      for await (const chunk of opened.file.createReadStream(options)) {
        yield chunk as Uint8Array;
      }
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof BundleError) throw cause;
      if (systemCode(cause) === 'ENOENT') throw this.#absent(digest, cause);
      throw diskError('read', path, cause);
    }
  }

  /** A link is not content of the layout: whoever carries the folder away leaves that behind. */
  async exists({ digest, size }: Descriptor, { signal }: StoreOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return (await ownSizeOf(this.#blobPath(digest))) === size;
  }

  async resolve(reference: string, { signal }: StoreOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted();
    const listed = await this.#index.find(reference);
    if (listed !== undefined) return listed;
    if (isDigest(reference)) return this.#describe(reference);
    throw this.#absent(reference);
  }

  async tags({ signal }: StoreOptions = {}): Promise<readonly string[]> {
    signal?.throwIfAborted();
    return this.#index.names();
  }

  /**
   * Those among the manifests that index.json lists, as oras and others keep referrers in a layout,
   * and those in the list under the fallback tag, as regclient keeps them.
   */
  async referrers(subject: Digest, { signal }: StoreOptions = {}): Promise<readonly Descriptor[]> {
    const found = new Map<Digest, Descriptor>();
    for (const descriptor of await this.#index.descriptors()) {
      signal?.throwIfAborted();
      if ((await this.#subjectOf(descriptor)) === subject) found.set(descriptor.digest, descriptor);
    }
    for (const descriptor of await this.#tagged(subject)) found.set(descriptor.digest, descriptor);
    return [...found.values()];
  }

  async push(
    descriptor: Descriptor,
    content: ByteStream,
    { signal, tag }: PushOptions = {},
  ): Promise<void> {
    if (!(await this.exists(descriptor, { ...(signal && { signal }) }))) {
      await ingest(
        this.#dir,
        this.#blobPath(descriptor.digest),
        verified(content, descriptor),
        signal,
      );
    }
    if (tag !== undefined) await this.tag(descriptor, tag);
    else if (isManifestType(descriptor.mediaType)) await this.#index.list(descriptor);
  }

  async tag(
    { digest, mediaType }: Descriptor,
    tag: string,
    { signal }: StoreOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    await this.#index.name(await this.#describe(digest, mediaType), tag);
  }

  /**
   * The list that the fallback tag of a subject names (distribution-spec, "Referrers Tag Schema").
   * What is no index, or the subject itself, is no list: some keep images under such tags.
   */
  async #tagged(subject: Digest): Promise<readonly Descriptor[]> {
    const list = await this.#index.find(referrersTagOf(subject));
    if (list === undefined || list.digest === subject || list.mediaType !== OCI_INDEX) return [];
    const bytes = await readVerified(this.fetch(list), list, MAX_MANIFEST_BYTES);
    const index = parseManifest(bytes, list.mediaType);
    return index.kind === 'index'
      ? index.manifests.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }))
      : [];
  }

  /** The subject of a manifest; `undefined` for a manifest that is listed but does not exist. */
  async #subjectOf(descriptor: Descriptor): Promise<Digest | undefined> {
    const { digest, mediaType } = descriptor;
    if (this.#subjects.has(digest)) return this.#subjects.get(digest);
    let subject: Digest | undefined;
    try {
      subject = isManifestType(mediaType)
        ? subjectOf(await readVerified(this.fetch(descriptor), descriptor), mediaType)
        : undefined;
    } catch (error) {
      if (hasCode(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
    this.#subjects.set(digest, subject);
    return subject;
  }

  /** A manifest that is there, with the media type that its own bytes give it. */
  async #describe(digest: Digest, announced?: string): Promise<Descriptor> {
    const size = await sizeOf(this.#blobPath(digest));
    if (size === undefined || size > MAX_MANIFEST_BYTES) throw this.#absent(digest);
    const descriptor = { mediaType: announced ?? '', digest, size };
    const manifest: ImageManifest | ImageIndex = parseManifest(
      await readVerified(this.fetch(descriptor), descriptor),
      announced,
    );
    return { mediaType: manifest.mediaType, digest, size };
  }

  #blobPath(digest: Digest): string {
    return join(this.#dir, 'blobs', 'sha256', hexOf(digest));
  }

  #absent(reference: string, cause?: unknown): BundleError {
    return new BundleError('NOT_FOUND', `${this.name} does not hold ${reference}`, {
      cause,
      hint:
        'The names in an image layout are the annotations org.opencontainers.image.ref.name in ' +
        'its index.json.',
    });
  }
}
