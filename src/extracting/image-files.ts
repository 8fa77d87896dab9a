import type { ByteStream } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { MAX_TOOLS_LAYER_BYTES } from '../core/limits.ts';
import type { ReadOnlyStore } from '../core/store.ts';
import { chunksOf, forEachTarEntry, type TarEntry } from '../kinds/release/payload/layer-tar.ts';
import { twiceIfWrong, verified } from '../transfer/verified.ts';
import { LayerIndex } from './layer-index.ts';
import { type Resolved, resolvePath } from './resolve-path.ts';

/** What 32 bits hold. */
const MAX_SECONDS = 0xffffffff;

/** A regular file of an image, while its layer is being read. */
export interface ImageFile {
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly content: ByteStream;
}

/** An image whose files are wanted. */
export interface OpenedImage {
  /** For messages: `image cli-artifacts`. */
  readonly called: string;
  /** As in its manifest, base layer first. */
  readonly layers: readonly Descriptor[];
  readonly store: ReadOnlyStore;
}

export interface FindOptions {
  readonly signal: AbortSignal;
  readonly observe: Observe;
  /** How many unpacked bytes are read in all before giving up. */
  readonly maxUnpackedBytes?: number;
}

/** What is known of the image after its layers were read, as far as they were. */
export interface FoundFiles {
  /** Whether there is a file at a path. */
  has(path: string): boolean;
  /** The names of the files in a folder of the image, as far as its layers were read. */
  filesIn(folder: string): readonly string[];
}

/**
 * Hands the files at some paths of an image to `take`, as a container would see them. Layers are
 * read from the top down, no further than needed, and each is hashed to its end.
 *
 * A file is handed out **before** the digest of its layer is known, and before it is known whether
 * the path means that file: `take` may be called again for a path, and what it was given last
 * counts. Only when this function has returned is everything right.
 * @throws BundleError CONTENT_MISMATCH, UNSUPPORTED_CONTENT, what the store and `take` throw.
 */
export async function findFiles(
  image: OpenedImage,
  paths: readonly string[],
  take: (path: string, file: ImageFile) => Promise<void>,
  options: FindOptions,
): Promise<FoundFiles> {
  const layers = image.layers.toReversed();
  const reader = new LayerReader(image, options);
  const indexes: LayerIndex[] = [];
  /** Where each path was taken from. */
  const taken = new Map<string, string>();
  const readLayer = async (number: number, wanted: Map<string, string>): Promise<LayerIndex> =>
    reader.read(layers[number]!, wanted, async (path, name, file) => {
      await take(path, file);
      taken.set(path, `${number} ${name}`);
    });
  const resolveAll = (): Map<string, Resolved> =>
    new Map(
      paths.map((path) => [path, resolvePath(path, indexes, indexes.length === layers.length)]),
    );
  let resolved = resolveAll();
  for (const [number, layer] of layers.entries()) {
    const wanted = new Map<string, string>();
    for (const [path, state] of resolved) {
      if (state.state === 'unknown' && !wanted.has(state.name)) wanted.set(state.name, path);
    }
    if (wanted.size === 0) {
      const { digest, size: bytes } = layer;
      options.observe({ type: 'skipped', digest, bytes, image: image.called });
      continue;
    }
    indexes.push(await readLayer(number, wanted));
    resolved = resolveAll();
  }
  // Files that were passed over: only a link behind them leads there, or two paths do.
  for (const number of indexes.keys()) {
    for (let missed = missedIn(number); missed.size > 0; missed = missedIn(number))
      await readLayer(number, missed);
  }
  return {
    has: (path) => resolvePath(path, indexes, indexes.length === layers.length).state === 'found',
    filesIn: (folder) => [...new Set(indexes.flatMap((index) => index.filesIn(folder)))].sort(),
  };

  function missedIn(number: number): Map<string, string> {
    const missed = new Map<string, string>();
    for (const [path, state] of resolved) {
      if (state.state !== 'found' || state.layer !== number || missed.has(state.name)) continue;
      if (taken.get(path) !== `${number} ${state.name}`) missed.set(state.name, path);
    }
    return missed;
  }
}

type Take = (path: string, name: string, file: ImageFile) => Promise<void>;

/** Reads the layers of one image, and no more than is allowed. */
class LayerReader {
  readonly #image: OpenedImage;
  readonly #options: FindOptions;
  readonly #budget: { bytes: number; readonly of: string };

  constructor(image: OpenedImage, options: FindOptions) {
    this.#image = image;
    this.#options = options;
    this.#budget = {
      bytes: options.maxUnpackedBytes ?? MAX_TOOLS_LAYER_BYTES,
      of: 'image of a release',
    };
  }

  /** @param wanted the path that is asked for, by its name in this layer. */
  async read(
    layer: Descriptor,
    wanted: ReadonlyMap<string, string>,
    take: Take,
  ): Promise<LayerIndex> {
    const { called, store } = this.#image;
    const { observe } = this.#options;
    observe({ type: 'started', digest: layer.digest, bytes: layer.size, image: called });
    let read = 0;
    const once = async (): Promise<LayerIndex> => {
      if (read > 0) observe({ type: 'advanced', bytes: -read });
      read = 0;
      return this.#readOnce(layer, wanted, take, (bytes) => {
        read += bytes;
        observe({ type: 'advanced', bytes });
      });
    };
    try {
      const index = await twiceIfWrong(store, once, layer.digest, observe);
      observe({ type: 'finished', digest: layer.digest, bytes: layer.size, image: called });
      return index;
    } catch (error) {
      throw error instanceof BundleError ? error.about(`${called}, layer ${layer.digest}`) : error;
    }
  }

  async #readOnce(
    layer: Descriptor,
    wanted: ReadonlyMap<string, string>,
    take: Take,
    advance: (bytes: number) => void,
  ): Promise<LayerIndex> {
    const { signal } = this.#options;
    const index = new LayerIndex();
    const seen = new Set<string>();
    const content = verified(this.#image.store.fetch(layer, { signal }), layer);
    await forEachTarEntry(
      counted(content, advance),
      this.#budget,
      async (entry) => {
        const name = index.add(entry);
        if (name === undefined || index.get(name)?.type !== 'file') return;
        const path = wanted.get(name);
        if (path === undefined) return;
        if (seen.has(name)) throw twice(name);
        seen.add(name);
        await take(path, name, fileOf(entry));
      },
      signal,
    );
    return index;
  }
}

async function* counted(
  content: ByteStream,
  advance: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    yield chunk;
    advance(chunk.length);
  }
}

function twice(name: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `it has ${name} twice`, {
    hint: 'No genuine layer has a file twice: do not trust this content.',
  });
}

function fileOf(entry: TarEntry): ImageFile {
  const { size, mtime } = entry.header;
  return { size, mtime: wholeSeconds(mtime), content: chunksOf(entry) };
}

/** A time that archives can hold; 0 for what is none. */
function wholeSeconds(time: Date): number {
  const seconds = Math.floor(time.getTime() / 1000);
  return seconds >= 0 && seconds <= MAX_SECONDS ? seconds : 0;
}
