import { basename, dirname, join } from 'node:path';

import { bundleOfName, volumeNames } from '../bundle/format/names.ts';
import type { BundleReader } from '../bundle/reading/reader.ts';
import type { Context } from '../core/context.ts';

/**
 * Tells of volumes that are called as others are, as after two discs were mixed up: each says by
 * itself which one it is, so that they are read all the same. Whoever joins them by their names
 * gets no bundle.
 */
export function tellMisnamed(reader: BundleReader, { observe }: Pick<Context, 'observe'>): void {
  const files = [...reader.volumesOfFiles].flatMap(([path, numbers]) => {
    const named = bundleOfName(basename(path));
    const [number, ...others] = numbers;
    if (named?.number === undefined || number === undefined || others.length > 0) return [];
    if (named.number === number) return [];
    const right = volumeNames(named.bundle, reader.volumeCount)[number - 1]!;
    return [{ path, volume: number, rightPath: join(dirname(path), right) }];
  });
  if (files.length > 0) observe({ type: 'noticed', code: 'volumes-misnamed', files });
}
