import type { Descriptor } from './descriptor.ts';
import { type Digest, isDigest, parseDigest } from './digest.ts';
import { BundleError, hasCode } from './errors.ts';
import {
  asArray,
  asObject,
  asSize,
  asString,
  isObject,
  type Json,
  type JsonObject,
  parseStrictJson,
} from './json.ts';
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  isIndexType,
  isManifestType,
  OCI_INDEX,
  OCI_MANIFEST,
  sameType,
} from './media-types.ts';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/**
 * One image: a config and its layers, base layer first. A `subject` is the manifest that it says it
 * is about.
 */
export interface ImageManifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Digest;
}

/** A list of manifests, one for each platform (Docker: manifest list). */
export interface ImageIndex {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly (Descriptor & { readonly platform?: Platform })[];
  readonly subject?: Digest;
}

export type Manifest = ImageManifest | ImageIndex;

/**
 * Reads a manifest of Docker schema 2 or OCI, single or list. The bytes themselves are what is kept
 * and moved; this is only a view of them.
 *
 * `announced` is the media type by which the bytes came (Content-Type or parent descriptor); the
 * bytes' own `mediaType` must agree with it.
 * @throws BundleError UNSUPPORTED_CONTENT for Docker schema 1, other digests than sha256, bytes
 * that read as both manifest and index (CVE-2021-41190), and anything that does not have the shape.
 */
export function parseManifest(bytes: Uint8Array, announced?: string): Manifest {
  const document = asObject(parseStrictJson(bytes, 'manifest'), 'manifest');
  const mediaType = mediaTypeOf(document, announced);
  const subject = subjectIn(document, mediaType);
  if (isIndexType(mediaType)) {
    const manifests = listIn(document, 'manifests').map((entry, index) => {
      const what = `manifests[${index}]`;
      const platform = parsePlatform(asObject(entry, what)['platform']);
      const { mediaType: type, digest, size } = parseDescriptor(entry, what);
      return { mediaType: type, digest, size, ...(platform && { platform }) };
    });
    return { kind: 'index', mediaType, manifests, ...(subject && { subject }) };
  }
  const config = parseDescriptor(document['config'], 'config');
  const layers = listIn(document, 'layers').map((entry, index) =>
    parseDescriptor(entry, `layers[${index}]`),
  );
  return { kind: 'manifest', mediaType, config, layers, ...(subject && { subject }) };
}

/** Programs in Go, as BuildKit, write an empty list as null. */
function listIn(document: JsonObject, name: string): readonly Json[] {
  return document[name] === null ? [] : asArray(document[name], name);
}

/** The descriptors in a manifest: children of an index; config, then layers of an image. */
export function successors(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests : [manifest.config, ...manifest.layers];
}

/** The subject in the bytes of a manifest; `undefined` if they name none, or are not a manifest. */
export function subjectOf(bytes: Uint8Array, mediaType: string): Digest | undefined {
  try {
    return parseManifest(bytes, mediaType).subject;
  } catch (error) {
    if (hasCode(error, 'UNSUPPORTED_CONTENT')) return undefined;
    throw error;
  }
}

/**
 * The artifact type of a manifest (OCI image-spec, `artifactType`); without one, the media type of
 * its config counts.
 */
export function artifactTypeOf(manifest: JsonObject): string | undefined {
  const { artifactType, config } = manifest;
  if (typeof artifactType === 'string' && artifactType !== '') return artifactType;
  const type = isObject(config) ? config['mediaType'] : undefined;
  return typeof type === 'string' ? type : undefined;
}

/** @throws BundleError UNSUPPORTED_CONTENT naming `what`. */
export function parseDescriptor(value: Json | undefined, what: string): Descriptor {
  const object = asObject(value, what);
  return {
    mediaType: sameType(asString(object['mediaType'], `${what}.mediaType`)),
    digest: parseDigest(object['digest']),
    size: asSize(object['size'], `${what}.size`),
  };
}

/**
 * OCI image-spec, `subject`: Docker's manifests have none. What is no digest as they are used here
 * names nothing.
 */
