import { readAll } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, hexOf, isDigest } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { MAX_MANIFEST_BYTES, MAX_SIGNATURE_BYTES } from '../../core/limits.ts';
import { type Manifest, parseManifest } from '../../core/manifest.ts';
import type { FetchOptions, ReadOnlyStore, StoreOptions } from '../../core/store.ts';
import { compareText } from '../../core/text.ts';
import { type Piece, readPiece, sizeOfPiece } from '../../files/piece.ts';
import { readVerified } from '../../transfer/verified.ts';
import { MAX_CONFIG_MAP_BYTES, messagesInConfigMap } from './config-map-file.ts';
import type { HeldSignatures, Holdings } from './holdings.ts';

/** The tags of images that are attached to another one are made of the digest of that one. */
const ATTACHED = /^sha256-[0-9a-f]{64}\./;

/** A manifest that was read and checked. */
export interface HeldManifest {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
}

/** A manifest that is about another one. */
interface Referrer {
  readonly subject: Digest;
  readonly descriptor: Descriptor;
}

/** Signatures that stand in one file, unchecked. */
export interface FoundSignatures {
  readonly place: string;
  readonly messages: readonly Uint8Array[];
}

/**
 * What `oc` or oc-mirror has written, as a place to read from. It holds the content of all
 * repositories together: what is asked for is a digest, and the bytes show whether it is that.
 */
export class HeldContent implements ReadOnlyStore {
  readonly name: string;
  readonly isSteady = true;
  readonly #holdings: Holdings;
  /** What refers to what, in the repositories that were looked through. */
  readonly #referrers = new Map<string, Promise<readonly Referrer[]>>();

  constructor(holdings: Holdings) {
    this.name = holdings.name;
    this.#holdings = holdings;
  }

