import type { ByteStream } from '../core/bytes.ts';
import { BundleError, type Side } from '../core/errors.ts';

/** The same failure, as one of this end of the copy; what is no `BundleError` stays as it is. */
export function onSide(error: unknown, side: Side): unknown {
  return error instanceof BundleError ? error.onSide(side) : error;
}

/** The same content, whose failures are those of `side`. */
export async function* streamOn(side: Side, content: ByteStream): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } catch (error) {
    throw onSide(error, side);
  }
}

/**
 * The same failure, told of the image that was being moved; but for one of the disk that is written
 * to, at which no image is to blame.
 */
export function aboutImage(error: BundleError, image: string): BundleError {
  const isOfDisk = error.code === 'DISK' && error.side === 'target';
  return isOfDisk ? error : error.about(`image ${image}`);
}