function subjectIn(document: JsonObject, mediaType: string): Digest | undefined {
  const subject = document['subject'];
  const digest =
    isObject(subject) && [OCI_MANIFEST, OCI_INDEX].includes(mediaType)
      ? subject['digest']
      : undefined;
  return typeof digest === 'string' && isDigest(digest) ? digest : undefined;
}

function mediaTypeOf(document: JsonObject, announced: string | undefined): string {
  if (document['schemaVersion'] === 1) {
    throw new BundleError('UNSUPPORTED_CONTENT', 'the manifest is of Docker schema 1', {
      hint:
        'Schema 1 images cannot be copied by digest. ' +
        'Ask the owner to push the image again with a current tool.',
    });
  }
  if (document['schemaVersion'] !== 2)
    throw new BundleError('UNSUPPORTED_CONTENT', 'the manifest has no schemaVersion 2');
  if ('manifests' in document && ('layers' in document || 'config' in document)) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      'the manifest reads as both an image and an index',
    );
  }
  const own = document['mediaType'];
  if (own !== undefined && typeof own !== 'string')
    throw new BundleError('UNSUPPORTED_CONTENT', 'mediaType is not a string');
  const known = announced !== undefined && isManifestType(announced) ? announced : undefined;
  if (own !== undefined && known !== undefined && own !== known) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the manifest says that its type is ${own}, but it is listed or served as ${known}`,
      { expected: known, got: own },
    );
  }
  const mediaType = own ?? known ?? guess(document);
  if (!isManifestType(mediaType)) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `manifests of type ${mediaType} are not supported`,
      {
        hint: 'Manifests and indexes of Docker schema 2 and of OCI are supported.',
      },
    );
  }
  if (isIndexType(mediaType) !== 'manifests' in document) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the manifest does not have the shape of its type ${mediaType}`,
    );
  }
  return mediaType;
}

/**
 * OCI manifests may leave their own type out; Docker's never do, but their config's type gives them
 * away.
 */
function guess(document: JsonObject): string {
  if ('manifests' in document) {
    const first = Array.isArray(document['manifests'])
      ? (document['manifests'] as readonly Json[])[0]
      : undefined;
    return isObject(first) && first['mediaType'] === DOCKER_MANIFEST ? DOCKER_LIST : OCI_INDEX;
  }
  const config = document['config'];
  const type = isObject(config) ? config['mediaType'] : undefined;
  return typeof type === 'string' && type.startsWith('application/vnd.docker.')
    ? DOCKER_MANIFEST
    : OCI_MANIFEST;
}

function parsePlatform(value: Json | undefined): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return typeof variant === 'string' ? { os, architecture, variant } : { os, architecture };
}

/**
 * The tag under which cosign keeps the signatures of a manifest, in the manifest's own repository.
 */
export function signatureTagOf(digest: Digest): string {
  return `${digest.replace(':', '-')}.sig`;
}

/**
 * The tag that lists the referrers of a manifest where a registry does not (distribution-spec,
 * "Referrers Tag Schema").
 */
export function referrersTagOf(digest: Digest): string {
  return digest.replace(':', '-');
}

/** `linux/amd64`, `linux/arm/v7`: what of an image of several platforms is meant. */
const WRITTEN = /^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?$/;

export function isPlatform(text: string): boolean {
  return WRITTEN.test(text);
}

/** Without a variant, all variants are meant. */
export function isMeant({ os, architecture, variant }: Platform, text: string): boolean {
  const [wantedOs, wantedArchitecture, wantedVariant = variant] = text.split('/');
  return os === wantedOs && architecture === wantedArchitecture && variant === wantedVariant;
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** The manifests of an index that are for one of some platforms. */
export function chosenOf(
  { manifests }: ImageIndex,
  platforms: readonly string[],
): ImageIndex['manifests'] {
  return manifests.filter(
    ({ platform }) => platform !== undefined && platforms.some((text) => isMeant(platform, text)),
  );
}
