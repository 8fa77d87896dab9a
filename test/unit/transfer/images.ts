import type { ByteStream } from '../../../src/core/bytes.ts';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '../../../src/core/media-types.ts';
import type {
  FetchOptions,
  PushOptions,
  ReadOnlyStore,
  Store,
  StoreOptions,
} from '../../../src/core/store.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import type { ImageRequest } from '../../../src/transfer/image.ts';
import { type ContentPlan, planContent } from '../../../src/transfer/plan.ts';
import { ManifestWalker } from '../../../src/transfer/walk.ts';
import { type Held, held, imageManifest } from '../../contract/content.ts';
import { fill } from '../../contract/store.ts';

export const layerOf = (text: string): Held => held(OCI_LAYER_GZIP, `layer ${text}`);
export const configOf = (name: string): Held => held(OCI_CONFIG, JSON.stringify({ of: name }));

/** The manifest of an image, with a config of its own. */
export function manifestOf(name: string, layers: readonly Held[]): Held {
  return imageManifest(OCI_MANIFEST, configOf(name), layers);
}

export async function keep(store: Store, ...contents: readonly Held[]): Promise<void> {
  await fill(store, { blobs: contents, manifests: [], tags: {} });
}

export function requestFor(
  name: string,
  { descriptor }: Held,
  store: ReadOnlyStore,
  other: Partial<ImageRequest> = {},
): ImageRequest {
  return {
    name,
    role: 'some',
    descriptor,
    source: `example.com/a@${descriptor.digest}`,
    tags: [name],
    place: 'content',
    proof: 'signer',
    order: 'first',
    store,
    ...other,
  };
}

/** The plan of some parts that nothing leads. */
export async function planOf(...parts: readonly (readonly ImageRequest[])[]): Promise<ContentPlan> {
  const walker = new ManifestWalker({ concurrency: 3 });
  const walked = parts.map(async (part) => ({ images: await walker.walk(part), leading: [] }));
  return planContent(await Promise.all(walked));
}

/** What a store is asked to do. */
export interface Call {
  readonly what: 'fetch' | 'exists' | 'resolve' | 'push' | 'tag' | 'mount' | 'referrers';
  readonly digest: Digest;
  readonly tag?: string | undefined;
}

/**
 * A store in memory that writes down what it is asked for, fails where it is told to, and gives
 * other bytes than it holds where it is told to. It takes over blobs from its `neighbours`.
 */
export class WatchedStore implements Store {
  readonly name: string;
  /** What it holds, for looks that are not written down. */
  readonly inner: MemoryStore;
  /** All calls, in the order in which they began. */
  readonly calls: Call[] = [];
  /** Throws for the calls that shall fail, or waits. */
  fault: (call: Call) => unknown = () => undefined;
  /** The bytes that are given for what is fetched. */
  alter: (bytes: Uint8Array, digest: Digest) => Uint8Array = (bytes) => bytes;
  neighbours: readonly ReadOnlyStore[] = [];

  constructor(name = 'memory') {
    this.name = name;
    this.inner = new MemoryStore(name);
  }

  /** What was done of one kind, by digests. */
  digestsOf(what: Call['what']): readonly Digest[] {
    return this.calls.filter((call) => call.what === what).map(({ digest }) => digest);
  }

  async *fetch(descriptor: Descriptor, options: FetchOptions = {}): AsyncGenerator<Uint8Array> {
    const { digest } = descriptor;
    await this.#begin({ what: 'fetch', digest });
    for await (const chunk of this.inner.fetch(descriptor, options))
      yield this.alter(Uint8Array.from(chunk), digest);
  }

  async exists(descriptor: Descriptor, options: StoreOptions = {}): Promise<boolean> {
    await this.#begin({ what: 'exists', digest: descriptor.digest });
    return this.inner.exists(descriptor, options);
  }

  async resolve(reference: string, options: StoreOptions = {}): Promise<Descriptor> {
    await this.#begin({ what: 'resolve', digest: reference as Digest });
    return this.inner.resolve(reference, options);
  }

  tags(options: StoreOptions = {}): Promise<readonly string[]> {
    return this.inner.tags(options);
  }

  async referrers(subject: Digest, options: StoreOptions = {}): Promise<readonly Descriptor[]> {
    await this.#begin({ what: 'referrers', digest: subject });
    return this.inner.referrers(subject, options);
  }

  async push(
    descriptor: Descriptor,
    content: ByteStream,
    options: PushOptions = {},
  ): Promise<void> {
    await this.#begin({ what: 'push', digest: descriptor.digest, tag: options.tag });
    await this.inner.push(descriptor, content, options);
  }

  async tag(descriptor: Descriptor, tag: string, options: StoreOptions = {}): Promise<void> {
    await this.#begin({ what: 'tag', digest: descriptor.digest, tag });
    await this.inner.tag(descriptor, tag, options);
  }

  async mount(
    descriptor: Descriptor,
    from: ReadOnlyStore,
    options: StoreOptions = {},
  ): Promise<boolean> {
    await this.#begin({ what: 'mount', digest: descriptor.digest });
    if (!(from instanceof WatchedStore) || !this.neighbours.includes(from)) return false;
    await this.inner.push(descriptor, from.inner.fetch(descriptor), options);
    return true;
  }

  async #begin(call: Call): Promise<void> {
    this.calls.push(call);
    await this.fault(call);
  }
}
