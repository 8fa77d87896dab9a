import { dirname } from 'node:path';

import {
  type BundlePlan,
  type DescribedBundle,
  planBundle,
  type Seal,
} from '../bundle/format/plan.ts';
import { FAT32_MAX_FILE, ISO_MAX_FILE } from '../bundle/format/volume-sizes.ts';
import type { Observe } from '../core/events.ts';
import { largestFile } from './output.ts';

/**
 * The plan, cut into volumes where that was asked for, or where the file system could not hold the
 * bundle in one file.
 */
export async function planVolumes(
  described: DescribedBundle,
  seal: Seal,
  { path, asked }: { readonly path: string; readonly asked: number | undefined },
  observe: Observe,
): Promise<{ plan: BundlePlan; volumeSize: number | undefined }> {
  const limit = asked ?? (await largestFile(dirname(path)));
  const plan = planBundle(described, seal, limit);
  const isCut = plan.volumes.length > 1;
  if (isCut && asked === undefined) {
    const volumes = plan.volumes.length;
    observe({ type: 'noticed', code: 'split-for-fat32', folder: dirname(path), volumes });
  }
  if (
    asked !== undefined &&
    asked !== FAT32_MAX_FILE &&
    plan.volumes.some(({ size }) => size > ISO_MAX_FILE)
  ) {
    observe({ type: 'noticed', code: 'volumes-need-udf', limit: ISO_MAX_FILE });
  }
  return { plan, volumeSize: isCut ? limit : undefined };
}
