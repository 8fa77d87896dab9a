import type { BundleReader } from '../../bundle/reading/reader.ts';
import { SealedBundle } from '../../bundle/reading/sealed.ts';
import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, isDigest } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { FetchOptions, ReadOnlyStore, StoreOptions } from '../../core/store.ts';
import { isSignatureTag } from '../../mirrors/rules.ts';
import type { SigningKey } from '../../trust/keys.ts';
import { checkedSeal } from './begun.ts';
import { continued } from './continued.ts';
import { readVerified } from '../../transfer/verified.ts';
import { isSignature } from '../../trust/image-statements.ts';
import type { ContentSource } from '../../kinds/sources.ts';

/** The identity of a part: its kind, and the digest of its seed. */
export interface PartKey {
  readonly kind: string;
  readonly digest: Digest;
  /** Whether a row of `bundle.json`, of that kind, is this part. */
  readonly isClaim: (claim: JsonObject) => boolean;
}

/**
 * Content that an earlier run has written of some parts, for the run that continues it. The lists
 * of signature images and referrers, the manifests, the configs, and a layer that holds the payload
 * are taken from there. Everything else comes from the registry.
 */
export class BegunContent {
  /** The file it is read from. */
  readonly path: string;
  #reader: BundleReader | undefined;
  readonly #layers: ReadonlySet<Digest>;
  /** What is attached to images, under a tag or as a referrer. */
  readonly #rows: readonly { readonly isTagged: boolean; readonly descriptor: Descriptor }[];
  #hasOthers: Promise<boolean> | undefined;
  /** Layers that were given from the file: whoever asks for one again has found it wrong. */
  readonly #given = new Set<Digest>();

  private constructor(reader: BundleReader) {
    this.path = reader.name;
    this.#reader = reader;
    this.#layers = new Set(reader.layerDigests);
    this.#rows = reader.manifest.images
      .filter(({ subject }) => subject !== undefined)
      .map(({ tags, mediaType, digest, size }) => ({
        isTagged: tags.length > 0,
        descriptor: { mediaType, digest, size },
      }));
  }

  /**
   * @param paths of first volumes, finished or not.
   * @param parts kind and digest of each part that is to be packed, in any order, none twice.
   * @returns the first that has a whole head which `key` has signed, and which holds these parts; a
   * file that has none is as good as none: what that means is decided where it is continued.
   */
  static async open(
    paths: readonly string[],
    parts: readonly PartKey[],
    key: SigningKey,
  ): Promise<BegunContent | undefined> {
    for (const path of paths) {
      const reader = await openSigned([path], key);
      if (reader === undefined) continue;
      const { repairs, parts: held } = reader.manifest;
      const isSame = held.length === parts.length && lackingIn(held, parts).length === 0;
      if (repairs === undefined && isSame) return new BegunContent(reader);
      await reader.close();
    }
    return undefined;
  }

  /**
   * A source that asks here before it asks `origin`, until this is closed.
   * @param referrers whether all that refers to an image is wanted, or its signatures alone.
   */
  before(origin: ContentSource, referrers: boolean): ContentSource {
    const stores = new Map<ReadOnlyStore, ReadOnlyStore>();
    const wrapped = (store: ReadOnlyStore): ReadOnlyStore => {
      const known = stores.get(store) ?? new ContinuedStore(this, store, referrers);
      stores.set(store, known);
      return known;
    };
    return {
      root: wrapped(origin.root),
      storeOf: (name) => wrapped(origin.storeOf(name)),
    };
  }

  /** From here on everything comes from the registry. */
  async close(): Promise<void> {
    await this.#reader?.close();
    this.#reader = undefined;
  }

