import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { Options } from 'yargs';

import { ARCHITECTURES, parseArchitecture } from '../../kinds/release/architecture.ts';
import { BundleError } from '../../core/errors.ts';
import { DEFAULT_SIGNATURE_STORES } from '../../kinds/release/official.ts';
import { parseMirrorOption } from '../../mirrors/rules.ts';
import type { DeliveryRequest } from '../../delivering/deliver.ts';
import { parseDeliveryTarget } from '../../delivering/delivery-target.ts';
import type { ConnectionOptions, NetworkOptions } from '../../network/network.ts';
import type { OpenRequest } from '../../opening/open-bundle.ts';
import type { ReleaseRequest } from '../../workflows/pack.ts';
import { count, flag, requiredText, text, texts } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import type { Io } from '../io.ts';
import { inputPipe, PIPE } from '../pipes.ts';

type OptionTable = Readonly<Record<string, Options>>;

const one = (describe: string, more: Options = {}): Options => ({
  type: 'string',
  requiresArg: true,
  describe,
  ...more,
});
const many = (describe: string, more: Options = {}): Options => ({
  type: 'string',
  requiresArg: true,
  array: false,
  describe,
  ...more,
});
const yes = (describe: string): Options => ({ type: 'boolean', describe });

/** Every command takes these. */
export const commonOptions: OptionTable = {
  output: one('how the result is written to stdout', {
    choices: ['text', 'json'],
    default: 'text',
    group: 'Output:',
  }),
  progress: one('how progress is shown on stderr', {
    choices: ['auto', 'plain', 'json', 'none'],
    default: 'auto',
    group: 'Output:',
  }),
  'log-level': one('what is told on stderr', {
    choices: ['error', 'warn', 'info', 'debug'],
    default: 'info',
    group: 'Output:',
  }),
};

const authfileOption: OptionTable = {
  authfile: one('file with registry credentials, instead of the usual places', {
    alias: ['a', 'registry-config'],
    group: 'Registries:',
  }),
};

/** How hosts are reached, and what proves who they are. */
const connectionOptions: OptionTable = {
  'ca-file': many('PEM file of a certificate authority to trust as well (repeatable)', {
    group: 'Registries:',
  }),
  'cert-dir': one(
    'folder with HOST:PORT/*.crt, *.cert and *.key, or with such files for all registries',
    { group: 'Registries:' },
  ),
  'insecure-registry': many('HOST[:PORT] that may be spoken to without verified TLS (repeatable)', {
    group: 'Registries:',
  }),
};

export const loginOptions: OptionTable = { ...authfileOption, ...connectionOptions };

export const registryOptions: OptionTable = {
  ...authfileOption,
  ...connectionOptions,
  'registries-conf': one("file in the format of registries.conf, instead of this host's", {
    group: 'Registries:',
  }),
  concurrency: one('requests at a time', { default: '8', group: 'Registries:' }),
};

/** For commands that fetch a release. */
export const sourceOptions: OptionTable = {
  ...registryOptions,
  mirror: many('PREFIX=LOCATION: fetch PREFIX/… from LOCATION/…, digests unchanged (repeatable)', {
    group: 'Registries:',
  }),
  'idms-file': many(
    'file with ImageDigestMirrorSets, ImageTagMirrorSets or ImageContentSourcePolicies to fetch by (repeatable)',
    {
      alias: ['icsp-file', 'itms-file'],
      group: 'Registries:',
    },
  ),
};

/** For commands that have a registry on both sides. */
export const bothSidesOptions: OptionTable = {
  'src-authfile': one('credentials for the source alone', { group: 'Registries:' }),
  'dest-authfile': one('credentials for the target alone', { group: 'Registries:' }),
};

export const releaseKeyOption: OptionTable = {
  'release-key': many(
    'OpenPGP public key that releases may be signed with, beside the built-in ones (repeatable)',
    { group: 'Trust:' },
  ),
};

export const releaseOptions: OptionTable = {
  arch: one(`architecture: ${ARCHITECTURES.join(', ')}`, { default: 'x86_64' }),
  from: one(
    'where the release image is: REPOSITORY, a full reference, or oci:DIR (default quay.io/openshift-release-dev/ocp-release)',
  ),
  ...releaseKeyOption,
  'signature-store': many(
    'URL (http, https, file) with release signatures, instead of the official stores (repeatable)',
    {
      group: 'Trust:',
    },
  ),
  referrers: yes('also carry what refers to the images: signatures, attestations, SBOMs'),
  'allow-unsigned-release': {
    type: 'boolean',
    describe: 'go on when no signature proves the release; said in every report',
    group: 'Trust:',
  },
};

