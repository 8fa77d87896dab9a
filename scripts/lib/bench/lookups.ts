import { mkdir, rm } from 'node:fs/promises';

import type { Digest } from '../../../src/core/digest.ts';
import { type Program, runBundle } from './run-program.ts';
import { slowLine } from './slow-line.ts';
import { type Bench, intoEmptyRegistry, ofEach, pack, unpackArguments } from './steps.ts';

/** Milliseconds added to each request. */
const LATENCIES = [0, 5, 50];

/** How long the questions take that come before the first layer, and those of a run without any. */
export async function lookupsRound(bench: Bench, round: number): Promise<void> {
  for (const latencyMs of LATENCIES) {
    const what = `first byte of a component's layer, ${latencyMs} ms added to each request`;
    await ofEach(bench, { what, against: '' }, round, (program) =>
      untilFirstLayer(bench, program, latencyMs),
    );
  }
  const { home, medium } = bench;
  const row = { what: 'unpack of what is there', against: '', limit: 1 };
  await ofEach(bench, row, round, async (program) => {
    await pack(bench, { program });
    return intoEmptyRegistry(bench, async (host) => {
      const unpack = async (): Promise<number> =>
        (await runBundle(unpackArguments(bench, medium, host), { home, program })).seconds;
      await unpack();
      return unpack();
    });
  });
}

/** Seconds from the start of a pack, which ends there. */
async function untilFirstLayer(
  { source, home, medium }: Bench,
  program: Program,
  latencyMs: number,
): Promise<number> {
  await rm(medium, { recursive: true, force: true });
  await mkdir(medium);
  let began = Number.NaN;
  let seconds: number | undefined;
  let isThere: () => void = () => undefined;
  const until = new Promise<void>((resolve) => (isThere = resolve));
  const answered = (path: string): void => {
    if (!source.componentLayers.has(path.slice(path.lastIndexOf('/') + 1) as Digest)) return;
    seconds ??= (performance.now() - began) / 1000;
    isThere();
  };
  const line = await slowLine(source.host, { latencyMs, answered });
  try {
    began = performance.now();
    await runBundle(source.packArguments(medium, line.host), { home, program, until });
  } finally {
    await line.stop();
  }
  if (seconds === undefined) throw new Error('the pack asked for no layer of a component');
  return seconds;
}
