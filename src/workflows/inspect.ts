import type { Digest } from '../core/digest.ts';
import type { PlannedImage } from '../core/plan.ts';
import type { Context } from './context.ts';
import { openBundle, type OpenedBundle, type OpenRequest } from './open-bundle.ts';

export interface InspectedImage {
  readonly name: string;
  readonly role: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly source: string;
  /** Bytes of its layers and configs, shared ones included. */
  readonly size: number;
  /** Bytes that no other image of the bundle uses. */
  readonly ownSize: number;
}

export interface InspectReport {
  readonly bundle: Omit<OpenedBundle, 'reader'>;
  readonly images: readonly InspectedImage[];
  readonly blobs: number;
  /** Bytes of all layers. */
  readonly layerBytes: number;
}

/**
 * Says what a bundle holds. Everything that is said has been checked as {@link openBundle} checks it; the layers are not
 * read.
 */
export async function inspect(request: OpenRequest, context: Context): Promise<InspectReport> {
  const { reader, ...bundle } = await openBundle(request, context);
  await reader.close();
  const { images, layers, metadata } = bundle.release.content;
  const users = new Map<Digest, number>();
  const distinct = new Map(images.map((image) => [image.descriptor.digest, image]));
  for (const { blobs } of distinct.values()) {
    for (const { digest } of blobs) users.set(digest, (users.get(digest) ?? 0) + 1);
  }
  const inspected = ({ name, role, descriptor, source, blobs }: PlannedImage): InspectedImage => ({
    name,
    role,
    digest: descriptor.digest,
    mediaType: descriptor.mediaType,
    source,
    size: blobs.reduce((total, { size }) => total + size, 0),
    ownSize: blobs.reduce((total, { digest, size }) => total + (users.get(digest) === 1 ? size : 0), 0),
  });
  return {
    bundle,
    images: images.map(inspected),
    blobs: metadata.length + layers.length,
    layerBytes: layers.reduce((total, { descriptor }) => total + descriptor.size, 0),
  };
}
