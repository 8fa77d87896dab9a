import { type Digest, digestOf, hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { MAX_LISTING_BYTES } from '../../core/limits.ts';
import type { PlannedBlob, PlannedManifest } from '../../transfer/plan.ts';
import {
  compressedFrame,
  METADATA_FRAME_LIMIT,
  metadataCompressor,
  storedFrame,
} from './frames.ts';
import type { LayerPlace } from './layer.ts';
import { type Entry, frameCuts, sectionsOf } from './layout.ts';
import {
  type BundledHole,
  type BundledImage,
  type BundledPart,
  type BundleManifest,
  formatBundleManifest,
  formatLayoutIndex,
  OCI_LAYOUT_BYTES,
  type RequiredBundle,
  tarTime,
} from './manifest.ts';
import { blobPath } from './paths.ts';
import { formatSums, type Sum } from './sums.ts';
import { type Head, headCopy, headCopyLength, tailParts, type VolumeRecord } from './tail.ts';
import { entryLength, paddingLength, TAR_END_BYTES, tarHeader } from './tar.ts';
import { cutIntoVolumes, frameExtents, layerPortions, layOutVolume, wholeTar } from './volumes.ts';

/** A file of a part: where it stands in the tar, what it is for, and its bytes. */
export interface PartFile {
  readonly path: string;
  readonly role: string;
  readonly bytes: Uint8Array;
}

/** The content of a bundle, before its layout is computed. */
export interface BundleContents {
  /** The name of the bundle; it is signed with the rest. */
  readonly name: string;
  /** The bundle that these are parts of, if they are a patch for it. */
  readonly repairs?: Digest;
  /** The earlier bundles whose blobs it leaves out, if it completes them. */
  readonly requires?: readonly RequiredBundle[];
  readonly parts: readonly BundledPart[];
  readonly images: readonly BundledImage[];
  /** The images that its parts have, and it has not. */
  readonly holes?: readonly BundledHole[];
  readonly files: readonly PartFile[];
  readonly manifests: readonly PlannedManifest[];
  /** Configs and layers, in tar order. */
  readonly blobs: readonly PlannedBlob[];
}

/** The contents with everything that is signed: a function of the contents alone. */
export interface DescribedBundle {
  readonly contents: BundleContents;
  readonly manifest: BundleManifest;
  readonly manifestBytes: Uint8Array;
  /** The bytes of SHA256SUMS: what is signed. */
  readonly sums: Uint8Array;
  /** SHA-256 of SHA256SUMS. */
  readonly bundleDigest: Digest;
  /** Every file that is no blob and no part of the head, in tar order. */
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
}

/** The signer's half of the head. */
export type Seal = Pick<Head, 'signature' | 'publicKey'>;

/** A bundle to the byte, except for the layers' own content. */
export interface BundlePlan {
  readonly bundleDigest: Digest;
  /** In the order of the tar; one, unless a size was given. */
  readonly volumes: readonly VolumePlan[];
  readonly layers: readonly PlannedLayer[];
  /** Bytes of all volumes. */
  readonly size: number;
}

/** One physical file of a bundle. */
export interface VolumePlan {
  readonly record: VolumeRecord;
  /** The bytes before the first layer: the head of the bundle, or a copy of it. */
  readonly head: readonly Uint8Array[];
  /** The bytes after the last layer, in pieces. */
  readonly tail: readonly Uint8Array[];
  /** How many layers of the bundle have to be whole before the volume is. */
  readonly layersNeeded: number;
  /** Bytes. */
  readonly size: number;
}

/** A config or layer: where it is fetched from, and where it goes. */
export interface PlannedLayer extends LayerPlace, PlannedBlob {}

/**
 * @throws BundleError UNSUPPORTED_CONTENT when the listing would be larger than a reader accepts.
 */
export function describeBundle(contents: BundleContents): DescribedBundle {
  const files = [
    { path: 'oci-layout', role: 'layout', bytes: OCI_LAYOUT_BYTES },
    { path: 'index.json', role: 'layout', bytes: formatLayoutIndex(contents.images) },
    ...contents.files,
  ];
  const blobs = [...contents.manifests, ...contents.blobs].map(({ descriptor }) => descriptor);
  const manifest: BundleManifest = {
    name: contents.name,
    ...(contents.repairs !== undefined && { repairs: contents.repairs }),
    ...(contents.requires !== undefined && { requires: contents.requires }),
    parts: contents.parts,
    images: contents.images,
    ...(contents.holes !== undefined && { holes: contents.holes }),
    files: files.map(({ path, role, bytes }) => ({
      path,
      role,
      digest: digestOf(bytes),
      size: bytes.length,
    })),
    blobs: blobs.map(({ digest, size }) => ({ digest, size })),
  };
  const manifestBytes = formatBundleManifest(manifest);
  const sums = formatSums(listed(manifest, manifestBytes));
  for (const bytes of [manifestBytes, sums, ...files.map((file) => file.bytes)]) {
    if (bytes.length > MAX_LISTING_BYTES / 2) {
      throw new BundleError('UNSUPPORTED_CONTENT', 'one bundle cannot list this many blobs', {
        hint: 'Pack fewer parts into one bundle.',
      });
    }
  }
  return { contents, manifest, manifestBytes, sums, bundleDigest: digestOf(sums), files };
}

/** The entries of SHA256SUMS, in tar order. */
function* listed({ files, blobs }: BundleManifest, manifestBytes: Uint8Array): Generator<Sum> {
  yield { digest: digestOf(manifestBytes), path: 'bundle.json' };
  yield* files;
  for (const { digest } of blobs) yield { digest, path: blobPath(digest) };
}

/**
 * The whole bundle: all of it that is no layer as bytes, and where each layer goes.
 * @param volumeSize most bytes of a volume; one volume holds everything if it is left out.
 * @throws BundleError USAGE when volumes of that size cannot hold it.
 */
export function planBundle(
  described: DescribedBundle,
  seal: Seal,
  volumeSize?: number,
): BundlePlan {
  const { contents, manifestBytes, sums, bundleDigest, files } = described;
  const mtime = tarTime(contents.parts);
  const listing = [{ path: 'SHA256SUMS', bytes: sums }];
  const sealing = sealEntries(seal);
  const metadata = [
    { path: 'bundle.json', bytes: manifestBytes },
    ...files,
    ...contents.manifests.map(({ descriptor, bytes }) => ({
      path: blobPath(descriptor.digest),
      bytes,
    })),
  ];
  const compressed = compressedFrames(metadata, mtime);
  const extents = compressed.map(({ frame, content }) => ({ length: frame.length, content }));
  const layerEntries = contents.blobs.map(({ descriptor: { digest, size } }) => ({
    path: blobPath(digest),
    size,
  }));
  const sections = sectionsOf(
    sized(listing[0]!),
    sealing.map(sized),
    metadata.map(sized),
    layerEntries,
  );

  const head: Head = { sums, ...seal, manifest: manifestBytes };
  const uncut = { sections, metadata: extents, copyLength: headCopyLength(head) };
  const cuts = volumeSize === undefined ? [wholeTar(sections)] : cutIntoVolumes(uncut, volumeSize);
  const front = [
    storedFrame(tarOf(listing, mtime)),
    storedFrame(tarOf(sealing, mtime)),
    ...compressed.map(({ frame }) => frame),
  ];
  const firstLayer = sections.length - 1 - layerEntries.length;
  const layouts = cuts.map((cut, index) =>
    layOutVolume(uncut, { ...cut, number: index + 1, count: cuts.length })!,
  );
  const volumes = layouts.map((layout, index): VolumePlan => {
    const record = {
      ...cuts[index]!,
      bundleDigest: Buffer.from(hexOf(bundleDigest), 'hex'),
      number: index + 1,
      count: cuts.length,
    };
    const { section, index: last } = layout.portions.at(-1)!;
    const end = section.kind === 'end' ? [storedFrame(Buffer.alloc(TAR_END_BYTES))] : [];
    return {
      record,
      head: index === 0 ? front : [headCopy(record, head)],
      tail: [...end, ...tailParts(record, head, frameExtents(layout, extents))],
      layersNeeded: Math.min(Math.max(last - firstLayer + 1, 0), layerEntries.length),
      size: layout.size,
    };
  });
  const portions = layerPortions(layouts.entries(), firstLayer, layerEntries.length);
  const layers = layerEntries.map(({ path, size }, index): PlannedLayer => {
    const { descriptor, store, image } = contents.blobs[index]!;
    return { path, size, mtime, portions: portions[index]!, descriptor, store, image };
  });
  return {
    bundleDigest,
    volumes,
    layers,
    size: volumes.reduce((total, { size }) => total + size, 0),
  };
}

/** Entries of a tar as bytes, with their headers and padding. */
export function tarOf(
  entries: readonly { path: string; bytes: Uint8Array }[],
  mtime: number,
): Uint8Array {
  return Buffer.concat([...chunksOf(entries, mtime)]);
}

/** The entries that hold a signature and the key it names. */
export function sealEntries({
  signature,
  publicKey,
}: Seal): readonly { path: string; bytes: Uint8Array }[] {
  return [
    { path: 'SHA256SUMS.sig', bytes: signature },
    { path: 'SHA256SUMS.pub', bytes: publicKey },
  ];
}

/**
 * The metadata as compressed frames. One frame's tar is in memory at a time: that of many images is
 * far larger than what is left of it.
 */
function compressedFrames(
  entries: readonly { path: string; bytes: Uint8Array }[],
  mtime: number,
): { frame: Uint8Array; content: number }[] {
  const length = entries.reduce((sum, { bytes }) => sum + entryLength(bytes.length), 0);
  const cuts = frameCuts(length, METADATA_FRAME_LIMIT);
  const chunks = chunksOf(entries, mtime);
  const buffer = Buffer.alloc(Math.max(...cuts));
  const compressor = metadataCompressor();
  let rest: Uint8Array = new Uint8Array();
  return cuts.map((content) => {
    let filled = 0;
    while (filled < content) {
      if (rest.length === 0) rest = chunks.next().value!;
      const part = rest.subarray(0, content - filled);
      buffer.set(part, filled);
      filled += part.length;
      rest = rest.subarray(part.length);
    }
    return { frame: compressedFrame(buffer.subarray(0, content), compressor), content };
  });
}

/** Entries of a tar, in pieces that are never empty. */
function* chunksOf(
  entries: readonly { path: string; bytes: Uint8Array }[],
  mtime: number,
): Generator<Uint8Array, undefined> {
  for (const { path, bytes } of entries) {
    yield tarHeader(path, bytes.length, mtime);
    if (bytes.length > 0) yield bytes;
    const padding = paddingLength(bytes.length);
    if (padding > 0) yield new Uint8Array(padding);
  }
  return undefined;
}

function sized({ path, bytes }: { path: string; bytes: Uint8Array }): Entry {
  return { path, size: bytes.length };
}
