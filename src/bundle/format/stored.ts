import {
  BLOCK_SIZE,
  FRAME_LIMIT,
  rawBlockHeader,
  storedFrameHeader,
  storedFrameLength,
} from './frames.ts';
import { frameCuts } from './layout.ts';

/**
 * A piece of a stored section as it stands in the file: framing that can be computed, or a stretch
 * of tar bytes.
 */
export type Piece =
  | { readonly framing: Uint8Array; readonly tar?: undefined }
  | { readonly framing?: undefined; /** Bytes of tar. */ readonly tar: number };

const fullBlock = rawBlockHeader(BLOCK_SIZE, false);

/**
 * The pieces of a stored section in file order. One description serves both sides: the writer puts
 * tar bytes where they belong, the reader compares the framing and takes the tar bytes out.
 */
export function* piecesOf(tarLength: number): Generator<Piece, void> {
  for (const cut of frameCuts(tarLength)) {
    yield { framing: storedFrameHeader(cut) };
    for (let rest = cut; rest > 0; rest -= BLOCK_SIZE) {
      const last = rest <= BLOCK_SIZE;
      yield { framing: last ? rawBlockHeader(rest, true) : fullBlock };
      yield { tar: Math.min(rest, BLOCK_SIZE) };
    }
  }
}

/** Where a stored section's first `tar` bytes end in the file, counted from the section's start. */
export function storedOffset(tar: number): number {
  const before = Math.floor(tar / FRAME_LIMIT);
  const rest = tar - before * FRAME_LIMIT;
  return before * storedFrameLength(FRAME_LIMIT) + (rest > 0 ? storedFrameLength(rest) : 0);
}

/** Puts the framing of a stored section around tar bytes as they come. */
export class StoredEncoder {
  readonly #pieces: Generator<Piece, void>;
  #room = 0;

  /** @param tarLength bytes of tar that the section holds in all. */
  constructor(tarLength: number) {
    this.#pieces = piecesOf(tarLength);
  }

  /** The file's bytes for the next tar bytes: views of `tar` with framing between them, no copy. */
  encode(tar: Uint8Array): Uint8Array[] {
    const out: Uint8Array[] = [];
    for (let at = 0; at < tar.length;) {
      if (this.#room === 0) {
        const next = this.#pieces.next();
        if (next.done === true) throw new RangeError('more tar bytes than the section holds');
        const { value } = next;
        if (value.framing !== undefined) out.push(value.framing);
        else this.#room = value.tar;
        continue;
      }
      const part = tar.subarray(at, at + this.#room);
      out.push(part);
      at += part.length;
      this.#room -= part.length;
    }
    return out;
  }
}
