import { type Digest, digestOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { MAX_LISTING_BYTES, MAX_METADATA_BYTES } from '../../core/limits.ts';
import { METADATA, type OnFault } from './fault.ts';
import type { VolumeSource } from './file.ts';
import {
  beginsCompressed,
  BLOCK_SIZE,
  decompressedFrame,
  FRAME_HEADER_BYTES,
  METADATA_FRAME_LIMIT,
  frameExtent,
  type FrameExtent,
} from '../format/frames.ts';
import { type Entry, frameCuts } from '../format/layout.ts';
import {
  type BundleManifest,
  formatLayoutIndex,
  OCI_LAYOUT_BYTES,
  parseBundleManifest,
} from '../format/manifest.ts';
import { blobPath } from '../format/paths.ts';
import type { Sum } from '../format/sums.ts';
import { claimedSizeAndTime, entryLength, headerLength, TAR_BLOCK } from '../format/tar.ts';
import { TarReader } from './tar-entries.ts';
import { unusable } from '../format/unusable.ts';

/** Everything in a bundle that is neither its head nor a layer. */
export interface Metadata {
  readonly manifest: BundleManifest;
  readonly manifestBytes: Uint8Array;
  /** The entries of the compressed part, in order. */
  readonly entries: readonly Entry[];
  /** The files that are no blobs, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
  /** The frames of the compressed part. */
  readonly extents: readonly FrameExtent[];
}

/**
 * Reads the compressed part of a bundle: what it decodes to is hashed against the listing, or
 * computed and compared. How many frames there are follows from the sizes in bundle.json, their
 * first entry.
 * @param offset where the part begins in the volume.
 * @throws BundleError BUNDLE_UNUSABLE, CONTENT_MISMATCH or CLOSURE_MISMATCH, naming the entry.
 */
export async function readMetadata(
  source: VolumeSource,
  offset: number,
  sums: readonly Sum[],
  mtime: number,
): Promise<Metadata> {
  const part = new CompressedPart(source, offset);
  await part.decodeNext();
  const claimed = claimedSizeAndTime(part.tar.subarray(0, TAR_BLOCK));
  if (claimed === undefined || claimed.size > MAX_LISTING_BYTES)
    throw unusable('the compressed part does not begin with bundle.json');
  while (part.length < entryLength(claimed.size)) await part.decodeNext();
  const manifestEntry = { path: 'bundle.json', size: claimed.size };
  const manifestBytes = new TarReader(part.tar, mtime).next(manifestEntry);
  const manifest = checkedManifest(manifestBytes, sums);

  const entries: Entry[] = [manifestEntry, ...manifest.files];
  let length = entries.reduce((total, entry) => total + entryLength(entry.size), 0);
  // The frames say where the metadata ends: at the last blob that ends exactly where a frame does,
  // before stored frames begin.
  let count = 0;
  const grow = (): void => {
    for (
      let blob = manifest.blobs[count];
      blob && length < part.length;
      blob = manifest.blobs[count]
    ) {
      entries.push({ path: blobPath(blob.digest), size: blob.size });
      length += entryLength(blob.size);
      count += 1;
    }
  };
  grow();
  while (
    length > part.length ||
    (part.length % METADATA_FRAME_LIMIT === 0 && (await part.goesOn()))
  ) {
    await part.decodeNext();
    grow();
  }
  if (length !== part.length)
    throw unusable('the compressed part of the bundle does not end where an entry ends');
  const wanted = frameCuts(length, METADATA_FRAME_LIMIT);
  if (
    wanted.length !== part.extents.length ||
    part.extents.some((extent, index) => extent.content !== wanted[index])
  ) {
    throw unusable('the compressed part is not cut as it should be');
  }
  const reader = new TarReader(part.tar, mtime);
  reader.next(manifestEntry);
  return {
    manifest,
    manifestBytes,
    entries,
    extents: part.extents,
    ...readEntries(reader, manifest, count),
  };
}

/** The facts about a damaged compressed part that are still known. */
export interface KnownMetadata {
  readonly manifest: BundleManifest;
  /** bundle.json, from a copy of the head. */
  readonly manifestBytes: Uint8Array;
  /**
   * Frames of the seek table, from the first of the compressed part on: where the part's own
   * headers do not say it.
   */
  readonly listed: readonly FrameExtent[];
}

/**
 * Reads the good content of a damaged compressed part, by digest; the rest is reported as a fault.
 * @param offset where the part begins in the volume.
 * @param damage what was found wrong with the part, and who is told.
 * @returns `undefined` when not even the extent of the part is known.
 */
export async function salvageMetadata(
  source: VolumeSource,
  offset: number,
  { manifest, manifestBytes, listed }: KnownMetadata,
  { error, onFault }: { readonly error: BundleError; readonly onFault: OnFault },
): Promise<Metadata | undefined> {
  const all: readonly (Entry & { readonly digest: Digest })[] = [
    { path: 'bundle.json', size: manifestBytes.length, digest: digestOf(manifestBytes) },
    ...manifest.files,
    ...manifest.blobs.map(({ digest, size }) => ({ path: blobPath(digest), size, digest })),
  ];
  const extents = metadataFrames(listed, all, manifest.files.length + 1);
  const start = source.start + offset;
  const fileEnd = source.file.size;
  if (extents === undefined) {
    onFault({
      path: source.file.path,
      start,
      end: fileEnd,
      entries: [METADATA],
      error,
    });
    return undefined;
  }
  const tarLength = extents.reduce((total, { content }) => total + content, 0);
  const end = start + extents.reduce((total, { length }) => total + length, 0);
  const tar = await decoded(source, start, extents);
  // bundle.json says what these two are, so that the damage of them is none of the images.
  const computed = new Map<string, Uint8Array>([
    ['oci-layout', OCI_LAYOUT_BYTES],
    ['index.json', formatLayoutIndex(manifest.images)],
  ]);
  const files = new Map<string, Uint8Array>();
  const blobs = new Map<Digest, Uint8Array>();
  const entries: Entry[] = [];
  const lost: string[] = [];
  let at = 0;
  for (const { path, size, digest } of all) {
    if (at >= tarLength) break;
    const content = tar?.subarray(at + headerLength(size), at + headerLength(size) + size);
    at += entryLength(size);
    entries.push({ path, size });
    if (content === undefined || digestOf(content) !== digest) {
      lost.push(path);
      const known = computed.get(path);
      if (known !== undefined && digestOf(known) === digest) files.set(path, known);
    } else if (entries.length <= manifest.files.length + 1) files.set(path, content);
    else blobs.set(digest, content);
  }
  onFault({
    path: source.file.path,
    start,
    end,
    entries: lost.length > 0 ? lost : ['the bytes between the manifests'],
    error,
  });
  files.delete('bundle.json');
  return { manifest, manifestBytes, entries, files, blobs, extents };
}

/** The frames, of those listed, that end where an entry of the metadata does. */
function metadataFrames(
  listed: readonly FrameExtent[],
  entries: readonly Entry[],
  atLeast: number,
): readonly FrameExtent[] | undefined {
  let length = 0;
  const ends = new Set(entries.map(({ size }) => (length += entryLength(size))).slice(atLeast - 1));
  let content = 0;
  for (const [index, frame] of listed.entries()) {
    content += frame.content;
    if (content > MAX_METADATA_BYTES || frame.content > METADATA_FRAME_LIMIT) return undefined;
    if (ends.has(content)) return listed.slice(0, index + 1);
  }
  return undefined;
}

async function decoded(
  { file }: VolumeSource,
  start: number,
  extents: readonly FrameExtent[],
): Promise<Uint8Array | undefined> {
  const frames: Uint8Array[] = [];
  let at = start;
  for (const { length, content } of extents) {
    if (at + length > file.size) return undefined;
    const frame = decompressedFrame(await file.read(at, length));
    if (frame?.length !== content) return undefined;
    frames.push(frame);
    at += length;
  }
  return Buffer.concat(frames);
}

/** bundle.json, which must be what SHA256SUMS says and list what that lists. @throws BundleError */
export function checkedManifest(bytes: Uint8Array, sums: readonly Sum[]): BundleManifest {
  checkDigest('bundle.json', bytes, sums[0]!.digest);
  const manifest = parseBundleManifest(bytes);
  checkListing(sums, manifest);
  return manifest;
}

/**
 * The files and blobs of the compressed part behind bundle.json, each hashed.
 * @param count how many of the manifest's blobs the part has.
 */
function readEntries(
  reader: TarReader,
  manifest: BundleManifest,
  count: number,
): Pick<Metadata, 'files' | 'blobs'> {
  const files = new Map<string, Uint8Array>();
  for (const entry of manifest.files) {
    const bytes = reader.next(entry);
    checkDigest(entry.path, bytes, entry.digest);
    files.set(entry.path, bytes);
  }
  if (!Buffer.from(OCI_LAYOUT_BYTES).equals(files.get('oci-layout') ?? Buffer.alloc(0)))
    throw unusable('oci-layout is not what it should be');
  if (
    !Buffer.from(formatLayoutIndex(manifest.images)).equals(
      files.get('index.json') ?? Buffer.alloc(0),
    )
  ) {
    throw unusable('index.json and bundle.json do not list the same images');
  }
  const blobs = new Map<Digest, Uint8Array>();
  for (const blob of manifest.blobs.slice(0, count)) {
    const bytes = reader.next({ path: blobPath(blob.digest), size: blob.size });
    checkDigest(blobPath(blob.digest), bytes, blob.digest);
    blobs.set(blob.digest, bytes);
  }
  return { files, blobs };
}

/** The compressed frames, decoded one after the other. */
class CompressedPart {
  readonly extents: FrameExtent[] = [];
  #frames: Uint8Array[] = [];
  readonly #source: VolumeSource;
  #end: number;
  #length = 0;

  constructor(source: VolumeSource, offset: number) {
    this.#source = source;
    this.#end = source.start + offset;
  }

  /** Bytes of tar decoded so far. */
  get length(): number {
    return this.#length;
  }

  /** The bytes that are decoded so far. */
  get tar(): Uint8Array {
    // The joined bytes replace the frames, so that both are not in memory at once: the metadata of
    // many images is large.
    if (this.#frames.length > 1) this.#frames = [Buffer.concat(this.#frames)];
    return this.#frames[0] ?? new Uint8Array();
  }

  async decodeNext(): Promise<void> {
    const extent = await this.#nextExtent();
    if (extent.content > METADATA_FRAME_LIMIT)
      throw unusable('the compressed part is not cut as it should be');
    const frame = decompressedFrame(await this.#source.file.read(this.#end, extent.length));
    if (frame?.length !== extent.content)
      throw unusable(`the compressed part of the bundle cannot be decoded at byte ${this.#end}`);
    if (this.#frames.length > 0 && this.extents.at(-1)!.content !== METADATA_FRAME_LIMIT)
      throw unusable('the compressed part is not cut as it should be');
    this.#frames.push(frame);
    this.extents.push(extent);
    this.#end += extent.length;
    this.#length += frame.length;
    if (this.#length > MAX_METADATA_BYTES)
      throw unusable(`the manifests take more than ${MAX_METADATA_BYTES} bytes`);
  }

  /** Whether another compressed frame follows. */
  async goesOn(): Promise<boolean> {
    const { file } = this.#source;
    return beginsCompressed(await file.readUpTo(this.#end, FRAME_HEADER_BYTES));
  }

  async #nextExtent(): Promise<FrameExtent> {
    const { file } = this.#source;
    let available = 256 * 1024;
    for (;;) {
      const bytes = await file.readUpTo(this.#end, available);
      const found = frameExtent(bytes);
      if (found === undefined)
        throw unusable(`the compressed part of the bundle cannot be decoded at byte ${this.#end}`);
      if ('content' in found) return found;
      if (bytes.length < available)
        throw unusable(`${file.path} is cut off: it ends within its manifests`);
      available = Math.max(found.needed + BLOCK_SIZE, available * 2);
    }
  }
}

/** SHA256SUMS and bundle.json must list the same files and blobs in the same order. */
function checkListing(sums: readonly Sum[], manifest: BundleManifest): void {
  const listed = [
    ...manifest.files,
    ...manifest.blobs.map(({ digest }) => ({ digest, path: blobPath(digest) })),
  ];
  const rest = sums.slice(1);
  const differs = rest.find(
    (sum, index) => sum.path !== listed[index]?.path || sum.digest !== listed[index].digest,
  );
  if (differs !== undefined || rest.length !== listed.length) {
    throw new BundleError(
      'CLOSURE_MISMATCH',
      `SHA256SUMS and bundle.json do not list the same content${differs ? `: ${differs.path}` : ''}`,
      { hint: 'This program did not make the bundle: do not use it.' },
    );
  }
}

function checkDigest(path: string, bytes: Uint8Array, expected: Digest): void {
  const got = digestOf(bytes);
  if (got === expected) return;
  throw new BundleError(
    'CONTENT_MISMATCH',
    `${path} has a wrong digest: expected ${expected}, got ${got}`,
    {
      expected,
      got,
      subject: path,
      hint: 'The bundle is damaged: copy it again from where it was made.',
    },
  );
}
