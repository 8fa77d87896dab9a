import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

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
 * comes through a pipe, for four sizes of a bundle. Of these, --size N does one (1 to 4), and
 * --trials NAME some trials only (cuts, longer ones, …); both may be repeated.
 */
const folder = await mkdtemp(join(tmpdir(), 'bundle-damage-'));
try {
  const { values } = parseArgs({
    options: {
      pipe: { type: 'boolean', default: false },
      'three-releases': { type: 'boolean', default: false },
      size: { type: 'string', multiple: true },
      trials: { type: 'string', multiple: true },
    },
  });
  const { size: sizes = [], trials = [] } = values;
  if (!values.pipe && sizes.length + trials.length > 0)
    throw new Error('--size and --trials have a meaning only with --pipe');
  for (const size of sizes)
    if (PIPED_SCALES[Number(size) - 1] === undefined)
      throw new Error(`--size ${size}: it is a number from 1 to ${PIPED_SCALES.length}`);
  if (values.pipe) {
    for (const [index, scale] of PIPED_SCALES.entries())
      if (sizes.length === 0 || sizes.map(Number).includes(index + 1))
        await runPiped(await prepare(`size-${index + 1}`, { scale }), trials);
  } else {
    const releases = values['three-releases'] ? 3 : 1;
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

/** @param names of the trials; all of them if none is named. */
async function runPiped(trial: DamageTrial, names: readonly string[]): Promise<void> {
  const { length } = trial.genuine;
  const none = { start: 0, bytes: new Uint8Array() };
  const stretch = (): number => randomInt(1, STRETCH);
  const trials: Readonly<Record<string, [number, () => Parameters<typeof tryPipedDamage>[1]]>> = {
    'single bytes': [600, () => damaged(trial, 1)],
    stretches: [200, () => damaged(trial, randomInt(KiB, STRETCH + 1))],
    cuts: [200, () => ({ ...none, cutAt: randomInt(0, length) })],
    'short cuts': [100, () => ({ ...none, cutAt: length - stretch() })],
    'longer ones': [100, () => ({ ...none, tail: randomBytes(stretch()) })],
  };
  const known = Object.keys(trials);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`--trials ${unknown}: one of ${known.join(', ')}`);
  for (const [name, [times, damage]] of Object.entries(trials))
    if (names.length === 0 || names.includes(name))
      await run(name, times, () => tryPipedDamage(trial, damage()));
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
