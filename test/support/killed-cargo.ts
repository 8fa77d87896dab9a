import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'vitest';

import type { MakeReleaseOptions } from '../../scripts/lib/make-release.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { runBundle } from './bundle-process.ts';
import { bundleIn } from './opened-bundle.ts';
import { makeReleaseIn, type PackableRelease, packableRelease } from './packable-release.ts';
import { startRegistry, type TestRegistry } from './registry.ts';

/** What is packed and unpacked while it is killed again and again. */
export interface KilledCargo {
  /** Where the home of whoever packs and unpacks goes. */
  readonly folder: string;
  readonly source: TestRegistry;
  /** The bundle is called so. */
  readonly name: string;
  /** The releases that the bundle brings, and how many tags each of them has at a target. */
  readonly versions: readonly string[];
  readonly tagsOfEach: number;
  /** The arguments of a pack, by way of `host`, without the place to write to. */
  readonly packing: (host: string) => string[];
  /** What every command needs to believe in the releases. */
  readonly trust: readonly string[];
  /** A registry as it is before the first unpack. */
  readonly newTarget: () => Promise<TestRegistry>;
  readonly remove: () => Promise<void>;
}

/** A release, a light z-stream of it, and one that was built anew. */
export async function threeReleases(): Promise<KilledCargo> {
  // One layer of 80 MB, more than the window: it is written while it comes.
  const of = { components: 3, cosign: true, signer: await makeReleaseSigner() };
  const release = await packableRelease('kill', { ...of, scale: 1 });
  const others = await madeBeside(release, [
    { ...of, scale: 1, rebuild: { name: 'light', share: 0.4 }, version: '4.17.4' },
    { ...of, scale: 0.05, seed: '2', version: '4.17.5' },
  ]);
  return {
    ...release,
    name: 'ocp-4.17.3..4.17.5-x86_64',
    versions: ['4.17.3', '4.17.4', '4.17.5'],
    tagsOfEach: 4,
    packing: (host) => [...release.packing(host), ...others],
    newTarget: () => startRegistry(),
  };
}

/** The light z-stream of a release that its site has, by its receipt. */
export async function anIncrement(): Promise<KilledCargo> {
  const of = { components: 4, cosign: true, scale: 0.05, signer: await makeReleaseSigner() };
  const release = await packableRelease('kill-increment', of);
  const { folder, trust } = release;
  const ran = async (args: readonly string[]): Promise<void> => {
    const { status, stderr } = await runBundle(args, { folder });
    expect({ status, stderr }).toEqual({ status: 0, stderr });
  };
  const [version = '', ...store] = await madeBeside(release, [
    { ...of, rebuild: { name: 'light', share: 0.5 }, version: '4.17.4' },
  ]);
  const base = join(folder, 'base');
  const site = join(folder, 'site.pem');
  await ran(['keygen', '--type', 'ed25519', '-o', site]);
  await ran([...release.packing(), '-o', base]);
  const first = await startRegistry();
  await ran([
    ...['unpack', await bundleIn(base), '--to', `${first.host}/ocp4`, ...trust, '--receipt', base],
    ...['--receipt-key', site, '--site', 'plant-a', '--resources-dir', join(folder, 'first')],
  ]);
  const receipt = (await readdir(base)).find((name) => name.startsWith('receipt-'))!;
  const siteKey = ['--trusted-key', join(folder, 'site.pub')];
  await ran(['history', 'import', join(base, receipt), ...siteKey]);
  return {
    ...{ ...release, name: `ocp-${version}-x86_64-increment`, versions: [version], tagsOfEach: 5 },
    packing: (host) => {
      const args = release.packing(host).map((arg) => (arg === '4.17.3' ? version : arg));
      return [...args, ...store, '--since-last', 'plant-a', ...siteKey];
    },
    newTarget: async () => {
      const target = await startRegistry();
      await cp(join(first.root, 'storage'), join(target.root, 'storage'), { recursive: true });
      return target;
    },
    remove: async () => {
      await first.stop();
      await release.remove();
    },
  };
}

/**
 * Makes more releases where one is already. @returns for each of them what a pack is told: its
 * version, and where its signature is.
 */
async function madeBeside(
  { source, folder }: PackableRelease,
  releases: readonly Omit<MakeReleaseOptions, 'out' | 'destination'>[],
): Promise<readonly string[]> {
  const told: string[] = [];
  for (const release of releases) {
    const out = join(folder, `release-${release.version!}`);
    const { version, signatureStore } = await makeReleaseIn(source, out, release);
    told.push(version, '--signature-store', signatureStore);
  }
  return told;
}
