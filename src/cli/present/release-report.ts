import type { Part } from '../../kinds/kind.ts';
import type { ReleaseFacts } from '../../kinds/release/expand.ts';
import type { PlannedImage } from '../../transfer/image.ts';
import type { ReleaseSignature } from '../../trust/release-signature.ts';
import type { PartReport, Rows } from './part-report.ts';

/** The lines of reports about a release. */
export const releaseReport: PartReport<ReleaseFacts> = { rows, json };

function rows({ facts }: Part<ReleaseFacts>, images: readonly PlannedImage[]): Rows {
  const number = (role: string): number => images.filter((image) => image.role === role).length;
  const attached = [
    [number('signature'), 'cosign signature images'],
    [number('referrer'), 'referrers'],
  ] as const;
  const listed = attached.flatMap(([count, what]) => (count > 0 ? [`, ${count} ${what}`] : []));
  const unchecked = listed.length > 0 ? ' (carried, not checked)' : '';
  const { version, architecture, created, reference, signatures } = facts;
  return [
    ['release', `${version} for ${architecture}, made ${created}`],
    ['release image', reference],
    [
      'release signature',
      signatures.length === 0
        ? 'NONE: the release is not proven'
        : signatures.map(signatureText).join('; '),
    ],
    ['images', `1 release image, ${number('component')} components${listed.join('')}${unchecked}`],
  ];
}

function json({ facts }: Part<ReleaseFacts>): object {
  const { version, architecture, digest, reference, created, signatures } = facts;
  return {
    ...{ version, architecture, digest, reference, created },
    proven: signatures.length > 0,
    signatures: signatures.map(
      ({ digest: message, keyId, fingerprint, keyName, dockerReference, created: signed }) => ({
        ...{ digest: message, keyId, fingerprint, keyName, dockerReference },
        created: signed,
      }),
    ),
  };
}

function signatureText({ keyName, fingerprint, created }: ReleaseSignature): string {
  return `good, by ${keyName} (${fingerprint}), ${created.toISOString().slice(0, 10)}`;
}
