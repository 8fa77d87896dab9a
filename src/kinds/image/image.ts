import { type Digest, digestOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asArray, asString, type JsonObject } from '../../core/json.ts';
import { isPlatform } from '../../core/manifest.ts';
import { formatReference, type RepositoryName } from '../../core/reference.ts';
import { compareText, optionWords } from '../../core/text.ts';
import type { HoleReason } from '../../bundle/format/manifest.ts';
import { claimDigest } from '../claim-digest.ts';
import type { Destinations } from '../destinations.ts';
import { digestOfTag, type WantedImage } from '../holes.ts';
import type { FindOptions, Found, Kind, Part, PartResources, Walk } from '../kind.ts';
import { walkImages } from '../walk-images.ts';
import { knownBy, mirrorRows } from '../mirror-row.ts';
import type { ContentSource, Sources } from '../sources.ts';
import { imageRow, type ImageRow, readImageRow } from './image-row.ts';
import { type ImagePartRequest, nameOfImage } from './request.ts';

/** The kind of single images in rows of `bundle.json`. */
const IMAGE = 'image';

/** What an image follows from, and what reports say of it. */
export interface ImageFacts extends ImagePartRequest, ImageRow {
  /** Why that is so, where it was asked for. */
  readonly absent?: HoleReason | undefined;
}

/** One image that is no part of a release. */
export const imageKind: Kind<ImagePartRequest, ImageFacts, ImageFacts> = {
  name: IMAGE,
  accompanies: true,
  find,
  settle,
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
    claims.flatMap(({ reference, path, tag, platforms }) => {
      if (typeof reference !== 'string' || typeof path !== 'string' || typeof tag !== 'string')
        return [];
      const image = optionWords('image', [`${reference}=${path}:${tag}`]);
      if (!Array.isArray(platforms)) return image;
      return [...image, ...optionWords('platforms', [`${reference}=${platforms.join(',')}`])];
    }),
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
function identityOf({ reference, digest, path, tag, platforms = [] }: ImageFacts): Digest {
  return digestOf(JSON.stringify([formatReference(reference), digest, path, tag, ...platforms]));
}

function bundleName({ path, tag }: ImagePartRequest): string {
  return `image-${path.slice(path.lastIndexOf('/') + 1)}-${tag.replace(/^(sha256-.{12}).*$/, '$1')}`;
}

async function find(
  request: ImagePartRequest,
  sources: Sources,
  { signal, absent: tags }: Pick<FindOptions, 'signal' | 'absent'>,
): Promise<Found<ImageFacts>> {
  const { registry, repository, tag, digest } = request.reference;
  const root = sources.source({ registry, repository });
  const content = { root, storeOf: (name: RepositoryName) => sources.source(name) };
  // A tag beside a digest is for people, and for the target.
  if (digest !== undefined) return { seed: { ...request, digest }, content };
  const resolve = () => root.resolve(tag!, { signal });
  const found = await digestOfTag(nameOfImage(request), resolve, tags);
  return { seed: { ...request, ...found }, content };
}

/** What could not be resolved when it was packed, somebody asks for again. */
async function settle(
  seed: ImageFacts,
  _content: ContentSource,
  sources: Sources,
  options: FindOptions,
): Promise<ImageFacts> {
  return seed.digest === undefined ? (await find(seed, sources, options)).seed : seed;
}

/** @throws BundleError UNSUPPORTED_CONTENT, USAGE for a row that packing would not write. */
function readClaim(claim: JsonObject): ImageFacts {
  return { ...readImageRow(claim), ...readPlatforms(claim) };
}

/** @throws BundleError UNSUPPORTED_CONTENT */
function readPlatforms({ platforms }: JsonObject): Pick<ImageFacts, 'platforms'> {
  if (platforms === undefined) return {};
  const list = asArray(platforms, 'platforms').map((text) => asString(text, 'platforms'));
  const isOrdered = list.every((text, at) => isPlatform(text) && text > (list[at - 1] ?? ''));
  if (isOrdered && list.length > 0) return { platforms: list };
  throw new BundleError('UNSUPPORTED_CONTENT', 'the platforms of an image are wrong', {
    expected: 'at least one platform, sorted, none twice',
    got: list.join(', '),
  });
}

/**
 * Fetches the manifests of an image, and of what is attached to it.
 * @throws BundleError naming the image
 */
async function expand(
  seed: ImageFacts,
  { root }: ContentSource,
  walk: Walk,
): Promise<Part<ImageFacts>> {
  const { reference, digest, path, tag, absent, platforms } = seed;
  const chosen = platforms === undefined ? {} : { platforms };
  const { registry, repository } = reference;
  const name = nameOfImage(seed);
  const wanted: WantedImage = {
    ...{ name, role: IMAGE, tags: [tag], store: root, digest, absent, ...chosen },
    source: digest === undefined ? name : formatReference({ registry, repository, digest }),
    ...{ place: `/${path}`, proof: 'signer', order: 'last' },
  };
  const { images, holes } = await walkImages([wanted], walk);
  const names = digest === undefined ? [name] : [name, digest];
  return {
    ...{ kind: IMAGE, label: labelOf(name, `${path}:${tag}`), names, facts: seed },
    claim: { ...imageRow(seed), ...chosen },
    ...{ images: await walk.attached.addTo(images), holes },
    files: [],
    leading: [],
  };
}

const BY_NAME =
  'Images need no step of their own: pods keep the names that they have for them, and nodes get ' +
  'them from the registry here.';

/** Clusters ask for an image as its name says: by its digest where it has one. */
function resources({ facts, images }: Part<ImageFacts>, at: Destinations): PartResources {
  const mirrors = mirrorRows(images, at, 'generic', knownBy(facts.reference));
  return {
    ...{ files: [], mirrors, section: () => [] },
    shown: () => (mirrors.length === 0 ? [] : [{ condition: BY_NAME, commands: [], files: [] }]),
  };
}
