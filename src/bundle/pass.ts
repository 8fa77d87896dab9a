import type { ByteStream } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { OnePass } from '../core/one-pass.ts';
import type { VolumeSource } from './file.ts';
import { type LayerPlace, readLayer } from './layer.ts';
import { tarHeader } from './tar.ts';

/**
 * The layers of a bundle as they come through a pipe, with everything around them compared.
 * @param end checks what comes after the last one.
 */
export function passOf(
  places: readonly (Omit<LayerPlace, 'header'> & { readonly digest: Digest })[],
  mtime: number,
  pipe: VolumeSource,
  end: () => Promise<void>,
): OnePass {
  const descriptors = places.map(({ digest, size }) => ({ mediaType: '', digest, size }));
  const byDigest = new Map(places.map((place) => [place.digest, place]));
  const read = ({ digest, size }: Descriptor): ByteStream => {
    const place = byDigest.get(digest)!;
    return readLayer([pipe], { ...place, header: tarHeader(place.path, size, mtime) }, { start: 0, end: size });
  };
  return new OnePass(descriptors, read, end);
}