export const trustOptions: OptionTable = {
  'trusted-key': many('PEM public key of a signer to trust for this run (repeatable)', {
    group: 'Trust:',
  }),
  signatures: one('how many distinct trusted signers the bundle must have', { group: 'Trust:' }),
  ...releaseKeyOption,
  expect: one('the version that the bundle has to hold', { group: 'Trust:' }),
  'bundle-digest': one('the bundle digest that you were told by another way', { group: 'Trust:' }),
};

/** How repositories are called at a target. */
export const repositoryOptions: OptionTable = {
  'release-repository': one(
    'path of the repository for components (default NAMESPACE/openshift/release)',
  ),
  'release-images-repository': one(
    'path of the repository for release images (default NAMESPACE/openshift/release-images)',
  ),
  'max-nested-paths': one(
    'path components that the registry takes at most; the rest is joined with -',
  ),
};

export const deliveryOptions: OptionTable = {
  to: one('target: REGISTRY[/NAMESPACE], or oci:DIR for an image layout', { demandOption: true }),
  ...repositoryOptions,
  'replace-tags': yes('overwrite tags that name something else at the target'),
  'resources-dir': one('where the resources for the cluster are written', {
    default: './cluster-resources',
  }),
};

export const dryRunOption: OptionTable = { 'dry-run': yes('plan and check, and write nothing') };

export function connectionRequest(args: Arguments): ConnectionOptions {
  return {
    caFiles: texts(args, 'ca-file'),
    certificateFolder: text(args, 'cert-dir'),
    insecureRegistries: texts(args, 'insecure-registry'),
  };
}

export function networkRequest(args: Arguments): NetworkOptions {
  return {
    ...connectionRequest(args),
    authfile: text(args, 'authfile'),
    sourceAuthfile: text(args, 'src-authfile'),
    targetAuthfile: text(args, 'dest-authfile'),
    mirrors: texts(args, 'mirror').map(parseMirrorOption),
    registriesConf: text(args, 'registries-conf'),
    mirrorSetFiles: texts(args, 'idms-file'),
  };
}

export function releaseRequest(args: Arguments): ReleaseRequest {
  const stores = texts(args, 'signature-store').map(storeUrl);
  return {
    version: text(args, 'VERSION'),
    architecture: parseArchitecture(requiredText(args, 'arch')),
    from: text(args, 'from'),
    releaseKeyFiles: texts(args, 'release-key'),
    signatureStores: stores.length > 0 ? stores : DEFAULT_SIGNATURE_STORES,
    allowUnsignedRelease: flag(args, 'allow-unsigned-release'),
    referrers: flag(args, 'referrers'),
  };
}

/** @param io of a command that reads through once, so that a pipe will do. */
export function openRequest(args: Arguments, io?: Io): OpenRequest {
  const paths = texts(args, 'PATH');
  const isPiped = paths.includes(PIPE);
  const forFiles = ['partial', 'damage'].find((name) => args[name] !== undefined);
  if (isPiped && (io === undefined || forFiles !== undefined)) {
    throw new BundleError(
      'USAGE',
      `${forFiles === undefined ? 'this command' : `--${forFiles}`} needs files, not a pipe`,
    );
  }
  if (isPiped && paths.length > 1)
    throw new BundleError(
      'USAGE',
      'a pipe stands for a whole bundle: nothing can be named beside it',
    );
  return {
    paths,
    input: isPiped && io !== undefined ? inputPipe(io) : undefined,
    trustedKeyFiles: texts(args, 'trusted-key'),
    signatures: count(args, 'signatures'),
    releaseKeyFiles: texts(args, 'release-key'),
    expectedVersion: text(args, 'expect'),
    expectedDigest: text(args, 'bundle-digest'),
  };
}

export function deliveryRequest(args: Arguments): DeliveryRequest {
  return {
    to: parseDeliveryTarget(requiredText(args, 'to'), {
      releaseRepository: text(args, 'release-repository'),
      releaseImagesRepository: text(args, 'release-images-repository'),
      maxNestedPaths: count(args, 'max-nested-paths'),
    }),
    replaceTags: flag(args, 'replace-tags'),
    resourcesFolder: requiredText(args, 'resources-dir'),
    dryRun: flag(args, 'dry-run'),
  };
}

/** A folder that exists is as good as its file URL. */
function storeUrl(store: string): string {
  return !store.includes('://') && existsSync(store) ? pathToFileURL(resolve(store)).href : store;
}
