import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { MemoryStore } from '../../../src/stores/memory.ts';
import { makeOperators, operatorSet, type OperatorsShape } from '../made-operators.ts';
import { Measurements } from './measurements.ts';
import { serveStores } from './memory-registry.ts';
import type { ShapeResult } from './report.ts';
import { runBundle } from './run-program.ts';
import type { MeasureOptions } from './steps.ts';

interface ManyOperators {
  readonly name: string;
  readonly about: string;
  readonly shape: OperatorsShape;
}

/**
 * What it takes to plan a filtered catalog of very many operators: in a new home, and again with
 * what the first run has kept of the registry, as after a plan that was killed at its end.
 */
export async function measureOperators(
  { name, about, shape }: ManyOperators,
  { folder, rounds, tell }: MeasureOptions,
): Promise<ShapeResult> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  tell(`${name}: making ${about}`);
  const store = new MemoryStore();
  const made = await makeOperators(() => store, shape);
  const registry = await serveStores(
    Object.fromEntries(made.repositories.map((repository) => [repository, store])),
  );
  const found = new Measurements();
  try {
    const config = join(folder, 'imageset.yaml');
    await writeFile(config, operatorSet(made.images.map(({ operator }) => operator)));
    for (let round = 0; round < rounds; round += 1) {
      tell(`${name}: round ${round + 1} of ${rounds}`);
      const home = join(folder, `home-${round}`);
      await mkdir(home);
      const plan = async (): ReturnType<typeof runBundle> =>
        runBundle(
          [
            ...['pack', '--config', config, '--dry-run', '-o', join(folder, 'medium')],
            ...['--mirror', `quay.io=${registry.host}`],
          ],
          { home },
        );
      const first = await plan();
      found.add({ what: 'pack --dry-run', against: '' }, first.seconds);
      const memory = { what: 'memory of it, at its peak', against: '', unit: 'MiB', limit: 400 };
      found.add(memory, first.peakMiB);
      const second = await plan();
      const against = 'the one before it, which kept manifests';
      found.add({ what: 'pack --dry-run once more', against }, second.seconds, first.seconds);
    }
  } finally {
    await registry.stop();
    await rm(folder, { recursive: true, force: true });
  }
  return { name, about, blobs: made.blobs, bytes: made.bytes, rounds, measurements: found.all };
}
