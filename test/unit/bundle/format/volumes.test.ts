import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { describeBundle, planBundle } from '../../../../src/bundle/format/plan.ts';
import { SealedBundle } from '../../../../src/bundle/reading/sealed.ts';
import { SigningKey } from '../../../../src/trust/keys.ts';
import { readEveryByte } from '../../../support/crafted-bundle.ts';
import { describeWith } from '../../../support/needs.ts';
import {
  type SampleBundle,
  sampleContents,
  writeSampleBundle,
} from '../../../support/sample-bundle.ts';

const KiB = 1024;
/** A layer of many volumes, one that fits a block, and small ones between. */
const SIZES = [1, 300 * KiB + 7, 512, 131 * KiB, 0, 700, 40 * KiB];
const key = SigningKey.generate('ed25519');

/** The smallest volumes that can hold the head of the sample. */
const SMALLEST = 16 * KiB;
const volumeSizes = fc.integer({ min: SMALLEST, max: 600 * KiB });

describe('a bundle in volumes', () => {
  let folder: string;
  let whole: SampleBundle;
  let count = 0;
  const inVolumes = async (volumeSize: number): Promise<SampleBundle> => {
    const own = join(folder, String((count += 1)));
    await mkdir(own);
    return writeSampleBundle(own, SIZES, key, volumeSize);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-volumes-'));
    whole = await writeSampleBundle(folder, SIZES, key);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is read from its volumes in any order, and from those joined', async () => {
    await fc.assert(
      fc.asyncProperty(
        volumeSizes,
        fc.array(fc.nat(), { minLength: 100, maxLength: 100 }),
        async (volumeSize, random) => {
          const { volumes, plan } = await inVolumes(volumeSize);
          for (const [index, { path, size }] of volumes.entries()) {
            expect((await stat(path)).size).toBe(size);
            expect(size).toBe(plan.volumes[index]!.size);
            expect(size).toBeLessThanOrEqual(volumeSize);
            // Filled: not another block of tar would fit with its framing. The last but one may
            // lack the end of the tar only.
            if (index < volumes.length - 2) expect(size).toBeGreaterThan(volumeSize - 1024);
          }
          const shuffled = [...volumes.entries()]
            .sort(([a], [b]) => random[a]! - random[b]!)
            .map(([, { path }]) => path);
          const { manifest } = await readEveryByte(...shuffled);
          expect(manifest.blobs.map(({ digest }) => digest)).toEqual([
            ...whole.contents.manifests.map(({ descriptor }) => descriptor.digest),
            ...whole.layers.map(({ descriptor }) => descriptor.digest),
          ]);
          const joined = join(folder, 'joined.tar.zst');
          await writeFile(
            joined,
            Buffer.concat(await Promise.all(volumes.map(({ path }) => readFile(path)))),
          );
          await readEveryByte(joined);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('is what its digest says, however it is cut', async () => {
    const { plan } = await inVolumes(100 * KiB);
    expect(plan.bundleDigest).toBe(whole.plan.bundleDigest);
  });

  it('is one file when it fits into one volume, and that of an uncut bundle', async () => {
    const { volumes } = await inVolumes(whole.plan.size);
    expect(volumes.map(({ path, digest }) => [basename(path), digest])).toEqual([
      ['ocp-4.17.3-x86_64.tar.zst', whole.volumes[0]!.digest],
    ]);
    expect((await inVolumes(whole.plan.size - 1)).volumes).toHaveLength(2);
  });

  it('says which volume is missing, and gives what is in the others', async () => {
    const { volumes, layers, plan } = await inVolumes(100 * KiB);
    for (const missing of volumes.keys()) {
      const rest = volumes.filter((_, index) => index !== missing);
      const sealed = await SealedBundle.open(...rest.map(({ path }) => path));
      const reader = await sealed.unseal();
      expect(reader.missingVolumes).toEqual([missing + 1]);
      expect(reader.volumeCount).toBe(volumes.length);
      for (const [index, { descriptor }] of layers.entries()) {
        const isThere = plan.layers[index]!.portions.every(({ volume }) => volume !== missing);
        // Without the first volume nobody can tell a small layer in it from a config; what is
        // elsewhere is known as a layer.
        expect(await reader.exists(descriptor)).toBe(isThere);
      }
      await reader.close();
    }
  });

  it.each([
    ['for the head', 2 * KiB],
    ['for fewer than 999', 12 * KiB],
  ])('is refused when the volumes are too small %s', (_, volumeSize) => {
    const { contents } = sampleContents([1, 40 * KiB * KiB]);
    const described = describeBundle(contents);
    const seal = { signature: Buffer.from('AAAA\n'), publicKey: Buffer.from(key.public.pem) };
    expect(() => planBundle(described, seal, volumeSize)).toThrow(
      expect.objectContaining({ code: 'USAGE' }) as Error,
    );
  });

  describeWith(['zstd'], 'in the hands of other programs', () => {
    it('is the same tar, joined or not', async () => {
      const tar = (await execa('zstd', ['-dc', whole.path], { encoding: 'buffer' })).stdout;
      for (const volumeSize of [SMALLEST, 70 * KiB, 300 * KiB]) {
        const { volumes } = await inVolumes(volumeSize);
        for (const { path } of volumes) await execa('zstd', ['-tq', path]);
        const joined = (
          await execa('sh', ['-c', 'cat "$0".[0-9]* | zstd -dc', volumes[0]!.path.slice(0, -4)], {
            encoding: 'buffer',
          })
        ).stdout;
        expect(Buffer.compare(joined, tar)).toBe(0);
      }
    });

    it('is untarred from the joined volumes, and is what SHA256SUMS says', async () => {
      const { volumes } = await inVolumes(90 * KiB);
      const out = join(folder, 'out');
      await mkdir(out);
      await execa('sh', [
        '-c',
        'cat "$0".[0-9]* | tar --zstd -xf - -C "$1"',
        volumes[0]!.path.slice(0, -4),
        out,
      ]);
      await execa('sha256sum', ['--strict', '-c', 'SHA256SUMS'], { cwd: out });
    });
  });

  describe('is refused with', () => {
    const refused = async (...paths: readonly string[]) => {
      const error: unknown = await readEveryByte(...paths).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'BUNDLE_UNUSABLE' });
    };
    const copyOf = async (path: string): Promise<string> => {
      const copy = join(folder, `copy-${(count += 1)}-${basename(path)}`);
      await copyFile(path, copy);
      return copy;
    };

    it('a volume twice, beside the others or joined to them', async () => {
      const { volumes } = await inVolumes(100 * KiB);
      const paths = volumes.map(({ path }) => path);
      for (const path of paths) await refused(...paths, await copyOf(path));
      const bytes = await Promise.all(paths.map((path) => readFile(path)));
      const joined = join(folder, 'twice.tar.zst');
      for (const twice of bytes) {
        await writeFile(joined, Buffer.concat([...bytes, twice]));
        await refused(joined);
      }
    });

    it('a volume of another bundle', async () => {
      const { volumes } = await inVolumes(100 * KiB);
      const otherFolder = join(folder, 'other');
      await mkdir(otherFolder);
      const other = await writeSampleBundle(otherFolder, [...SIZES, 3], key, 100 * KiB);
      const paths = volumes.map(({ path }) => path);
      for (const [index, { path }] of other.volumes.entries())
        await refused(...paths.with(Math.min(index, paths.length - 1), path));
    });

    it('a volume of the same bundle that is cut otherwise', async () => {
      const [one, other] = [await inVolumes(100 * KiB), await inVolumes(110 * KiB)];
      const paths = one.volumes.map(({ path }) => path);
      for (const [index, { path }] of other.volumes.slice(0, paths.length).entries())
        await refused(...paths.with(index, path));
    });

    it('volumes of the same content that were signed twice', async () => {
      const ecdsa = SigningKey.generate('ecdsa-p256');
      const folders = [join(folder, 'signed-1'), join(folder, 'signed-2')];
      for (const own of folders) await mkdir(own);
      const [one, other] = [
        await writeSampleBundle(folders[0]!, SIZES, ecdsa, 100 * KiB),
        await writeSampleBundle(folders[1]!, SIZES, ecdsa, 100 * KiB),
      ];
      await refused(...one.volumes.map(({ path }) => path).with(1, other.volumes[1]!.path));
    });

    it('bytes between joined volumes, or before or after them', async () => {
      const { volumes } = await inVolumes(100 * KiB);
      const bytes = await Promise.all(volumes.map(({ path }) => readFile(path)));
      const joined = join(folder, 'between.tar.zst');
      for (let at = 0; at <= bytes.length; at += 1) {
        for (const extra of [Buffer.of(0), Buffer.from('502a4d1800000000', 'hex')]) {
          await writeFile(joined, Buffer.concat(bytes.toSpliced(at, 0, extra)));
          await refused(joined);
        }
      }
    });
  });

  it('is refused with any byte of a volume changed', async () => {
    const { volumes, plan } = await inVolumes(100 * KiB);
    const paths = volumes.map(({ path }) => path);
    const [front, seal, ...compressed] = plan.volumes[0]!.head.map(({ length }) => length);
    const start = front! + seal!;
    const end = start + compressed.reduce((total, length) => total + length, 0);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(volumes.length - 1),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 255 }),
        async (which, where, mask) => {
          const bytes = await readFile(paths[which]!);
          const at = Math.floor(where * bytes.length);
          fc.pre(which > 0 || at < start || at >= end);
          bytes[at]! ^= mask;
          const changed = join(folder, 'changed');
          await writeFile(changed, bytes);
          const error: unknown = await readEveryByte(...paths.with(which, changed)).catch(
            (reason: unknown) => reason,
          );
          expect(error).toMatchObject({
            exitStatus: expect.toSatisfy(
              (status: number) => status >= 20 && status <= 22,
            ) as number,
          });
        },
      ),
      { numRuns: 150 },
    );
  });
});
