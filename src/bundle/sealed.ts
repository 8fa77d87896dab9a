import { type Digest, digestOf, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { BundleFile } from './file.ts';
import { type FoundVolume, inOrder, volumesIn } from './found-volumes.ts';
import { type FoundHead, type FrontHead, readFrontHead, readHeadCopy } from './head.ts';
import { type Entry, sectionsOf, storedSectionLength } from './layout.ts';
import type { BundleManifest } from './manifest.ts';
import { checkedManifest, type Metadata, readMetadata } from './metadata.ts';
import { tarTime } from './plan.ts';
import { BundleReader } from './reader.ts';
import { blobPath, parseSums, type Sum } from './sums.ts';
import { copiesIn, formatTail, headCopy, headCopyLength, type Head, type VolumeRecord } from './tail.ts';
import { entryLength, TAR_END_BYTES } from './tar.ts';
import { unusable } from './unusable.ts';
import { frameExtents, layerPortions, layOutVolume, type Uncut, type VolumeLayout, wholeTar } from './volumes.ts';

/**
 * A bundle of which only the signed listing and its signature have been read. Whoever opens one decides about the
 * signer first; {@link SealedBundle.unseal} then reads on.
 */
export class SealedBundle implements FoundHead {
  readonly sums: Uint8Array;
  /** The raw signature over {@link sums}. */
  readonly signature: Uint8Array;
  /** Signature file and key as the bundle holds them. */
  readonly seal: Pick<Head, 'signature' | 'publicKey'>;
  /** SHA-256 of SHA256SUMS. */
  readonly digest: Digest;
  readonly #files: readonly BundleFile[];
  readonly #volumes: readonly FoundVolume[];
  readonly #front: FrontHead | undefined;

  private constructor(files: readonly BundleFile[], volumes: readonly FoundVolume[], head: FoundHead, front: FrontHead | undefined) {
    this.#files = files;
    this.#volumes = volumes;
    this.#front = front;
    this.sums = head.sums;
    this.signature = head.signature;
    this.seal = head.seal;
    this.digest = digestOf(head.sums);
  }

  /**
   * @param paths of the physical files, in any order; each holds one volume, or several back to back.
   * @throws BundleError BUNDLE_UNUSABLE for files that are not those of one bundle, NOT_FOUND, DISK.
   */
  static async open(...paths: readonly string[]): Promise<SealedBundle> {
    const files: BundleFile[] = [];
    try {
      const found: FoundVolume[] = [];
      for (const path of paths) {
        const file = await BundleFile.open(path);
        files.push(file);
        found.push(...(await volumesIn(file)));
      }
      const volumes = inOrder(found);
      const [first] = volumes;
      if (first === undefined) throw unusable('no file was named');
      const front = first.record.number === 1 ? await readFrontHead(first) : undefined;
      return new SealedBundle(files, volumes, front ?? (await readHeadCopy(first, 0)), front);
    } catch (error) {
      await closeAll(files);
      throw error;
    }
  }

  /** PEM of the key that the bundle names as its signer's: to be shown, never to be trusted. */
  get publicKey(): Uint8Array {
    return this.seal.publicKey;
  }

  /** The physical files, in the order of the volumes that they hold. */
  get paths(): readonly string[] {
    return [...new Set(this.#volumes.map(({ file }) => file.path))];
  }

  /** Bytes of all files. */
  get size(): number {
    return this.#files.reduce((total, { size }) => total + size, 0);
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
    const first = this.#volumes[0]!;
    const sums = parseSums(this.sums);
    const { manifest, manifestBytes, metadata, mtime } = await this.#describe(sums);
    const blobs = manifest.blobs.map(({ digest, size }) => ({ path: blobPath(digest), size, digest }));
    const entries = [{ path: 'bundle.json', size: manifestBytes.length }, ...manifest.files, ...blobs];
    const sealing = [
      { path: 'SHA256SUMS.sig', size: this.seal.signature.length },
      { path: 'SHA256SUMS.pub', size: this.seal.publicKey.length },
    ];
    const listing = { path: 'SHA256SUMS', size: this.sums.length };
    const inMetadata = metadata?.entries.length ?? wholeEntries([listing, ...sealing, ...entries], first.record.tarOffset) - 3;
    const layers = blobs.slice(inMetadata - entries.length + blobs.length);
    const sections = sectionsOf(listing, sealing, entries.slice(0, inMetadata), layers);
    const head: Head = { sums: this.sums, ...this.seal, manifest: manifestBytes };
    const uncut = { sections, metadata: metadata?.extents ?? [], copyLength: headCopyLength(head) };
    if (!Number.isSafeInteger(wholeTar(sections).tarLength * 2)) {
      throw unusable('the sizes in bundle.json add up to more than any file holds');
    }
    const layouts = new Map<number, VolumeLayout>();
    for (const volume of this.#volumes) layouts.set(volume.record.number - 1, await this.#checkVolume(volume, uncut, head));
    const portions = layerPortions(layouts, sections.length - 1 - layers.length, layers.length);
    return new BundleReader({
      name: this.paths[0]!,
      manifest,
      files: metadata?.files ?? new Map(),
      metadata: metadata?.blobs ?? new Map(),
      layers: new Map(layers.map((layer, index) => [layer.digest, { ...layer, portions: portions[index]! }])),
      volumes: Array.from({ length: first.record.count }, (_, index) => this.#volumes.find(({ record }) => record.number === index + 1)),
      mtime,
      close: () => this.close(),
    });
  }

  async close(): Promise<void> {
    await closeAll(this.#files);
  }

  /** What the bundle says that it holds: from the first volume, or else from the copy in another. */
  async #describe(sums: readonly Sum[]): Promise<Described> {
    if (this.#front === undefined) {
      const manifestBytes = (await readHeadCopy(this.#volumes[0]!, 0)).manifest;
      const manifest = checkedManifest(manifestBytes, sums);
      return { manifest, manifestBytes, metadata: undefined, mtime: tarTime(manifest.releases) };
    }
    const { mtime, metadataOffset } = this.#front;
    const metadata = await readMetadata(this.#volumes[0]!, metadataOffset, sums, mtime);
    if (tarTime(metadata.manifest.releases) !== mtime) throw unusable('the time of the tar entries is not that of the newest release');
    return { manifest: metadata.manifest, manifestBytes: metadata.manifestBytes, metadata, mtime };
  }

  /** Compares everything in a volume that is neither metadata nor layer with what it has to be. */
  async #checkVolume(volume: FoundVolume, uncut: Uncut, head: Head): Promise<VolumeLayout> {
    const { file, start, length, record } = volume;
    const layout = layOutVolume(uncut, record);
    const holdsEnd = record.tarOffset + record.tarLength === wholeTar(uncut.sections).tarLength;
    if (layout === undefined || holdsEnd !== (record.number === record.count)) {
      throw unusable(`${file.path} is not cut as volume ${record.number} of ${record.count} has to be`);
    }
    if (layout.size !== length) throw wrongSize(file.path, layout.size, length);
    // Only now is it known that there are no more frames to list than the file has room for.
    if (copiesIn(record).leading && !equal(await file.read(start, uncut.copyLength), headCopy(this.#recordOf(record), head))) {
      throw unusable(`the copy of the head that begins ${file.path} is not that of the bundle`);
    }
    if (holdsEnd) {
      const endOffset = start + layout.tailOffset - storedSectionLength(TAR_END_BYTES);
      const end = await file.readStored(endOffset, TAR_END_BYTES, 'the end of the tar');
      if (end.some((byte) => byte !== 0)) throw unusable('the tar does not end where it should');
    }
    const tail = await file.read(start + layout.tailOffset, layout.size - layout.tailOffset);
    if (!equal(tail, formatTail(this.#recordOf(record), head, frameExtents(layout, uncut.metadata)))) {
      throw unusable(`the tail of ${file.path} (head copy, record, seek table) is not that of its head`);
    }
    return layout;
  }

  #recordOf(record: VolumeRecord): VolumeRecord {
    return { ...record, bundleDigest: Buffer.from(hexOf(this.digest), 'hex') };
  }
}

/**
 * How many entries end before a byte of the tar. Where the first volume is missing nobody can say which of them are layers;
 * but all metadata is in that volume, so that whatever reaches beyond it is one.
 */
function wholeEntries(entries: readonly Entry[], tarOffset: number): number {
  let end = 0;
  const reaching = entries.findIndex(({ size }) => (end += entryLength(size)) > tarOffset);
  return reaching === -1 ? entries.length : reaching;
}

interface Described {
  readonly manifest: BundleManifest;
  readonly manifestBytes: Uint8Array;
  /** Missing where the first volume is. */
  readonly metadata: Metadata | undefined;
  readonly mtime: number;
}

function wrongSize(path: string, planned: number, size: number): BundleError {
  const difference = Math.abs(size - planned);
  return unusable(
    size < planned
      ? `${path} is truncated: ${difference} of ${planned} bytes are missing`
      : `${path} has ${difference} bytes more than a volume of this content takes`,
    { expected: `${planned} bytes`, got: `${size} bytes` },
  );
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

async function closeAll(files: readonly BundleFile[]): Promise<void> {
  for (const file of files) await file.close();
}
