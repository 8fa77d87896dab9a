import { BundleError, hasCode } from '../../core/errors.ts';
import { parseReference, type Reference } from '../../core/reference.ts';
import { isThere } from '../../files/look.ts';
import { ociArchitecture, parseArchitecture } from '../../kinds/release/architecture.ts';
import type { ProgramChoice } from '../../kinds/release/tools/choose.ts';
import { type Rhel, type System, SYSTEMS } from '../../kinds/release/tools/systems.ts';
import type { ReleaseSource } from '../../workflows/extract.ts';
import { flag, partNames, texts } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import { openRequest, trustOptions } from './bundle.ts';
import { networkRequest, sourceOptions } from './network.ts';
import { proofOptions, proofRequest, releaseKeyOption } from './release.ts';
import { many, type OptionTable, yes } from './table.ts';

export const releasePositional = {
  PATH: {
    type: 'string',
    describe:
      'a bundle (a file, any of its volumes, or folders that hold them), or a release image: ' +
      'REGISTRY/REPOSITORY:TAG, REGISTRY/REPOSITORY@sha256:…, oci:DIR@sha256:…',
    demandOption: true,
  },
} as const;

const selectOption: OptionTable = {
  release: many('the release of a bundle that holds several: VERSION, VERSION-ARCH or its digest'),
};

/** Where the release is, and what proves it. */
export const sourceOfReleaseOptions: OptionTable = {
  ...selectOption,
  ...trustOptions,
  ...proofOptions,
  ...sourceOptions,
};

/** Which programs. */
export const programOptions: OptionTable = {
  os: many(
    `operating system: ${SYSTEMS.join(', ')}; for several, use commas or repeat the option ` +
      '(default all)',
  ),
  arch: many(
    'architecture of the programs: x86_64, aarch64, s390x, ppc64le; for several, use commas or ' +
      'repeat the option (default all)',
  ),
  rhel8: yes('of programs that are built for several versions of RHEL, only those for RHEL 8'),
  rhel9: yes('the same for RHEL 9; with it comes the installer for FIPS mode'),
};

/** @throws BundleError USAGE for systems and architectures that no program is for. */
export function programChoice(args: Arguments): ProgramChoice {
  const list = (name: string): readonly string[] =>
    texts(args, name).flatMap((text) => text.split(','));
  const rhels = (['rhel8', 'rhel9'] as const).filter((name): name is Rhel => flag(args, name));
  return {
    systems: [...new Set(list('os').map(parseSystem))],
    architectures: [...new Set(list('arch').map(parseProgramArchitecture))],
    rhels,
  };
}

function parseSystem(text: string): System {
  const word = text === 'darwin' ? 'mac' : text;
  const system = SYSTEMS.find((name) => name === word);
  if (system !== undefined) return system;
  throw new BundleError('USAGE', `not an operating system that there are programs for: ${text}`, {
    hint: `Use one of ${SYSTEMS.join(', ')}.`,
  });
}

function parseProgramArchitecture(text: string): string {
  const name = ociArchitecture(parseArchitecture(text));
  if (name !== undefined) return name;
  throw new BundleError('USAGE', `no program is for the architecture ${text}`, {
    hint: 'Use one of x86_64, aarch64, s390x, ppc64le.',
  });
}

/**
 * The release that a command line means: one of a bundle, or the image of one.
 * @throws BundleError USAGE for options that have no meaning for it; NOT_FOUND for neither.
 */
export async function releaseSource(args: Arguments): Promise<ReleaseSource> {
  const paths = texts(args, 'PATH');
  const [first] = paths;
  const from = paths.length === 1 ? await asReference(first!) : undefined;
  if (from === undefined) {
    refuse(args, { ...proofOptions, ...sourceOptions }, 'a release image, not for a bundle');
    return { bundle: await openRequest(args), select: partNames(args, 'release') };
  }
  refuse(args, { ...selectOption, ...trustOptions }, 'a bundle, not for a release image');
  // The image tells its architecture: only the tag of a version has one in it.
  const release = { version: undefined, architecture: 'x86_64', from } as const;
  return { release: { ...release, ...proofRequest(args) }, network: networkRequest(args) };
}

/** These have a meaning for both. */
const COMMON: readonly string[] = ['concurrency', ...Object.keys(releaseKeyOption)];

function refuse(args: Arguments, options: OptionTable, what: string): void {
  const name = Object.keys(options).find(
    (option) => args[option] !== undefined && !COMMON.includes(option),
  );
  if (name === undefined) return;
  throw new BundleError('USAGE', `--${name} is for ${what}`, { hint: `Leave out --${name}.` });
}

/** Folders that hold release images, as `pack --from` names them. */
const FOLDER_OF_IMAGES = /^(?:oci|file|oc-mirror):/;

/** What is there is a bundle. */
async function asReference(text: string): Promise<string | undefined> {
  if (FOLDER_OF_IMAGES.test(text)) return text;
  const reference = parsed(text);
  if (reference === undefined || (await isThere(text))) return undefined;
  if (reference.tag !== undefined || reference.digest !== undefined) return text;
  throw new BundleError('NOT_FOUND', `there is no bundle ${text}, and it names no release image`, {
    hint: `Check the path; or add a tag or a digest: ${text}:TAG, ${text}@sha256:….`,
  });
}

function parsed(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch (error) {
    if (hasCode(error, 'USAGE')) return undefined;
    throw error;
  }
}
