import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { besideRound } from './beside.ts';
import {
  curlHeads,
  curlToFiles,
  curlUploads,
  opensslDigest,
  type PlacedBlob,
  skopeoCopies,
} from './floors.ts';
import { measureIncrements } from './increments.ts';
import { interruptedRound } from './interrupted.ts';
import { lookupsRound } from './lookups.ts';
import { measureOperators } from './many-operators.ts';
import { measurePlanning } from './many-images.ts';
import { Measurements, median } from './measurements.ts';
import type { ShapeResult } from './report.ts';
import { OURS, runBundle, runProgram, type Usage } from './run-program.ts';
import { type BenchShape, type ShapeName, SHAPES } from './shapes.ts';
import { slowLine } from './slow-line.ts';
import { makeSource } from './source.ts';
import {
  type Bench,
  inTurn,
  intoEmptyRegistry,
  type MeasureOptions,
  pack,
  unpackArguments,
} from './steps.ts';

/** What the program does by default. */
export const CONCURRENCY = 8;
const CAP = 30e6;
const LATENCY_MS = 5;
/** One is over so soon that whatever else the machine does decides. */
const STARTS = 9;
const COMPONENTS = 'ocp4/openshift/release';
const RELEASES = 'ocp4/openshift/release-images';

/**
 * Makes the release of a shape and measures with it, round after round; everything is removed in
 * the end.
 */
