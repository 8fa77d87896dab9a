import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { Context } from '../../core/context.ts';
import { isDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { formatRepository, isTag } from '../../core/reference.ts';
import { type PartRequest, partRequest } from '../../kinds/kind.ts';
import {
  type Architecture,
  ARCHITECTURES,
  parseArchitecture,
} from '../../kinds/release/architecture.ts';
import { DEFAULT_SIGNATURE_STORES, OFFICIAL_RELEASES } from '../../kinds/release/official.ts';
import type { ReleaseRequest } from '../../kinds/release/request.ts';
import { flag, text, texts } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import { heldRequests } from './held.ts';
import { many, one, type OptionTable, yes } from './table.ts';
import { asksForUpdate, passedReleases, updatePathOptions } from './update-path.ts';

export const releaseKeyOption: OptionTable = {
  'release-key': many(
    'OpenPGP public key for release signatures, in addition to the built-in keys (repeatable)',
    { group: 'Trust:' },
  ),
};

/** Of a folder, all architectures are meant if none is named. */
const USUAL_ARCHITECTURE: Architecture = 'x86_64';

const signatureStoreOption: OptionTable = {
  'signature-store': many(
    'folder or URL (http, https, file) with release signatures, ' +
      'instead of the official stores (repeatable)',
    { group: 'Trust:' },
  ),
};

const unsignedOption: OptionTable = {
  'allow-unsigned-release': yes('continue if no signature proves a release; every report says so', {
    group: 'Trust:',
  }),
};

/** What proves a release image that is named. */
export const proofOptions: OptionTable = { ...signatureStoreOption, ...unsignedOption };

/** Which releases, from where, and what proves them. */
export const releaseOptions: OptionTable = {
  arch: many(
    `architecture: ${ARCHITECTURES.join(', ')}; for several, use commas or repeat the option ` +
      '(default x86_64)',
  ),
  from: one(
    'where the release image is: REPOSITORY, a full reference, oci:DIR, file:DIR as oc writes it, ' +
      'or oc-mirror:DIR (default quay.io/openshift-release-dev/ocp-release)',
  ),
  kubevirt: yes(
    'also carry the image that virtual machines of OpenShift Virtualization boot from as nodes, ' +
      'where a release names one',
  ),
  ...updatePathOptions,
  ...releaseKeyOption,
  ...signatureStoreOption,
  referrers: yes(
    'also carry what refers to the images beside signatures: attestations, SBOMs and all else',
  ),
  'no-signatures': yes('leave out the signatures of images, which are carried otherwise'),
  ...unsignedOption,
};

/**
 * What is carried beside images. @throws BundleError USAGE for all and nothing at once.
 */
export function attachedRequest(args: Arguments): {
  referrers: boolean;
  signatures: boolean;
  releaseKeyFiles: readonly string[];
} {
  const request = {
    referrers: flag(args, 'referrers'),
    signatures: !flag(args, 'no-signatures'),
    releaseKeyFiles: texts(args, 'release-key'),
  };
  if (!request.signatures && args['registries-d'] !== undefined) {
    throw new BundleError('USAGE', '--registries-d and --no-signatures exclude each other', {
      hint: 'The folder says where signatures are kept: with --no-signatures none are looked for.',
    });
  }
  if (request.signatures || !request.referrers) return request;
  throw new BundleError('USAGE', '--referrers and --no-signatures exclude each other', {
    hint:
      '--referrers carries all that refers to the images, signatures among it; ' +
      '--no-signatures carries nothing of it.',
  });
}

export const versionPositional = {
  VERSION: {
    type: 'string',
    array: true,
    describe: 'version of a release, for example 4.17.3, or sha256:DIGEST; one or several',
  },
} as const;

/**
 * The releases that a command line asks for: each version for each architecture, or all that an
 * update passes.
 * @throws BundleError USAGE
 */
export async function releaseParts(
  args: Arguments,
  context: Context,
): Promise<readonly PartRequest[]> {
  // Imported here and not at the start: a kind needs libraries that take time to load.
  const { releaseKind } = await import('../../kinds/release/release.ts');
  if (!asksForReleases(args)) return [];
  const versions = texts(args, 'VERSION');
  const architectures = texts(args, 'arch').flatMap((list) => list.split(','));
  const named = [...new Set(architectures.map(parseArchitecture))];
  const chosen = named.length > 0 ? named : [USUAL_ARCHITECTURE];
  if (asksForUpdate(args)) {
    return (await passedReleases(args, chosen, context)).map(({ expected, ...release }) =>
      partRequest(releaseKind, { ...releaseRequest(args, release), expected }),
    );
  }
  const held =
    versions.length === 0 ? await heldRequests(text(args, 'from'), named, context) : undefined;
  if (held !== undefined)
    return held.map((release) =>
      partRequest(releaseKind, { ...releaseRequest(args, release), ...release }),
    );
  const asked = versions.length === 0 ? [undefined] : versions;
  for (const version of versions) checkVersion(version);
  return [...new Set(asked)].flatMap((version) =>
    chosen.map((architecture) =>
      partRequest(releaseKind, releaseRequest(args, { version, architecture })),
    ),
  );
}

/**
 * Whether releases are asked for. Without a word of them something else may be wanted alone; else it
 * is missing that says which.
 * @throws BundleError USAGE for options about releases where none is asked for.
 */
function asksForReleases(args: Arguments): boolean {
  const isOtherwise = ['image', 'catalog', 'operator', 'chart'].some(
    (name) => args[name] !== undefined,
  );
  const isNamed = ['from', 'from-version', 'to-version'].some((name) => args[name] !== undefined);
  if (isNamed || texts(args, 'VERSION').length > 0 || !isOtherwise) return true;
  const idle = ['arch', 'kubevirt', 'allow-unsigned-release', 'accept-risk', 'channel'].find(
    (name) => args[name] !== undefined,
  );
  if (idle === undefined) return false;
  throw new BundleError('USAGE', `--${idle} is about releases, and none is asked for`, {
    hint: 'Name a version, or leave the option out.',
  });
}

/** @throws BundleError USAGE for what is neither a version nor a digest, or is a tag. */
function checkVersion(version: string): void {
  if (isDigest(version)) return;
  if (!isTag(version.replaceAll('+', '_'))) {
    throw new BundleError('USAGE', `${version} is neither a version nor a digest`, {
      expected: 'a version, such as 4.17.3, or sha256: and 64 lower-case hex digits',
      got: version,
      hint: 'Name the registry, or the folder of an image layout, with --from.',
    });
  }
  const ending = ARCHITECTURES.find((architecture) => version.endsWith(`-${architecture}`));
  if (ending === undefined) return;
  const plain = version.slice(0, -ending.length - 1);
  throw new BundleError('USAGE', `${version} is the tag of a release, not its version`, {
    hint: `Write ${plain} --arch ${ending}; or name the tag with --from REPOSITORY:${version}.`,
  });
}

function releaseRequest(
  args: Arguments,
  { version, architecture }: Pick<ReleaseRequest, 'version' | 'architecture'>,
): ReleaseRequest {
  const from = text(args, 'from');
  const byDigest = version !== undefined && isDigest(version);
  return {
    version: byDigest ? undefined : version,
    architecture,
    from: byDigest ? withDigest(from, version) : from,
    kubeVirt: flag(args, 'kubevirt'),
    ...proofRequest(args),
  };
}

/** What proves a release. @throws BundleError NOT_FOUND */
export function proofRequest(
  args: Arguments,
): Pick<ReleaseRequest, 'releaseKeyFiles' | 'signatureStores' | 'allowUnsignedRelease'> {
  const stores = texts(args, 'signature-store').map(storeUrl);
  return {
    releaseKeyFiles: texts(args, 'release-key'),
    signatureStores: stores.length > 0 ? stores : DEFAULT_SIGNATURE_STORES,
    allowUnsignedRelease: flag(args, 'allow-unsigned-release'),
  };
}

function withDigest(from: string | undefined, digest: string): string {
  if (from?.includes('@')) {
    throw new BundleError('USAGE', `--from names a digest already, and so does ${digest}`, {
      hint: 'Name the repository alone with --from.',
    });
  }
  return `${from ?? formatRepository(OFFICIAL_RELEASES)}@${digest}`;
}

/** A folder that exists is as good as its file URL. @throws BundleError NOT_FOUND */
function storeUrl(store: string): string {
  if (store.includes('://')) return store;
  if (existsSync(store)) return pathToFileURL(resolve(store)).href;
  throw new BundleError('NOT_FOUND', `--signature-store ${store}: no such folder`, {
    hint: 'Check the path; or give a URL that begins with https://, http:// or file:///.',
  });
}
