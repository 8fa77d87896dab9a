import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { BundleError, type ErrorCode } from '../../src/core/errors.ts';
import {
  type Deviation,
  readEveryByte,
  readEveryByteOfPipe,
  sampleIngredients,
  writeCrafted,
} from './crafted-bundle.ts';
import { describeWith } from './needs.ts';
import { secondVerdicts } from './second-reader.ts';

/** A byte, a tar block, more than a raw block with padding, and something small again. */
const SIZES = [1, 512, 130 * 1024 + 5, 700];

/** `codeOfPipe` is given where another fault is met first when the bytes come in order. */
export type Refusal = readonly [
  what: string,
  deviation: Deviation,
  code?: ErrorCode,
  codeOfPipe?: ErrorCode,
];

/**
 * One test for each deviation: the bundle is refused with the code, by default that of an unusable
 * bundle, and reading writes nothing. One test more asks the second reader: it ends with the status
 * of that code each time.
 */
export function testRefusals(refusals: readonly Refusal[]): void {
  let folder: string;
  const ingredients = sampleIngredients(SIZES);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-hostile-'));
    // What is refused below is refused for its deviation: without one, the kit's bundle is a good
    // one.
    const genuine = await writeCrafted(folder, ingredients);
    await readEveryByte(genuine);
    await readEveryByteOfPipe(genuine);
  });
  afterAll(() => rm(folder, { recursive: true }));

  for (const [what, deviation, code = 'BUNDLE_UNUSABLE', codeOfPipe = code] of refusals) {
    it(what, async () => {
      const path = await writeCrafted(folder, ingredients, deviation);
      for (const [read, expected] of [
        [readEveryByte, code],
        [readEveryByteOfPipe, codeOfPipe],
      ] as const) {
        const error: unknown = await read(path).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(BundleError);
        expect((error as BundleError).code).toBe(expected);
      }
      expect(await readdir(folder)).toEqual(['ocp-4.17.3-x86_64.tar.zst']);
    });
  }

  describeWith(['python3', 'openssl'], 'as the second reader has it', () => {
    it('each is refused with the same status', async () => {
      const own = await mkdtemp(join(tmpdir(), 'bundle-second-'));
      try {
        const commands: string[][] = [];
        for (const [, deviation] of [['nothing', {}], ...refusals] as const) {
          const path = await mkdtemp(join(own, 'bundle-'));
          commands.push(['--format-only', await writeCrafted(path, ingredients, deviation)]);
        }
        const [genuine, ...verdicts] = await secondVerdicts(commands);
        expect(genuine).toEqual({ status: 0, message: '' });
        const different = refusals.flatMap(([what, , code = 'BUNDLE_UNUSABLE'], index) => {
          const { status, message } = verdicts[index]!;
          const expected = new BundleError(code, what).exitStatus;
          return status === expected ? [] : [`${what}: ${status}, not ${expected}: ${message}`];
        });
        expect(different).toEqual([]);
      } finally {
        await rm(own, { recursive: true });
      }
    });
  });
}
