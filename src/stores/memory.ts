import { type ByteStream, readAll } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { subjectOf } from '../core/manifest.ts';
import { isManifestType } from '../core/media-types.ts';
import type { FetchOptions, PushOptions, Store, StoreOptions } from '../core/store.ts';
import { verified } from '../transfer/verified.ts';

/** As the chunks of a network body: so that content in memory moves as any other does. */
const CHUNK_BYTES = 64 * 1024;

/** A store that keeps everything in memory: for tests and for content made on the spot. */
export class MemoryStore implements Store {
  readonly name: string;
  readonly #content = new Map<
    Digest,
    { readonly mediaType: string; readonly bytes: Uint8Array; readonly subject: Digest | undefined }
  >();
  readonly #tags = new Map<string, Descriptor>();

  constructor(name = 'memory') {
    this.name = name;
  }

  async *fetch(
    descriptor: Descriptor,
    { range, signal }: FetchOptions = {},
  ): AsyncGenerator<Uint8Array> {
    const held = this.#content.get(descriptor.digest);
    if (held === undefined) throw this.#absent(descriptor.digest);
    const part = range ? held.bytes.subarray(range.start, range.end) : held.bytes;
    for (let at = 0; at < part.length; at += CHUNK_BYTES) {
      signal?.throwIfAborted();
      yield part.subarray(at, at + CHUNK_BYTES);
    }
  }

  async exists({ digest, size }: Descriptor, { signal }: StoreOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return this.#content.get(digest)?.bytes.length === size;
  }

  async resolve(reference: string, { signal }: StoreOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted();
    const tagged = this.#tags.get(reference);
    if (tagged !== undefined) return tagged;
    const held = this.#content.get(reference as Digest);
    if (held === undefined) throw this.#absent(reference);
    return { mediaType: held.mediaType, digest: reference as Digest, size: held.bytes.length };
  }

  async tags({ signal }: StoreOptions = {}): Promise<readonly string[]> {
    signal?.throwIfAborted();
    return [...this.#tags.keys()];
  }

  async referrers(subject: Digest, { signal }: StoreOptions = {}): Promise<readonly Descriptor[]> {
    signal?.throwIfAborted();
    const referring = [...this.#content].filter(([, held]) => held.subject === subject);
    return referring.map(([digest, { mediaType, bytes }]) => ({
      mediaType,
      digest,
      size: bytes.length,
    }));
  }

  async push(
    descriptor: Descriptor,
    content: ByteStream,
    { signal, tag }: PushOptions = {},
  ): Promise<void> {
    if (!(await this.exists(descriptor, { ...(signal && { signal }) }))) {
      const bytes = await readAll(
        abortable(verified(content, descriptor), signal),
        descriptor.size,
        descriptor.digest,
      );
      const { mediaType } = descriptor;
      const subject = isManifestType(mediaType) ? subjectOf(bytes, mediaType) : undefined;
      this.#content.set(descriptor.digest, { mediaType, bytes, subject });
    }
    if (tag !== undefined) await this.tag(descriptor, tag);
  }

  async tag({ digest }: Descriptor, tag: string, options: StoreOptions = {}): Promise<void> {
    this.#tags.set(tag, await this.resolve(digest, options));
  }

  #absent(reference: string): BundleError {
    return new BundleError('NOT_FOUND', `${this.name} does not hold ${reference}`);
  }
}

async function* abortable(content: ByteStream, signal: AbortSignal | undefined): ByteStream {
  for await (const chunk of content) {
    signal?.throwIfAborted();
    yield chunk;
  }
}
