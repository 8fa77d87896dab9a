import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { OnePass } from '../../transfer/one-pass.ts';
import { contentOf } from './layer.ts';
import type { Entry } from '../format/layout.ts';
import type { PassingVolumes } from './passing-volumes.ts';
import { entryLength } from '../format/tar.ts';

/** The layers of a bundle as they come through a pipe, with everything around them compared. */
export function passOf(
  layers: readonly (Entry & { readonly digest: Digest })[],
  mtime: number,
  volumes: PassingVolumes,
): OnePass {
  const descriptors = layers.map(({ digest, size }) => ({ mediaType: '', digest, size }));
  const paths = new Map(layers.map(({ digest, path }) => [digest, path]));
  const read = ({ digest, size }: Descriptor): ByteStream => {
    const path = paths.get(digest)!;
    return contentOf(volumes.layer(path, entryLength(size)), { path, size, mtime });
  };
  return new OnePass(descriptors, read, () => volumes.end());
}
