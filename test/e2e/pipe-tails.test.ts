import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type DamageTrial, prepareTrial } from '../../scripts/lib/damage.ts';
import { isThere } from '../../src/files/look.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';
import { runBundle } from '../support/bundle-process.ts';

/** What is done to the end of the stream. */
const TAILS: readonly (readonly [string, (bytes: Buffer) => readonly Buffer[]])[] = [
  ['cut by one byte', (bytes) => [bytes.subarray(0, -1)]],
  ['cut by 2000 bytes', (bytes) => [bytes.subarray(0, -2000)]],
  [
    'changed in a byte',
    (bytes) => [bytes.subarray(0, -900), Buffer.of(bytes.at(-900)! ^ 1), bytes.subarray(-899)],
  ],
  ['longer than it was', (bytes) => [bytes, Buffer.from('x\n')]],
];

describe('the end of a bundle in a pipe', () => {
  let folder: string;
  let trial: DamageTrial;
  let target: string;
  let resources: string;
  let commands: readonly (readonly string[])[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-pipe-tails-'));
    trial = await prepareTrial(folder);
    target = join(folder, 'target');
    const unpacking = ['unpack', '-', '--to', `oci:${target}`];
    resources = join(folder, 'resources');
    commands = [
      ...[['verify', '-'], ['inspect', '-'], [...unpacking, '--dry-run'], unpacking],
      ['resources', '-', '--to', 'registry.example.com/ocp4', '--resources-dir', resources],
    ];
  });
  afterAll(() => rm(folder, { recursive: true }));

  const statuses = async (parts: readonly Buffer[]): Promise<readonly (number | null)[]> => {
    const ended: (number | null)[] = [];
    for (const args of commands) {
      const input = Readable.from(parts, { objectMode: false });
      ended.push(
        (await runBundle([...args, '--release-key', trial.made.releaseKey], { folder, input }))
          .status,
      );
    }
    return ended;
  };

  it.each(TAILS)(
    'is refused by every command that reads one when it is %s',
    async (_tail, change) => {
      expect(await statuses(change(trial.genuine))).toEqual([22, 22, 22, 22, 22]);
      expect(await (await ImageLayout.open(target)).tags()).not.toContain(trial.release);
      expect(await isThere(resources)).toBe(false);
    },
  );

  it('is good as it was made', async () => {
    expect(await statuses([trial.genuine])).toEqual([0, 0, 0, 0, 0]);
    expect(await (await ImageLayout.open(target)).tags()).toContain(trial.release);
    expect(await isThere(resources)).toBe(true);
  });
});
