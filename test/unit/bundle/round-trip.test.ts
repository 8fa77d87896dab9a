import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { SealedBundle } from '../../../src/bundle/reading/sealed.ts';
import { readAll } from '../../../src/core/bytes.ts';
import { verified } from '../../../src/transfer/verified.ts';
import { describeWith } from '../../support/needs.ts';
import { type SampleBundle, writeSampleBundle } from '../../support/sample-bundle.ts';

const KiB = 1024;
const SIZES = [1, 511, 512, 513, 128 * KiB - 512, 128 * KiB, 3 * 1024 * KiB + 17, 65 * 1024 * KiB];

describe('a bundle', () => {
  let folder: string;
  let bundle: SampleBundle;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-'));
    bundle = await writeSampleBundle(folder, SIZES);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is as large as planned, and its digest is that of the file', async () => {
    expect((await stat(bundle.path)).size).toBe(bundle.plan.size);
    expect(bundle.volumes.map(({ digest }) => digest)).toEqual([
      `sha256:${createHash('sha256')
        .update(await readFile(bundle.path))
        .digest('hex')}`,
    ]);
  });

  it('gives every layer back, whole and in parts', async () => {
    const sealed = await SealedBundle.open(bundle.path);
    const reader = await sealed.unseal();
    for (const { descriptor, bytes } of bundle.layers) {
      expect(
        Buffer.from(
          await readAll(verified(reader.fetch(descriptor), descriptor), descriptor.size, 'layer'),
        ).equals(bytes),
      ).toBe(true);
      const range = { start: Math.floor(bytes.length / 3), end: Math.ceil((bytes.length * 2) / 3) };
      const part = await readAll(reader.fetch(descriptor, { range }), descriptor.size, 'part');
      expect(Buffer.from(part).equals(bytes.subarray(range.start, range.end))).toBe(true);
    }
    await reader.close();
  });

  describeWith(['zstd'], 'in the hands of other programs', () => {
    it('is read by zstd, tar and sha256sum', async () => {
      await execa('zstd', ['-tq', bundle.path]);
      const out = join(folder, 'out');
      await execa('mkdir', [out]);
      await execa('tar', ['--zstd', '-xf', bundle.path, '-C', out]);
      await execa('sha256sum', ['--strict', '-c', 'SHA256SUMS'], { cwd: out });
    });
  });
});
