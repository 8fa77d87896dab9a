import type { Fault } from '../bundle/reading/fault.ts';
import type { Context } from '../core/context.ts';
import type { Digest } from '../core/digest.ts';
import { type BundleError, gravest } from '../core/errors.ts';
import { asObject, parseStrictJson } from '../core/json.ts';
import { artifactTypeOf } from '../core/manifest.ts';
import type { Closure } from '../kinds/closure.ts';
import { type HitImage, imagesNeeding } from '../opening/audit.ts';
import { missingVolumesOf } from '../opening/damaged.ts';
import { unknownParts } from '../opening/derive.ts';
import { type SurveyedPatch, surveyPatch } from '../opening/survey-patch.ts';
import { type OpenRequest, surveyBundle, type SurveyedBundle } from '../opening/open-bundle.ts';

export interface InspectedImage {
  readonly name: string;
  readonly role: string;
  /** How the parts are called that it belongs to. */
  readonly parts: readonly string[];
  readonly digest: Digest;
  readonly mediaType: string;
  readonly source: string;
  /** The manifest that it is attached to: for signature images and referrers. */
  readonly subject?: Digest;
  /** The artifact type that a referrer claims. */
  readonly artifactType?: string;
  /** Bytes of its layers and configs, shared ones included. */
  readonly size?: number;
  /** Bytes that no other image of the bundle uses. */
  readonly ownSize?: number;
}

export interface InspectReport {
  readonly bundle: Omit<SurveyedBundle, 'content' | 'close'>;
  /** What is damaged of that which was read; the layers were not. */
  readonly faults: readonly string[];
  /** The gravest of the faults; a volume that is missing is one. */
  readonly failure: BundleError | undefined;
  /** Kinds of parts that this program does not know. */
  readonly unknownKinds: readonly string[];
  /** Without sizes where the manifests are in a volume that is missing. */
  readonly images: readonly InspectedImage[];
  /** All of them: manifests, configs and layers. */
  readonly blobs: number;
  /** How many of them are configs and layers, and the bytes of these. */
  readonly layers: number;
  readonly layerBytes: number;
  /** Numbers of volumes that are missing, and the images that need something out of them. */
  readonly missing: { readonly volumes: readonly number[]; readonly images: readonly HitImage[] };
}

export interface PatchReport {
  readonly patch: Omit<SurveyedPatch, 'reader' | 'close'>;
  /** The signed name of the bundle that it is for. */
  readonly bundleName: string;
  readonly blobs: number;
  readonly layers: number;
  readonly layerBytes: number;
}

/** Says what a patch alone is, and for which bundle; `undefined` where the paths name a bundle. */
export async function inspectPatch(
  request: OpenRequest,
  context: Context,
): Promise<PatchReport | undefined> {
  const patch = await surveyPatch(request, context);
  if (patch === undefined) return undefined;
  try {
    const { manifest, layers } = patch.reader;
    const layerBytes = layers.reduce((total, { size }) => total + size, 0);
    return {
      ...{ patch, bundleName: manifest.name },
      ...{ blobs: manifest.blobs.length, layers: layers.length, layerBytes },
    };
  } finally {
    await patch.close();
  }
}

/**
 * Says what a bundle holds, and what volumes that are missing hold. Everything that is said has
 * been checked as for opening a bundle; the layers are not hashed. Of a damaged bundle it says what
 * can be read. A pipe is followed to its end.
 * Parts of a kind that this program does not know are named, and nothing of them is derived.
 */
export async function inspect(request: OpenRequest, context: Context): Promise<InspectReport> {
  const open = { ...request, allowsUnknownKinds: true };
  const found: Fault[] = [];
  const bundle = await surveyBundle(open, context, (fault) => found.push(fault));
  const { reader, closure, labels } = bundle;
  try {
    const { manifest, missingVolumes, layers } = reader;
    const missing: Digest[] = [];
    for (const layer of layers) {
      if (!(await reader.exists(layer))) missing.push(layer.digest);
    }
    await reader.pass?.finish(); // of a pipe only its end tells that it is whole
    const unknown = unknownParts(manifest, request.kinds).map(({ kind }) => kind);
    const images = closure === undefined ? manifest.images : inspectedImages(closure);
    const lacking = missingVolumesOf(bundle, found);
    const failures = found.map(({ error }) => error);
    const all = lacking === undefined ? failures : [...failures, lacking];
    return {
      bundle,
      faults: failures.map(({ message }) => message),
      failure: all.length === 0 ? undefined : (gravest(all) as BundleError),
      unknownKinds: [...new Set(unknown)],
      images: images.map((image) => ({
        ...image,
        parts: image.parts.map((part) => labels[part]!),
      })),
      blobs: manifest.blobs.length,
      layers: layers.length,
      layerBytes: layers.reduce((total, { size }) => total + size, 0),
      missing: {
        volumes: missingVolumes,
        images: imagesNeeding(missing, bundle, missingVolumes.includes(1)),
      },
    };
  } finally {
    await bundle.close();
  }
}

type NumberedImage = Omit<InspectedImage, 'parts'> & { readonly parts: readonly number[] };

function inspectedImages({ content: { images, manifests } }: Closure): readonly NumberedImage[] {
  const bytesOf = new Map(manifests.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  const kindOf = (digest: Digest): string | undefined =>
    artifactTypeOf(asObject(parseStrictJson(bytesOf.get(digest)!, 'manifest'), 'manifest'));
  const users = new Map<Digest, number>();
  const distinct = new Map(images.map((image) => [image.descriptor.digest, image]));
  for (const { blobs } of distinct.values()) {
    for (const { digest } of blobs) users.set(digest, (users.get(digest) ?? 0) + 1);
  }
  return images.map(({ name, role, parts, descriptor, source, subject, attachment, blobs }) => {
    const { digest, mediaType } = descriptor;
    const artifactType = attachment === 'referrer' ? kindOf(digest) : undefined;
    const own = blobs.filter((blob) => users.get(blob.digest) === 1);
    return {
      ...{ name, role, parts, digest, mediaType, source },
      ...(subject !== undefined && { subject }),
      ...(artifactType !== undefined && { artifactType }),
      size: blobs.reduce((total, { size }) => total + size, 0),
      ownSize: own.reduce((total, { size }) => total + size, 0),
    };
  });
}
