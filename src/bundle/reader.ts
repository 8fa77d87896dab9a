import type { Descriptor } from '../core/descriptor.ts';
import { type ByteStream, streamOf } from '../core/bytes.ts';
import { type Digest, digestOf, hexOf, isDigest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { MAX_LISTING_BYTES, MAX_METADATA_BYTES } from '../core/limits.ts';
import { parseManifest } from '../core/manifest.ts';
import type { FetchOptions, ReadOnlyStore } from '../core/store.ts';
import { BundleFile } from './file.ts';
import {
  BLOCK_SIZE,
  decompressedFrame,
  FRAME_HEADER_BYTES,
  FRAME_LIMIT,
  frameExtent,
  type FrameExtent,
  storedContentSize,
} from './frames.ts';
import { type LayerPlace, readLayer } from './layer.ts';
import { type Entry, frameCount, frameCuts, sectionsOf, storedSectionLength } from './layout.ts';
import { type BundleManifest, formatLayoutIndex, OCI_LAYOUT_BYTES, parseBundleManifest } from './manifest.ts';
import { frameExtents, tarTime } from './plan.ts';
import { decodeSignatureFile } from './signature-file.ts';
import { blobPath, parseSums, type Sum } from './sums.ts';
import { formatTail, type Head, tailLength } from './tail.ts';
import { claimedSizeAndTime, entryLength, paddingLength, TAR_BLOCK, TAR_END_BYTES, tarHeader } from './tar.ts';
import { unusable } from './unusable.ts';

const MAX_SEAL_FILE_BYTES = 64 * 1024;

/**
 * A bundle of which only the signed listing and its signature have been read. Whoever opens one decides about the
 * signer first; {@link SealedBundle.unseal} then reads on.
 */
export class SealedBundle {
  readonly file: BundleFile;
  readonly sums: Uint8Array;
  /** The raw signature over {@link sums}. */
  readonly signature: Uint8Array;
  /** PEM of the key that the bundle names as its signer's: to be shown, never to be trusted. */
  readonly publicKey: Uint8Array;
  /** SHA-256 of SHA256SUMS. */
  readonly digest: Digest;
  readonly #mtime: number;
  /** Signature file and key as the bundle holds them. */
  readonly seal: Pick<Head, 'signature' | 'publicKey'>;
  readonly #metadataOffset: number;

  private constructor(
    file: BundleFile,
    parts: { sums: Uint8Array; seal: Pick<Head, 'signature' | 'publicKey'>; signature: Uint8Array; mtime: number; metadataOffset: number },
  ) {
    this.file = file;
    this.sums = parts.sums;
    this.signature = parts.signature;
    this.publicKey = parts.seal.publicKey;
    this.digest = digestOf(parts.sums);
    this.#mtime = parts.mtime;
    this.seal = parts.seal;
    this.#metadataOffset = parts.metadataOffset;
  }

  /**
   * @throws BundleError BUNDLE_UNUSABLE for a file that does not begin as a bundle does, NOT_FOUND, DISK.
   */
  static async open(path: string): Promise<SealedBundle> {
    const file = await BundleFile.open(path);
    try {
      return await SealedBundle.#read(file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  static async #read(file: BundleFile): Promise<SealedBundle> {
    const start = await file.read(0, Math.min(FRAME_HEADER_BYTES, file.size));
    const listingLength = storedContentSize(start);
    if (listingLength === undefined) throw unusable(`${file.path} is not a bundle`, { hint: 'A bundle is what `bundle pack` writes.' });
    const listing = await file.readStored(0, listingLength, 'SHA256SUMS');
    const claimed = claimedSizeAndTime(listing.subarray(0, TAR_BLOCK));
    if (claimed === undefined) throw unusable(`${file.path} is not a bundle: it does not begin with SHA256SUMS`);
    const { mtime } = claimed;
    const [sums, ...extra] = entriesOf(listing, ['SHA256SUMS'], mtime, MAX_LISTING_BYTES);

    const sealOffset = storedSectionLength(listingLength);
    const sealLength = storedContentSize(await file.read(sealOffset, FRAME_HEADER_BYTES));
    if (sealLength === undefined || sealLength > 2 * entryLength(MAX_SEAL_FILE_BYTES)) throw unusable('no signature follows SHA256SUMS');
    const sealTar = await file.readStored(sealOffset, sealLength, 'SHA256SUMS.sig');
    const [signature, publicKey] = entriesOf(sealTar, ['SHA256SUMS.sig', 'SHA256SUMS.pub'], mtime, MAX_SEAL_FILE_BYTES);
    if (sums === undefined || signature === undefined || publicKey === undefined || extra.length > 0) {
      throw unusable('the head of the bundle is incomplete');
    }
    const raw = decodeSignatureFile(signature);
    if (raw === undefined) throw unusable('SHA256SUMS.sig is not base64 on one line');
    return new SealedBundle(file, {
      sums,
      seal: { signature, publicKey },
      signature: raw,
      mtime,
      metadataOffset: sealOffset + storedSectionLength(sealLength),
    });
  }

  /**
   * @param digest 64 hex digits of the bundle digest that is wanted, if any.
   * @throws BundleError NOT_THE_EXPECTED_BUNDLE
   */
  expect(digest: string | undefined): void {
    if (digest === undefined || hexOf(this.digest) === digest.toLowerCase().replace(/^sha256:/, '')) return;
    throw new BundleError('NOT_THE_EXPECTED_BUNDLE', 'the bundle digest is not the one that was expected', {
      expected: digest,
      got: hexOf(this.digest),
      hint: 'This is another bundle than the one you were told of.',
    });
  }

  /**
   * Reads everything but the layers: every byte of it is either hashed against the listing or computed and compared.
   * @throws BundleError BUNDLE_UNUSABLE or CONTENT_MISMATCH, naming the entry.
   */
  async unseal(): Promise<BundleReader> {
    const sums = parseSums(this.sums);
    const metadata = await this.#readMetadata(sums);
    const { manifest, manifestBytes } = metadata;
    if (tarTime(manifest.releases) !== this.#mtime) throw unusable('the time of the tar entries is not that of the newest release');

    const blobs = manifest.blobs.slice(metadata.blobs.size);
    const layerEntries = blobs.map(({ digest, size }) => ({ path: blobPath(digest), size }));
    const sections = sectionsOf(
      { path: 'SHA256SUMS', size: this.sums.length },
      [
        { path: 'SHA256SUMS.sig', size: this.seal.signature.length },
        { path: 'SHA256SUMS.pub', size: this.seal.publicKey.length },
      ],
      metadata.entries,
      layerEntries,
    );
    let offset = metadata.end;
    const layers = new Map<Digest, Omit<LayerPlace, 'header'>>();
    for (const [index, entry] of layerEntries.entries()) {
      layers.set(blobs[index]!.digest, { ...entry, offset });
      offset += storedSectionLength(entryLength(entry.size));
    }
    const head: Head = { sums: this.sums, ...this.seal, manifest: manifestBytes };
    const frames = sections.reduce((total, { tarLength }) => total + frameCount(tarLength), 0);
    const planned = offset + storedSectionLength(TAR_END_BYTES) + tailLength(head, frames);
    if (!Number.isSafeInteger(planned)) throw unusable('the sizes in bundle.json add up to more than any file holds');
    this.#checkSize(planned);
    // Only now is it known that there are no more frames to list than the file has room for.
    const extents = frameExtents(sections, metadata.extents);
    const end = await this.file.readStored(offset, TAR_END_BYTES, 'the end of the tar');
    if (end.some((byte) => byte !== 0)) throw unusable('the tar does not end where it should');
    const record = {
      bundleDigest: Buffer.from(hexOf(this.digest), 'hex'),
      number: 1,
      count: 1,
      tarOffset: 0,
      tarLength: sections.reduce((total, section) => total + section.tarLength, 0),
    };
    const tailOffset = offset + storedSectionLength(TAR_END_BYTES);
    const tail = await this.file.read(tailOffset, planned - tailOffset);
    if (!Buffer.from(formatTail(record, head, extents)).equals(tail)) {
      throw unusable('the tail of the bundle (head copy, record, seek table) is not that of its head');
    }
    return new BundleReader(this.file, manifest, metadata.files, metadata.blobs, layers, this.#mtime);
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  #checkSize(planned: number): void {
    const { size, path } = this.file;
    if (size === planned) return;
    const difference = Math.abs(size - planned);
    throw unusable(
      size < planned
        ? `${path} is truncated: ${difference} of ${planned} bytes are missing`
        : `${path} has ${difference} bytes more than a bundle of this content takes`,
      { expected: `${planned} bytes`, got: `${size} bytes` },
    );
  }

  /** Decodes the compressed frames; how many there are follows from the sizes in bundle.json, their first entry. */
  async #readMetadata(sums: readonly Sum[]): Promise<Metadata> {
    const frames: Uint8Array[] = [];
    const extents: FrameExtent[] = [];
    let end = this.#metadataOffset;
    let decoded = 0;
    const decodeNext = async (): Promise<void> => {
      const extent = await this.#extentAt(end);
      const frame = decompressedFrame(await this.file.read(end, extent.length));
      if (frame?.length !== extent.content) throw unusable(`the compressed part of the bundle cannot be decoded at byte ${end}`);
      if (frames.length > 0 && extents.at(-1)!.content !== FRAME_LIMIT) throw unusable('the compressed part is not cut as it should be');
      frames.push(frame);
      extents.push(extent);
      end += extent.length;
      decoded += frame.length;
      if (decoded > MAX_METADATA_BYTES) throw unusable(`the manifests and configs take more than ${MAX_METADATA_BYTES} bytes`);
    };

    await decodeNext();
    const claimed = claimedSizeAndTime(frames[0]!.subarray(0, TAR_BLOCK));
    if (claimed === undefined || claimed.size > MAX_LISTING_BYTES) throw unusable('the compressed part does not begin with bundle.json');
    while (decoded < entryLength(claimed.size)) await decodeNext();
    const manifestEntry = { path: 'bundle.json', size: claimed.size };
    const manifestBytes = new TarReader(joined(frames), this.#mtime).next(manifestEntry);
    checkDigest('bundle.json', manifestBytes, sums[0]!.digest);
    const manifest = parseBundleManifest(manifestBytes);
    checkListing(sums, manifest);

    const entries: Entry[] = [manifestEntry, ...manifest.files];
    let length = entries.reduce((total, entry) => total + entryLength(entry.size), 0);
    // The frames say where the metadata ends: at the last blob that ends exactly where a frame does, before stored frames begin.
    let count = 0;
    const grow = (): void => {
      for (let blob = manifest.blobs[count]; blob && length < decoded; blob = manifest.blobs[count]) {
        entries.push({ path: blobPath(blob.digest), size: blob.size });
        length += entryLength(blob.size);
        count += 1;
      }
    };
    grow();
    while (length > decoded || (decoded % FRAME_LIMIT === 0 && (await this.#isCompressedAt(end)))) {
      await decodeNext();
      grow();
    }
    if (length !== decoded) throw unusable('the compressed part of the bundle does not end with an entry');
    const wanted = frameCuts(length);
    if (wanted.length !== extents.length || extents.some((extent, index) => extent.content !== wanted[index])) {
      throw unusable('the compressed part is not cut as it should be');
    }

    const reader = new TarReader(joined(frames), this.#mtime);
    reader.next(manifestEntry);
    const files = new Map<string, Uint8Array>();
    for (const entry of manifest.files) {
      const bytes = reader.next(entry);
      checkDigest(entry.path, bytes, entry.digest);
      files.set(entry.path, bytes);
    }
    if (!Buffer.from(OCI_LAYOUT_BYTES).equals(files.get('oci-layout') ?? Buffer.alloc(0)))
      throw unusable('oci-layout is not what it should be');
    if (!Buffer.from(formatLayoutIndex(manifest.images)).equals(files.get('index.json') ?? Buffer.alloc(0))) {
      throw unusable('index.json does not list the images of bundle.json');
    }
    const blobs = new Map<Digest, Uint8Array>();
    for (const blob of manifest.blobs.slice(0, count)) {
      const bytes = reader.next({ path: blobPath(blob.digest), size: blob.size });
      checkDigest(blobPath(blob.digest), bytes, blob.digest);
      blobs.set(blob.digest, bytes);
    }
    return { manifest, manifestBytes, entries, files, blobs, extents, end };
  }

  async #isCompressedAt(offset: number): Promise<boolean> {
    const start = await this.file.read(offset, Math.min(FRAME_HEADER_BYTES, this.file.size - offset));
    return storedContentSize(start) === undefined;
  }

  async #extentAt(offset: number): Promise<FrameExtent> {
    let available = 256 * 1024;
    for (;;) {
      const bytes = await this.file.read(offset, Math.min(available, this.file.size - offset));
      const found = frameExtent(bytes);
      if (found === undefined) throw unusable(`the compressed part of the bundle cannot be decoded at byte ${offset}`);
      if ('content' in found) return found;
      if (bytes.length < available) throw unusable(`${this.file.path} is truncated within its manifests`);
      available = Math.max(found.needed + BLOCK_SIZE, available * 2);
    }
  }
}

interface Metadata {
  readonly manifest: BundleManifest;
  readonly manifestBytes: Uint8Array;
  readonly entries: readonly Entry[];
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
  readonly extents: readonly FrameExtent[];
  /** Where the first layer stands in the file. */
  readonly end: number;
}

/** A bundle as a store: any blob by digest, without reading the rest. */
export class BundleReader implements ReadOnlyStore {
  readonly manifest: BundleManifest;
  /** The files that are no blobs, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly #file: BundleFile;
  readonly #metadata: ReadonlyMap<Digest, Uint8Array>;
  readonly #layers: ReadonlyMap<Digest, Omit<LayerPlace, 'header'>>;
  readonly #mtime: number;

  constructor(
    file: BundleFile,
    manifest: BundleManifest,
    files: ReadonlyMap<string, Uint8Array>,
    metadata: ReadonlyMap<Digest, Uint8Array>,
    layers: ReadonlyMap<Digest, Omit<LayerPlace, 'header'>>,
    mtime: number,
  ) {
    this.#file = file;
    this.manifest = manifest;
    this.files = files;
    this.#metadata = metadata;
    this.#layers = layers;
    this.#mtime = mtime;
  }

  get name(): string {
    return this.#file.path;
  }

  /** Digests of the manifests, indexes and configs, in tar order. */
  get metadataDigests(): readonly Digest[] {
    return [...this.#metadata.keys()];
  }

  /**
   * The content of a blob. The tar header, padding and framing around a layer are compared on the way, so that after
   * all layers have been read whole, every byte of the file has been checked.
   */
  fetch(descriptor: Descriptor, options: FetchOptions = {}): ByteStream {
    const { digest } = descriptor;
    const { range } = options;
    const bytes = this.#metadata.get(digest);
    if (bytes !== undefined) return streamOf(range ? bytes.subarray(range.start, range.end) : bytes);
    const place = this.#layers.get(digest);
    if (place === undefined) return refuse(absent(this.name, digest));
    const { start, end } = range ?? { start: 0, end: place.size };
    const header = tarHeader(place.path, place.size, this.#mtime);
    return readLayer(this.#file, { ...place, header }, { start, end: Math.min(end, place.size) }, options.signal);
  }

  async exists({ digest }: Descriptor): Promise<boolean> {
    return this.#metadata.has(digest) || this.#layers.has(digest);
  }

  /** By digest, or by the name that an image has in the bundle; a name that looks like a digest names nothing. */
  async resolve(reference: string): Promise<Descriptor> {
    const byDigest = isDigest(reference);
    const image = this.manifest.images.find(({ name, digest }) => (byDigest ? digest : name) === reference);
    if (image !== undefined) return { mediaType: image.mediaType, digest: image.digest, size: image.size };
    const bytes = byDigest ? this.#metadata.get(reference) : undefined;
    if (bytes === undefined) throw absent(this.name, reference);
    return { mediaType: parseManifest(bytes).mediaType, digest: digestOf(bytes), size: bytes.length };
  }

  async tags(): Promise<readonly string[]> {
    return this.manifest.images.map(({ name }) => name);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Takes entries out of decoded tar bytes, comparing every byte around their content. */
class TarReader {
  readonly #tar: Uint8Array;
  readonly #mtime: number;
  #at = 0;

  constructor(tar: Uint8Array, mtime: number) {
    this.#tar = tar;
    this.#mtime = mtime;
  }

  next({ path, size }: Entry): Uint8Array {
    const header = tarHeader(path, size, this.#mtime);
    const tar = this.#tar;
    const start = this.#at + header.length;
    const end = start + size + paddingLength(size);
    if (!Buffer.from(header).equals(tar.subarray(this.#at, start)))
      throw unusable(`the tar header of ${path} is not the one that belongs there`);
    if (tar.length < end || tar.subarray(start + size, end).some((byte) => byte !== 0))
      throw unusable(`${path} is cut off or badly padded`);
    this.#at = end;
    return tar.subarray(start, start + size);
  }
}

function joined(frames: readonly Uint8Array[]): Uint8Array {
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames);
}

/** All of `tar` as entries with the given paths, whose sizes only their headers tell. */
function entriesOf(tar: Uint8Array, paths: readonly string[], mtime: number, limit: number): Uint8Array[] {
  const reader = new TarReader(tar, mtime);
  let at = 0;
  const contents = paths.map((path) => {
    const claimed = claimedSizeAndTime(tar.subarray(at, at + TAR_BLOCK));
    if (claimed === undefined || claimed.size > limit) throw unusable(`${path} is not where it should be`);
    at += entryLength(claimed.size);
    return reader.next({ path, size: claimed.size });
  });
  if (at !== tar.length) throw unusable(`something follows ${paths.at(-1)!} that does not belong there`);
  return contents;
}

/** SHA256SUMS and bundle.json must list the same files and blobs in the same order. */
function checkListing(sums: readonly Sum[], manifest: BundleManifest): void {
  const listed = [...manifest.files, ...manifest.blobs.map(({ digest }) => ({ digest, path: blobPath(digest) }))];
  const rest = sums.slice(1);
  const differs = rest.find((sum, index) => sum.path !== listed[index]?.path || sum.digest !== listed[index].digest);
  if (differs !== undefined || rest.length !== listed.length) {
    throw new BundleError(
      'CLOSURE_MISMATCH',
      `SHA256SUMS and bundle.json do not list the same content${differs ? `: ${differs.path}` : ''}`,
      { hint: 'The bundle was not made by this program: do not use it.' },
    );
  }
}

function checkDigest(path: string, bytes: Uint8Array, expected: Digest): void {
  const got = digestOf(bytes);
  if (got === expected) return;
  throw new BundleError('CONTENT_MISMATCH', `wrong digest of ${path}: expected ${expected}, got ${got}`, {
    expected,
    got,
    subject: path,
    hint: 'The bundle is damaged: copy it again from where it was made.',
  });
}

function absent(name: string, what: string): BundleError {
  return new BundleError('NOT_FOUND', `${name} does not hold ${what}`);
}

// eslint-disable-next-line require-yield -- a stream whose only content is the reason why there is none
async function* refuse(error: BundleError): AsyncGenerator<Uint8Array> {
  throw error;
}