  async *fetch(
    { digest }: Descriptor,
    { range, signal }: FetchOptions = {},
  ): AsyncGenerator<Uint8Array> {
    signal?.throwIfAborted();
    try {
      yield* readPiece(this.#pieceOf(digest), { range, signal });
    } catch (error) {
      throw hasCode(error, 'NOT_FOUND') ? this.#absent(digest, error) : error;
    }
  }

  async exists({ digest, size }: Descriptor, { signal }: StoreOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    const piece = this.#holdings.blobs.get(digest);
    return piece !== undefined && (await sizeOfPiece(piece)) === size;
  }

  async resolve(reference: string, { signal }: StoreOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted();
    const digest = isDigest(reference) ? reference : this.named(reference);
    if (digest === undefined) throw this.#absent(reference);
    return (await this.manifest(digest)).descriptor;
  }

  async tags({ signal }: StoreOptions = {}): Promise<readonly string[]> {
    signal?.throwIfAborted();
    return [...this.#holdings.tags.keys()];
  }

  /**
   * Those that say so themselves, in the repositories that hold the subject: none of the programs
   * that write here keeps a list of them.
   */
  async referrers(subject: Digest, { signal }: StoreOptions = {}): Promise<readonly Descriptor[]> {
    signal?.throwIfAborted();
    const found = new Map<Digest, Descriptor>();
    for (const [repository, digests] of this.#holdings.manifests) {
      if (!digests.has(subject)) continue;
      const known = this.#referrers.get(repository) ?? this.#readReferrers(digests, signal);
      this.#referrers.set(repository, known);
      for (const { subject: other, descriptor } of await known)
        if (other === subject) found.set(descriptor.digest, descriptor);
    }
    return [...found.values()];
  }

  /**
   * The digest that a tag names, whether it is there or not; `undefined` where there is no such tag.
   * @throws BundleError UNSUPPORTED_CONTENT where repositories give the tag to different images.
   */
  named(tag: string): Digest | undefined {
    const named = this.#holdings.tags.get(tag);
    if (named === undefined) return undefined;
    const digests = [...new Set(named.values())];
    // Each repository may keep signatures of its own of the same image; any of them will do.
    if (digests.length <= 1 || ATTACHED.test(tag)) return digests[0];
    const [first, second] = [...named.keys()];
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the repositories ${first} and ${second} of ${this.name} give the tag ${tag} to two images`,
      {
        ...{ expected: digests[0], got: digests[1] },
        hint: `Name the image by its digest: --from ${this.name}@${digests[0]!}`,
      },
    );
  }

  /** A manifest. @throws BundleError NOT_FOUND, CONTENT_MISMATCH, UNSUPPORTED_CONTENT */
  async manifest(digest: Digest): Promise<HeldManifest> {
    const size = await sizeOfPiece(this.#pieceOf(digest));
    if (size === undefined) throw this.#absent(digest);
    if (size > MAX_MANIFEST_BYTES) {
      throw new BundleError('CONTENT_MISMATCH', `${digest} is no manifest: it has ${size} bytes`, {
        hint: this.#holdings.hint,
      });
    }
    const descriptor = { mediaType: '', digest, size };
    const manifest = parseManifest(await readVerified(this.fetch(descriptor), descriptor));
    return { descriptor: { mediaType: manifest.mediaType, digest, size }, manifest };
  }

  /**
   * All manifests that are there. What an increment leaves out is not, and what only looks like a
   * manifest is none.
   * @throws BundleError CONTENT_MISMATCH for one with other bytes than its digest says.
   */
  async *manifests(signal?: AbortSignal): AsyncGenerator<HeldManifest> {
    const all = [...this.#holdings.manifests.values()].flatMap((digests) => [...digests]);
    yield* this.#present(new Set(all), signal);
  }

  async *#present(
    digests: ReadonlySet<Digest>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<HeldManifest> {
    for (const digest of this.#inOrder(digests)) {
      signal?.throwIfAborted();
      try {
        yield await this.manifest(digest);
      } catch (error) {
        if (!hasCode(error, 'NOT_FOUND') && !hasCode(error, 'UNSUPPORTED_CONTENT')) throw error;
      }
    }
  }

  /**
   * The release signatures that were put beside the images.
   * @returns those of the digest, unchecked, and why others could not be read.
   */
  async signatures(
    digest: Digest,
  ): Promise<{ readonly found: readonly FoundSignatures[]; readonly failures: BundleError[] }> {
    const found: FoundSignatures[] = [];
    const failures: BundleError[] = [];
    for (const held of this.#holdings.signatures) {
      if (!hexOf(digest).startsWith(held.hex)) continue;
      try {
        found.push({ place: held.place, messages: await messagesIn(held, digest) });
      } catch (error) {
        if (!(error instanceof BundleError)) throw error;
        failures.push(error.about(held.place));
      }
    }
    return { found, failures };
  }

  #pieceOf(digest: Digest): Piece {
    const piece = this.#holdings.blobs.get(digest);
    if (piece === undefined) throw this.#absent(digest);
    return piece;
  }

  /** As they lie on the disk: to read here and there takes a slow one a hundred times as long. */
  #inOrder(digests: ReadonlySet<Digest>): readonly Digest[] {
    const pieces = [...digests].flatMap((digest) => {
      const piece = this.#holdings.blobs.get(digest);
      return piece === undefined ? [] : { digest, ...piece };
    });
    pieces.sort((a, b) => compareText(a.path, b.path) || a.start - b.start);
    return pieces.map(({ digest }) => digest);
  }

  async #readReferrers(
    digests: ReadonlySet<Digest>,
    signal: AbortSignal | undefined,
  ): Promise<readonly Referrer[]> {
    const referrers: Referrer[] = [];
    for await (const { descriptor, manifest } of this.#present(digests, signal))
      if (manifest.subject !== undefined) referrers.push({ subject: manifest.subject, descriptor });
    return referrers;
  }

  #absent(reference: string, cause?: unknown): BundleError {
    const { hint } = this.#holdings;
    return new BundleError('NOT_FOUND', `${this.name} does not hold ${reference}`, { cause, hint });
  }
}

async function messagesIn(
  { piece, place, form }: HeldSignatures,
  digest: Digest,
): Promise<Uint8Array[]> {
  if (form === 'message') return [await readAll(readPiece(piece), MAX_SIGNATURE_BYTES, place)];
  return messagesInConfigMap(await readAll(readPiece(piece), MAX_CONFIG_MAP_BYTES, place), digest);
}
