import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import {
  asArray,
  asObject,
  asSize,
  asString,
  formatJsonLists,
  type Json,
  type JsonObject,
  parseStrictJson,
} from '../../core/json.ts';
import { MAX_PARTS } from '../../core/limits.ts';
import { OCI_INDEX } from '../../core/media-types.ts';
import { isBundleName } from './names.ts';
import { unusable } from './unusable.ts';

export const FORMAT = 1;

/** A row of `parts` in `bundle.json`: the kind of the part, and its claim. */
export interface BundledPart {
  readonly kind: string;
  /** Everything in the row but `kind`. Only the kind knows what it means. */
  readonly claim: JsonObject;
}

/** An image in a bundle. Which roles are known is not decided here. */
export interface BundledImage extends Descriptor {
  readonly name: string;
  readonly role: string;
  readonly source: string;
  readonly tags: readonly string[];
  readonly subject?: Digest;
  /** Which of the parts it belongs to, by their numbers from 0, lowest first. */
  readonly parts: readonly number[];
}

/** Why an image could not be packed: what its source said, or gave. */
export const HOLE_REASONS = ['not-found', 'not-allowed', 'wrong-content', 'unreadable'] as const;
export type HoleReason = (typeof HOLE_REASONS)[number];

/** An image that belongs to a part, and that the bundle does not have. */
export interface BundledHole {
  /** The part that lacks it, by its number from 0. */
  readonly part: number;
  /** As the row of the image would have these. */
  readonly name: string;
  readonly role: string;
  /** With the tag in place of a digest, where nobody could tell the digest. */
  readonly source: string;
  /** Of its manifest or index; left out where it was named by a tag that could not be resolved. */
  readonly digest?: Digest;
  readonly reason: HoleReason;
  /** The config or layer that could not be had, where all of its manifests could be. */
  readonly lacks?: Digest;
  /** Bytes of its configs and layers, as far as its manifests have told them. */
  readonly size?: number;
}

/** An earlier bundle, and the blobs that this one leaves out since that one has them. */
export interface RequiredBundle {
  readonly bundle: Digest;
  readonly name: string;
  /** The packer only assumes that it was delivered, and no receipt has proved it. */
  readonly assumed?: true;
  /** In the order in which a bundle with all of them would have them. */
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
}

/** A file of the tar that is no blob. */
export interface BundledFile {
  readonly path: string;
  readonly role: string;
  readonly digest: Digest;
  readonly size: number;
}

/** The list of contents of a bundle: `bundle.json`. */
export interface BundleManifest {
  /** The name of the bundle: its file is `<name>.tar.zst`. */
  readonly name: string;
  /** In a patch only: the digest of the bundle that it repairs. */
  readonly repairs?: Digest;
  /** In a bundle that completes others only. */
  readonly requires?: readonly RequiredBundle[];
  readonly parts: readonly BundledPart[];
  readonly images: readonly BundledImage[];
  /** In a bundle that is not complete only: what it lacks, in the order of its parts. */
  readonly holes?: readonly BundledHole[];
  readonly files: readonly BundledFile[];
  /** Every blob in tar order. */
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
}

/** `bundle.json` to the byte: fixed key order, two-space indent, line feed at the end. */
export function formatBundleManifest(manifest: BundleManifest): Uint8Array {
  const { name, repairs, requires = [], parts, images, holes = [], files, blobs } = manifest;
  return formatJsonLists(
    { format: FORMAT, name, ...(repairs !== undefined && { repairs }) },
    {
      ...(requires.length > 0 && { requires: mapped(requires, requiredRow) }),
      parts: mapped(parts, ({ kind, claim }) => ({ kind, ...claim })),
      images: mapped(images, imageRow),
      ...(holes.length > 0 && { holes: mapped(holes, holeRow) }),
      files: mapped(files, ({ path, role, digest, size }) => ({ path, role, digest, size })),
      blobs: mapped(blobs, ({ digest, size }) => ({ digest, size })),
    },
  );
}

function imageRow(image: BundledImage): object {
  const { name, role, digest, size, mediaType, source, tags, subject, parts } = image;
  return {
    ...{ name, role, digest, size, mediaType, source, tags },
    ...(subject !== undefined && { subject }),
    parts,
  };
}