export async function measure(name: ShapeName, options: MeasureOptions): Promise<ShapeResult> {
  const chosen: BenchShape = SHAPES[name];
  const { about } = chosen;
  if (chosen.kind === 'operators')
    return measureOperators({ name, about, shape: chosen.operators }, options);
  if (chosen.kind === 'increment') return measureIncrements({ name, ...chosen }, options);
  const { kind, shape, components } = chosen;
  const { folder, rounds, tell } = options;
  if (kind === 'many images')
    return measurePlanning({ name, about, shape, components: components! }, options);
  await rm(folder, { recursive: true, force: true });
  tell(`${name}: making ${about}`);
  const source = await makeSource(join(folder, 'source'), shape, components);
  const bench: Bench = {
    ...options,
    source,
    found: new Measurements(),
    medium: join(folder, 'medium'),
    home: join(folder, 'home'),
  };
  try {
    await mkdir(bench.home);
    for (let round = 0; round < rounds; round += 1) {
      tell(`${name}: round ${round + 1} of ${rounds}`);
      if (kind === 'release') await releaseRound(bench, round);
      else if (kind === 'large layer') await largeLayerRound(bench);
      else if (kind === 'small images') await smallImagesRound(bench);
      else if (kind === 'lookups') await lookupsRound(bench, round);
      else await interruptedRound(source, bench.home, bench.medium, bench.found);
    }
    if (options.skopeo && kind === 'release') {
      const { seconds } = await pack(bench);
      bench.found.add(
        { what: 'pack', against: 'skopeo copy, image by image, once' },
        seconds,
        await skopeo(bench),
      );
    }
    return {
      name,
      about,
      blobs: source.blobs.length,
      bytes: source.bytes,
      rounds,
      measurements: bench.found.all,
    };
  } finally {
    await source.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function releaseRound(bench: Bench, round: number): Promise<void> {
  const { source, found, folder, medium } = bench;
  const gigabytes = source.bytes / 1e9;
  const files = join(folder, 'files');
  const [packed, fetched] = await inTurn(
    round,
    async () => {
      const usage = await pack(bench);
      found.add(
        { what: 'CPU of pack, per GB', against: 'user and system', limit: 3.5 },
        usage.cpuSeconds / gigabytes,
      );
      found.add(
        { what: 'memory of pack, at its peak', against: '', unit: 'MiB', limit: 140 },
        usage.peakMiB,
      );
      return usage.seconds;
    },
    () => curlToFiles(source.blobs, files, CONCURRENCY),
  );
  found.add(
    {
      what: 'pack',
      against: 'curl of the blobs into files, in parallel, and sync',
      limit: gigabytes > 5 ? 1.1 : 1.15,
    },
    packed,
    fetched,
  );

  const bundle = join(
    medium,
    (await readdir(medium)).find((name) => name.endsWith('.tar.zst'))!,
  );
  await opensslDigest(bundle); // into the page cache
  const [verified, digested] = await inTurn(
    round,
    async () =>
      (await runBundle(['verify', bundle, ...source.trust], { home: bench.home })).seconds,
    () => opensslDigest(bundle),
  );
  found.add(
    { what: 'verify', against: 'openssl dgst of the file', limit: 1.25 },
    verified,
    digested,
  );

  const [unpacked, uploaded] = await inTurn(
    round,
    () => unpackTwice(bench, bundle),
    () =>
      intoEmptyRegistry(bench, (host) =>
        curlUploads(source.blobs, files, `${host}/${COMPONENTS}`, CONCURRENCY),
      ),
  );
  found.add(
    { what: 'unpack', against: 'curl of the blobs from files, one a request', limit: 0.85 },
    unpacked,
    uploaded,
  );
  await rm(files, { recursive: true, force: true });

  await startRound(bench);
  if (bench.other !== undefined) await besideRound(bench, round, bench.other);
}

/** @returns the seconds of the first unpack; the second one finds everything there. */
async function unpackTwice(bench: Bench, bundle: string): Promise<number> {
  const { source, found, home } = bench;
  const gigabytes = source.bytes / 1e9;
  return intoEmptyRegistry(bench, async (host) => {
    const unpack = (): Promise<Usage> => runBundle(unpackArguments(bench, bundle, host), { home });
    const first = await unpack();
    found.add(
      { what: 'CPU of unpack, per GB', against: 'user and system' },
      first.cpuSeconds / gigabytes,
    );
    found.add(
      { what: 'memory of unpack, at its peak', against: '', unit: 'MiB', limit: 130 },
      first.peakMiB,
    );
    const second = await unpack();
    const asked = await curlHeads(source.blobs.map(deliveredTo(host)), CONCURRENCY);
    found.add(
      { what: 'unpack of what is there', against: 'HEAD of each blob with curl, in parallel' },
      second.seconds,
      asked,
    );
    return first.seconds;
  });
}

/** Where an unpack puts a blob of the release image, or of a component. */
function deliveredTo(host: string): (blob: PlacedBlob) => PlacedBlob {
  return ({ descriptor, repository }) => ({
    descriptor,
    repository: `${host}/${repository.endsWith('/ocp-release') ? RELEASES : COMPONENTS}`,
  });
}

async function largeLayerRound(bench: Bench): Promise<void> {
  const { source, found, folder } = bench;
  const [largest] = source.blobs;
  const { seconds } = await pack(bench);
  const fetched = await curlToFiles([largest!], join(folder, 'files'), 1);
  await rm(join(folder, 'files'), { recursive: true });
  found.add(
    { what: 'pack', against: 'one curl of the large layer, and sync', limit: 1.25 },
    seconds,
    fetched,
  );
  const line = await slowLine(source.host, { bytesPerSecond: CAP });
  try {
    const throttled = await pack(bench, { host: line.host });
    const alone = source.bytes / CAP;
    const against = 'one connection of 30 MB/s, computed';
    found.add(
      { what: 'pack over connections of 30 MB/s', against, limit: 0.2 },
      throttled.seconds,
      alone,
    );
  } finally {
    await line.stop();
  }
}

async function smallImagesRound(bench: Bench): Promise<void> {
  const { source, found, home, medium } = bench;
  const against = `requests × ${LATENCY_MS} ms / ${CONCURRENCY}`;
  const through = async (
    what: string,
    target: string,
    work: (host: string) => Promise<number>,
  ): Promise<void> => {
    const line = await slowLine(target, { latencyMs: LATENCY_MS });
    try {
      const seconds = await work(line.host);
      found.add(
        { what: `${what}, ${LATENCY_MS} ms added to each request`, against, limit: 1.5 },
        seconds,
        floorOf(line.requests()),
      );
      found.add({ what: `requests of ${what}`, against: '', unit: '' }, line.requests());
    } finally {
      await line.stop();
    }
  };
  await through('pack', source.host, async (host) => (await pack(bench, { host })).seconds);
  await intoEmptyRegistry(bench, async (registry) => {
    await through(
      'unpack',
      registry,
      async (host) => (await runBundle(unpackArguments(bench, medium, host), { home })).seconds,
    );
  });
}

function floorOf(requests: number): number {
  return (requests * LATENCY_MS) / 1000 / CONCURRENCY;
}

/** What a user waits for before anything is done. */
async function startRound({ found, other }: Bench): Promise<void> {
  for (const program of [OURS, ...(other === undefined ? [] : [other])]) {
    const [help, node] = [[], []] as [number[], number[]];
    for (let start = 0; start < STARTS; start += 1) {
      help.push((await runProgram(process.execPath, [program, '--help'])).seconds);
      node.push((await runProgram(process.execPath, ['-e', '0'])).seconds);
    }
    const what = `start: ${program === OURS ? 'bundle' : program} --help`;
    const row = { what, against: 'node -e 0', unit: 'ms', limit: 2 };
    found.add(row, median(help) * 1000, median(node) * 1000);
  }
}

async function skopeo({ source, folder }: Bench): Promise<number> {
  const target = join(folder, 'skopeo');
  try {
    return await skopeoCopies(source.images, target);
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}
