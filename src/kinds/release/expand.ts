import type { Descriptor } from '../../core/descriptor.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { formatReference } from '../../core/reference.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import type { ImageRequest, Proof, WalkedImage } from '../../transfer/image.ts';
import type { PartHole, WantedImage } from '../holes.ts';
import type { Part, Walk } from '../kind.ts';
import { walkImages } from '../walk-images.ts';
import type { ContentSource } from '../sources.ts';
import type { Architecture } from './architecture.ts';
import type { ReleaseSeed } from './claim.ts';
import { signatureConfigMap } from './config-map.ts';
import { KUBEVIRT, type KubeVirtImage } from './payload/boot-images.ts';
import type { Component, ImageReferences } from './payload/image-references.ts';
import { readReleaseImage, type ReleaseFacts } from './payload/release-image.ts';
import { releaseLabel, tagOf } from './tags.ts';

/** The kind of a release in rows of `bundle.json`. */
export const RELEASE = 'release';

/** The role of the images that a release image names. */
export const COMPONENT = 'component';

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
  const { facts, image, images, references } = await readReleaseImage(seed, content, walk);
  const { version, architecture, digest, signatures, kubeVirt } = facts;
  const label = releaseLabel(version, architecture);
  if (kubeVirt?.length === 0) seed.lacksKubeVirt?.(label);
  let carried: readonly WalkedImage[];
  let holes: readonly PartHole[];
  try {
    const components = await walkImages(wantedImages(facts, references, content), walk);
    carried = await walk.attached.addTo([image, ...components.images]);
    ({ holes } = components);
  } catch (error) {
    throw componentAway(error, references, content.root.name);
  }
  const messages = signatures.map(({ message }) => message);
  const configMap = messages.length > 0 ? signatureConfigMap(digest, messages) : undefined;
  const { reference, created } = facts;
  const claimed = { version, architecture, digest, reference, created };
  return {
    kind: RELEASE,
    label,
    names: [version, `${version}-${architecture}`, digest],
    facts,
    claim: {
      ...{ ...claimed, signatures: signatures.map((signature) => signature.digest) },
      ...(kubeVirt !== undefined && { kubeVirt: true }),
    },
    images: carried,
    holes,
    files: configMap
      ? [{ path: `config/${configMap.name}`, role: 'release-signature', bytes: configMap.text }]
      : [],
    leading: images.flatMap(({ manifest }) =>
      manifest.kind === 'manifest' ? [manifest.config, ...manifest.layers.toReversed()] : [],
    ),
    proofs: signatures.map((one) => ({ ...one, subject: digest })),
  };
}

/** The facts about a release that its components share. */
export interface ComponentsOf {
  readonly version: string;
  readonly architecture: Architecture;
  readonly proof: Proof;
}

/** The image of a component, before anything of it was read. */
export function componentRequest(
  component: Component,
  of: ComponentsOf,
  descriptor: Descriptor,
  store: ReadOnlyStore,
): ImageRequest {
  const { name, role, source, tags, place, proof, order } = wantedComponent(component, of, store);
  return { name, role, descriptor, source, tags, place, proof, order, store };
}

function wantedComponent(
  { name, reference }: Component,
  { version, architecture, proof }: ComponentsOf,
  store: ReadOnlyStore,
): WantedImage {
  const tag = tagOf(version, architecture, name);
  return {
    name: tag,
    role: COMPONENT,
    digest: reference.digest,
    source: formatReference(reference),
    tags: [tag],
    place: 'content',
    proof,
    order: 'first',
    store,
  };
}

/**
 * A release that was copied somewhere still names its components where they were published: that is
 * what is asked, unless the user says where else they are.
 * @param root the repository that the release image comes from.
 */
function componentAway(error: unknown, { components }: ImageReferences, root: string): unknown {
  const other = components.find(({ reference: { registry } }) => !root.startsWith(`${registry}/`));
  const isAway = hasCode(error, 'NETWORK') || hasCode(error, 'NOT_ALLOWED');
  if (!isAway || other === undefined) return error;
  const { registry, repository } = other.reference;
  const hint =
    `The release names its components at ${registry}, so they are asked for there. If a registry ` +
    `of yours has them, say so with --mirror ${registry}/${repository}=REGISTRY/REPOSITORY, or ` +
    'give its mirror set with --idms-file FILE.';
  return error.withHint(error.hint === undefined ? hint : `${hint} Otherwise: ${error.hint}`);
}

/**
 * The components, then the KubeVirt images.
 * @throws BundleError UNSUPPORTED_CONTENT for two of one name.
 */
function wantedImages(
  { version, architecture, signatures, kubeVirt = [] }: ReleaseFacts,
  { components }: ImageReferences,
  content: ContentSource,
): readonly WantedImage[] {
  const proof: Proof = signatures.length > 0 ? 'publisher' : 'signer';
  const of = { version, architecture, proof };
  const wanted = (image: Component | KubeVirtImage): WantedImage =>
    wantedComponent(image, of, content.storeOf(image.reference));
  const namesake = kubeVirt.find(({ name }) => components.some((other) => other.name === name));
  if (namesake !== undefined) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the release has a component ${namesake.name}, which its KubeVirt image is called as well`,
      { hint: 'Leave the KubeVirt image out, and tell the authors of this program.' },
    );
  }
  return [
    ...components.map(wanted),
    ...kubeVirt.map((image) => ({
      ...wanted(image),
      role: KUBEVIRT,
      around: 'The KubeVirt image is carried only where that is asked for: leave it out.',
    })),
  ];
}
