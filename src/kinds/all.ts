import { catalogKind } from './catalog/catalog.ts';
import { chartKind } from './chart/chart.ts';
import { graphKind } from './graph/graph.ts';
import { imageKind } from './image/image.ts';
import type { Kind } from './kind.ts';
import { releaseKind } from './release/release.ts';

/** Every kind of part that this program knows. */
export const KINDS: readonly Kind[] = [catalogKind, chartKind, graphKind, imageKind, releaseKind];
