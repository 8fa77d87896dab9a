import type { Entry } from '../format/layout.ts';
import {
  claimedSizeAndTime,
  entryLength,
  paddingLength,
  TAR_BLOCK,
  tarHeader,
} from '../format/tar.ts';
import { unusable } from '../format/unusable.ts';

/** Takes entries out of decoded tar bytes, comparing every byte around their content. */
export class TarReader {
  readonly #tar: Uint8Array;
  readonly #mtime: number;
  #at = 0;

  constructor(tar: Uint8Array, mtime: number) {
    this.#tar = tar;
    this.#mtime = mtime;
  }

  /** @throws BundleError BUNDLE_UNUSABLE naming the entry. */
  next({ path, size }: Entry): Uint8Array {
    const header = tarHeader(path, size, this.#mtime);
    const tar = this.#tar;
    const start = this.#at + header.length;
    const end = start + size + paddingLength(size);
    if (!Buffer.from(header).equals(tar.subarray(this.#at, start)))
      throw unusable(`the tar header of ${path} is not the one that belongs there`);
    if (tar.length < end || tar.subarray(start + size, end).some((byte) => byte !== 0))
      throw unusable(`${path} is cut off or badly padded`);
    this.#at = end;
    return tar.subarray(start, start + size);
  }
}

/**
 * All of `tar` as entries with the given paths, whose sizes only their headers tell. @throws
 * BundleError BUNDLE_UNUSABLE
 */
export function entriesOf(
  tar: Uint8Array,
  paths: readonly string[],
  mtime: number,
  limit: number,
): Uint8Array[] {
  const reader = new TarReader(tar, mtime);
  let at = 0;
  const contents = paths.map((path) => {
    const claimed = claimedSizeAndTime(tar.subarray(at, at + TAR_BLOCK));
    if (claimed === undefined || claimed.size > limit)
      throw unusable(`${path} is not where it should be`);
    at += entryLength(claimed.size);
    return reader.next({ path, size: claimed.size });
  });
  if (at !== tar.length) throw unusable(`unexpected bytes follow ${paths.at(-1)!}`);
  return contents;
}
