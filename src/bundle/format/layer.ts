import { tarHeader } from './tar.ts';

/** A config or layer as an entry of the tar. */
export interface LayerEntry {
  readonly path: string;
  /** Bytes of content. */
  readonly size: number;
  /** The time in its header: seconds since 1970. */
  readonly mtime: number;
}

/**
 * The tar header that has to stand before it. Computed when it is needed: those of all blobs of a
 * large bundle would fill memory.
 */
export function layerHeader({ path, size, mtime }: LayerEntry): Uint8Array {
  return tarHeader(path, size, mtime);
}

/** A config or layer in a bundle: a section of its own. */
export interface LayerPlace extends LayerEntry {
  /** The volumes that hold it, in order: mostly one. */
  readonly portions: readonly LayerPortion[];
}

/** The portion of a layer that one volume holds. */
export interface LayerPortion {
  /** Which of the volumes, from 0. */
  readonly volume: number;
  /** Where its first frame begins in the volume. */
  readonly offset: number;
  /**
   * The bytes of the layer's tar that it holds, header and padding included: from `start` on,
   * `length` of them.
   */
  readonly start: number;
  readonly length: number;
}
