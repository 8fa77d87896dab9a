import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import {
  type DamageOutcome,
  type DamageTrial,
  type PipedDamage,
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
const PIPED_TRIALS = ['single bytes', 'stretches', 'cuts', 'short cuts', 'longer ones'] as const;
type Piped = (typeof PIPED_TRIALS)[number];
const PIPED_TIMES: Readonly<Record<Piped, number>> = {
  ...{ 'single bytes': 600, stretches: 200, cuts: 200 },
  ...{ 'short cuts': 100, 'longer ones': 100 },
};

/**
 * Damages a bundle at random places, and makes sure each time that it is found and that nothing of
 * it gets a tag: one release, and an increment whose target has the rest, in a file and in a pipe;
 * with --increment, only that; with --three-releases, three that share layers; with --pipe, what
 * comes through a pipe, for four sizes of a bundle. Of these, --size N does one (1 to 4), and --trials NAME some
 * trials only (cuts, longer ones, …); both may be repeated.
 */
const folder = await mkdtemp(join(tmpdir(), 'bundle-damage-'));
try {
  const { values } = parseArgs({
    options: {
      pipe: { type: 'boolean', default: false },
      'three-releases': { type: 'boolean', default: false },
      increment: { type: 'boolean', default: false },
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
  const piped = timesOf(trials);
  if (values.pipe) {
    for (const [index, scale] of PIPED_SCALES.entries())
      if (sizes.length === 0 || sizes.map(Number).includes(index + 1))
        await runPiped(await prepare(`size-${index + 1}`, { scale }), piped);
  } else {
    const releases = values['three-releases'] ? 3 : 1;
    if (!values.increment)
      await runInFile(
        await prepare('whole', { releases, ...(releases === 3 && { components: 6 }) }),
        [1000, 200],
      );
    if (releases === 1) {
      const trial = await prepare('increment', { increment: true, components: 6 });
      await runInFile(trial, [150, 50]);
      await runPiped(trial, { 'single bytes': 50, stretches: 20, cuts: 20, 'longer ones': 10 });
    }
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

async function runPiped(trial: DamageTrial, times: Partial<Record<Piped, number>>): Promise<void> {
  const { length } = trial.genuine;
  const none = { start: 0, bytes: new Uint8Array() };
  const tail = (): number => randomInt(1, Math.min(STRETCH, length));
  const trials: Readonly<Record<Piped, () => PipedDamage>> = {
    'single bytes': () => damaged(trial, 1),
    stretches: () => damaged(trial, stretch()),
    cuts: () => ({ ...none, cutAt: randomInt(0, length) }),
    'short cuts': () => ({ ...none, cutAt: length - tail() }),
    'longer ones': () => ({ ...none, tail: randomBytes(tail()) }),
  };
  for (const name of PIPED_TRIALS) {
    const often = times[name] ?? 0;
    if (often > 0)
      await run(`${name} in a pipe`, often, () => tryPipedDamage(trial, trials[name]()));
  }
}

/** @param times for single bytes, and for stretches. */
async function runInFile(trial: DamageTrial, times: readonly [number, number]): Promise<void> {
  await run('single bytes', times[0], () => inFile(trial, 1));
  await run('stretches', times[1], () => inFile(trial, stretch()));
}

/** How often each is done of those that are named; all of them if none is. */
function timesOf(names: readonly string[]): Partial<Record<Piped, number>> {
  const unknown = names.find((name) => !PIPED_TRIALS.some((one) => one === name));
  if (unknown !== undefined)
    throw new Error(`--trials ${unknown}: one of ${PIPED_TRIALS.join(', ')}`);
  const wanted = PIPED_TRIALS.filter((name) => names.length === 0 || names.includes(name));
  return Object.fromEntries(wanted.map((name) => [name, PIPED_TIMES[name]]));
}

/** How long a stretch is. */
function stretch(): number {
  return randomInt(KiB, STRETCH + 1);
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
