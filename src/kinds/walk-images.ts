import { mapLimited } from '../core/concurrency.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { ImageRequest, WalkedImage } from '../transfer/image.ts';
import { type HoleCause, NO_HOLES, type PartHole, type WantedImage } from './holes.ts';
import type { Walk } from './kind.ts';

/** The images of a part that are whole, and the others. */
export interface Walked {
  readonly images: readonly WalkedImage[];
  readonly holes: readonly PartHole[];
}

/**
 * Fetches the manifests of images. What is attached to them is asked for at once, and not among the
 * result: an image whose signature cannot be had is none that anybody should take for signed.
 * @throws BundleError naming the image, where that may not be left out
 */
export async function walkImages(wanted: readonly WantedImage[], walk: Walk): Promise<Walked> {
  const { walker, attached, lookups, signal, holes = NO_HOLES } = walk;
  walker.expect(wanted.length);
  const resolved = new Map<string, Promise<Descriptor>>();
  const resolve = ({ store }: WantedImage, digest: Digest): Promise<Descriptor> => {
    const key = `${store.name} ${digest}`;
    const descriptor = resolved.get(key) ?? store.resolve(digest, { signal });
    resolved.set(key, descriptor);
    return descriptor;
  };
  const one = async (
    image: WantedImage,
    combined: AbortSignal,
  ): Promise<WalkedImage | PartHole> => {
    const cause = holes.known(image);
    if (cause !== undefined) return holeOf(image, cause);
    if (image.digest === undefined) throw unnamed(image);
    try {
      const descriptor = await resolve(image, image.digest).catch((error: unknown) => {
        throw told(error, image);
      });
      const whole = await walker.walkOne(requestOf(image, descriptor));
      await attached.lookAhead(whole, combined);
      if (!holes.looksInside) return whole;
      const inside = holes.inside(await attached.addTo([whole]));
      return inside === undefined ? whole : holeOf(image, inside);
    } catch (error) {
      const excuse = signal.aborted ? undefined : holes.excuse(image, error);
      if (excuse === undefined) throw error;
      return holeOf(image, excuse);
    }
  };
  const found = await mapLimited(wanted, lookups, one, signal);
  return {
    images: found.flatMap((image) => ('tree' in image ? image : [])),
    holes: found.flatMap((image) => ('tree' in image ? [] : image)),
  };
}

/** The failure, told of the image, with what can be done about it. */
function told(error: unknown, image: WantedImage): unknown {
  if (!(error instanceof BundleError)) return error;
  const about = error.about(`image ${nameOf(image)}`);
  const { around } = image;
  if (around === undefined || !['NOT_FOUND', 'NOT_ALLOWED'].includes(error.code)) return about;
  return about.withHint(error.hint === undefined ? around : `${error.hint} ${around}`);
}

function nameOf({ name, by = name }: WantedImage): string {
  return by;
}

function requestOf(image: WantedImage, descriptor: Descriptor): ImageRequest {
  const { name, role, source, tags, place, proof, order, store, platforms } = image;
  const request = { name, role, descriptor, source, tags, place, proof, order, store };
  return platforms === undefined ? request : { ...request, platforms };
}

function holeOf({ name, role, source, digest }: WantedImage, cause: HoleCause): PartHole {
  const { reason, lacks, size } = cause;
  return {
    ...{ name, role, source, ...(digest !== undefined && { digest }), reason },
    ...(lacks !== undefined && { lacks }),
    ...(size !== undefined && { size }),
  };
}

/** Without its digest, an image can only be one that the bundle lacks. */
function unnamed(image: WantedImage): BundleError {
  return new BundleError(
    'CLOSURE_MISMATCH',
    `nothing says which image ${nameOf(image)} was, and it is not among those that are missing`,
    { hint: 'This program did not make the bundle from this content: do not use it.' },
  );
}
