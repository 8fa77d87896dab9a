import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, digestOf, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { MAX_LISTING_BYTES } from '../core/limits.ts';
import { compressedFrame, type FrameExtent, storedFrame, storedFrameLength } from './frames.ts';
import type { LayerPlace } from './layer.ts';
import { type Entry, frameCuts, type Section, sectionsOf, storedSectionLength } from './layout.ts';
import {
  type BundledImage,
  type BundledRelease,
  type BundleManifest,
  formatBundleManifest,
  formatLayoutIndex,
  OCI_LAYOUT_BYTES,
} from './manifest.ts';
import { blobPath, formatSums } from './sums.ts';
import { formatTail, type Head } from './tail.ts';
import { paddingLength, TAR_END_BYTES, tarHeader } from './tar.ts';

/** What goes into a bundle, before it is laid out. */
export interface BundleContents {
  readonly releases: readonly BundledRelease[];
  readonly images: readonly BundledImage[];
  /** Signature config maps: path in the tar and bytes. */
  readonly configMaps: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  readonly metadata: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
  readonly layers: readonly Descriptor[];
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
  /** The file up to the first layer. */
  readonly head: readonly Uint8Array[];
  readonly layers: readonly PlannedLayer[];
  /** The file after the last layer. */
  readonly tail: Uint8Array;
  /** Bytes of the whole file. */
  readonly size: number;
}

export interface PlannedLayer extends LayerPlace {
  readonly descriptor: Descriptor;
}

/** @throws BundleError UNSUPPORTED_CONTENT when the listing would be larger than a reader accepts. */
export function describeBundle(contents: BundleContents): DescribedBundle {
  const files = [
    { path: 'oci-layout', role: 'layout', bytes: OCI_LAYOUT_BYTES },
    { path: 'index.json', role: 'layout', bytes: formatLayoutIndex(contents.images) },
    ...contents.configMaps.map(({ path, bytes }) => ({ path, role: 'release-signature', bytes })),
  ];
  const blobs = [...contents.metadata.map(({ descriptor }) => descriptor), ...contents.layers];
  const manifest: BundleManifest = {
    releases: contents.releases,
    images: contents.images,
    files: files.map(({ path, role, bytes }) => ({ path, role, digest: digestOf(bytes), size: bytes.length })),
    blobs: blobs.map(({ digest, size }) => ({ digest, size })),
  };
  const manifestBytes = formatBundleManifest(manifest);
  const sums = formatSums([
    { digest: digestOf(manifestBytes), path: 'bundle.json' },
    ...manifest.files,
    ...manifest.blobs.map(({ digest }) => ({ digest, path: blobPath(digest) })),
  ]);
  for (const bytes of [manifestBytes, sums, ...files.map((file) => file.bytes)]) {
    if (bytes.length > MAX_LISTING_BYTES / 2) {
      throw new BundleError('UNSUPPORTED_CONTENT', 'one bundle cannot list this many blobs', {
        hint: 'Pack fewer releases into one bundle.',
      });
    }
  }
  return { contents, manifest, manifestBytes, sums, bundleDigest: digestOf(sums), files };
}

/** Seconds since 1970 that every entry of the tar carries: when the newest release was made. */
export function tarTime(releases: readonly BundledRelease[]): number {
  return Math.max(0, ...releases.map(({ created }) => Math.floor(Date.parse(created) / 1000)));
}

/** The whole file: all of it that is no layer as bytes, and where each layer goes. */
export function planBundle(described: DescribedBundle, seal: Seal): BundlePlan {
  const { contents, manifestBytes, sums, bundleDigest, files } = described;
  const mtime = tarTime(contents.releases);
  const tarOf = (entries: readonly { path: string; bytes: Uint8Array }[]): Uint8Array =>
    Buffer.concat(
      entries.flatMap(({ path, bytes }) => [tarHeader(path, bytes.length, mtime), bytes, Buffer.alloc(paddingLength(bytes.length))]),
    );

  const listing = { path: 'SHA256SUMS', bytes: sums };
  const sealing = [
    { path: 'SHA256SUMS.sig', bytes: seal.signature },
    { path: 'SHA256SUMS.pub', bytes: seal.publicKey },
  ];
  const metadata = [
    { path: 'bundle.json', bytes: manifestBytes },
    ...files,
    ...contents.metadata.map(({ descriptor, bytes }) => ({ path: blobPath(descriptor.digest), bytes })),
  ];
  const metadataTar = tarOf(metadata);
  const compressed: { frame: Uint8Array; content: number }[] = [];
  let cutAt = 0;
  for (const content of frameCuts(metadataTar.length)) {
    compressed.push({ frame: compressedFrame(metadataTar.subarray(cutAt, cutAt + content)), content });
    cutAt += content;
  }
  const head = [storedFrame(tarOf([listing])), storedFrame(tarOf(sealing)), ...compressed.map(({ frame }) => frame)];

  const layerEntries = contents.layers.map(({ digest, size }) => ({ path: blobPath(digest), size }));
  const sections = sectionsOf(sized(listing), sealing.map(sized), metadata.map(sized), layerEntries);
  let offset = head.reduce((total, part) => total + part.length, 0);
  const layers = sections
    .filter(({ kind }) => kind === 'layer')
    .map((section, index): PlannedLayer => {
      const entry = layerEntries[index]!;
      const planned = {
        ...entry,
        descriptor: contents.layers[index]!,
        header: tarHeader(entry.path, entry.size, mtime),
        offset,
      };
      offset += storedSectionLength(section.tarLength);
      return planned;
    });

  const record = {
    bundleDigest: Buffer.from(hexOf(bundleDigest), 'hex'),
    number: 1,
    count: 1,
    tarOffset: 0,
    tarLength: sections.reduce((total, section) => total + section.tarLength, 0),
  };
  const extents = frameExtents(
    sections,
    compressed.map(({ frame, content }) => ({ length: frame.length, content })),
  );
  const tail = Buffer.concat([
    storedFrame(Buffer.alloc(TAR_END_BYTES)),
    formatTail(record, { sums, ...seal, manifest: manifestBytes }, extents),
  ]);
  return { bundleDigest, head, layers, tail, size: offset + tail.length };
}

/** Every frame that holds tar, in file order; those of the metadata have to be given, the others can be computed. */
export function frameExtents(sections: readonly Section[], metadata: readonly FrameExtent[]): FrameExtent[] {
  return sections.flatMap((section) =>
    section.kind === 'metadata'
      ? metadata
      : frameCuts(section.tarLength).map((content) => ({ length: storedFrameLength(content), content })),
  );
}

function sized({ path, bytes }: { path: string; bytes: Uint8Array }): Entry {
  return { path, size: bytes.length };
}
