import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  type DamageOutcome,
  type DamageTrial,
  prepareTrial,
  tryDamage,
  tryPipedDamage,
} from './lib/damage.ts';

const KiB = 1024;
const STRETCH = 64 * KiB;
/**
 * How large the bundles of the piped trials are, as scales of a made release: far below what is
 * kept of a pipe, just below, just above, and so large that most of it has gone by.
 */
const PIPED_SCALES = [0.0002, 0.2, 0.275, 0.7];

/**
 * Damages a bundle at random places, and makes sure each time that it is found and that nothing of
 * it gets a tag: one release; with --three-releases, three that share layers; with --pipe, what
 * comes through a pipe, for four sizes of a bundle.
 */
const folder = await mkdtemp(join(tmpdir(), 'bundle-damage-'));
try {
  if (process.argv[2] === '--pipe') {
    for (const [number, scale] of PIPED_SCALES.entries())
      await runPiped(await prepare(`size-${number}`, { scale }));
  } else {
    const releases = process.argv[2] === '--three-releases' ? 3 : 1;
    const trial = await prepare('whole', { releases, ...(releases === 3 && { components: 6 }) });
    await run('single bytes', 1000, () => inFile(trial, 1));
    await run('stretches', 200, () => inFile(trial, randomInt(KiB, STRETCH + 1)));
  }
} catch (error) {
  process.stderr.write(
    `damage: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true });
}

async function prepare(
  name: string,
  options: Parameters<typeof prepareTrial>[1],
): Promise<DamageTrial> {
  const trial = await prepareTrial(join(folder, name), options);
  process.stdout.write(`a bundle of ${trial.genuine.length} bytes\n`);
  return trial;
}

async function run(
  what: string,
  times: number,
  attempt: () => Promise<DamageOutcome>,
): Promise<void> {
  const outcomes = { found: 0, 'same content': 0 };
  for (let time = 0; time < times; time += 1) outcomes[await attempt()] += 1;
  process.stdout.write(
    `${times} ${what}: ${outcomes.found} found, ` +
      `${outcomes['same content']} that decode to the same content\n`,
  );
}

async function runPiped(trial: DamageTrial): Promise<void> {
  const { length } = trial.genuine;
  const none = { start: 0, bytes: new Uint8Array() };
  await run('single bytes', 600, () => tryPipedDamage(trial, damaged(trial, 1)));
  await run('stretches', 200, () =>
    tryPipedDamage(trial, damaged(trial, randomInt(KiB, STRETCH + 1))),
  );
  await run('cuts', 200, () => tryPipedDamage(trial, { ...none, cutAt: randomInt(0, length) }));
  await run('short cuts', 100, () =>
    tryPipedDamage(trial, { ...none, cutAt: length - randomInt(1, STRETCH) }),
  );
  await run('longer ones', 100, () =>
    tryPipedDamage(trial, { ...none, tail: randomBytes(randomInt(1, STRETCH)) }),
  );
}

function inFile(trial: DamageTrial, size: number): Promise<DamageOutcome> {
  const { start, bytes } = damaged(trial, size);
  return tryDamage(trial, start, bytes);
}

/** Other bytes somewhere in the bundle. */
function damaged({ genuine }: DamageTrial, size: number): { start: number; bytes: Uint8Array } {
  const start = randomInt(0, genuine.length - size + 1);
  const bytes = randomBytes(size);
  bytes[0] = genuine[start]! ^ randomInt(1, 256);
  return { start, bytes };
}
