import type { OperatorsShape } from '../made-operators.ts';
import { realShape, type Shape } from '../shape.ts';

const MiB = 1024 * 1024;

export type BenchShape = ReleaseShape | OperatorShape | IncrementShape;

/** A catalog of operators to measure with. */
interface OperatorShape {
  readonly kind: 'operators';
  readonly operators: OperatorsShape;
  readonly about: string;
}

/** Two releases in a row, of which the second is packed as an increment. */
interface IncrementShape {
  readonly kind: 'increment';
  /** Of the size of a real release. */
  readonly scale: number;
  /** The share of the images that were built again. */
  readonly share: number;
  readonly about: string;
}

interface ReleaseShape {
  readonly shape: Shape;
  /** All of a real release if left out. */
  readonly components?: number;
  /** What is measured with it. */
  readonly kind:
    'release' | 'large layer' | 'small images' | 'many images' | 'interrupted' | 'lookups';
  readonly about: string;
}

/** A base that is small beside everything else. */
const SMALL_BASE = [4096, 4096, 4096, 4096];

/** The releases to measure with; a real one has 15 GB. */
export const SHAPES = {
  quick: {
    kind: 'release',
    shape: realShape(0.02),
    about: '0.3 GB in the shape of a real release',
  },
  release: {
    kind: 'release',
    shape: realShape(0.0865),
    about: '1.3 GB in the shape of a real release',
  },
  'release-10': {
    kind: 'release',
    shape: realShape(0.667),
    about: '10 GB in the shape of a real release',
  },
  'large-layer': {
    kind: 'large layer',
    shape: { base: SMALL_BASE, own: () => 2048 * MiB },
    components: 1,
    about: 'a release with one layer of 2 GiB',
  },
  'small-images': {
    kind: 'small images',
    shape: { base: SMALL_BASE, own: (index) => 4096 + 8 * (index % 1000) },
    components: 2000,
    about: '2,000 small images',
  },
  lookups: {
    kind: 'lookups',
    shape: { base: SMALL_BASE, own: (index) => 4096 + 8 * (index % 1000) },
    components: 183,
    about: 'what comes before and after the layers: 184 small images',
  },
  'many-images': {
    kind: 'many images',
    shape: { base: [512, 512, 512], own: () => 512 },
    components: 13_333,
    about: '13,333 images for two architectures, 40,000 manifests: what planning takes',
  },
  operators: {
    kind: 'operators',
    operators: {
      ...{ operators: 500, versions: 1, related: 6, ownBytes: 400, sharedBytes: 2000 },
      architectures: ['amd64', 'arm64', 's390x', 'ppc64le'],
    },
    about: '3,000 images of 500 operators for four architectures: what planning takes',
  },
  increment: {
    ...{ kind: 'increment', scale: 0.03, share: 0.25 },
    about:
      'an increment of 0.1 GB (a quarter of the images of a release), and as much as a whole bundle',
  },
  interrupted: {
    kind: 'interrupted',
    shape: realShape(0.0865),
    about: '1.3 GB over a slow line, interrupted',
  },
} as const satisfies Readonly<Record<string, BenchShape>>;

export type ShapeName = keyof typeof SHAPES;

export function isShapeName(text: string): text is ShapeName {
  return Object.hasOwn(SHAPES, text);
}
