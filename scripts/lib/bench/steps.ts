import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { Measurements } from './measurements.ts';
import { OURS, type Program, runBundle, type Usage } from './run-program.ts';
import { emptyRegistry, type Source } from './source.ts';

export interface MeasureOptions {
  /** Where everything is put; a folder that can be removed. */
  readonly folder: string;
  readonly rounds: number;
  /** Also copies with skopeo, once. */
  readonly skopeo: boolean;
  /** Another build of the program, to be held against. */
  readonly other?: Program | undefined;
  readonly tell: (line: string) => void;
}

export interface Bench extends MeasureOptions {
  readonly source: Source;
  readonly found: Measurements;
  /** Where bundles go; emptied before each pack. */
  readonly medium: string;
  /** Of the user. */
  readonly home: string;
}

interface PackOptions {
  /** Of a line to the registry, if not the registry itself. */
  readonly host?: string | undefined;
  readonly program?: Program | undefined;
}

/**
 * The two are run in turn, and the order turns with the rounds: neither always finds the machine as
 * the other left it.
 */
export async function inTurn<T>(
  round: number,
  ours: () => Promise<T>,
  floor: () => Promise<T>,
): Promise<[T, T]> {
  if (round % 2 === 0) return [await ours(), await floor()];
  const first = await floor();
  return [await ours(), first];
}

/**
 * Measures something with this build and, where there is another one, with that one too.
 * @param row what it is held against where there is no other build.
 */
export async function ofEach(
  { found, other }: Bench,
  row: Parameters<Measurements['add']>[0],
  round: number,
  work: (program: Program) => Promise<number>,
): Promise<void> {
  if (other === undefined) {
    found.add(row, await work(OURS));
    return;
  }
  const [ours, others] = await inTurn(
    round,
    () => work(OURS),
    () => work(other),
  );
  // The aim is one of seconds, and a row that has something beside it shows a ratio.
  const { what, unit } = row;
  const against = `the same with ${other}`;
  found.add({ what, against, ...(unit !== undefined && { unit }) }, ours, others);
}

/** Packs the whole release onto the emptied medium, and notes what else it put on the disk. */
export async function pack(
  { source, found, home, medium }: Bench,
  { host, program }: PackOptions = {},
): Promise<Usage> {
  await rm(medium, { recursive: true, force: true });
  await mkdir(medium);
  const running = runBundle(source.packArguments(medium, host), { home, program });
  let beside = 0;
  const watch = setInterval(() => {
    void bytesBeside(home, medium).then((bytes) => (beside = Math.max(beside, bytes)));
  }, 500);
  try {
    const usage = await running;
    found.add(
      { what: 'disk of pack beside the bundle', against: '', unit: 'kB' },
      Math.max(beside, await bytesBeside(home, medium)) / 1e3,
    );
    return usage;
  } finally {
    clearInterval(watch);
  }
}

/** Bytes in files that are not the bundle itself, finished or not. */
async function bytesBeside(...folders: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || /\.tar\.zst(\.partial)?$/.test(entry.name)) continue;
      bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size;
    }
  }
  return bytes;
}

/** What delivers a bundle, or the one in a folder, to a registry. */
export function unpackArguments({ source, home }: Bench, bundle: string, host: string): string[] {
  const resources = join(home, 'cluster-resources');
  return [
    ...['unpack', bundle, '--to', `${host}/ocp4`, '--resources-dir', resources],
    ...source.trust,
  ];
}

/** Does something with a registry that has nothing yet, and is gone afterwards. */
export async function intoEmptyRegistry<T>(
  { folder }: Bench,
  work: (host: string) => Promise<T>,
): Promise<T> {
  const place = join(folder, 'target');
  const registry = await emptyRegistry(place);
  try {
    return await work(registry.host);
  } finally {
    await registry.stop();
    await rm(place, { recursive: true, force: true });
  }
}