function requiredRow({ bundle, name, assumed, blobs }: RequiredBundle): object {
  return { bundle, name, assumed, blobs: blobs.map(({ digest, size }) => ({ digest, size })) };
}

/** Keys that have no value are left out of the text. */
function holeRow(hole: BundledHole): object {
  const { part: number, name, role, source, digest, reason, lacks, size } = hole;
  return { part: number, name, role, source, digest, reason, lacks, size };
}

function* mapped<T>(list: readonly T[], row: (entry: T) => object): Generator<object> {
  for (const entry of list) yield row(entry);
}

/**
 * Reads `bundle.json`; the bytes must be exactly those that {@link formatBundleManifest} makes of
 * what they say.
 * @throws BundleError BUNDLE_UNUSABLE for another format, no parts or too many, or any other byte.
 */
export function parseBundleManifest(bytes: Uint8Array): BundleManifest {
  let manifest: BundleManifest;
  try {
    const document = asObject(parseStrictJson(bytes, 'bundle.json'), 'bundle.json');
    checkFormat(document);
    const { repairs } = document;
    const parts = list(document, 'parts', part);
    const some = <T>(key: string, parse: (entry: JsonObject, what: string) => T) =>
      document[key] === undefined ? {} : { [key]: list(document, key, parse) };
    manifest = {
      name: bundleName(document['name']),
      ...(repairs !== undefined && { repairs: parseDigest(repairs) }),
      ...eachOnce(some('requires', required)),
      parts,
      images: list(document, 'images', (entry, what) => image(entry, what, parts.length)),
      ...some('holes', (entry, what) => hole(entry, what, parts.length)),
      files: list(document, 'files', file),
      blobs: list(document, 'blobs', blob),
    };
  } catch (error) {
    if (!(error instanceof BundleError) || error.code === 'BUNDLE_UNUSABLE') throw error;
    const { message } = error;
    throw unusable(message.startsWith('bundle.json ') ? message : `bundle.json: ${message}`, {
      cause: error,
    });
  }
  if (!Buffer.from(formatBundleManifest(manifest)).equals(bytes)) {
    throw unusable('bundle.json is not in its canonical form');
  }
  return manifest;
}

function checkFormat(document: JsonObject): void {
  const { format } = document;
  if (format !== FORMAT) {
    const shown = typeof format === 'number' ? `format ${format}` : 'a format that is not a number';
    throw unusable(`the bundle has ${shown}; this program reads format ${FORMAT}`, {
      hint: 'Use a version of bundle that knows the format.',
    });
  }
  // Before the first release of the program, format 1 had one release in place of parts.
  if ('releases' in document) {
    throw unusable('the bundle has an early form of format 1, which this program does not read', {
      hint: 'Pack the release again with this version of bundle.',
    });
  }
}

export const OCI_LAYOUT_BYTES: Uint8Array = Buffer.from('{"imageLayoutVersion":"1.0.0"}\n');

/**
 * `index.json` of the image layout that a bundle is when untarred: one descriptor for each name.
 */
export function formatLayoutIndex(images: readonly BundledImage[]): Uint8Array {
  const manifests = mapped(images, ({ mediaType, digest, size, name }) => ({
    ...{ mediaType, digest, size },
    annotations: { 'org.opencontainers.image.ref.name': name },
  }));
  return formatJsonLists({ schemaVersion: 2, mediaType: OCI_INDEX }, { manifests });
}

/** The largest number of eleven octal digits, a second in the year 2242. */
const MAX_TAR_TIME = 0o77777777777;

/**
 * Seconds since 1970 that every entry of the tar carries: when the newest part was made, as far as
 * a tar header can say it.
 */
export function tarTime(parts: readonly BundledPart[]): number {
  const times = parts.map(({ claim }) => Math.floor(Date.parse(createdOf(claim)) / 1000));
  const newest = Math.max(0, ...times.filter((time) => Number.isSafeInteger(time)));
  return Math.min(newest, MAX_TAR_TIME);
}

function createdOf({ created }: JsonObject): string {
  return typeof created === 'string' ? created : '';
}

function bundleName(value: Json | undefined): string {
  const name = asString(value, 'name');
  if (isBundleName(name)) return name;
  throw unusable(`bundle.json: ${JSON.stringify(name)} cannot be the name of a bundle`);
}

