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
