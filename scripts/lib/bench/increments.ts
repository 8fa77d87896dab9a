import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { isRebuilt } from '../component-images.ts';
import type { MadeRelease } from '../made-release.ts';
import { makeRelease, type MakeReleaseOptions } from '../make-release.ts';
import { registryDestination } from '../registry-destination.ts';
import { makeReleaseSigner } from '../release-signer.ts';
import { realShape } from '../shape.ts';
import { Measurements } from './measurements.ts';
import type { ShapeResult } from './report.ts';
import { runBundle } from './run-program.ts';
import { slowLine } from './slow-line.ts';
import { emptyRegistry, NAMESPACE } from './source.ts';
import { inTurn, type MeasureOptions } from './steps.ts';

interface Increments {
  readonly name: string;
  readonly about: string;
  readonly scale: number;
  /** The share of the images that were built again. */
  readonly share: number;
}

/** Bytes of a layer in the whole bundle where the increment leaves one out. */
const TINY = 512;
const [BASE, NEXT, BESIDE] = ['4.17.3', '4.17.4', '4.17.5'] as const;

/**
 * An increment, and a whole bundle of as many images that has as many bytes: the layers that the
 * increment leaves out are tiny there. Both go to a registry that has the first release.
 */
export async function measureIncrements(
  { name, about, scale, share }: Increments,
  { folder, rounds, tell }: MeasureOptions,
): Promise<ShapeResult> {
  await rm(folder, { recursive: true, force: true });
  const home = join(folder, 'home');
  await mkdir(home, { recursive: true });
  tell(`${name}: making ${about}`);
  const registry = await emptyRegistry(join(folder, 'registry'));
  try {
    const packing = await makeReleases(registry.host, folder, { scale, share });
    const found = new Measurements();
    const medium = (what: string): string => join(folder, what);
    const bundleIn = async (what: string): Promise<string> => {
      const names = await readdir(medium(what));
      return join(
        medium(what),
        names.find((one) => one.endsWith('.tar.zst'))!,
      );
    };
    const pack = async (version: string, host: string, ...more: string[]): Promise<number> => {
      await rm(medium(version), { recursive: true, force: true });
      const args = [...packing.of(version, host), ...more, '-o', medium(version)];
      return (await runBundle(args, { home })).seconds;
    };
    await pack(BASE, registry.host);
    const base = await bundleIn(BASE);
    const packs = (host: string) =>
      [() => pack(NEXT, host, '--assume-delivered', base), () => pack(BESIDE, host)] as const;
    const unpack = async (version: string, host: string): Promise<number> => {
      const resources = join(home, 'cluster-resources');
      const to = ['--to', `${host}/ocp4`, '--resources-dir', resources, ...packing.trust];
      return (await runBundle(['unpack', await bundleIn(version), ...to], { home })).seconds;
    };
    const counted = async (target: string, work: (host: string) => Promise<number>) => {
      const line = await slowLine(target, {});
      try {
        const seconds = await work(line.host);
        return { seconds, requests: line.requests() };
      } finally {
        await line.stop();
      }
    };
    /** Both with a registry of their own that has the base. */
    const unpackBeside = (version: string) => async () => {
      const place = join(folder, 'target');
      const target = await emptyRegistry(place);
      try {
        await unpack(BASE, target.host);
        return await counted(target.host, (host) => unpack(version, host));
      } finally {
        await target.stop();
        await rm(place, { recursive: true, force: true });
      }
    };
    const against = 'a whole bundle of the same new bytes';
    for (let round = 0; round < rounds; round += 1) {
      tell(`${name}: round ${round + 1} of ${rounds}`);
      const [ours, whole] = await inTurn(round, ...packs(registry.host));
      found.add({ what: 'pack of an increment', against, limit: 1.1 }, ours, whole);
      const [unpacked, other] = await inTurn(round, unpackBeside(NEXT), unpackBeside(BESIDE));
      found.add(
        { what: 'unpack of an increment', against, limit: 1.1 },
        unpacked.seconds,
        other.seconds,
      );
      found.add(
        { what: 'requests of the unpack', against, unit: '' },
        unpacked.requests,
        other.requests,
      );
    }
    return { name, about, ...packing.whole, rounds, measurements: found.all };
  } finally {
    await registry.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Packing {
  /** The arguments of a pack of one of the releases. */
  readonly of: (version: string, host: string) => readonly string[];
  /** What proves each of them. */
  readonly trust: readonly string[];
  /** What the whole bundle beside the increment has. */
  readonly whole: Pick<ShapeResult, 'blobs' | 'bytes'>;
}

async function makeReleases(
  host: string,
  folder: string,
  { scale, share }: Pick<Increments, 'scale' | 'share'>,
): Promise<Packing> {
  const shape = realShape(scale);
  const rebuild = { name: 'again', share };
  const ownOf = (index: number): number => (isRebuilt(index, share) ? shape.own(index) : TINY);
  const { destination, close } = registryDestination(host);
  try {
    const make = async (
      version: string,
      more: Partial<MakeReleaseOptions> = {},
    ): Promise<MadeRelease> => {
      const of = { out: join(folder, `release-${version}`), version, shape, destination, signer };
      return makeRelease({ ...of, ...more });
    };
    const signer = await makeReleaseSigner();
    const { releaseKey } = await make(BASE);
    await make(NEXT, { rebuild });
    const { blobs, bytes } = await make(BESIDE, { rebuild, shape: { ...shape, own: ownOf } });
    const trust = ['--release-key', releaseKey];
    return {
      of: (version, from) => [
        ...['pack', version, '--mirror', `quay.io/${NAMESPACE}=${from}/${NAMESPACE}`, ...trust],
        ...['--signature-store', join(folder, `release-${version}`, 'signatures')],
      ],
      ...{ trust, whole: { blobs, bytes } },
    };
  } finally {
    await close();
  }
}
