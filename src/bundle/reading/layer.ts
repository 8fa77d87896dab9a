import type { ByteStream } from '../../core/bytes.ts';
import type { VolumeSource } from './file.ts';
import { type LayerEntry, layerHeader, type LayerPlace } from '../format/layer.ts';
import { entryLength, headerLength, paddingLength } from '../format/tar.ts';
import { unusable } from '../format/unusable.ts';

/**
 * The content of a layer, or a part of it. Where it is read whole, its tar header and padding are
 * compared on the way; the framing is compared wherever it is passed.
 * @param volumes those that are there, by number.
 * @param range bytes of content, `end` not included.
 * @throws BundleError BUNDLE_UNUSABLE naming the layer, or the volume that is missing.
 */
export async function* readLayer(
  volumes: readonly (VolumeSource | undefined)[],
  place: LayerPlace,
  range: { readonly start: number; readonly end: number },
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { size } = place;
  if (range.start === 0 && range.end === size) {
    yield* contentOf(readTar(volumes, place, { start: 0, end: entryLength(size) }), place, signal);
    return;
  }
  const before = headerLength(size);
  for await (const chunk of readTar(volumes, place, {
    start: before + range.start,
    end: before + range.end,
  })) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

/**
 * The content of a layer out of all of its tar; header and padding are compared. @throws
 * BundleError BUNDLE_UNUSABLE
 */
export async function* contentOf(
  tar: ByteStream,
  place: LayerEntry,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { size } = place;
  const header = layerHeader(place);
  let at = 0;
  for await (const chunk of tar) {
    signal?.throwIfAborted();
    checkSurroundings(place, header, { chunk, start: at });
    const first = Math.max(header.length - at, 0);
    const last = Math.min(header.length + size - at, chunk.length);
    at += chunk.length;
    if (last > first) yield chunk.subarray(first, last);
  }
}

/** A part of the layer's tar, out of as many volumes as it is in. */
async function* readTar(
  volumes: readonly (VolumeSource | undefined)[],
  { path, portions }: LayerPlace,
  wanted: { readonly start: number; readonly end: number },
): AsyncGenerator<Uint8Array> {
  let at = wanted.start;
  for (const { volume, offset, start, length } of portions) {
    if (start + length <= at || start >= wanted.end) continue;
    const source = volumes[volume];
    if (start > at || source === undefined) break;
    const range = { start: at - start, end: Math.min(wanted.end - start, length) };
    yield* source.file.stored(source.start + offset, length, path, range);
    at = start + range.end;
  }
  if (at < wanted.end)
    throw unusable(`${path} is in a volume that is missing`, {
      hint: 'Name the folders of all volumes.',
    });
}

/** The bytes of a chunk of tar that are header or padding must be the computed ones. */
function checkSurroundings(
  { path, size }: LayerEntry,
  header: Uint8Array,
  { chunk, start: chunkStart }: { readonly chunk: Uint8Array; readonly start: number },
): void {
  const expected = header.subarray(chunkStart, chunkStart + chunk.length);
  if (Buffer.compare(expected, chunk.subarray(0, expected.length)) !== 0) {
    throw unusable(`the tar header of ${path} is not the one that belongs there`);
  }
  const paddingStart = Math.max(header.length + size - chunkStart, 0);
  const padding = chunk.subarray(paddingStart, paddingStart + paddingLength(size));
  if (padding.some((byte) => byte !== 0))
    throw unusable(`the padding after ${path} is not all zero bytes`);
}
