import { BundleError } from '../../core/errors.ts';
import type { OpenRequest } from '../../opening/open-bundle.ts';
import { count, digest, partNames, texts } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import type { Io } from '../io.ts';
import { inputPipe, PIPE } from '../pipes.ts';
import { releaseKeyOption } from './release.ts';
import { many, one, type OptionTable } from './table.ts';

export const pathsPositional = {
  PATH: {
    type: 'string',
    describe: 'a bundle, any of its volumes, or folders that hold them',
    demandOption: true,
  },
} as const;

/** The same for commands that read through once. */
export const pipedPositional = {
  PATH: { ...pathsPositional.PATH, describe: `${pathsPositional.PATH.describe}; - for stdin` },
} as const;

const group = 'Trust:';

/** Who is believed about a bundle, and which one it has to be. */
export const trustOptions: OptionTable = {
  'trusted-key': many('PEM public key of a signer to trust for this run (repeatable)', { group }),
  signatures: one('how many different trusted signers the bundle must have', { group }),
  ...releaseKeyOption,
  expect: many(
    'release that the bundle must hold: VERSION, VERSION-ARCH or its digest (repeatable)',
    { group },
  ),
  'bundle-digest': one(
    'bundle digest that the bundle must have: pack printed it, and you got it out of band',
    {
      group,
    },
  ),
};

/** Those of them that `pack` takes, too, and needs for the same bundle. */
export const PACKING_OPTIONS: readonly string[] = ['release-key'];

/** @param io of a command that reads through once, so that a pipe will do. */
export async function openRequest(args: Arguments, io?: Io): Promise<OpenRequest> {
  const { KINDS } = await import('../../kinds/all.ts');
  const paths = texts(args, 'PATH');
  const isPiped = paths.includes(PIPE);
  const forFiles = ['partial', 'damage'].find((name) => args[name] !== undefined);
  if (isPiped && (io === undefined || forFiles !== undefined)) {
    throw new BundleError(
      'USAGE',
      `${forFiles === undefined ? 'this command' : `--${forFiles}`} needs files, not a pipe`,
      { hint: 'Name the files of the bundle, or the folders that hold them, in place of -.' },
    );
  }
  if (isPiped && paths.length > 1) {
    throw new BundleError(
      'USAGE',
      '- (a pipe) is a whole bundle: other paths cannot be given with it',
      { hint: 'Give - alone; or name all files, and no pipe.' },
    );
  }
  return {
    paths,
    kinds: KINDS,
    input: isPiped && io !== undefined ? inputPipe(io) : undefined,
    trustedKeyFiles: texts(args, 'trusted-key'),
    signatures: count(args, 'signatures'),
    releaseKeyFiles: texts(args, 'release-key'),
    expected: partNames(args, 'expect'),
    expectedDigest: digest(args, 'bundle-digest'),
  };
}