function list<T>(
  document: JsonObject,
  key: string,
  parse: (entry: JsonObject, what: string) => T,
): readonly T[] {
  const entries = asArray(document[key], key);
  if (key === 'parts' && entries.length === 0) throw unusable('the bundle has no parts');
  if (key === 'parts' && entries.length > MAX_PARTS) {
    throw unusable(
      `the bundle has ${entries.length} parts; this program reads ${MAX_PARTS} at most`,
      {
        hint: 'Pack fewer things into one bundle.',
      },
    );
  }
  return entries.map((entry, index) =>
    parse(asObject(entry, `${key}[${index}]`), `${key}[${index}]`),
  );
}

function part({ kind, ...claim }: JsonObject, what: string): BundledPart {
  return { kind: asString(kind, `${what}.kind`), claim };
}

function image(entry: JsonObject, what: string, count: number): BundledImage {
  const subject: Json | undefined = entry['subject'];
  return {
    name: asString(entry['name'], `${what}.name`),
    role: asString(entry['role'], `${what}.role`),
    digest: parseDigest(entry['digest']),
    size: asSize(entry['size'], `${what}.size`),
    mediaType: asString(entry['mediaType'], `${what}.mediaType`),
    source: asString(entry['source'], `${what}.source`),
    tags: asArray(entry['tags'], `${what}.tags`).map((tag) => asString(tag, `${what}.tags`)),
    ...(subject !== undefined && { subject: parseDigest(subject) }),
    parts: partNumbers(entry['parts'], `${what}.parts`, count),
  };
}

function partNumbers(value: Json | undefined, what: string, count: number): readonly number[] {
  const numbers = asArray(value, what).map((entry) => asSize(entry, what));
  const isOrdered = numbers.every((number, at) => number > (numbers[at - 1] ?? -1));
  if (numbers.length > 0 && isOrdered && numbers.at(-1)! < count) return numbers;
  throw unusable(`bundle.json: ${what} does not name parts of the bundle`);
}

function file(entry: JsonObject, what: string): BundledFile {
  return {
    path: asString(entry['path'], `${what}.path`),
    role: asString(entry['role'], `${what}.role`),
    digest: parseDigest(entry['digest']),
    size: asSize(entry['size'], `${what}.size`),
  };
}

function blob(entry: JsonObject, what: string): BundleManifest['blobs'][number] {
  return { digest: parseDigest(entry['digest']), size: asSize(entry['size'], `${what}.size`) };
}

function required(entry: JsonObject, what: string): RequiredBundle {
  const { assumed } = entry;
  if (assumed !== undefined && assumed !== true)
    throw unusable(`bundle.json: ${what}.assumed is not true`);
  const blobs = list(entry, 'blobs', (row) => blob(row, `${what}.blobs`));
  if (blobs.length === 0) throw unusable(`bundle.json: ${what}.blobs is empty`);
  return {
    bundle: parseDigest(entry['bundle']),
    name: bundleName(entry['name']),
    ...(assumed === true && { assumed }),
    blobs,
  };
}

/** What a bundle leaves out of an earlier one is in one row: readers look for it in that. */
function eachOnce(manifest: Pick<BundleManifest, 'requires'>): Pick<BundleManifest, 'requires'> {
  const seen = new Set<Digest>();
  for (const { bundle } of manifest.requires ?? []) {
    if (seen.has(bundle)) throw unusable(`bundle.json: requires lists ${bundle} twice`);
    seen.add(bundle);
  }
  return manifest;
}

function hole(entry: JsonObject, what: string, count: number): BundledHole {
  const { digest, lacks, size } = entry;
  const reason = HOLE_REASONS.find((known) => known === entry['reason']);
  const number = asSize(entry['part'], `${what}.part`);
  if (reason === undefined || number >= count)
    throw unusable(`bundle.json: ${what} does not say what a part lacks, and why`);
  return {
    part: number,
    name: asString(entry['name'], `${what}.name`),
    role: asString(entry['role'], `${what}.role`),
    source: asString(entry['source'], `${what}.source`),
    ...(digest !== undefined && { digest: parseDigest(digest) }),
    reason,
    ...(lacks !== undefined && { lacks: parseDigest(lacks) }),
    ...(size !== undefined && { size: asSize(size, `${what}.size`) }),
  };
}
