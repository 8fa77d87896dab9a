import { mapLimited } from '../../core/concurrency.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asString, isObject, parseStrictJson } from '../../core/json.ts';
import { formatReference } from '../../core/reference.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import type { ReleaseSignature } from '../../trust/release-signature.ts';
import type { ImageRequest, ManifestTree, Proof, WalkedImage } from '../../transfer/image.ts';
import { readVerified, twiceIfWrong } from '../../transfer/verified.ts';
import type { Part, Walk } from '../kind.ts';
import type { ContentSource } from '../sources.ts';
import { type Architecture, architectureOfOci } from './architecture.ts';
import type { ReleaseSeed } from './claim.ts';
import { signatureConfigMap } from './config-map.ts';
import { type ImageReferences, parsePayload } from './payload/image-references.ts';
import { readPayload } from './payload/payload.ts';
import { tagOf } from './tags.ts';

/** The kind of a release in rows of `bundle.json`. */
export const RELEASE = 'release';

/** The facts about a release that are known when all of it has been found. */
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
}

/**
 * Follows the chain from a release digest to the manifest of every component: release image,
 * payload, components by digest, their manifests, and what is attached to them. All that can be
 * asked at once is: a component's signature while others' manifests are still coming.
 *
 * @throws BundleError NOT_FOUND naming the image; CONTENT_MISMATCH when the payload is of another
 * version or architecture than asked for.
 */
export async function expandRelease(
  seed: ReleaseSeed,
  content: ContentSource,
  walk: Walk,
): Promise<Part<ReleaseFacts>> {
  const { architecture, signatures, canonical, digest } = seed;
  const proof = signatures.length > 0 ? 'publisher' : 'signer';
  const unnamed: ImageRequest = {
    name: seed.version === undefined ? digest : `${seed.version}-${architecture}`,
    role: 'release',
    descriptor: seed.descriptor ?? (await content.root.resolve(digest, { signal: walk.signal })),
    source: formatReference({ ...canonical, digest }),
    tags: [],
    place: 'entry',
    proof,
    order: 'last',
    store: content.root,
  };
  const { tree } = await walk.walker.walkOne(unnamed);
  const images = payloadFirst(tree);
  const config = await imageConfig(images, content.root, walk);
  checkArchitecture(tree, config.architecture, architecture);
  const references = await payloadOf(images[0]!, unnamed, walk);
  const { version } = references;
  checkVersion(version, seed.version);

  const tag = tagOf(version, architecture);
  const release: WalkedImage = { request: { ...unnamed, name: tag, tags: [tag] }, tree };
  const components = await walkComponents(references, { architecture, proof }, content, walk);
  const messages = signatures.map(({ message }) => message);
  const configMap = messages.length > 0 ? signatureConfigMap(digest, messages) : undefined;
  const facts: ReleaseFacts = {
    version,
    architecture,
    digest,
    reference: unnamed.source,
    created: wholeSeconds(references.created ?? config.created ?? new Date(0)),
    signatures,
  };
  return {
    kind: RELEASE,
    label: releaseLabel(version, architecture),
    names: [version, `${version}-${architecture}`, digest],
    facts,
    claim: { ...facts, signatures: signatures.map((signature) => signature.digest) },
    images: await walk.attached.addTo([release, ...components]),
    files: configMap
      ? [{ path: `config/${configMap.name}`, role: 'release-signature', bytes: configMap.text }]
      : [],
    leading: images.flatMap(({ manifest }) =>
      manifest.kind === 'manifest' ? [manifest.config, ...manifest.layers.toReversed()] : [],
    ),
  };
}

/** How reports call a release. */
export function releaseLabel(version: string, architecture: string): string {
  return `${version} for ${architecture}`;
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
  { signal, observe }: Walk,
): Promise<ImageReferences> {
  const layers = manifest.kind === 'manifest' ? manifest.layers : [];
  const read = (): ReturnType<typeof readPayload> => readPayload(layers, store, { signal });
  return parsePayload(await twiceIfWrong(store, read, `payload of ${name}`, observe)).references;
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

function checkArchitecture(tree: ManifestTree, found: string, asked: Architecture): void {
  const got = tree.manifest.kind === 'index' ? 'multi' : (architectureOfOci(found) ?? found);
  if (got === asked) return;
  throw new BundleError('CONTENT_MISMATCH', `the release image is for ${got}, not for ${asked}`, {
    expected: asked,
    got,
    hint: `Ask for --arch ${got}, or for another release image.`,
  });
}

/** The config of the payload image. */
async function imageConfig(
  [image]: readonly ManifestTree[],
  store: ReadOnlyStore,
  { signal, observe }: Walk,
): Promise<{ architecture: string; created: Date | undefined }> {
  if (image?.manifest.kind !== 'manifest') throw new RangeError('the first image is no index');
  const descriptor: Descriptor = image.manifest.config;
  const read = async (): Promise<Uint8Array> =>
    readVerified(store.fetch(descriptor, { signal }), descriptor);
  const bytes = await twiceIfWrong(store, read, descriptor.digest, observe);
  const config = parseStrictJson(bytes, 'image config');
  if (!isObject(config)) return { architecture: '', created: undefined };
  const created = typeof config['created'] === 'string' ? new Date(config['created']) : undefined;
  return {
    architecture: asString(config['architecture'], 'architecture of the image config'),
    created: created && Number.isNaN(created.getTime()) ? undefined : created,
  };
}

async function walkComponents(
  references: ImageReferences,
  { architecture, proof }: { readonly architecture: Architecture; readonly proof: Proof },
  content: ContentSource,
  { walker, attached, lookups, signal }: Walk,
): Promise<readonly WalkedImage[]> {
  walker.expect(references.components.length);
  const resolved = new Map<Digest, Promise<Descriptor>>();
  const resolve = (store: ReadOnlyStore, digest: Digest): Promise<Descriptor> => {
    const descriptor = resolved.get(digest) ?? store.resolve(digest, { signal });
    resolved.set(digest, descriptor);
    return descriptor;
  };
  return mapLimited(
    references.components,
    lookups,
    async ({ name, reference }, combined): Promise<WalkedImage> => {
      const store = content.storeOf(reference);
      const tag = tagOf(references.version, architecture, name);
      let descriptor: Descriptor;
      try {
        descriptor = await resolve(store, reference.digest);
      } catch (error) {
        throw error instanceof BundleError ? error.about(`image ${tag}`) : error;
      }
      const image = await walker.walkOne({
        name: tag,
        role: 'component',
        descriptor,
        source: formatReference(reference),
        tags: [tag],
        place: 'content',
        proof,
        order: 'first',
        store,
      });
      await attached.lookAhead(image, combined);
      return image;
    },
    signal,
  );
}

function wholeSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}
