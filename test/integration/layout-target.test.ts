import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { prepareTrial, unpackTo } from '../../scripts/lib/damage.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';

it('an image layout is written by one run at a time, so that no name gets lost', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-layout-target-'));
  try {
    const trial = await prepareTrial(folder);
    const target = join(folder, 'target');
    const runs = await Promise.allSettled(
      [1, 2].map(() => unpackTo(trial, [trial.path], target, false)),
    );
    const refused = runs.filter((run) => run.status === 'rejected');
    expect(refused).toHaveLength(1);
    expect(refused[0]!.reason).toMatchObject({ code: 'DISK', exitStatus: 26 });
    const layout = await ImageLayout.open(target);
    expect((await layout.tags()).toSorted()).toEqual(
      [...trial.components, trial.release].toSorted(),
    );
    await unpackTo(trial, [trial.path], target, false);
  } finally {
    await rm(folder, { recursive: true });
  }
});
