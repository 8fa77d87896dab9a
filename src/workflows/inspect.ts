import { refuseFault } from '../bundle/reading/fault.ts';
import type { Digest } from '../core/digest.ts';
import { asObject, parseStrictJson } from '../core/json.ts';
import { artifactTypeOf } from '../core/manifest.ts';
import type { Context } from '../core/context.ts';
import { imagesNeeding } from '../opening/audit.ts';
import { type OpenRequest, surveyBundle, type SurveyedBundle } from '../opening/open-bundle.ts';
import type { PlannedRelease } from '../kinds/release/release.ts';

export interface InspectedImage {
  readonly name: string;
  readonly role: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly source: string;
  /** What it is about: for signature images and referrers. */
  readonly subject?: Digest;
  /** What kind of thing a referrer says it is. */
  readonly artifactType?: string;
  /** Bytes of its layers and configs, shared ones included. */
  readonly size?: number;
  /** Bytes that no other image of the bundle uses. */
  readonly ownSize?: number;
}

export interface InspectReport {
  readonly bundle: Omit<SurveyedBundle, 'content' | 'closePatches'>;
  /** Without sizes where the manifests are in a volume that is missing. */
  readonly images: readonly InspectedImage[];
  readonly blobs: number;
  /** Bytes of all layers. */
  readonly layerBytes: number;
  /** Numbers of volumes that are missing, and the images that need something out of them. */
  readonly missing: { readonly volumes: readonly number[]; readonly images: readonly string[] };
}

/**
 * Says what a bundle holds, and what volumes that are missing hold. Everything that is said has
 * been checked as for opening a bundle; the layers are not hashed. A pipe is followed to its end.
 */
export async function inspect(request: OpenRequest, context: Context): Promise<InspectReport> {
  const bundle = await surveyBundle(request, context, refuseFault);
  const { reader, release } = bundle;
  try {
    const { manifest, missingVolumes, layers } = reader;
    const missing: Digest[] = [];
    for (const layer of layers) {
      if (!(await reader.exists(layer))) missing.push(layer.digest);
    }
    await reader.pass?.finish(); // of a pipe only its end tells that it is whole
    return {
      bundle,
      images: release === undefined ? manifest.images : inspectedImages(release),
      blobs: manifest.blobs.length,
      layerBytes: layers.reduce((total, { size }) => total + size, 0),
      missing: {
        volumes: missingVolumes,
        images: imagesNeeding(missing, bundle, missingVolumes.includes(1)),
      },
    };
  } finally {
    await bundle.closePatches();
    await reader.close();
  }
}

function inspectedImages({
  content: { images, metadata },
}: PlannedRelease): readonly InspectedImage[] {
  const manifests = new Map(metadata.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  const kindOf = (digest: Digest): string | undefined =>
    artifactTypeOf(asObject(parseStrictJson(manifests.get(digest)!, 'manifest'), 'manifest'));
  const users = new Map<Digest, number>();
  const distinct = new Map(images.map((image) => [image.descriptor.digest, image]));
  for (const { blobs } of distinct.values()) {
    for (const { digest } of blobs) users.set(digest, (users.get(digest) ?? 0) + 1);
  }
  return images.map(({ name, role, descriptor, source, subject, blobs }) => {
    const artifactType = role === 'referrer' ? kindOf(descriptor.digest) : undefined;
    return {
      name,
      role,
      digest: descriptor.digest,
      mediaType: descriptor.mediaType,
      source,
      ...(subject !== undefined && { subject }),
      ...(artifactType !== undefined && { artifactType }),
      size: blobs.reduce((total, { size }) => total + size, 0),
      ownSize: blobs.reduce(
        (total, { digest, size }) => total + (users.get(digest) === 1 ? size : 0),
        0,
      ),
    };
  });
}
