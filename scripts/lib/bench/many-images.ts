import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { MemoryStore } from '../../../src/stores/memory.ts';
import { makeRelease } from '../make-release.ts';
import type { Shape } from '../shape.ts';
import { Measurements } from './measurements.ts';
import { serveStores } from './memory-registry.ts';
import type { ShapeResult } from './report.ts';
import { runBundle } from './run-program.ts';
import { NAMESPACE, VERSION } from './source.ts';
import type { MeasureOptions } from './steps.ts';

interface ManyImages {
  readonly name: string;
  readonly about: string;
  readonly shape: Shape;
  readonly components: number;
}

/** What it takes to plan a bundle of very many images, each for two architectures. */
export async function measurePlanning(
  { name, about, shape, components }: ManyImages,
  { folder, rounds, tell }: MeasureOptions,
): Promise<ShapeResult> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'home'), { recursive: true });
  tell(`${name}: making ${about}`);
  const destination = { releases: new MemoryStore(), components: new MemoryStore() };
  const made = await makeRelease({
    ...{ out: join(folder, 'source'), version: VERSION, architecture: 'multi' },
    ...{ shape, components, destination: { ...destination, registry: 'memory' } },
  });
  const registry = await serveStores({
    [`${NAMESPACE}/ocp-release`]: destination.releases,
    [`${NAMESPACE}/ocp-v4.0-art-dev`]: destination.components,
  });
  const found = new Measurements();
  try {
    for (let round = 0; round < rounds; round += 1) {
      tell(`${name}: round ${round + 1} of ${rounds}`);
      const { seconds, peakMiB } = await runBundle(
        [
          ...['pack', VERSION, '--arch', 'multi', '--dry-run', '-o', join(folder, 'medium')],
          ...['--mirror', `quay.io/${NAMESPACE}=${registry.host}/${NAMESPACE}`],
          ...['--signature-store', made.signatureStore, '--release-key', made.releaseKey],
        ],
        { home: join(folder, 'home') },
      );
      found.add({ what: 'pack --dry-run', against: '' }, seconds);
      found.add(
        { what: 'memory of it, at its peak', against: '', unit: 'MiB', limit: 300 },
        peakMiB,
      );
    }
  } finally {
    await registry.stop();
    await rm(folder, { recursive: true, force: true });
  }
  return { name, about, blobs: made.blobs, bytes: made.bytes, rounds, measurements: found.all };
}
