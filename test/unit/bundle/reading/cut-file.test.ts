import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { BundleFile } from '../../../../src/bundle/reading/file.ts';
import { layerHeader } from '../../../../src/bundle/format/layer.ts';
import { storedOffset } from '../../../../src/bundle/format/stored.ts';
import { entryLength } from '../../../../src/bundle/format/tar.ts';
import { type SampleBundle, writeSampleBundle } from '../../../support/sample-bundle.ts';

const MiB = 1024 * 1024;

describe('a file that ends within a layer', () => {
  let folder: string;
  let bundle: SampleBundle;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-cut-'));
    bundle = await writeSampleBundle(folder, [5 * MiB]);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('gives every part of it that is there, up to the last byte', async () => {
    const [layer] = bundle.plan.layers;
    const { size, portions } = layer!;
    const { offset } = portions[0]!;
    for (const end of [4 * MiB + 77, 4 * MiB, 3 * MiB - 1, 131_072, 513]) {
      await truncate(bundle.path, offset + storedOffset(end));
      const file = await BundleFile.open(bundle.path);
      const parts: Buffer[] = [];
      const range = { start: Math.floor(end / 3), end };
      for await (const part of file.stored(offset, entryLength(size), 'layer', range))
        parts.push(Buffer.from(part));
      await file.close();
      const { bytes } = bundle.layers[0]!;
      const tar = Buffer.concat([layerHeader(layer!), bytes]);
      expect(Buffer.concat(parts).equals(tar.subarray(range.start, range.end))).toBe(true);
    }
  });
});
