import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import {
  asArray,
  asObject,
  asSize,
  asString,
  formatJson,
  type Json,
  type JsonObject,
  parseStrictJson,
} from '../../core/json.ts';
import { OCI_INDEX } from '../../core/media-types.ts';
import { unusable } from './unusable.ts';

export const FORMAT = 1;

/** A release in a bundle. */
export interface BundledRelease {
  readonly version: string;
  /** One of OpenShift's words: x86_64, aarch64, s390x, ppc64le, multi. */
  readonly architecture: string;
  readonly digest: Digest;
  /** `registry/repository@digest` as the release signature knows it, never a mirror. */
  readonly reference: string;
  /** RFC 3339, second precision. */
  readonly created: string;
  /**
   * Digests of the release signatures it carries; none only where an unsigned release was allowed.
   */
  readonly signatures: readonly Digest[];
}

/** An image in a bundle. Which roles are known is not decided here. */
export interface BundledImage extends Descriptor {
  readonly name: string;
  readonly role: string;
  readonly source: string;
  readonly tags: readonly string[];
  readonly subject?: Digest;
}

/** A file of the tar that is no blob. */
export interface BundledFile {
  readonly path: string;
  readonly role: string;
  readonly digest: Digest;
  readonly size: number;
}

/** What a bundle holds: `bundle.json`. */
export interface BundleManifest {
  /**
   * The digest of the bundle that this one holds parts of: then it is a patch, and no whole bundle.
   */
  readonly repairs?: Digest;
  readonly releases: readonly BundledRelease[];
  readonly images: readonly BundledImage[];
  readonly files: readonly BundledFile[];
  /** Every blob in tar order. */
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
}

/** `bundle.json` to the byte: fixed key order, two-space indent, line feed at the end. */
export function formatBundleManifest(manifest: BundleManifest): Uint8Array {
  return formatJson({
    format: FORMAT,
    ...(manifest.repairs !== undefined && { repairs: manifest.repairs }),
    releases: manifest.releases.map(
      ({ version, architecture, digest, reference, created, signatures }) => ({
        version,
        architecture,
        digest,
        reference,
        created,
        signatures,
      }),
    ),
    images: manifest.images.map(
      ({ name, role, digest, size, mediaType, source, tags, subject }) => ({
        name,
        role,
        digest,
        size,
        mediaType,
        source,
        tags,
        ...(subject !== undefined && { subject }),
      }),
    ),
    files: manifest.files.map(({ path, role, digest, size }) => ({ path, role, digest, size })),
    blobs: manifest.blobs.map(({ digest, size }) => ({ digest, size })),
  });
}

/**
 * Reads `bundle.json`; the bytes must be exactly those that {@link formatBundleManifest} makes of
 * what they say.
 * @throws BundleError BUNDLE_UNUSABLE for another format or any other byte.
 */
export function parseBundleManifest(bytes: Uint8Array): BundleManifest {
  let manifest: BundleManifest;
  try {
    const document = asObject(parseStrictJson(bytes, 'bundle.json'), 'bundle.json');
    const { format } = document;
    if (format !== FORMAT) {
      const shown = typeof format === 'number' ? `format ${format}` : 'a format that is no number';
      throw unusable(`the bundle has ${shown}; this program reads format ${FORMAT}`, {
        hint: 'Use a version of bundle that knows the format.',
      });
    }
    const { repairs } = document;
    manifest = {
      ...(repairs !== undefined && { repairs: parseDigest(repairs) }),
      releases: list(document, 'releases', release),
      images: list(document, 'images', image),
      files: list(document, 'files', file),
      blobs: list(document, 'blobs', (entry, what) => ({
        digest: parseDigest(entry['digest']),
        size: asSize(entry['size'], `${what}.size`),
      })),
    };
  } catch (error) {
    if (!(error instanceof BundleError) || error.code === 'BUNDLE_UNUSABLE') throw error;
    throw unusable(
      error.message.startsWith('bundle.json ') ? error.message : `bundle.json: ${error.message}`,
      { cause: error },
    );
  }
  if (!Buffer.from(formatBundleManifest(manifest)).equals(bytes))
    throw unusable('bundle.json is not in its canonical form');
  return manifest;
}

export const OCI_LAYOUT_BYTES: Uint8Array = Buffer.from('{"imageLayoutVersion":"1.0.0"}\n');

/**
 * `index.json` of the image layout that a bundle is when untarred: one descriptor for each name.
 */
export function formatLayoutIndex(images: readonly BundledImage[]): Uint8Array {
  return formatJson({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: images.map(({ mediaType, digest, size, name }) => ({
      mediaType,
      digest,
      size,
      annotations: { 'org.opencontainers.image.ref.name': name },
    })),
  });
}

function list<T>(
  document: JsonObject,
  key: string,
  parse: (entry: JsonObject, what: string) => T,
): readonly T[] {
  return asArray(document[key], key).map((entry, index) =>
    parse(asObject(entry, `${key}[${index}]`), `${key}[${index}]`),
  );
}

function release(entry: JsonObject, what: string): BundledRelease {
  return {
    version: asString(entry['version'], `${what}.version`),
    architecture: asString(entry['architecture'], `${what}.architecture`),
    digest: parseDigest(entry['digest']),
    reference: asString(entry['reference'], `${what}.reference`),
    created: asString(entry['created'], `${what}.created`),
    signatures: asArray(entry['signatures'], `${what}.signatures`).map(parseDigest),
  };
}

function image(entry: JsonObject, what: string): BundledImage {
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
  };
}

function file(entry: JsonObject, what: string): BundledFile {
  return {
    path: asString(entry['path'], `${what}.path`),
    role: asString(entry['role'], `${what}.role`),
    digest: parseDigest(entry['digest']),
    size: asSize(entry['size'], `${what}.size`),
  };
}
