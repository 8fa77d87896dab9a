import { FRAME_LIMIT, storedFrameLength } from './frames.ts';
import { entryLength, TAR_END_BYTES } from './tar.ts';

/** A file in the tar. */
export interface Entry {
  readonly path: string;
  /** Bytes of content. */
  readonly size: number;
}

/**
 * A run of entries that is cut into frames on its own. `listing`, `seal`, each layer and the end
 * are stored; only the metadata is compressed.
 */
export interface Section {
  readonly kind: 'listing' | 'seal' | 'metadata' | 'layer' | 'end';
  readonly entries: readonly Entry[];
  /** Bytes of tar, headers and padding included. */
  readonly tarLength: number;
}

/** The tar of a bundle, section by section (docs/format.md, frames). */
export function sectionsOf(
  listing: Entry,
  seal: readonly Entry[],
  metadata: readonly Entry[],
  layers: readonly Entry[],
): readonly Section[] {
  const section = (kind: Section['kind'], entries: readonly Entry[]): Section => ({
    kind,
    entries,
    tarLength: entries.reduce((total, entry) => total + entryLength(entry.size), 0),
  });
  return [
    section('listing', [listing]),
    section('seal', seal),
    section('metadata', metadata),
    ...layers.map((layer) => section('layer', [layer])),
    { kind: 'end', entries: [], tarLength: TAR_END_BYTES },
  ];
}

/**
 * Tar bytes of each frame of a section: 64 MiB and the rest, or another limit for the metadata. A
 * cut falls on a multiple of 512 and never inside a header, since a header that is longer than one
 * block stands only at the start of a layer's own section.
 */
export function frameCuts(tarLength: number, limit = FRAME_LIMIT): readonly number[] {
  const cuts: number[] = [];
  for (let rest = tarLength; rest > 0; rest -= limit) cuts.push(Math.min(rest, limit));
  return cuts;
}

/** How many frames {@link frameCuts} gives, for a length that nobody has checked yet. */
export function frameCount(tarLength: number): number {
  return Math.ceil(tarLength / FRAME_LIMIT);
}

/**
 * Length of a stored section in the file, in bytes. Accepts lengths that have not been checked yet.
 */
export function storedSectionLength(tarLength: number): number {
  const rest = tarLength % FRAME_LIMIT;
  const whole = (tarLength - rest) / FRAME_LIMIT;
  return whole * storedFrameLength(FRAME_LIMIT) + (rest > 0 ? storedFrameLength(rest) : 0);
}
