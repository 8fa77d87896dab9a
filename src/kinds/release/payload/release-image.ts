import type { Descriptor } from '../../../core/descriptor.ts';
import type { Digest } from '../../../core/digest.ts';
import { BundleError } from '../../../core/errors.ts';
import { asString, isObject, parseStrictJson } from '../../../core/json.ts';
import { formatReference } from '../../../core/reference.ts';
import type { ReadOnlyStore } from '../../../core/store.ts';
import type { ImageRequest, ManifestTree, WalkedImage } from '../../../transfer/image.ts';
import { fetchVerified, twiceIfWrong } from '../../../transfer/verified.ts';
import type { ReleaseSignature } from '../../../trust/release-signature.ts';
import type { Walk } from '../../kind.ts';
import type { ContentSource } from '../../sources.ts';
import { type Architecture, architectureOfOci } from '../architecture.ts';
import type { ReleaseSeed } from '../claim.ts';
import { type KubeVirtImage, parseKubeVirtImages } from './boot-images.ts';
import { type ImageReferences, parsePayload } from './image-references.ts';
import { type Payload, readPayload } from './payload.ts';
import { tagOf } from '../tags.ts';

/** Its role in its part. */
export const RELEASE_IMAGE = 'release';

/** The facts about a release that are known when its release image has been read. */
export interface ReleaseFacts {
  readonly version: string;
  readonly architecture: Architecture;
  readonly digest: Digest;
  /** `registry/repository@digest`, as the signature knows it. */
  readonly reference: string;
  /** RFC 3339 in UTC, whole seconds. */
  readonly created: string;
  /** None only where an unsigned release was allowed. */
  readonly signatures: readonly ReleaseSignature[];
  /** The releases that it says it can be updated from. */
  readonly previous: readonly string[];
  /** Those that the payload names, none perhaps; left out where they are not carried. */
  readonly kubeVirt?: readonly KubeVirtImage[] | undefined;
}

/** A release image whose payload was read. */
export interface ReleaseImage {
  readonly facts: ReleaseFacts;
  readonly image: WalkedImage;
  /** The images in it, the one whose payload was read first. */
  readonly images: readonly ManifestTree[];
  readonly references: ImageReferences;
}

/** What it takes to read one image. */
export type ImageWalk = Pick<Walk, 'walker' | 'signal' | 'observe'>;

/** A release whose architecture nobody has named is taken for what its image says. */
export type ReleaseImageSeed = Omit<ReleaseSeed, 'architecture'> & {
  readonly architecture?: ReleaseSeed['architecture'] | undefined;
};

/**
 * Follows the chain from a release digest to the list of its components.
 *
 * @throws BundleError NOT_FOUND naming the image; CONTENT_MISMATCH when the payload is of another
 * version or architecture than asked for.
 */
export async function readReleaseImage(
  seed: ReleaseImageSeed,
  content: ContentSource,
  walk: ImageWalk,
): Promise<ReleaseImage> {
  const { architecture: asked, signatures, canonical, digest } = seed;
  const isNamed = seed.version !== undefined && asked !== undefined;
  const unnamed: ImageRequest = {
    name: isNamed ? `${seed.version}-${asked}` : digest,
    role: RELEASE_IMAGE,
    descriptor: seed.descriptor ?? (await content.root.resolve(digest, { signal: walk.signal })),
    source: formatReference({ ...canonical, digest }),
    tags: [],
    place: 'entry',
    proof: signatures.length > 0 ? 'publisher' : 'signer',
    order: 'last',
    store: content.root,
  };
  const { tree } = await walk.walker.walkOne(unnamed);
  const images = payloadFirst(tree);
  const config = await imageConfig(images, content.root, walk);
  const architecture = architectureOf(tree, config.architecture, asked);
  const isWanted = seed.kubeVirt === true;
  const payload = await payloadOf(images[0]!, unnamed, walk, isWanted);
  const { references, metadata, bootImages } = payload;
  const { version } = references;
  checkVersion(version, seed.version);
  const tag = tagOf(version, architecture);
  const created = wholeSeconds(references.created ?? config.created ?? new Date(0));
  return {
    facts: {
      ...{ version, architecture, digest, reference: unnamed.source, created, signatures },
      previous: metadata.previous,
      ...(isWanted && { kubeVirt: parseKubeVirtImages(bootImages, architecture) }),
    },
    image: { request: { ...unnamed, name: tag, tags: [tag] }, tree },
    images,
    references,
  };
}

/**
 * The images in a release image, the payload image first: the amd64 child of an index, else the
 * first.
 */
export function payloadFirst(tree: ManifestTree): readonly ManifestTree[] {
  if (tree.manifest.kind === 'manifest') return [tree];
  const preferred = tree.manifest.manifests.findIndex(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === 'amd64',
  );
  const first = tree.children[Math.max(preferred, 0)];
  if (first?.manifest.kind !== 'manifest') {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the release image ${tree.descriptor.digest} is an index without images`,
    );
  }
  return [first, ...tree.children.filter((child) => child !== first)];
}

async function payloadOf(
  { manifest }: ManifestTree,
  { name, store }: ImageRequest,
  { signal, observe }: ImageWalk,
  withBootImages: boolean,
): Promise<ReturnType<typeof parsePayload> & Pick<Payload, 'bootImages'>> {
  const layers = manifest.kind === 'manifest' ? manifest.layers : [];
  const read = (): Promise<Payload> => readPayload(layers, store, { signal, withBootImages });
  const payload = await twiceIfWrong(store, read, `payload of ${name}`, observe);
  return { ...parsePayload(payload), bootImages: payload.bootImages };
}

function checkVersion(found: string, asked: string | undefined): void {
  if (asked === undefined || asked === found) return;
  throw new BundleError('CONTENT_MISMATCH', `the release image is version ${found}, not ${asked}`, {
    expected: asked,
    got: found,
    hint:
      'The tag and the release image name different versions: ' +
      'ask for the version in the release image, or for another tag.',
  });
}

/**
 * @throws BundleError CONTENT_MISMATCH for another architecture than asked for; UNSUPPORTED_CONTENT
 * for one that no release has.
 */
function architectureOf(
  tree: ManifestTree,
  found: string,
  asked: Architecture | undefined,
): Architecture {
  const known = tree.manifest.kind === 'index' ? 'multi' : architectureOfOci(found);
  const got = known ?? found;
  if (asked !== undefined && got !== asked) {
    throw new BundleError('CONTENT_MISMATCH', `the release image is for ${got}, not for ${asked}`, {
      expected: asked,
      got,
      hint: `Ask for --arch ${got}, or for another release image.`,
    });
  }
  if (known !== undefined) return known;
  throw new BundleError('UNSUPPORTED_CONTENT', `the release image is for ${JSON.stringify(got)}`, {
    hint: 'Check that the image is an OpenShift release image.',
  });
}

/** The config of the payload image. */
async function imageConfig(
  [image]: readonly ManifestTree[],
  store: ReadOnlyStore,
  walk: ImageWalk,
): Promise<{ architecture: string; created: Date | undefined }> {
  if (image?.manifest.kind !== 'manifest') throw new RangeError('the first image is no index');
  const descriptor: Descriptor = image.manifest.config;
  const bytes = await fetchVerified(store, descriptor, walk);
  const config = parseStrictJson(bytes, 'image config');
  if (!isObject(config)) return { architecture: '', created: undefined };
  const created = typeof config['created'] === 'string' ? new Date(config['created']) : undefined;
  return {
    architecture: asString(config['architecture'], 'architecture of the image config'),
    created: created && Number.isNaN(created.getTime()) ? undefined : created,
  };
}

function wholeSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}
