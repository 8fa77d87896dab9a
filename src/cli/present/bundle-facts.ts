import { hexOf } from '../../core/digest.ts';
import type { SurveyedBundle } from '../../opening/open-bundle.ts';

import { formatBytes } from '../units.ts';
import { partsJson } from './part-facts.ts';

/** The lines of a report about a bundle. */
export type BundleFacts = Pick<
  SurveyedBundle,
  'path' | 'size' | 'digest' | 'signer' | 'standing' | 'countersigners' | 'closure'
>;

type Facts = readonly (readonly [string, string | undefined])[];

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
    countersigned: 'not trusted here, but also signed by a key that is',
    unknown: 'NOT TRUSTED HERE: only the release signatures prove the content',
  };
  return [
    ['bundle', `${path} (${formatBytes(size)}, ${size} bytes)`],
    ['bundle digest', hexOf(digest)],
    ['signer', `${signer.id} (${signer.algorithm}), ${standings[standing]}`],
    [
      'also signed by',
      countersigners.length === 0
        ? undefined
        : countersigners.map(({ id, algorithm }) => `${id} (${algorithm})`).join(', '),
    ],
  ];
}

export function bundleJson({
  path,
  size,
  digest,
  signer,
  standing,
  countersigners,
  closure,
}: BundleFacts): object {
  return {
    path,
    size,
    digest: hexOf(digest),
    signer: { id: signer.id, algorithm: signer.algorithm, standing },
    countersigners: countersigners.map(({ id, algorithm }) => ({ id, algorithm })),
    parts: closure && partsJson(closure),
  };
}

/** How to make an unknown signer a known one. */
export function trustAdvice({ standing }: BundleFacts): string[] {
  if (standing !== 'unknown') return [];
  return [
    '',
    'The release signature proves the content; ' +
      'the signer of the bundle is not trusted on this host.',
    'To trust this signer, and to refuse bundles of other signers from then on:',
    '  bundle trust add KEY.pub',
    'KEY.pub is the public key that the packer gave you out of band, not on the medium.',
  ];
}
