import type { BundleFile } from './file.ts';
import { entryLength, paddingLength } from './tar.ts';
import { unusable } from './unusable.ts';

/** A layer in the file: a section of its own. */
export interface LayerPlace {
  readonly path: string;
  /** Bytes of content. */
  readonly size: number;
  /** The tar header that has to stand before it. */
  readonly header: Uint8Array;
  /** Where its first frame begins in the file. */
  readonly offset: number;
}

/**
 * The content of a layer, or a part of it. Where it is read whole, its tar header and padding are compared on the way; the
 * framing is compared wherever it is passed.
 * @param range bytes of content, `end` not included.
 * @throws BundleError BUNDLE_UNUSABLE naming the layer.
 */
export async function* readLayer(
  file: BundleFile,
  place: LayerPlace,
  range: { readonly start: number; readonly end: number },
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { path, size, header, offset } = place;
  const isWhole = range.start === 0 && range.end === size;
  const from = header.length + range.start;
  const to = header.length + range.end;
  const length = entryLength(size);
  let at = isWhole ? 0 : from;
  for await (const chunk of file.stored(offset, length, path, isWhole ? { start: 0, end: length } : { start: from, end: to })) {
    signal?.throwIfAborted();
    if (isWhole) checkSurroundings(place, chunk, at);
    const first = Math.max(from - at, 0);
    const last = Math.min(to - at, chunk.length);
    at += chunk.length;
    if (last > first) yield chunk.subarray(first, last);
  }
}

/** The bytes of a chunk of tar that are header or padding must be the computed ones. */
function checkSurroundings({ path, size, header }: LayerPlace, chunk: Uint8Array, chunkStart: number): void {
  const expected = header.subarray(chunkStart, chunkStart + chunk.length);
  if (Buffer.compare(expected, chunk.subarray(0, expected.length)) !== 0) {
    throw unusable(`the tar header of ${path} is not the one that belongs there`);
  }
  const paddingStart = Math.max(header.length + size - chunkStart, 0);
  const padding = chunk.subarray(paddingStart, paddingStart + paddingLength(size));
  if (padding.some((byte) => byte !== 0)) throw unusable(`the padding after ${path} is not zero`);
}
