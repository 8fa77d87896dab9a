import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeRelease, type MakeReleaseOptions } from '../../scripts/lib/make-release.ts';
import { registryDestination } from '../../scripts/lib/registry-destination.ts';
import { runBundle } from './bundle-process.ts';
import { startRegistry, type TestRegistry } from './registry.ts';

/**
 * A release in a real registry, and somebody with a key to pack it with: one that gives the same
 * bytes whenever it signs.
 */
export interface PackableRelease {
  /** Where their home is, and the release. */
  readonly folder: string;
  readonly source: TestRegistry;
  readonly made: MadeRelease;
  /** What every command needs to believe in the release. */
  readonly trust: readonly string[];
  /** The arguments of a pack, by way of `host` if it is given, without the place to write to. */
  readonly packing: (host?: string) => string[];
  readonly remove: () => Promise<void>;
}

/** Starts a registry and makes a release in it. @param name of the folder for temporary files. */
export async function packableRelease(
  name: string,
  options: Omit<MakeReleaseOptions, 'out' | 'destination'>,
): Promise<PackableRelease> {
  const folder = await mkdtemp(join(tmpdir(), `bundle-${name}-`));
  const source = await startRegistry();
  const remove = async (): Promise<void> => {
    await source.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const made = await makeReleaseIn(source, join(folder, 'release'), options);
    const key = join(folder, 'packer.pem');
    const { status, stderr } = await runBundle(['keygen', '--type', 'ed25519', '-o', key], {
      folder,
    });
    if (status !== 0) throw new Error(`keygen: ${stderr}`);
    const { packing, trust } = packingOf(made, source, key);
    return { folder, source, made, trust, packing, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Makes a release in a registry that is running; what `out` had before is replaced. */
export async function makeReleaseIn(
  source: TestRegistry,
  out: string,
  options: Omit<MakeReleaseOptions, 'out' | 'destination'>,
): Promise<MadeRelease> {
  const { destination, close } = registryDestination(source.host);
  try {
    return await makeRelease({ ...options, out, destination });
  } finally {
    await close();
  }
}

/** How a release is packed, and what is needed to believe in it. */
export function packingOf(
  made: MadeRelease,
  source: TestRegistry,
  key: string,
): Pick<PackableRelease, 'packing' | 'trust'> {
  const trust = ['--release-key', made.releaseKey];
  const packing = (host = source.host): string[] => [
    ...[
      'pack',
      made.version,
      '--mirror',
      `quay.io=${host}`,
      '--signature-store',
      made.signatureStore,
      '--key',
      key,
    ],
    ...trust,
  ];
  return { packing, trust };
}
