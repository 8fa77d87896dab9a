import type { Descriptor } from '../../core/descriptor.ts';
import { type ByteStream, streamOf } from '../../core/bytes.ts';
import { type Digest, digestOf, isDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { parseManifest } from '../../core/manifest.ts';
import type { OnePass } from '../../transfer/one-pass.ts';
import type { FetchOptions, ReadOnlyStore } from '../../core/store.ts';
import type { VolumeSource } from './file.ts';
import type { LayerPlace } from '../format/layer.ts';
import { readLayer } from './layer.ts';
import { storedSectionLength } from '../format/layout.ts';
import type { BundleManifest } from '../format/manifest.ts';
import { entryLength } from '../format/tar.ts';

/** The pieces of an opened bundle. */
export interface ReaderParts {
  readonly name: string;
  readonly manifest: BundleManifest;
  /** The files that are no blobs, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Manifests and indexes, those that could be read. */
  readonly metadata: ReadonlyMap<Digest, Uint8Array>;
  /** Digests of all of them, in tar order. */
  readonly metadataDigests: readonly Digest[];
  readonly layers: ReadonlyMap<Digest, LayerPlace>;
  /** By number from 0; `undefined` for those that are missing. */
  readonly volumes: readonly (VolumeSource | undefined)[];
  /**
   * The configs and layers of a pipe, which come in one order only, with their places in the
   * stream.
   */
  readonly pass:
    | {
        readonly layers: OnePass;
        readonly placeOf: (
          path: string,
        ) => { readonly start: number; readonly end: number } | undefined;
      }
    | undefined;
  readonly close: () => Promise<void>;
}

/** The decoded metadata of a bundle, and a store of its blobs. */
export interface BundleContent extends ReadOnlyStore {
  readonly manifest: BundleManifest;
  /** The files that are no blobs, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Digests of the manifests and indexes, in tar order. */
  readonly metadataDigests: readonly Digest[];
}

/** A bundle as a store: any blob by digest, without reading the rest. */
export class BundleReader implements BundleContent {
  readonly manifest: BundleManifest;
  /** The files that are no blobs, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly name: string;
  readonly isSteady = true;
  readonly #parts: ReaderParts;
  /** Images by name, and by digest: of equal ones the first. */
  readonly #images = new Map<string, Descriptor>();
  readonly #referrers = new Map<Digest, Descriptor[]>();

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.manifest = parts.manifest;
    this.files = parts.files;
    for (const { name, tags, subject, mediaType, digest, size } of parts.manifest.images) {
      for (const key of isDigest(name) ? [digest] : [name, digest])
        if (!this.#images.has(key)) this.#images.set(key, { mediaType, digest, size });
      // An image that is attached by a tag is found by that tag; a referrer has no tag.
      if (subject === undefined || tags.length > 0) continue;
      const others = this.#referrers.get(subject);
      if (others === undefined) this.#referrers.set(subject, [{ mediaType, digest, size }]);
      else others.push({ mediaType, digest, size });
    }
  }

  /** Digests of the manifests and indexes, in tar order. */
  get metadataDigests(): readonly Digest[] {
    return this.#parts.metadataDigests;
  }

  /** Set for a bundle that comes through a pipe: its layers are given out once, in their order. */
  get pass(): OnePass | undefined {
    return this.#parts.pass?.layers;
  }

  /** Numbers of the volumes that are not there, from 1. */
  get missingVolumes(): readonly number[] {
    return [...this.#parts.volumes.entries()]
      .filter(([, volume]) => volume === undefined)
      .map(([index]) => index + 1);
  }

  /** Digests of the configs and layers, in tar order. */
  get layerDigests(): readonly Digest[] {
    return [...this.#parts.layers.keys()];
  }

  /**
   * Whether it is known which blobs are manifests: the first volume tells. Where it is missing,
   * {@link layers} has only those that cannot have been in it.
   */
  get tellsManifests(): boolean {
    return this.#parts.metadataDigests.length > 0;
  }

  /** Configs and layers, in tar order; a bundle does not say of what type they are. */
  get layers(): readonly Descriptor[] {
    return [...this.#parts.layers].map(([digest, { size }]) => ({ mediaType: '', digest, size }));
  }

  /** Whether every manifest and index could be read, and the files that are no blobs. */
  get hasMetadata(): boolean {
    const { metadata, metadataDigests, files, manifest } = this.#parts;
    return files.size === manifest.files.length && metadata.size === metadataDigests.length;
  }

  /** Where a layer stands in the files that are there. */
  placesOf(
    digest: Digest,
  ): readonly { readonly path: string; readonly start: number; readonly end: number }[] {
    const { layers, volumes, pass } = this.#parts;
    const layer = layers.get(digest);
    const passed = layer && pass?.placeOf(layer.path);
    if (passed !== undefined) return [{ path: this.name, ...passed }];
    return (layer?.portions ?? []).flatMap(({ volume, offset, length }) => {
      const source = volumes[volume];
      const start = (source?.start ?? 0) + offset;
      return source === undefined
        ? []
        : [{ path: source.file.path, start, end: start + storedSectionLength(length) }];
    });
  }

  /** The files that a layer is in; of one in many files, the first and the last. */
  placeOf(digest: Digest): string | undefined {
    const paths = [...new Set(this.placesOf(digest).map(({ path }) => path))];
    if (paths.length < 2) return paths[0];
    return paths.length === 2
      ? paths.join(' and ')
      : `one of ${paths[0]!} to ${paths.at(-1)!} (${paths.length} volumes)`;
  }

  /** Which volumes each file holds, by their numbers from 1. */
  get volumesOfFiles(): ReadonlyMap<string, readonly number[]> {
    const files = new Map<string, number[]>();
    for (const [index, volume] of this.#parts.volumes.entries()) {
      if (volume === undefined) continue;
      const { path } = volume.file;
      files.set(path, [...(files.get(path) ?? []), index + 1]);
    }
    return files;
  }

  /** How many volumes the bundle has been cut into. */
  get volumeCount(): number {
    return this.#parts.volumes.length;
  }

  /**
   * The content of a blob. The tar header, padding and framing around a layer are compared on the
   * way, so that after all layers have been read whole, every byte of the file has been checked.
   */
  fetch(descriptor: Descriptor, options: FetchOptions = {}): ByteStream {
    const { digest } = descriptor;
    const { range, signal } = options;
    const { metadata, layers, volumes, pass } = this.#parts;
    const bytes = metadata.get(digest);
    if (bytes !== undefined)
      return streamOf(range ? bytes.subarray(range.start, range.end) : bytes);
    const place = layers.get(digest);
    if (place === undefined) return refuse(absent(this.name, digest));
    if (pass !== undefined) return pass.layers.fetch(descriptor, options);
    const { start, end } = range ?? { start: 0, end: place.size };
    return readLayer(volumes, place, { start, end: Math.min(end, place.size) }, signal);
  }

  /** Whether all of it is in volumes that are there, and not cut off before its end. */
  async exists({ digest }: Descriptor): Promise<boolean> {
    const { metadata, layers, volumes } = this.#parts;
    if (metadata.has(digest)) return true;
    const place = layers.get(digest);
    if (place === undefined) return false;
    const held = place.portions.filter(({ volume, offset, length }) => {
      const source = volumes[volume];
      const end = (source?.start ?? 0) + offset + storedSectionLength(length);
      return source !== undefined && end <= source.file.size;
    });
    return held.reduce((total, { length }) => total + length, 0) === entryLength(place.size);
  }

  /**
   * By digest, or by the name that an image has in the bundle; a name that looks like a digest
   * names nothing.
   */
  async resolve(reference: string): Promise<Descriptor> {
    const image = this.#images.get(reference);
    if (image !== undefined) return image;
    const bytes = isDigest(reference) ? this.#parts.metadata.get(reference) : undefined;
    if (bytes === undefined) throw absent(this.name, reference);
    return {
      mediaType: parseManifest(bytes).mediaType,
      digest: digestOf(bytes),
      size: bytes.length,
    };
  }

  /** The names of its images; a referrer has none but its digest. */
  async tags(): Promise<readonly string[]> {
    return this.manifest.images.map(({ name }) => name).filter((name) => !isDigest(name));
  }

  /** The referrers that the bundle lists. */
  async referrers(subject: Digest): Promise<readonly Descriptor[]> {
    return this.#referrers.get(subject) ?? [];
  }

  async close(): Promise<void> {
    await this.#parts.close();
  }
}

function absent(name: string, what: string): BundleError {
  return new BundleError('NOT_FOUND', `${name} does not hold ${what}`);
}

// eslint-disable-next-line require-yield -- a stream whose only content is the reason why there is none
async function* refuse(error: BundleError): AsyncGenerator<Uint8Array> {
  throw error;
}
