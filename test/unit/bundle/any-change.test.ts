import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { BundleError } from '../../../src/core/errors.ts';
import {
  craft,
  type Frame,
  type Ingredients,
  readEveryByte,
  readEveryByteOfPipe,
  sampleIngredients,
} from '../../support/crafted-bundle.ts';

const KiB = 1024;

/** A bundle in memory, and where its one compressed frame is. */
interface Subject {
  readonly ingredients: Ingredients;
  readonly file: Buffer;
  readonly frames: readonly Frame[];
  readonly compressed: { readonly start: number; readonly end: number };
}

function subject(sizes: readonly number[]): Subject {
  const ingredients = sampleIngredients(sizes);
  let frames: readonly Frame[] = [];
  const file = Buffer.from(craft(ingredients, { order: (all) => (frames = all) }));
  const start = frames[0]!.bytes.length + frames[1]!.bytes.length;
  return { ingredients, file, frames, compressed: { start, end: start + frames[2]!.bytes.length } };
}

type Outcome = 'read' | 'refused';

/** @throws what is not a foreseen refusal of the content: statuses 20 to 22. */
async function outcome(
  path: string,
  read: (path: string) => Promise<unknown> = readEveryByte,
): Promise<Outcome> {
  try {
    await read(path);
    return 'read';
  } catch (error) {
    if (error instanceof BundleError && error.exitStatus >= 20 && error.exitStatus <= 22)
      return 'refused';
    throw error;
  }
}

describe('any change', () => {
  let folder: string;
  let path: string;
  const small = subject([300, 5000, 130 * KiB, 130 * KiB]);

  const outcomeOf = async (bytes: Uint8Array): Promise<Outcome> => {
    await writeFile(path, bytes);
    const found = await outcome(path);
    // It makes no difference how the bytes come.
    expect(await outcome(path, readEveryByteOfPipe)).toBe(found);
    return found;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-change-'));
    path = join(folder, 'changed.tar.zst');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is what the tests below are about: the bundle itself can be read', async () => {
    expect(await outcomeOf(small.file)).toBe('read');
  });

  it('of a byte is refused, but for those of the compressed frame that decode to the same content', async () => {
    const { file, compressed } = small;
    const isCompressed = (at: number): boolean => at >= compressed.start && at < compressed.end;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(file.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, mask) => {
          const changed = Buffer.from(file);
          changed[at]! ^= mask;
          return (await outcomeOf(changed)) === 'refused' || isCompressed(at);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('that cuts the file is refused', async () => {
    const { file } = small;
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length - 1), fc.boolean(), async (at, fromEnd) => {
        return (
          (await outcomeOf(fromEnd ? file.subarray(0, at) : file.subarray(at + 1))) === 'refused'
        );
      }),
      { numRuns: 200 },
    );
  });

  it('that puts bytes in or takes them out is refused', async () => {
    const { file } = small;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(file.length),
        fc.oneof(
          fc.uint8Array({ minLength: 1, maxLength: 2000 }),
          fc.integer({ min: 1, max: 2000 }),
        ),
        async (at, change) => {
          const changed =
            typeof change === 'number'
              ? [file.subarray(0, Math.min(at, file.length - 1)), file.subarray(at + change)]
              : [file.subarray(0, at), change, file.subarray(at)];
          return (await outcomeOf(Buffer.concat(changed))) === 'refused';
        },
      ),
      { numRuns: 200 },
    );
  });

  it('that puts a stretch of the file in the place of another is refused', async () => {
    const { file, compressed } = small;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(file.length - 1),
        fc.nat(file.length - 1),
        fc.integer({ min: 1, max: 1024 }),
        async (from, to, length) => {
          const changed = Buffer.from(file);
          file.copy(changed, to, from, from + length);
          fc.pre(
            !changed.equals(file) && (to + length <= compressed.start || to >= compressed.end),
          );
          return (await outcomeOf(changed)) === 'refused';
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each(['with a tail that lists them as they stand', 'alone'])(
    'that swaps two frames is refused, %s',
    async (how) => {
      const { frames, ingredients, file } = small;
      const tail = file.subarray(frames.reduce((total, { bytes }) => total + bytes.length, 0));
      for (let i = 0; i < frames.length; i += 1) {
        for (let j = i + 1; j < frames.length; j += 1) {
          const swapped = frames.with(i, frames[j]!).with(j, frames[i]!);
          const changed =
            how === 'alone'
              ? Buffer.concat([...swapped.map(({ bytes }) => bytes), tail])
              : craft(ingredients, { order: () => swapped });
          expect(await outcomeOf(changed), `frames ${i} and ${j}`).toBe('refused');
        }
      }
    },
  );

  it('that leaves a frame out or doubles it is refused, with a tail that lists the others', async () => {
    const { frames, ingredients } = small;
    for (let i = 0; i < frames.length; i += 1) {
      expect(
        await outcomeOf(craft(ingredients, { order: (all) => all.toSpliced(i, 1) })),
        `without frame ${i}`,
      ).toBe('refused');
      expect(
        await outcomeOf(craft(ingredients, { order: (all) => all.toSpliced(i, 0, all[i]!) })),
        `frame ${i} twice`,
      ).toBe('refused');
    }
  });
});

describe('each single byte of a tiny bundle', () => {
  let folder: string;
  let path: string;
  let handle: FileHandle;
  const tiny = subject([9]);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-change-'));
    path = join(folder, 'changed.tar.zst');
    await writeFile(path, tiny.file);
    handle = await open(path, 'r+');
  });
  afterAll(async () => {
    await handle.close();
    await rm(folder, { recursive: true });
  });

  it('is refused when a bit of it changes, but for those of the compressed frame that decode to the same content', async () => {
    const { file, compressed } = tiny;
    const accepted: number[] = [];
    for (let at = 0; at < file.length; at += 1) {
      await handle.write(Uint8Array.of(file[at]! ^ (1 << (at % 8))), 0, 1, at);
      if ((await outcome(path)) === 'read') accepted.push(at);
      await handle.write(file, at, 1, at);
    }
    expect(accepted.filter((at) => at < compressed.start || at >= compressed.end)).toEqual([]);
    expect(await outcome(path)).toBe('read');
  });
});
