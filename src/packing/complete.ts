import type { RequiredBundle } from '../bundle/format/manifest.ts';
import type { BundleReader } from '../bundle/reading/reader.ts';
import type { ByteStream } from '../core/bytes.ts';
import type { Context } from '../core/context.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { parseReference } from '../core/reference.ts';
import type { FetchOptions, ReadOnlyStore, StoreOptions } from '../core/store.ts';
import { type Closure, keptBlobs } from '../kinds/closure.ts';
import { type FindOptions, type Kind, partRequest } from '../kinds/kind.ts';
import { loadReleaseKeys } from '../kinds/release/proof/prove.ts';
import { readLookaside } from '../kinds/signatures/lookaside.ts';
import type { ContentSource, Sources } from '../kinds/sources.ts';
import type { FoundPart } from './missing/dropper.ts';
import { expandFound, type FoundParts, leavingOut, type PartsRequest } from './find-parts.ts';

/** A bundle that lacks images, or that was packed to complete one and lacks some still. */
export interface Earlier {
  readonly reader: BundleReader;
  readonly digest: Digest;
}

/** What is known of the parts of an earlier bundle. */
export interface CompleteRequest extends Pick<
  PartsRequest,
  'referrers' | 'signatures' | 'incomplete' | 'without'
> {
  readonly kinds: readonly Kind[];
  readonly releaseKeyFiles: readonly string[];
}

/**
 * The parts of an earlier bundle with the images that it lacks: the same parts, since they follow
 * from its claims. What it has is read from it; what it lacks comes from the sources.
 * @throws BundleError USAGE where nothing is missing; as expanding parts does
 */
export async function findCompletion(
  { reader }: Earlier,
  request: CompleteRequest,
  sources: Sources,
  context: Context,
): Promise<FoundParts> {
  const { manifest, files } = reader;
  if (manifest.holes === undefined) {
    throw new BundleError('USAGE', `${manifest.name} lacks nothing: there is nothing to complete`, {
      hint: 'Only a bundle that was packed with --incomplete lists images that it does not have.',
    });
  }
  const { now, signal, observe } = context;
  const { leaving, holes, missing } = leavingOut(request, observe);
  const options: FindOptions = { now, signal, observe, ...missing };
  const messages = new Map<Digest, readonly Uint8Array[]>();
  const found: FoundPart[] = [];
  const releaseKeys = await loadReleaseKeys(request.releaseKeyFiles);
  for (const row of manifest.parts) {
    const kind = request.kinds.find(({ name }) => name === row.kind)!;
    const own = readLookaside(row.claim, files);
    for (const [digest, some] of own.messages) messages.set(digest, some);
    const seed = await kind.read(own.claim, files, { releaseKeys, now });
    const content = contentBehind(reader, own.claim, sources);
    const settled = (await kind.settle?.(seed, content, sources, options)) ?? seed;
    found.push({ kind, asked: partRequest(kind, undefined), seed: settled, content });
  }
  const lookaside: Sources['lookaside'] = async (name, digest) => {
    const signatures = messages.get(digest);
    if (signatures === undefined) return sources.lookaside(name, digest);
    return { signatures, failures: [] };
  };
  return expandFound({ found, leaving, holes, sources: { lookaside } }, request, context);
}

/** The blobs of parts that a bundle may leave out, since earlier ones have them. */
export function requiredOf(
  closure: Closure,
  earlier: readonly Earlier[],
): readonly RequiredBundle[] {
  const taken = new Set<Digest>(keptBlobs(closure));
  return earlier.flatMap(({ reader, digest: bundle }) => {
    const { name, blobs: held } = reader.manifest;
    const has = new Set(held.map(({ digest }) => digest));
    const blobs = closure.content.blobs.flatMap(({ descriptor: { digest, size } }) => {
      if (taken.has(digest) || !has.has(digest)) return [];
      taken.add(digest);
      return { digest, size };
    });
    return blobs.length === 0 ? [] : { bundle, name, blobs };
  });
}

function contentBehind(
  reader: BundleReader,
  { reference, origin }: JsonObject,
  sources: Sources,
): ContentSource {
  const storeOf: ContentSource['storeOf'] = (name) =>
    new BundleBefore(reader, sources.source(name));
  const named = [reference, origin].find((one) => typeof one === 'string');
  const isNamed = typeof named === 'string' && !named.startsWith('http');
  const root = isNamed ? storeOf(parseReference(named.replace(/^oci:\/\//, ''))) : reader;
  return { root, storeOf, holdsMade: true };
}

/** A repository behind a bundle, which has some of what is in it. */
class BundleBefore implements ReadOnlyStore {
  readonly name: string;
  readonly #reader: BundleReader;
  readonly #origin: ReadOnlyStore;

  constructor(reader: BundleReader, origin: ReadOnlyStore) {
    this.name = origin.name;
    this.#reader = reader;
    this.#origin = origin;
  }

  async *fetch(descriptor: Descriptor, options?: FetchOptions): ByteStream {
    const isHere = await this.#reader.exists(descriptor);
    yield* (isHere ? this.#reader : this.#origin).fetch(descriptor, options);
  }

  async exists(descriptor: Descriptor, options?: StoreOptions): Promise<boolean> {
    return (
      (await this.#reader.exists(descriptor)) || (await this.#origin.exists(descriptor, options))
    );
  }

  async resolve(reference: string, options?: StoreOptions): Promise<Descriptor> {
    try {
      return await this.#reader.resolve(reference);
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND')) throw error;
      return this.#origin.resolve(reference, options);
    }
  }

  async referrers(subject: Digest, options?: StoreOptions): Promise<readonly Descriptor[]> {
    const own = await this.#reader.referrers(subject);
    return own.length > 0 ? own : this.#origin.referrers(subject, options);
  }

  placeOf = (digest: Digest): string | undefined => this.#origin.placeOf?.(digest);
  tags: ReadOnlyStore['tags'] = (options) => this.#origin.tags(options);
}
