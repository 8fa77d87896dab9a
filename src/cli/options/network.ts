import { parseMirrorOption } from '../../mirrors/rules.ts';
import type { ConnectionOptions, NetworkOptions } from '../../network/network.ts';
import { text, texts } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import { many, one, type OptionTable } from './table.ts';

const group = 'Registries:';

const authfileOption: OptionTable = {
  authfile: one('file with registry credentials, instead of the usual places', {
    alias: ['a', 'registry-config'],
    group,
  }),
};

/** For commands that connect to nothing: what clusters shall trust. */
export const caFileOption: OptionTable = {
  'ca-file': many('PEM file of the CA of the registry, which clusters shall trust (repeatable)', {
    group,
  }),
};

/** How hosts are reached, and what proves who they are. */
export const connectionOptions: OptionTable = {
  'ca-file': many('PEM file of a CA to trust in addition to those of this host (repeatable)', {
    group,
  }),
  'cert-dir': one(
    'folder with HOST:PORT/*.crt, *.cert and *.key, or with such files for all registries',
    { group },
  ),
  'insecure-registry': many(
    'HOST[:PORT] that may use plain HTTP or a certificate that cannot be verified (repeatable)',
    {
      group,
    },
  ),
};

export const loginOptions: OptionTable = { ...authfileOption, ...connectionOptions };

export const registryOptions: OptionTable = {
  ...authfileOption,
  ...connectionOptions,
  'registries-conf': one(
    "main registries.conf, instead of this host's; drop-ins of registries.conf.d still count",
    { group },
  ),
  concurrency: one('requests at a time, at most (default 8 for layers, 32 for small requests)', {
    group,
  }),
};

/** For commands that fetch something. */
export const sourceOptions: OptionTable = {
  ...registryOptions,
  mirror: many(
    'PREFIX=LOCATION: fetch PREFIX/… from LOCATION/… instead; digests do not change (repeatable)',
    {
      group,
    },
  ),
  'idms-file': many(
    'file with ImageDigestMirrorSets, ImageTagMirrorSets or ImageContentSourcePolicies: ' +
      'fetch from their mirrors (repeatable)',
    { alias: ['icsp-file', 'itms-file'], group },
  ),
};

/** For commands that carry the signatures of images. */
export const lookasideOptions: OptionTable = {
  'registries-d': one(
    'folder with files like those in /etc/containers/registries.d, which say where signatures ' +
      'are kept beside registries (default: that of podman and skopeo)',
    { group },
  ),
};

/** For commands that have a registry on both sides. */
export const bothSidesOptions: OptionTable = {
  'src-authfile': one('auth file for the source only', { group }),
  'dest-authfile': one('auth file for the target only', { group }),
};

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
    registriesD: text(args, 'registries-d'),
    mirrorSetFiles: texts(args, 'idms-file'),
    helmRepositories: text(args, 'helm-repositories'),
  };
}
