import { makeImage, makeIndex, type ImageKind } from '../../scripts/lib/image.ts';
import { cosignSignature } from '../../scripts/lib/cosign.ts';
import { Publisher } from '../../scripts/lib/destination.ts';
import { randomLayer } from '../../scripts/lib/layer.ts';
import { anonymous } from '../../src/core/credentials.ts';
import type { Digest } from '../../src/core/digest.ts';
import { signatureTagOf } from '../../src/core/manifest.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';

/** Where the base image of graph images is, behind a mirror of its registry. */
const REPOSITORY = 'ubi9/ubi';

export interface BaseImageOptions {
  readonly kind?: ImageKind;
  readonly architectures?: readonly string[];
  /** The same seed gives the same image. */
  readonly seed?: string;
  readonly tag?: string;
}

/**
 * Puts an image of several architectures, with a signature of each, where the UBI image is at
 * `registry.access.redhat.com`.
 * @returns the digest of the index.
 */
export async function publishBaseImage(
  registry: string,
  options: BaseImageOptions = {},
): Promise<Digest> {
  const { kind = 'docker', architectures = ['amd64', 'arm64'], seed = 'ubi' } = options;
  const images = [];
  for (const architecture of architectures) {
    const layers = [await randomLayer(`${seed} ${architecture}`, 'usr', 30_000)];
    images.push({ architecture, image: makeImage(kind, architecture, layers, { name: 'ubi9' }) });
  }
  const index = makeIndex(kind, images);
  const client = new RegistryClient({ credentials: anonymous, ca: [] });
  try {
    const store = client.repository({ registry, repository: REPOSITORY });
    const publisher = new Publisher();
    await publisher.publish(store, index, options.tag ?? 'latest');
    for (const { image } of images) {
      const { digest } = image.descriptor;
      const signature = cosignSignature(digest, `registry.access.redhat.com/${REPOSITORY}`);
      await publisher.publish(store, signature, signatureTagOf(digest));
    }
  } finally {
    await client.close();
  }
  return index.descriptor.digest;
}
