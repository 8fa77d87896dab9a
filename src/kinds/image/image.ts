import { type Digest, digestOf, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asString, type JsonObject } from '../../core/json.ts';
import { formatReference, isRepository, isTag, parseReference } from '../../core/reference.ts';
import { compareText } from '../../core/text.ts';
import { claimDigest } from '../claim-digest.ts';
import type { Destinations } from '../destinations.ts';
import type { Found, Kind, Part, PartResources, Walk } from '../kind.ts';
import { knownBy, mirrorRows } from '../mirror-row.ts';
import type { ContentSource, Sources } from '../sources.ts';
import { type ImagePartRequest, nameOfImage } from './request.ts';

/** The kind of single images in rows of `bundle.json`. */
const IMAGE = 'image';

/** What an image follows from, and what reports say of it. */
export interface ImageFacts extends ImagePartRequest {
  readonly digest: Digest;
}

/** One image that is no part of a release. */
export const imageKind: Kind<ImagePartRequest, ImageFacts, ImageFacts> = {
  name: IMAGE,
  accompanies: true,
  find,
  read: async (claim) => readClaim(claim),
  labelOf: ({ reference, path, tag }) => {
    const [name, ...target] = [reference, path, tag].map((word) =>
      typeof word === 'string' ? word : '?',
    );
    return labelOf(name!, target.join(':'));
  },
  namesOf: ({ reference, digest }) =>
    [reference, digest].filter((name) => typeof name === 'string'),
  packWords: (claims) =>
    claims.flatMap(({ reference, path, tag }) =>
      typeof reference === 'string' && typeof path === 'string' && typeof tag === 'string'
        ? ['--image', `${reference}=${path}:${tag}`]
        : [],
    ),
  digestOf: identityOf,
  digestOfClaim: claimDigest(readClaim, identityOf),
  expand,
  compare: (a, b) =>
    compareText(a.path, b.path) ||
    compareText(a.tag, b.tag) ||
    compareText(nameOfImage(a), nameOfImage(b)),
  bundleName: (parts) => (parts.length === 1 ? bundleName(parts[0]!) : undefined),
  newerThan: () => [],
  resources,
};

/** How reports call an image: with its target, where that does not follow from its name. */
function labelOf(name: string, target: string): string {
  const usual = name.replace(/^([^@]*)@sha256:([0-9a-f]{64})$/, (_, bare: string, hex: string) =>
    /:[^/]*$/.test(bare) ? bare : `${bare}:sha256-${hex}`,
  );
  return usual.endsWith(`/${target}`) ? `image ${name}` : `image ${name} as ${target}`;
}

/** One image under two names, or for two places, is two parts. */
function identityOf({ reference, digest, path, tag }: ImageFacts): Digest {
  return digestOf(JSON.stringify([formatReference(reference), digest, path, tag]));
}

function bundleName({ path, tag }: ImagePartRequest): string {
  return `image-${path.slice(path.lastIndexOf('/') + 1)}-${tag.replace(/^(sha256-.{12}).*$/, '$1')}`;
}

async function find(
  request: ImagePartRequest,
  sources: Sources,
  { signal }: { readonly signal: AbortSignal },
): Promise<Found<ImageFacts>> {
  const { registry, repository, tag, digest } = request.reference;
  const root = sources.source({ registry, repository });
  // A tag beside a digest is for people, and for the target.
  const found = digest ?? (await root.resolve(tag!, { signal })).digest;
  return {
    seed: { ...request, digest: found },
    content: { root, storeOf: (name) => sources.source(name) },
  };
}

/** @throws BundleError UNSUPPORTED_CONTENT, USAGE for a row that packing would not write. */
function readClaim(claim: JsonObject): ImageFacts {
  const reference = parseReference(asString(claim['reference'], 'reference'));
  const digest = parseDigest(claim['digest']);
  const [path, tag] = [asString(claim['path'], 'path'), asString(claim['tag'], 'tag')];
  const isNamed = reference.tag !== undefined || reference.digest !== undefined;
  const isSame = reference.digest === undefined || reference.digest === digest;
  if (isNamed && isSame && isRepository(path) && isTag(tag))
    return { reference, digest, path, tag };
  throw new BundleError(
    'UNSUPPORTED_CONTENT',
    `the row of ${nameOfImage({ reference })} is wrong`,
    {
      expected: 'a reference with a tag or that digest, a path and a tag',
      got: `${path}:${tag}, ${digest}`,
    },
  );
}

/**
 * Fetches the manifests of an image, and of what is attached to it.
 * @throws BundleError naming the image
 */
async function expand(
  seed: ImageFacts,
  { root }: ContentSource,
  { walker, attached, signal }: Walk,
): Promise<Part<ImageFacts>> {
  const { reference, digest, path, tag } = seed;
  const { registry, repository } = reference;
  const name = nameOfImage(seed);
  const image = await walker.walkOne({
    ...{ name, role: IMAGE, tags: [tag], store: root },
    descriptor: await root.resolve(digest, { signal }).catch((error: unknown) => {
      throw error instanceof BundleError ? error.about(`image ${name}`) : error;
    }),
    source: formatReference({ registry, repository, digest }),
    ...{ place: `/${path}`, proof: 'signer', order: 'last' },
  });
  return {
    ...{ kind: IMAGE, label: labelOf(name, `${path}:${tag}`), names: [name, digest], facts: seed },
    claim: { reference: name, digest, path, tag },
    images: await attached.addTo([image]),
    files: [],
    leading: [],
  };
}

/** Clusters ask for an image as its name says: by its digest where it has one. */
function resources({ facts, images }: Part<ImageFacts>, at: Destinations): PartResources {
  return {
    files: [],
    mirrors: mirrorRows(images, at, 'generic', knownBy(facts.reference)),
    section: () => [],
    commands: () => [],
  };
}
