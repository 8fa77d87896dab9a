import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { SealedBundle } from '../../../../src/bundle/reading/sealed.ts';
import { drain } from '../../../../src/core/bytes.ts';
import { BundleError } from '../../../../src/core/errors.ts';
import { SigningKey } from '../../../../src/trust/keys.ts';
import { readEveryByteOfPipe } from '../../../support/crafted-bundle.ts';
import { type SampleBundle, writeSampleBundle } from '../../../support/sample-bundle.ts';

const KiB = 1024;
/** A layer of many volumes, one that fits a block, and small ones between. */
const SIZES = [1, 300 * KiB + 7, 512, 131 * KiB, 0, 700, 40 * KiB];
const key = SigningKey.generate('ed25519');

describe('volumes that come through a pipe, one behind the other', () => {
  let folder: string;
  let cases = 0;
  const inVolumes = async (volumeSize: number): Promise<SampleBundle> => {
    const own = join(folder, String((cases += 1)));
    await mkdir(own);
    return writeSampleBundle(own, SIZES, key, volumeSize);
  };
  const pathsOf = ({ volumes }: SampleBundle): string[] => volumes.map(({ path }) => path);
  const refused = expect.objectContaining({ code: 'BUNDLE_UNUSABLE' }) as Error;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-joined-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('are read like the bundle in one piece, wherever they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 16 * KiB, max: 600 * KiB }), async (volumeSize) => {
        const set = await inVolumes(volumeSize);
        const { manifest } = await readEveryByteOfPipe(...pathsOf(set));
        expect(manifest.blobs).toHaveLength(set.contents.manifests.length + set.layers.length);
      }),
      { numRuns: 40 },
    );
  });

  it('are refused in any other order, with one missing, or with one twice', async () => {
    const paths = pathsOf(await inVolumes(100 * KiB));
    expect(paths.length).toBeGreaterThan(4);
    for (const [index, path] of paths.entries()) {
      await expect(readEveryByteOfPipe(...paths.toSpliced(index, 1))).rejects.toThrow(refused);
      await expect(readEveryByteOfPipe(...paths.toSpliced(index, 0, path))).rejects.toThrow(
        refused,
      );
      if (index > 0)
        await expect(
          readEveryByteOfPipe(...paths.toSpliced(index - 1, 2, path, paths[index - 1]!)),
        ).rejects.toThrow(refused);
    }
    await expect(readEveryByteOfPipe(...paths.toReversed())).rejects.toThrow(refused);
  });

  it('are refused with a volume of the same bundle that was cut elsewhere', async () => {
    const [some, others] = [
      pathsOf(await inVolumes(100 * KiB)),
      pathsOf(await inVolumes(101 * KiB)),
    ];
    for (const index of some.keys())
      await expect(readEveryByteOfPipe(...some.with(index, others[index]!))).rejects.toThrow(
        refused,
      );
  });

  it('are refused when a byte of them changes, or when they are cut off anywhere', async () => {
    const paths = pathsOf(await inVolumes(150 * KiB));
    const files = await Promise.all(paths.map((path) => readFile(path)));
    const joined = Buffer.concat(files);
    const seams = files
      .slice(0, -1)
      .map((_, index) =>
        files.slice(0, index + 1).reduce((total, { length }) => total + length, 0),
      );
    const path = join(folder, 'changed');
    await writeFile(path, joined);
    const file = await open(path, 'r+');
    const outcome = async (): Promise<string> => {
      try {
        await readEveryByteOfPipe(path);
        return 'read';
      } catch (error) {
        if (error instanceof BundleError && error.exitStatus >= 20 && error.exitStatus <= 22)
          return 'refused';
        throw error;
      }
    };
    const near = seams.flatMap((seam) =>
      [-900, -300, -140, -116, -100, -60, -9, -1, 0, 4, 8, 20, 30, 50, 64, 72, 100, 120, 700].map(
        (by) => seam + by,
      ),
    );
    const anywhere = fc.sample(fc.integer({ min: seams[0]! - 60 * KiB, max: joined.length - 1 }), {
      numRuns: 150,
      seed: 1,
    });
    for (const at of [...near, ...anywhere]) {
      await file.write(Buffer.from([joined[at]! ^ (1 << (at % 8))]), 0, 1, at);
      expect([at, await outcome()]).toEqual([at, 'refused']);
      await file.write(joined, at, 1, at);
    }
    expect(await outcome()).toBe('read');
    for (const end of [...near, joined.length - 1].toSorted((a, b) => b - a)) {
      await file.truncate(end);
      expect([end, await outcome()]).toEqual([end, 'refused']);
    }
    await file.close();
  });

  it('say where a layer stood', async () => {
    const paths = pathsOf(await inVolumes(100 * KiB));
    const joined = Buffer.concat(await Promise.all(paths.map((path) => readFile(path))));
    const sealed = await SealedBundle.receive(Readable.from([joined]), 'pipe');
    const reader = await sealed.unseal();
    reader.pass!.beginSettling();
    let behind = 0;
    for (const digest of reader.layerDigests) {
      const { size } = reader.manifest.blobs.find((blob) => blob.digest === digest)!;
      await drain(reader.fetch({ mediaType: '', digest, size }));
      reader.pass!.settle(digest);
    }
    await reader.pass!.finish();
    for (const digest of reader.layerDigests) {
      const [place] = reader.placesOf(digest);
      const header = joined.indexOf(`blobs/sha256/${digest.slice(7)}`, place!.start);
      expect(header).toBeGreaterThanOrEqual(place!.start);
      expect(header).toBeLessThan(place!.end);
      expect(place!.start).toBeGreaterThanOrEqual(behind);
      behind = place!.end;
    }
    await sealed.close();
  });
});
