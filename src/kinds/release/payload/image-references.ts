import { BundleError, hasCode } from '../../../core/errors.ts';
import {
  asArray,
  asObject,
  asString,
  isObject,
  type Json,
  type JsonObject,
  parseStrictJson,
} from '../../../core/json.ts';
import type { Digest } from '../../../core/digest.ts';
import { isTag, parseReference, type Reference } from '../../../core/reference.ts';

/** One image that a release is made of. */
export interface Component {
  readonly name: string;
  /** Where the release says the image is: always by digest, never by tag. */
  readonly reference: Reference & { readonly digest: Digest };
}

/** `release-manifests/image-references`: the ImageStream that lists the components. */
export interface ImageReferences {
  readonly version: string;
  /** When the release was put together; `undefined` where it does not say. */
  readonly created: Date | undefined;
  /** In the order of the file. */
  readonly components: readonly Component[];
}

/** `release-manifests/release-metadata`: the release's place among the others. */
export interface ReleaseMetadata {
  readonly version: string;
  /** Versions that can be upgraded to this one. */
  readonly previous: readonly string[];
  /** The errata page. */
  readonly url: string | undefined;
}

/**
 * Semantic Versioning 2.0.0: what the cluster version operator demands, and safe in file names and
 * tags.
 */
const VERSION =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Reads image-references. Tags that are no image (`from` absent, or of another kind) are passed
 * over, as `oc` does.
 * @throws BundleError UNSUPPORTED_CONTENT for anything else than an ImageStream, a version that is
 * no semantic version, components not named by digest, and names that are no tag or come twice.
 */
export function parseImageReferences(bytes: Uint8Array): ImageReferences {
  const document = asObject(parseStrictJson(bytes, 'image-references'), 'image-references');
  if (document['apiVersion'] !== 'image.openshift.io/v1' || document['kind'] !== 'ImageStream') {
    throw refused('image-references is not an ImageStream of image.openshift.io/v1');
  }
  const metadata = asObject(document['metadata'], 'image-references metadata');
  const spec = asObject(document['spec'], 'image-references spec');
  const components = asArray(spec['tags'], 'image-references spec.tags').flatMap((tag, index) =>
    parseComponent(tag, index),
  );
  const names = new Set<string>();
  for (const { name } of components) {
    if (names.has(name)) throw refused(`image-references names the component ${name} twice`);
    names.add(name);
  }
  return {
    version: parseVersion(metadata['name'], 'image-references'),
    created: parseTime(metadata['creationTimestamp']),
    components,
  };
}

/**
 * @throws BundleError UNSUPPORTED_CONTENT for another kind of document, or a version that is no
 * semantic version.
 */
export function parseReleaseMetadata(bytes: Uint8Array): ReleaseMetadata {
  const document = asObject(parseStrictJson(bytes, 'release-metadata'), 'release-metadata');
  if (document['kind'] !== 'cincinnati-metadata-v0')
    throw refused('release-metadata is not of the kind cincinnati-metadata-v0');
  const metadata = document['metadata'];
  const url = isObject(metadata) ? metadata['url'] : undefined;
  return {
    version: parseVersion(document['version'], 'release-metadata'),
    previous: asArray(document['previous'] ?? [], 'release-metadata previous').map((version) =>
      asString(version, 'a previous version'),
    ),
    url: url === undefined ? undefined : asString(url, 'release-metadata url'),
  };
}

/**
 * Both files of one payload, which must tell of one version.
 * @throws BundleError UNSUPPORTED_CONTENT as the two parsers do, and when the versions differ.
 */
export function parsePayload(payload: {
  readonly imageReferences: Uint8Array;
  readonly releaseMetadata: Uint8Array;
}): {
  readonly references: ImageReferences;
  readonly metadata: ReleaseMetadata;
} {
  const references = parseImageReferences(payload.imageReferences);
  const metadata = parseReleaseMetadata(payload.releaseMetadata);
  if (references.version !== metadata.version) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      'image-references and release-metadata name different versions',
      {
        expected: references.version,
        got: metadata.version,
        hint: 'The release image is inconsistent: ask its publisher.',
      },
    );
  }
  return { references, metadata };
}

function parseComponent(value: Json, index: number): Component[] {
  const tag = asObject(value, `image-references spec.tags[${index}]`);
  const from = tag['from'];
  if (!isImage(from)) return [];
  const name = asString(tag['name'], `the name of spec.tags[${index}]`);
  if (!isTag(name))
    throw refused(
      `image-references has a component with the name ${JSON.stringify(name)}, ` +
        'which cannot be a tag',
    );
  const text = asString(from['name'], `the image of component ${name}`);
  const { digest, ...rest } = parseComponentReference(name, text);
  if (digest === undefined || rest.tag !== undefined) {
    throw refused(
      `image-references should name images by digest alone, but component ${name} is ${text}`,
    );
  }
  return [{ name, reference: { ...rest, digest } }];
}

function isImage(from: Json | undefined): from is JsonObject {
  return isObject(from) && from['kind'] === 'DockerImage';
}

function parseComponentReference(name: string, text: string): Reference {
  try {
    return parseReference(text);
  } catch (cause) {
    if (!hasCode(cause, 'USAGE')) throw cause;
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the image of component ${name} is ${cause.message}`,
      { cause },
    );
  }
}

function parseVersion(value: Json | undefined, what: string): string {
  const version = asString(value, `the version in ${what}`);
  if (VERSION.test(version)) return version;
  throw refused(
    `the version in ${what} is ${JSON.stringify(version)}, which is no semantic version`,
  );
}

function parseTime(value: Json | undefined): Date | undefined {
  if (value === undefined || value === null) return undefined;
  const text = asString(value, 'creationTimestamp');
  const time = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time))
    throw refused(`creationTimestamp is ${JSON.stringify(text)}, which is no time`);
  return new Date(time);
}

function refused(message: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', message, {
    hint: 'Check that the image is an OpenShift release image.',
  });
}
