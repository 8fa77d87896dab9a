import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { DirectFile } from '../../../src/files/direct-file.ts';

const MiB = 1024 * 1024;

/** A handle that a system gives and then refuses to write with. */
async function refusing(path: string, code: string): Promise<FileHandle> {
  const handle = await open(path, 'r+');
  handle.write = () => Promise.reject(Object.assign(new Error(code), { code }));
  return handle;
}

const systems: Record<string, ((path: string) => Promise<FileHandle | undefined>) | undefined> = {
  'this one': undefined,
  'one without direct writes': () => Promise.resolve(undefined),
  'one that promises direct writes and refuses them': (path) => refusing(path, 'EINVAL'),
};

type Step =
  | { readonly do: 'write'; readonly sizes: readonly number[] }
  | { readonly do: 'go back'; readonly part: number }
  | { readonly do: 'truncate'; readonly part: number }
  | { readonly do: 'flush' };

const size = fc.oneof(
  fc.nat(9000),
  fc.constantFrom(4096, 4 * MiB, 4 * MiB - 1, 8 * MiB + 1),
  fc.nat(9 * MiB),
);
const part = fc.double({ min: 0, max: 1, noNaN: true });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('write'), sizes: fc.array(size, { maxLength: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('go back'), part }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('truncate'), part }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush') }) },
);

describe('a direct file', () => {
  const random = randomBytes(16 * MiB);
  let folder: string;
  let path: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-direct-'));
    path = join(folder, 'file');
  });
  afterAll(() => rm(folder, { recursive: true }));

  for (const [system, openDirect] of Object.entries(systems)) {
    it(`holds what was written where it was written, on ${system}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.nat(70_000), async (steps, begun) => {
          let expected = random.subarray(0, begun);
          let position = begun;
          await writeFile(path, expected);
          const file = await DirectFile.open(path, 'begun', openDirect);
          for (const next of steps) {
            if (next.do === 'write') {
              const parts = next.sizes.map((length, index) =>
                random.subarray(position % 999, (position % 999) + length).subarray(index),
              );
              await file.write(parts, position);
              const bytes = Buffer.concat(parts);
              expected = Buffer.concat([
                expected.subarray(0, position),
                bytes,
                expected.subarray(position + bytes.length),
              ]);
              position += bytes.length;
            } else if (next.do === 'go back') {
              position = Math.floor(position * next.part);
            } else if (next.do === 'truncate') {
              const cut = Math.floor(expected.length * next.part);
              await file.truncate(cut);
              expected = expected.subarray(0, cut);
              position = Math.min(position, cut);
            } else {
              await file.flush();
              expect((await readFile(path)).equals(expected)).toBe(true);
            }
          }
          await file.sync();
          await file.close();
          expect((await readFile(path)).equals(expected)).toBe(true);
        }),
        { numRuns: 40 },
      );
    });
  }

  it('begins anew', async () => {
    await writeFile(path, 'something else');
    const file = await DirectFile.open(path, 'new');
    await file.write([Buffer.from('new')], 0);
    await file.sync();
    await file.close();
    expect(await readFile(path, 'utf8')).toBe('new');
  });

  it('tells with the next write, or with the flush, that an earlier one failed', async () => {
    const file = await DirectFile.open(path, 'new', (name) => refusing(name, 'ENOSPC'));
    await file.write([random.subarray(0, MiB)], 0);
    await expect(file.write([random.subarray(0, MiB)], MiB)).rejects.toMatchObject({
      code: 'ENOSPC',
    });
    await expect(file.flush()).rejects.toMatchObject({ code: 'ENOSPC' });
    await file.close();
  });
});
