import { readFileSync } from 'node:fs';
import { projectPath } from './project-root.ts';

interface ReleaseSizes {
  /** Bytes of the layers that all images share, base layer first. */
  readonly base: readonly number[];
  /** Bytes of the layers that belong to one component, smallest first. */
  readonly own: readonly number[];
}

/**
 * What is smaller is a config: the smallest layer of a component in the counted release has 500 kB.
 */
const SMALLEST_LAYER = 100_000;

/** Sizes of the blobs of a real release (fixtures/stats). */
function realSizes(): ReleaseSizes {
  const rows = readFileSync(projectPath('fixtures', 'stats', 'blob-sizes-4.16.15.csv'), 'utf8')
    .trim()
    .split('\n')
    .slice(1);
  const of = (repository: string): number[] =>
    rows.flatMap((row) =>
      row.startsWith(`${repository},`) ? Number(row.slice(repository.length + 1)) : [],
    );
  const base = of('openshift/release-images').toSorted((a, b) => b - a);
  return {
    base: base.slice(0, 4),
    own: of('openshift/release')
      .filter((size) => size >= SMALLEST_LAYER)
      .toSorted((a, b) => a - b),
  };
}

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * How large the layers of a made release are, in bytes; about, since files and their headers do not
 * divide evenly.
 */
export interface Shape {
  /** Layers that all images share, base layer first. */
  readonly base: readonly number[];
  /** The layer that belongs to the `index`-th component alone. */
  readonly own: (index: number) => number;
}

/**
 * The shape of a real release, `scale` times its size. Any first N components are spread evenly
 * over the counted sizes.
 */
export function realShape(scale: number): Shape {
  const { base, own } = realSizes();
  const ownSize = (index: number): number =>
    own[Math.floor(((0.5 + index * GOLDEN_RATIO) % 1) * own.length)]!;
  return { base: base.map((size) => size * scale), own: (index) => ownSize(index) * scale };
}
