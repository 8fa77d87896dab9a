import { makeImage, makeIndex, type ImageKind } from '../../scripts/lib/image.ts';
import { cosignSignature } from '../../scripts/lib/cosign.ts';
import { Publisher } from '../../scripts/lib/destination.ts';
import { randomLayer } from '../../scripts/lib/layer.ts';
import { anonymous } from '../../src/core/credentials.ts';
import type { Digest } from '../../src/core/digest.ts';
import { signatureTagOf } from '../../src/core/manifest.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';

export interface BaseImageOptions {
  readonly kind?: ImageKind;
  readonly architectures?: readonly string[];
  /** The same seed gives the same image. */
  readonly seed?: string;
  readonly tag?: string;
  /** `false` for an image without signatures. */
  readonly signed?: boolean;
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
  const { tag = 'latest' } = options;
  const place = { registry: 'registry.access.redhat.com', repository: 'ubi9/ubi', tag };
  return publishImage(registry, place, options);
}

/**
 * Puts an image of several architectures, with a signature of each, into a registry.
 * @param place where it is for everybody who asks through that registry as a mirror.
 * @returns the digest of the index.
 */
export async function publishImage(
  registry: string,
  place: { readonly registry: string; readonly repository: string; readonly tag?: string },
  options: BaseImageOptions = {},
): Promise<Digest> {
  const {
    kind = 'docker',
    architectures = ['amd64', 'arm64'],
    seed = 'ubi',
    signed = true,
  } = options;
  const images = [];
  for (const architecture of architectures) {
    const layers = [await randomLayer(`${seed} ${architecture}`, 'usr', 30_000)];
    images.push({ architecture, image: makeImage(kind, architecture, layers, { name: seed }) });
  }
  const index = makeIndex(kind, images);
  const client = new RegistryClient({ credentials: anonymous, ca: [] });
  try {
    const store = client.repository({ registry, repository: place.repository });
    const publisher = new Publisher();
    await publisher.publish(store, index, place.tag);
    for (const { image } of signed ? images : []) {
      const { digest } = image.descriptor;
      const signature = cosignSignature(digest, `${place.registry}/${place.repository}`);
      await publisher.publish(store, signature, signatureTagOf(digest));
    }
  } finally {
    await client.close();
  }
  return index.descriptor.digest;
}
