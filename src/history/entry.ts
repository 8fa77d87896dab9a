import {
  compressedFrame,
  decompressedFrame,
  frameExtent,
  METADATA_FRAME_LIMIT,
  metadataCompressor,
} from '../bundle/format/frames.ts';
import { type BundleManifest, parseBundleManifest } from '../bundle/format/manifest.ts';
import { blobPath } from '../bundle/format/paths.ts';
import type { DescribedBundle } from '../bundle/format/plan.ts';
import { parseSums } from '../bundle/format/sums.ts';
import { type Digest, digestOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { asArray, asObject, asSize, asString, parseStrictJson } from '../core/json.ts';
import { MAX_HISTORY_BYTES } from '../core/limits.ts';
import type { Closure } from '../kinds/closure.ts';
import { FIXED_PLACES, type Place } from '../transfer/image.ts';

/**
 * What is kept of a bundle: what it lists, and its manifests, which say what its images consist of.
 * All but the places follows from the bundle digest.
 */
export interface KeptBundle {
  readonly digest: Digest;
  readonly manifest: BundleManifest;
  /** By their digests. */
  readonly manifests: ReadonlyMap<Digest, Uint8Array>;
  /** Where each image of `manifest.images` goes at a target. */
  readonly places: readonly Place[];
}

const SUMS = 'SHA256SUMS';
const LISTING = 'bundle.json';
const PLACES = 'places.json';
const MAX_HEAD_BYTES = 64 * 1024 * 1024;

interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * The file that is kept of a bundle: zstd frames over a line of JSON that says which files follow,
 * and those files.
 */
export function formatKept(described: DescribedBundle, { content }: Closure): Uint8Array {
  const places = content.images.map(({ place }) => place);
  const files: readonly NamedBytes[] = [
    { name: SUMS, bytes: described.sums },
    { name: LISTING, bytes: described.manifestBytes },
    { name: PLACES, bytes: Buffer.from(JSON.stringify(places)) },
    ...content.manifests.map(({ descriptor, bytes }) => ({
      name: blobPath(descriptor.digest),
      bytes,
    })),
  ];
  const sizes = files.map(({ name, bytes }) => ({ name, size: bytes.length }));
  const head = Buffer.from(`${JSON.stringify({ format: 1, files: sizes })}\n`);
  const whole = Buffer.concat([head, ...files.map(({ bytes }) => bytes)]);
  const compressor = metadataCompressor();
  const frames: Uint8Array[] = [];
  for (let at = 0; at < whole.length; at += METADATA_FRAME_LIMIT)
    frames.push(compressedFrame(whole.subarray(at, at + METADATA_FRAME_LIMIT), compressor));
  return Buffer.concat(frames);
}

/**
 * Reads such a file back, and checks every byte of it that says something about the bundle.
 * @throws BundleError CONTENT_MISMATCH for what is not of this bundle; UNSUPPORTED_CONTENT for what
 * is no such file.
 */
export function parseKept(file: Uint8Array, digest: Digest, what: string): KeptBundle {
  const files = filesOf(decompressed(file, what), what);
  const sumsBytes = fileNamed(files, SUMS, what);
  if (digestOf(sumsBytes) !== digest) throw notOf(what, SUMS, digest, digestOf(sumsBytes));
  const sums = new Map(parseSums(sumsBytes).map((sum) => [sum.path, sum.digest]));
  const listing = fileNamed(files, LISTING, what);
  checkDigest(sums.get(LISTING), listing, what, LISTING);
  const manifest = parseBundleManifest(listing);
  const manifests = new Map<Digest, Uint8Array>();
  for (const { name, bytes } of files) {
    if (name === SUMS || name === LISTING || name === PLACES) continue;
    const listed = sums.get(name);
    checkDigest(listed, bytes, what, name);
    manifests.set(listed!, bytes);
  }
  const places = placesOf(fileNamed(files, PLACES, what), what);
  if (places.length !== manifest.images.length) throw unusableFile(what, 'a place is missing');
  return { digest, manifest, manifests, places };
}

function decompressed(file: Uint8Array, what: string): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let at = 0; at < file.length;) {
    const rest = file.subarray(at);
    // Behind the last frame there is nothing more to come: zeros show where its header ends.
    const padded = rest.length < SHORTEST ? Buffer.concat([rest, Buffer.alloc(SHORTEST)]) : rest;
    const extent = frameExtent(padded);
    if (extent === undefined || 'needed' in extent || extent.length > rest.length)
      throw unusableFile(what, 'it is cut off, or no zstd file of this program');
    length += extent.content;
    if (length > MAX_HISTORY_BYTES) throw unusableFile(what, 'it is too large');
    const part = decompressedFrame(rest.subarray(0, extent.length));
    if (part === undefined) throw unusableFile(what, 'it cannot be decompressed');
    parts.push(part);
    at += extent.length;
  }
  return Buffer.concat(parts);
}

const SHORTEST = 32;

function filesOf(whole: Uint8Array, what: string): readonly NamedBytes[] {
  const end = Math.min(whole.length, MAX_HEAD_BYTES);
  const line = whole.subarray(0, end).indexOf(0x0a);
  if (line === -1) throw unusableFile(what, 'it has no list of its files');
  let at = line + 1;
  const head = asObject(parseStrictJson(whole.subarray(0, line), what), what);
  if (head['format'] !== 1) {
    throw new BundleError('UNSUPPORTED_CONTENT', `${what} has another format`, {
      hint: 'It was written by a newer version of bundle: use that one.',
    });
  }
  const files = asArray(head['files'], what).map((row): NamedBytes => {
    const { name, size } = asObject(row, what);
    const bytes = whole.subarray(at, at + asSize(size, what));
    at += asSize(size, what);
    return { name: asString(name, what), bytes };
  });
  if (at !== whole.length) throw unusableFile(what, 'its files do not end where it does');
  return files;
}

function fileNamed(files: readonly NamedBytes[], name: string, what: string): Uint8Array {
  const found = files.filter((file) => file.name === name);
  if (found.length !== 1) throw unusableFile(what, `it does not hold ${name} once`);
  return found[0]!.bytes;
}

function placesOf(bytes: Uint8Array, what: string): readonly Place[] {
  return asArray(parseStrictJson(bytes, what), what).map((value) => {
    const text = asString(value, what);
    const fixed = FIXED_PLACES.find((place) => place === text);
    if (fixed === undefined && !text.startsWith('/'))
      throw unusableFile(what, `${JSON.stringify(text)} is no place`);
    return fixed ?? (text as Place);
  });
}

function checkDigest(
  expected: Digest | undefined,
  bytes: Uint8Array,
  what: string,
  name: string,
): void {
  const got = digestOf(bytes);
  if (got !== expected) throw notOf(what, name, expected ?? 'not listed', got);
}

function notOf(what: string, name: string, expected: string, got: string): BundleError {
  return new BundleError('CONTENT_MISMATCH', `${what}: ${name} is not that of the bundle`, {
    expected,
    got,
    subject: what,
    hint: HINT,
  });
}

/** The error for what is no file of the history, or was damaged. */
export function unusableFile(what: string, why: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `${what} cannot be used: ${why}`, {
    subject: what,
    hint: HINT,
  });
}

const HINT =
  'Remove the file, and import the bundle again: bundle history import PATH, or pack it again.';
