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