  /**
   * The descriptor that a digest or the tag of a signature image names. @returns `undefined` where
   * only the registry knows.
   */
  async resolve(reference: string): Promise<Descriptor | undefined> {
    if (this.#reader === undefined || !(isDigest(reference) || isSignatureTag(reference)))
      return undefined;
    // An earlier run that has found nothing may have been told to look for nothing, and one that has
    // left images out lists nothing that is attached to these.
    if (!isDigest(reference) && (this.#rows.length === 0 || this.#hasHoles())) return undefined;
    try {
      return await this.#reader.resolve(reference);
    } catch (error) {
      // The list of signature images is that of the earlier run: one that is not in it does not
      // exist.
      if (hasCode(error, 'NOT_FOUND') && isDigest(reference)) return undefined;
      throw error;
    }
  }

  /**
   * The referrers of a manifest. @returns `undefined` where only the registry knows: the earlier
   * run may not have asked, or for signatures alone. A run that looks for one form of signatures
   * looks for all.
   * @param all whether all of them are wanted.
   */
  async referrers(subject: Digest, all: boolean): Promise<readonly Descriptor[] | undefined> {
    if (this.#hasHoles()) return undefined;
    const hasAsked = all ? await (this.#hasOthers ??= this.#findOthers()) : this.#rows.length > 0;
    return hasAsked ? this.#reader?.referrers(subject) : undefined;
  }

  #hasHoles(): boolean {
    return this.#reader?.manifest.holes !== undefined;
  }

  /** Whether any referrer is something else than a signature. */
  async #findOthers(): Promise<boolean> {
    for (const { isTagged, descriptor } of this.#rows) {
      if (isTagged || this.#reader === undefined) continue;
      if (!isSignature(await readVerified(this.#reader.fetch(descriptor), descriptor))) return true;
    }
    return false;
  }

  /** The content of a blob, as far as it is here, and the rest of it from `origin`. */
  fetch(descriptor: Descriptor, origin: ReadOnlyStore, options: StoreOptions): ByteStream {
    const { digest } = descriptor;
    if (this.#reader === undefined || this.#given.has(digest))
      return origin.fetch(descriptor, options);
    if (this.#layers.has(digest)) this.#given.add(digest);
    return continued(this.#reader.fetch(descriptor, options), origin, descriptor, options);
  }
}

/** Parts that no row of a bundle is. */
export function lackingIn(
  held: BundleReader['manifest']['parts'],
  parts: readonly PartKey[],
): readonly PartKey[] {
  const isHeld = ({ kind: wanted, isClaim }: PartKey): boolean =>
    held.some(({ kind, claim }) => kind === wanted && isClaim(claim));
  return parts.filter((part) => !isHeld(part));
}

/** A file of a bundle that a key has signed; `undefined` for any other. */
export async function openSigned(
  paths: readonly string[],
  key: SigningKey,
): Promise<BundleReader | undefined> {
  try {
    const heads = await SealedBundle.survey(paths, () => undefined);
    try {
      const [sealed] = heads;
      checkedSeal(sealed!, paths[0]!, key.public);
      return await sealed!.unseal();
    } catch (error) {
      await heads[0]!.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof BundleError) return undefined;
    throw error;
  }
}

/** A repository, with what an earlier run has taken from it before it. */
class ContinuedStore implements ReadOnlyStore {
  readonly name: string;
  readonly #begun: BegunContent;
  readonly #origin: ReadOnlyStore;
  readonly #referrers: boolean;

  constructor(begun: BegunContent, origin: ReadOnlyStore, referrers: boolean) {
    this.name = origin.name;
    this.#referrers = referrers;
    this.#begun = begun;
    this.#origin = origin;
  }

  fetch(descriptor: Descriptor, options: FetchOptions = {}): ByteStream {
    if (options.range !== undefined) return this.#origin.fetch(descriptor, options);
    return this.#begun.fetch(descriptor, this.#origin, options);
  }

  async resolve(reference: string, options?: StoreOptions): Promise<Descriptor> {
    return (await this.#begun.resolve(reference)) ?? this.#origin.resolve(reference, options);
  }

  async referrers(subject: Digest, options?: StoreOptions): Promise<readonly Descriptor[]> {
    const begun = await this.#begun.referrers(subject, this.#referrers);
    return begun ?? this.#origin.referrers(subject, options);
  }

  placeOf = (digest: Digest): string | undefined => this.#origin.placeOf?.(digest);
  exists: ReadOnlyStore['exists'] = (descriptor, options) =>
    this.#origin.exists(descriptor, options);
  tags: ReadOnlyStore['tags'] = (options) => this.#origin.tags(options);
}
