import type { Digest } from '../../../core/digest.ts';
import { BundleError } from '../../../core/errors.ts';
import { compareText } from '../../../core/text.ts';
import type { ManifestTree, WalkedImage } from '../../../transfer/image.ts';
import { KUBEVIRT } from '../payload/boot-images.ts';
import { EFFECTS, resourceFile, type ResourceFile } from '../../resource-file.ts';

/** The pools of every cluster. Other pools of workers take what is for workers. */
const ROLES = ['master', 'worker'];
const MAX_IMAGES = 500;
/** The first minor version of OpenShift 4 that has the API as stable. */
export const STABLE_SINCE = 22;
/** Nodes keep this much free besides, and need twice the compressed size while they unpack. */
export const RESERVED_BYTES = 16 * 2 ** 30;
const UNPACKED = 2;

/** What the API takes: a host with a dot, and at most one folder before the name. */
const PINNABLE =
  /^(?:[a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(?::[0-9]{2,5})?\/(?:[a-zA-Z0-9_-]{0,61}\/)?[a-zA-Z0-9_.-]*@sha256:[0-9a-f]{64}$/;

export interface PinnedImageSets {
  readonly files: readonly ResourceFile[];
  /** Different images that are pinned. */
  readonly images: number;
  /** Of what is pulled, as it is in the registry. */
  readonly compressedBytes: number;
  /** What each node has to have free for all sets together. */
  readonly bytesPerNode: number;
}

/**
 * The sets that let nodes pull a release before they are updated: a set for each role, by the names
 * that clusters ask for, and several where one would be too large.
 * @param images of the release that the clusters are to run.
 * @param running images of the release that they run, as far as these are known.
 * @param options `name` begins the names of the sets; `minor` is that of the running release.
 * @throws BundleError USAGE for an image that the API of clusters would refuse.
 */
export function pinnedImageSets(
  images: readonly WalkedImage[],
  running: readonly WalkedImage[],
  { name, minor }: { readonly name: string; readonly minor: number },
): PinnedImageSets {
  const there = new Set(running.map(({ tree }) => tree.descriptor.digest));
  const lacking = new Map<Digest, WalkedImage>();
  for (const image of images) {
    const { digest } = image.tree.descriptor;
    const { attachment, role } = image.request;
    // No node runs the disk of another.
    if (attachment !== undefined || role === KUBEVIRT) continue;
    if (!there.has(digest)) lacking.set(digest, image);
  }
  const references = [...lacking.values()].map(({ request }) => pinnable(request.source));
  const sorted = references.toSorted(compareText);
  const parts = Array.from({ length: Math.ceil(sorted.length / MAX_IMAGES) }, (_, index) =>
    sorted.slice(index * MAX_IMAGES, (index + 1) * MAX_IMAGES),
  );
  const compressedBytes = [...lacking.values()].reduce(
    (total, { tree }) => total + compressedSize(tree),
    0,
  );
  return {
    files: ROLES.flatMap((role) =>
      parts.map((part, index) =>
        setFile(`${name}-${role}${parts.length === 1 ? '' : `-${index + 1}`}`, role, part, minor),
      ),
    ),
    images: lacking.size,
    compressedBytes,
    bytesPerNode: UNPACKED * compressedBytes + RESERVED_BYTES,
  };
}

function setFile(
  name: string,
  role: string,
  references: readonly string[],
  minor: number,
): ResourceFile {
  const version = minor >= STABLE_SINCE ? 'v1' : 'v1alpha1';
  const object = {
    apiVersion: `machineconfiguration.openshift.io/${version}`,
    kind: 'PinnedImageSet',
    metadata: { name, labels: { 'machineconfiguration.openshift.io/role': role } },
    spec: { pinnedImages: references.map((reference) => ({ name: reference })) },
  };
  return resourceFile(`pinned-images/${name}.yaml`, [object], EFFECTS.pinnedImages);
}

function pinnable(reference: string): string {
  if (PINNABLE.test(reference)) return reference;
  throw new BundleError('USAGE', `a cluster cannot pin ${reference}`, {
    hint:
      'A PinnedImageSet takes HOST/FOLDER/NAME@sha256:…, and no deeper path. ' +
      'Leave out --pinned-image-sets.',
  });
}

/** Of an image for several architectures, a node pulls one: it may be the largest. */
function compressedSize({ manifest, children }: ManifestTree): number {
  if (manifest.kind === 'index') return Math.max(0, ...children.map(compressedSize));
  return manifest.layers.reduce((total, { size }) => total + size, manifest.config.size);
}
