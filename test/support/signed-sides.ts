import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { expect } from 'vitest';

import { type Decide, type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { emptySides, type Sides } from './two-sides.ts';
import type { Ran } from './user.ts';

/** Two sides whose packer signs with a key that the operator trusts. */
export interface SignedSides extends Sides {
  /** What a command on the closed side needs to believe in what was packed. */
  readonly trust: readonly string[];
  /** Between the packer and the source. */
  readonly proxy: FaultProxy;
  /** What the packer's registry does with a request; as it should, where it is undefined. */
  decide: Decide | undefined;
  /** What a command on the connected side needs: the source stands for quay.io. */
  readonly sources: readonly string[];
  /** The command that packs into a folder of that name. */
  readonly packArgs: (output: string, ...more: readonly string[]) => readonly string[];
  readonly pack: (output: string, ...more: readonly string[]) => Promise<Ran>;
  /** The registry does again what it should, and what was fetched is asked for again. */
  readonly asAtFirst: () => Promise<void>;
}

/**
 * Damages a bundle, packs a patch for it, and writes it again with that: the same, to the byte. The
 * file is as before then.
 * @param asked what `pack` is asked for, as it was for the bundle.
 * @param trust what `verify` and `repair` need.
 */
export async function mended(
  { packer, operator, place, packArgs }: SignedSides,
  file: string,
  asked: readonly string[],
  trust: readonly string[],
): Promise<{ readonly found: Ran; readonly patched: Ran }> {
  const genuine = await readFile(file);
  const damaged = Buffer.from(genuine);
  // The first byte behind a tar header: layers are stored.
  const middle = Math.floor(damaged.length / 2);
  damaged[damaged.indexOf('blobs/sha256/', middle) + 512]! ^= 1;
  const map = place('damage.json');
  const patches = place(`${basename(file)}-patches`);
  const mendedIn = place(`${basename(file)}-mended`);
  try {
    await writeFile(file, damaged);
    const found = await operator.bundle(['verify', file, ...trust, '--damage', map]);
    expect(found.status, found.stderr).toBe(20);
    const patched = await packer.bundle(packArgs(basename(patches), ...asked, '--repair', map));
    expect(patched.status, patched.stderr).toBe(0);
    const repaired = await operator.bundle(['repair', file, patches, '-o', mendedIn, ...trust]);
    expect(repaired.status, repaired.stderr).toBe(0);
    expect((await readFile(join(mendedIn, basename(file)))).equals(genuine)).toBe(true);
    return { found, patched };
  } finally {
    await writeFile(file, genuine);
    for (const folder of [patches, mendedIn]) await rm(folder, { recursive: true, force: true });
  }
}

/** @param name of the folder for temporary files. */
export async function signedSides(name: string): Promise<SignedSides> {
  const sides = await emptySides(name);
  const { packer, source, place } = sides;
  const proxy = await startFaultProxy(source.url, (request) => signed.decide?.(request));
  const key = place('packer.pem');
  await packer.bundle(['keygen', '--type', 'ed25519', '-o', key]);
  const sources = ['--mirror', `quay.io=${proxy.host}`];
  const packArgs = (output: string, ...more: readonly string[]): readonly string[] => [
    ...['pack', '-o', place(output), '--key', key, ...sources, ...more],
  ];
  const signed: SignedSides = {
    ...sides,
    ...{ proxy, sources, packArgs },
    trust: ['--trusted-key', place('packer.pub')],
    decide: undefined,
    pack: (output, ...more) => packer.bundle(packArgs(output, ...more)),
    asAtFirst: async () => {
      signed.decide = undefined;
      await packer.bundle(['cache', 'clear']);
    },
    remove: async () => {
      await proxy.stop();
      await sides.remove();
    },
  };
  return signed;
}
