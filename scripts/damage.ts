import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type DamageTrial, prepareTrial, tryDamage } from './lib/damage.ts';

const SINGLE_BYTES = 1000;
const STRETCHES = 200;
const KiB = 1024;

/**
 * Damages a bundle at random places, and makes sure each time that it is found and that nothing of
 * it gets a tag: one release or, with --three-releases, three that share layers.
 */
const folder = await mkdtemp(join(tmpdir(), 'bundle-damage-'));
try {
  const releases = process.argv[2] === '--three-releases' ? 3 : 1;
  const trial = await prepareTrial(folder, { releases, ...(releases === 3 && { components: 6 }) });
  process.stdout.write(`a bundle of ${trial.genuine.length} bytes\n`);
  await run(trial, SINGLE_BYTES, () => 1);
  await run(trial, STRETCHES, () => randomInt(KiB, 64 * KiB + 1));
} catch (error) {
  process.stderr.write(
    `damage: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true });
}

async function run(trial: DamageTrial, times: number, length: () => number): Promise<void> {
  const outcomes = { found: 0, 'same content': 0 };
  for (let time = 0; time < times; time += 1) {
    const size = length();
    const start = randomInt(0, trial.genuine.length - size + 1);
    outcomes[await tryDamage(trial, start, changed(trial.genuine.subarray(start, start + size)))] +=
      1;
  }
  process.stdout.write(
    `${times} damages: ${outcomes.found} found and named, ${outcomes['same content']} that decode to the same content\n`,
  );
}

/** Other bytes, at least in the first of them. */
function changed(bytes: Uint8Array): Uint8Array {
  const other = randomBytes(bytes.length);
  other[0] = bytes[0]! ^ randomInt(1, 256);
  return other;
}
