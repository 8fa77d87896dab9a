import { readFileSync } from 'node:fs';
import { projectPath } from './project-root.ts';

export interface ReleaseSizes {
  /** Bytes of the layers that all images share, base layer first. */
  readonly base: readonly number[];
  /** Bytes of the layers that belong to one component, smallest first. */
  readonly own: readonly number[];
}

/** What is smaller is a config: the smallest layer of a component in the counted release has 500 kB. */
const SMALLEST_LAYER = 100_000;

/** Sizes of the blobs of a real release (fixtures/stats). */
export function realSizes(): ReleaseSizes {
  const rows = readFileSync(projectPath('fixtures', 'stats', 'blob-sizes-4.16.15.csv'), 'utf8')
    .trim()
    .split('\n')
    .slice(1);
  const of = (repository: string): number[] =>
    rows.flatMap((row) => (row.startsWith(`${repository},`) ? Number(row.slice(repository.length + 1)) : []));
  const base = of('openshift/release-images').toSorted((a, b) => b - a);
  return {
    base: base.slice(0, 4),
    own: of('openshift/release')
      .filter((size) => size >= SMALLEST_LAYER)
      .toSorted((a, b) => a - b),
  };
}

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/** The size of the `index`-th component's own layer. Any first N of them are spread evenly over the counted sizes. */
export function ownLayerSize({ own }: ReleaseSizes, index: number): number {
  const quantile = (0.5 + index * GOLDEN_RATIO) % 1;
  return own[Math.floor(quantile * own.length)]!;
}
