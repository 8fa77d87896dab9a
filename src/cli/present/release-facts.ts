import { hexOf } from '../../core/digest.ts';
import type { ReleaseSignature } from '../../trust/release-signature.ts';
import type { SurveyedBundle } from '../../opening/open-bundle.ts';

import type { PlannedRelease } from '../../kinds/release/release.ts';
import { formatBytes } from '../units.ts';

/** What a report says of a bundle. */
export type BundleFacts = Pick<
  SurveyedBundle,
  'path' | 'size' | 'digest' | 'signer' | 'standing' | 'countersigners' | 'release'
>;

type Facts = readonly (readonly [string, string | undefined])[];

export function releaseFacts(release: PlannedRelease): Facts {
  const { images } = release.content;
  const number = (role: string): number => images.filter((image) => image.role === role).length;
  const attached = [
    [number('signature'), 'cosign signature images'],
    [number('referrer'), 'referrers'],
  ] as const;
  const listed = attached.flatMap(([count, what]) => (count > 0 ? [`, ${count} ${what}`] : []));
  const unchecked = listed.length > 0 ? ' (carried, not checked)' : '';
  return [
    ['release', `${release.version} for ${release.architecture}, made ${release.created}`],
    ['release image', release.reference],
    [
      'release signature',
      release.signatures.length === 0
        ? 'NONE: the release is not proven'
        : release.signatures.map(signatureText).join('; '),
    ],
    ['images', `1 release image, ${number('component')} components${listed.join('')}${unchecked}`],
  ];
}

export function bundleFacts({
  path,
  size,
  digest,
  signer,
  standing,
  countersigners,
}: BundleFacts): Facts {
  const standings = {
    trusted: 'trusted here',
    own: 'your own key',
    unknown: 'NOT KNOWN HERE: the content is proven by the release signature alone',
  };
  return [
    ['bundle', `${path} (${formatBytes(size)}, ${size} bytes)`],
    ['bundle digest', hexOf(digest)],
    ['signer', `${signer.id} (${signer.algorithm}), ${standings[standing]}`],
    [
      'signed as well by',
      countersigners.length === 0
        ? undefined
        : countersigners.map(({ id, algorithm }) => `${id} (${algorithm})`).join(', '),
    ],
  ];
}

export function releaseJson({
  version,
  architecture,
  digest,
  reference,
  created,
  signatures,
  content,
}: PlannedRelease): object {
  return {
    version,
    architecture,
    digest,
    reference,
    created,
    proven: signatures.length > 0,
    signatures: signatures.map(
      ({ digest: message, keyId, fingerprint, keyName, dockerReference, created: signed }) => ({
        digest: message,
        keyId,
        fingerprint,
        keyName,
        dockerReference,
        created: signed,
      }),
    ),
    images: content.images.map(({ name, role, descriptor, source, subject }) => ({
      name,
      role,
      digest: descriptor.digest,
      source,
      subject,
    })),
  };
}

export function bundleJson({
  path,
  size,
  digest,
  signer,
  standing,
  countersigners,
  release,
}: BundleFacts): object {
  return {
    path,
    size,
    digest: hexOf(digest),
    signer: { id: signer.id, algorithm: signer.algorithm, standing },
    countersigners: countersigners.map(({ id, algorithm }) => ({ id, algorithm })),
    release: release && releaseJson(release),
  };
}

/** How to make an unknown signer a known one. */
export function trustAdvice({ standing }: BundleFacts): string[] {
  if (standing !== 'unknown') return [];
  return [
    '',
    'Content proven by the release signature; packer not known here. To accept bundles of this packer only from now on:',
    '  bundle trust add KEY.pub',
    'with the key that the packer gave you by another way than the medium.',
  ];
}

function signatureText({ keyName, fingerprint, created }: ReleaseSignature): string {
  return `good, by ${keyName} (${fingerprint}), ${created.toISOString().slice(0, 10)}`;
}
