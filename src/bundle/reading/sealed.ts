import type { Readable } from 'node:stream';

import { type Digest, digestOf, hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { BundleFile } from './file.ts';
import { compare } from './compare.ts';
import { isDamage, NotOneBundle, type OnFault, refuseFault } from './fault.ts';
import { type FoundVolume, inOrder, type Piece, piecesIn } from './found-volumes.ts';
import { storedFrame } from '../format/frames.ts';
import { distinct, type FoundHeads, readHeads } from './found-heads.ts';
import { type FoundHead, readFrontHead } from './head.ts';
import type { LayerPlace } from '../format/layer.ts';
import { type Entry, sectionsOf, storedSectionLength } from '../format/layout.ts';
import { type BundleManifest, tarTime } from '../format/manifest.ts';
import { checkedManifest, type Metadata, readMetadata, salvageMetadata } from './metadata.ts';
import { passOf } from './pass.ts';
import { PassingVolumes, refuseLaterVolume } from './passing-volumes.ts';
import { PipeSource } from './pipe.ts';
import { sealEntries, tarOf } from '../format/plan.ts';
import { BundleReader } from './reader.ts';
import { settle, tarOffsetOf } from './settle.ts';
import { blobPath } from '../format/paths.ts';
import { parseSums, type Sum } from '../format/sums.ts';
import { headCopy, headCopyLength, type Head, type VolumeRecord } from '../format/tail.ts';
import { entryLength } from '../format/tar.ts';
import { unusable } from '../format/unusable.ts';
import { checkEnd, wrongSize } from './volume-end.ts';
import {
  layerPortions,
  layOutVolume,
  type Uncut,
  type VolumeLayout,
  wholeTar,
} from '../format/volumes.ts';

/**
 * A bundle of which only the signed listing and its signature have been read. Whoever opens one
 * decides about the signer first; {@link SealedBundle.unseal} then reads on.
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
  readonly #found: FoundHeads;
  readonly #onFault: OnFault;
  /** Bytes of a bundle in a pipe. */
  #pipeSize = 0;

  private constructor(
    files: readonly BundleFile[],
    found: FoundHeads,
    head: FoundHead,
    onFault: OnFault,
  ) {
    this.#files = files;
    this.#found = found;
    this.#onFault = onFault;
    this.sums = head.sums;
    this.signature = head.signature;
    this.seal = head.seal;
    this.digest = digestOf(head.sums);
  }

  /**
   * @param paths of the physical files, in any order; each holds one volume, or several back to
   * back.
   * @throws BundleError BUNDLE_UNUSABLE for files that are not those of one bundle, NOT_FOUND,
   * DISK.
   */
  static async open(...paths: readonly string[]): Promise<SealedBundle> {
    const [first] = await SealedBundle.survey(paths, refuseFault);
    try {
      for (const { fault } of first!.#found.pieces) if (fault !== undefined) refuseFault(fault);
      return first!;
    } catch (error) {
      await first!.close();
      throw error;
    }
  }

  /**
   * Opens a bundle that may be damaged.
   * @param onFault is told of what is damaged, when it is unsealed.
   * @returns one for each head that can be read, the first of which has a good signature is the
   * bundle. They share their files.
   * @throws BundleError as {@link open}, for what is no damage, and when no head can be read.
   */
  static async survey(
    paths: readonly string[],
    onFault: OnFault,
  ): Promise<readonly SealedBundle[]> {
    const files: BundleFile[] = [];
    try {
      const pieces: Piece[] = [];
      for (const path of paths) {
        const file = await BundleFile.open(path);
        files.push(file);
        pieces.push(...(await piecesIn(file)));
      }
      const found = await readHeads(pieces);
      const heads = distinct([...(found.front ? [found.front] : []), ...found.copies]);
      return heads.map((head) => new SealedBundle(files, found, head, onFault));
    } catch (error) {
      await closeAll(files);
      throw error;
    }
  }

  /**
   * Looks at the heads of a bundle that may be damaged, and closes its files again.
   * @returns what `look` gives.
   * @throws BundleError as {@link survey}; and whatever `look` throws.
   */
  static async peek<T>(
    paths: readonly string[],
    look: (heads: readonly SealedBundle[]) => T | Promise<T>,
  ): Promise<T> {
    const heads = await SealedBundle.survey(paths, () => undefined);
    try {
      return await look(heads);
    } finally {
      await heads[0]!.close(); // they share their files
    }
  }

  /**
   * A bundle that comes through a pipe: in one piece, or all volumes in their order.
   * @param name for messages.
   * @throws BundleError BUNDLE_UNUSABLE, DISK
   */
  static async receive(input: Readable, name: string): Promise<SealedBundle> {
    const file = new BundleFile(new PipeSource(input, name));
    try {
      await refuseLaterVolume(file);
      const whole = { file, start: 0, length: Number.POSITIVE_INFINITY };
      const front = await readFrontHead(whole);
      const piece = {
        ...whole,
        ending: undefined,
        isFirst: true,
        record: undefined,
        listing: digestOf(front.sums),
      };
      return new SealedBundle([file], { pieces: [piece], front, copies: [] }, front, refuseFault);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** PEM of the key that the bundle names as its signer's: to be shown, never to be trusted. */
  get publicKey(): Uint8Array {
    return this.seal.publicKey;
  }

  /** The physical files. */
  get paths(): readonly string[] {
    return this.#files.map(({ path }) => path);
  }

  /**
   * Bytes of all files; of a pipe, those that the bundle has in one piece, known once it is
   * unsealed.
   */
  get size(): number {
    if (this.#isPipe) return this.#pipeSize;
    return this.#files.reduce((total, { size }) => total + size, 0);
  }

  /**
   * @param digest the bundle digest that is wanted, if any.
   * @throws BundleError NOT_THE_EXPECTED_BUNDLE
   */
  expect(digest: Digest | undefined): void {
    if (digest === undefined || this.digest === digest) return;
    throw new BundleError(
      'NOT_THE_EXPECTED_BUNDLE',
      'the bundle digest is not the one that was expected',
      {
        expected: hexOf(digest),
        got: hexOf(this.digest),
        hint:
          'Compare both digests with the one that you got out of band. If that is the first ' +
          '(expected), this is another bundle: do not use it. If it is the second (got), correct ' +
          '--bundle-digest.',
      },
    );
  }

  /**
   * Reads everything but the layers: every byte of it is either hashed against the listing or
   * computed and compared.
   * @throws BundleError BUNDLE_UNUSABLE or CONTENT_MISMATCH, naming the entry.
   */
  async unseal(): Promise<BundleReader> {
    const sums = parseSums(this.sums);
    this.#refuseForeign();
    const { manifest, manifestBytes, metadata } = await this.#describe(sums);
    const mtime = tarTime(manifest.parts);
    // A first volume whose compressed part has no known end is of no use: nothing behind that can
    // be found.
    const pieces = this.#found.pieces.filter(({ isFirst }) => !isFirst || metadata !== undefined);
    const blobs = manifest.blobs.map(({ digest, size }) => ({
      path: blobPath(digest),
      size,
      digest,
    }));
    const entries = [
      { path: 'bundle.json', size: manifestBytes.length },
      ...manifest.files,
      ...blobs,
    ];
    const sealing = sealEntries(this.seal).map(({ path, bytes }) => ({ path, size: bytes.length }));
    const listing = { path: 'SHA256SUMS', size: this.sums.length };
    const lowest = Math.min(...pieces.map(tarOffsetOf));
    const inMetadata =
      metadata?.entries.length ??
      wholeEntries([listing, ...sealing, ...entries], lowest) - 1 - sealing.length;
    const layers = blobs.slice(inMetadata - entries.length + blobs.length);
    const sections = sectionsOf(listing, sealing, entries.slice(0, inMetadata), layers);
    const head: Head = { sums: this.sums, ...this.seal, manifest: manifestBytes };
    const uncut = { sections, metadata: metadata?.extents ?? [], copyLength: headCopyLength(head) };
    if (!Number.isSafeInteger(wholeTar(sections).tarLength * 2)) {
      throw unusable('the sizes in bundle.json add up to more than any file holds');
    }
    const volumes = inOrder(settle(pieces, uncut));
    const [first] = volumes;
    if (first === undefined)
      throw unusable(`${this.paths.join(', ')}: no volume of the bundle can be read`);
    this.#reportUnused(volumes, metadata !== undefined);
    const layouts = new Map<number, VolumeLayout>();
    for (const volume of volumes)
      layouts.set(volume.record.number - 1, layoutOf(volume, uncut, this.#recordOf(volume.record)));
    const passing = this.#isPipe
      ? this.#passing(first.file, layouts.get(0)!, uncut, head)
      : undefined;
    const portions = layerPortions(layouts, sections.length - 1 - layers.length, layers.length);
    const places = layers.map((layer, index) => ({
      ...layer,
      mtime,
      portions: portions[index]!,
    }));
    // Out of a pipe the front of a volume was compared when it came, and its end is yet to come.
    for (const volume of this.#isPipe ? [] : volumes) {
      const layout = layouts.get(volume.record.number - 1)!;
      await this.#checkVolume(volume, { layout, uncut, head, mtime, places });
    }
    return new BundleReader({
      name: first.file.path,
      manifest,
      files: metadata?.files ?? new Map(),
      metadata: metadata?.blobs ?? new Map(),
      metadataDigests:
        metadata === undefined
          ? []
          : blobs.slice(0, blobs.length - layers.length).map(({ digest }) => digest),
      layers: new Map(places.map((place) => [place.digest, place])),
      volumes: Array.from({ length: first.record.count }, (_, index) =>
        volumes.find(({ record }) => record.number === index + 1),
      ),
      pass: passing && {
        layers: passOf(layers, mtime, passing),
        placeOf: (path) => passing.placeOf(path),
      },
      close: () => this.close(),
    });
  }

  #passing(pipe: BundleFile, layout: VolumeLayout, uncut: Uncut, head: Head): PassingVolumes {
    this.#pipeSize = layout.size;
    return new PassingVolumes(pipe, layout, { uncut, head, bundleDigest: this.#rawDigest });
  }

  async close(): Promise<void> {
    await closeAll(this.#files);
  }

  /** A volume that names another bundle, and begins as one, is no damaged volume of this. */
  #refuseForeign(): void {
    const hex = hexOf(this.digest);
    for (const { ending, listing, file } of this.#found.pieces) {
      const said = [
        ending && Buffer.from(ending.record.bundleDigest).toString('hex'),
        listing && hexOf(listing),
      ];
      if (said.includes(hex) || said.every((digest) => digest === undefined)) continue;
      throw new NotOneBundle(`${file.path} is of another bundle than ${this.paths[0]!}`);
    }
  }

  /** The list of contents, `bundle.json`: from the first volume, or else from a copy in another. */
  async #describe(sums: readonly Sum[]): Promise<Described> {
    const { pieces, front, copies } = this.#found;
    const first = pieces.find(({ isFirst }) => isFirst);
    const copied = copies.find(({ manifest }) => digestOf(manifest) === sums[0]!.digest)?.manifest;
    const readCopy = (
      failure: BundleError,
    ): { manifest: BundleManifest; manifestBytes: Uint8Array } => {
      if (copied === undefined) throw failure;
      return { manifest: checkedManifest(copied, sums), manifestBytes: copied };
    };
    if (first === undefined)
      return {
        ...readCopy(unusable('every copy of bundle.json in the volumes is damaged')),
        metadata: undefined,
      };
    const offset = this.#metadataOffset;
    const mtime =
      front?.mtime ??
      tarTime(
        readCopy(unusable('the head of the bundle is damaged, and so are its copies')).manifest
          .parts,
      );
    try {
      const metadata = await readMetadata(first, offset, sums, mtime);
      if (tarTime(metadata.manifest.parts) !== mtime)
        throw unusable('the tar entries do not have the time of the newest part');
      return { manifest: metadata.manifest, manifestBytes: metadata.manifestBytes, metadata };
    } catch (error) {
      if (!isDamage(error)) throw error;
      const described = readCopy(error);
      if (this.#onFault === refuseFault) throw error;
      const listed = first.ending?.frames.slice(2) ?? [];
      const metadata = await salvageMetadata(
        first,
        offset,
        { ...described, listed },
        { error, onFault: this.#onFault },
      );
      return { ...described, metadata };
    }
  }

  /** Where the compressed part begins in the first volume. */
  get #metadataOffset(): number {
    const sealing = sealEntries(this.seal).reduce(
      (total, { bytes }) => total + entryLength(bytes.length),
      0,
    );
    return storedSectionLength(entryLength(this.sums.length)) + storedSectionLength(sealing);
  }

  /**
   * Tells of pieces that nothing could be made of. Where the first volume is useless for its
   * manifests, that has been told.
   */
  #reportUnused(volumes: readonly FoundVolume[], hasMetadata: boolean): void {
    for (const { file, start, isFirst, fault } of this.#found.pieces) {
      const isUsed = volumes.some((volume) => volume.file === file && volume.start === start);
      if (fault !== undefined && !isUsed && (hasMetadata || !isFirst)) this.#onFault(fault);
    }
  }

  /**
   * Compares everything in a volume that is neither metadata nor layer with what it has to be. One
   * that is cut off has one fault, which says what is missing.
   */
  async #checkVolume(volume: FoundVolume, expected: ExpectedFile): Promise<void> {
    const { file, start, length, record } = volume;
    const { layout, uncut, head, mtime, places } = expected;
    let told = 0;
    const onFault: OnFault = (fault) => {
      told += 1;
      this.#onFault(fault);
    };
    const expect = (
      offset: number,
      bytes: Uint8Array,
      ...entries: readonly string[]
    ): Promise<void> => compare(file, { offset: start + offset, bytes, entries }, onFault);
    if (layout.size !== length) onFault(wrongSize(volume, layout.size, places));
    const listing = storedFrame(tarOf([{ path: 'SHA256SUMS', bytes: head.sums }], mtime));
    if (record.number === 1) {
      await expect(0, listing, 'SHA256SUMS');
      await expect(
        listing.length,
        storedFrame(tarOf(sealEntries(this.seal), mtime)),
        'SHA256SUMS.sig',
        'SHA256SUMS.pub',
      );
    } else await expect(0, headCopy(this.#recordOf(record), head), 'the copy of the head in front');
    if (layout.size > length) return;
    // Only now is it known that there are no more frames to list than the file has room for.
    await checkEnd(volume, { record: this.#recordOf(record), layout, uncut, head }, onFault);
    const piece = this.#found.pieces.find((each) => each.file === file && each.start === start);
    if (piece?.fault !== undefined && told === 0) onFault(piece.fault);
  }

  get #isPipe(): boolean {
    return this.#found.pieces.some(({ length }) => length === Number.POSITIVE_INFINITY);
  }

  #recordOf(said: VolumeRecord): VolumeRecord {
    return { ...said, bundleDigest: this.#rawDigest };
  }

  get #rawDigest(): Uint8Array {
    return Buffer.from(hexOf(this.digest), 'hex');
  }
}

/** What a volume is compared with. */
interface ExpectedFile {
  readonly layout: VolumeLayout;
  readonly uncut: Uncut;
  readonly head: Head;
  readonly mtime: number;
  readonly places: readonly LayerPlace[];
}

/** @throws BundleError BUNDLE_UNUSABLE */
function layoutOf({ file }: FoundVolume, uncut: Uncut, record: VolumeRecord): VolumeLayout {
  const layout = layOutVolume(uncut, record);
  const holdsEnd = record.tarOffset + record.tarLength === wholeTar(uncut.sections).tarLength;
  if (layout === undefined || holdsEnd !== (record.number === record.count)) {
    throw unusable(
      `${file.path} is not cut as volume ${record.number} of ${record.count} has to be`,
    );
  }
  return layout;
}

/**
 * How many entries end before a byte of the tar. Where the first volume is missing nobody can say
 * which of them are layers; but all metadata is in that volume, so that whatever reaches beyond it
 * is one.
 */
function wholeEntries(entries: readonly Entry[], tarOffset: number): number {
  let end = 0;
  const reaching = entries.findIndex(({ size }) => (end += entryLength(size)) > tarOffset);
  return reaching === -1 ? entries.length : reaching;
}

interface Described {
  readonly manifest: BundleManifest;
  readonly manifestBytes: Uint8Array;
  /** Missing where the first volume is, or where the end of it cannot be found. */
  readonly metadata: Metadata | undefined;
}

async function closeAll(files: readonly BundleFile[]): Promise<void> {
  for (const file of files) await file.close();
}
