import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Measurements } from './measurements.ts';
import { runBundle } from './run-program.ts';
import { slowLine } from './slow-line.ts';
import type { Source } from './source.ts';

/** Bytes per second of a slow line, over all its connections. */
const LINE = 20e6;
const SHARE = 0.9;

/**
 * A pack that is killed when nine tenths of the bundle are written, and then goes on. @param medium
 * is emptied.
 */
export async function interruptedRound(
  source: Source,
  home: string,
  medium: string,
  found: Measurements,
): Promise<void> {
  const line = await slowLine(source.host, { bytesPerSecondInAll: LINE });
  const empty = async (): Promise<void> => {
    await rm(medium, { recursive: true, force: true });
    await mkdir(medium);
  };
  const pack = (until?: Promise<void>): ReturnType<typeof runBundle> =>
    runBundle(source.packArguments(medium, line.host), { home, until });
  try {
    await empty();
    const whole = await pack();
    const enough = SHARE * (await written(medium));
    await empty();
    const isOver = new AbortController();
    const reached = untilWritten(medium, enough, isOver.signal);
    await pack(reached).finally(() => {
      isOver.abort();
    });
    const before = line.requests();
    const continued = await pack();
    const against = `a whole pack over the same line of ${LINE / 1e6} MB/s`;
    found.add(
      { what: `pack, killed at ${SHARE * 100} % and continued`, against, limit: 0.2 },
      continued.seconds,
      whole.seconds,
    );
    found.add(
      { what: 'requests of the continued pack', against: '', unit: '' },
      line.requests() - before,
    );
  } finally {
    await line.stop();
  }
}

async function untilWritten(folder: string, bytes: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await written(folder)) < bytes) await sleep(20);
}

/** Bytes of the bundle in a folder, finished or not. */
async function written(folder: string): Promise<number> {
  const name = (await readdir(folder)).find((candidate) =>
    /\.tar\.zst(\.partial)?$/.test(candidate),
  );
  return name === undefined ? 0 : (await stat(join(folder, name))).size;
}
