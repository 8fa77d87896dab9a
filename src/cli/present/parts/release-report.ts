import { counted } from '../../../core/text.ts';
import type { Part } from '../../../kinds/kind.ts';
import { KUBEVIRT } from '../../../kinds/release/payload/boot-images.ts';
import type { ReleaseFacts } from '../../../kinds/release/payload/release-image.ts';
import { formatReference } from '../../../core/reference.ts';
import type { PlannedImage } from '../../../transfer/image.ts';
import type { ReleaseSignature } from '../../../trust/release-signature.ts';
import type { Rows } from '../layout.ts';
import type { PartReport } from './part-report.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';

/** The lines of reports about a release. */
export const releaseReport: PartReport<ReleaseFacts> = { rows, brief, json };

function rows(
  { facts }: Part<ReleaseFacts>,
  images: readonly PlannedImage[],
  screen: Screen,
): Rows {
  const number = (role: string): number => images.filter((image) => image.role === role).length;
  const { version, architecture, created, reference, signatures } = facts;
  const made = screen.isVerbose ? created : created.slice(0, 'YYYY-MM-DD'.length);
  const disks = number(KUBEVIRT);
  const held = [
    ...['1 release image', counted(number('component'), 'component')],
    ...(disks > 0 ? [counted(disks, 'KubeVirt image')] : []),
  ];
  const attached = [
    [number('signature'), 'cosign signature image'],
    [number('referrer'), 'referrer'],
  ] as const;
  const carried = attached.flatMap(([count, what]) => (count > 0 ? [counted(count, what)] : []));
  return [
    ['release', `${version} for ${architecture}, made ${made}`],
    ['release image', shortened(reference, screen)],
    ...signatureRows(signatures, screen),
    ['images', held.join(', ')],
    ['KubeVirt image', facts.kubeVirt?.length === 0 ? 'NONE: the release names none' : undefined],
    [
      'not checked',
      carried.length === 0 ? undefined : `${carried.join(', ')}, carried as they are`,
    ],
  ];
}

function brief({ facts }: Part<ReleaseFacts>, screen: Screen): Rows {
  const { version, architecture, signatures } = facts;
  return [['release', `${version} for ${architecture}`], ...signatureRows(signatures, screen)];
}

function signatureRows(signatures: readonly ReleaseSignature[], screen: Screen): Rows {
  if (signatures.length === 0) return [['release signature', 'NONE: the release is not proven']];
  return signatures.map((signature) => ['release signature', signatureText(signature, screen)]);
}

function json({ facts }: Part<ReleaseFacts>): object {
  const { version, architecture, digest, reference, created, signatures, kubeVirt } = facts;
  return {
    ...{ version, architecture, digest, reference, created },
    ...(kubeVirt !== undefined && {
      kubeVirt: kubeVirt.map((image) => ({
        architecture: image.architecture,
        reference: formatReference(image.reference),
      })),
    }),
    proven: signatures.length > 0,
    signatures: signatures.map(
      ({ digest: message, keyId, fingerprint, keyName, dockerReference, created: signed }) => ({
        ...{ digest: message, keyId, fingerprint, keyName, dockerReference },
        created: signed,
      }),
    ),
  };
}

function signatureText(
  { keyName, fingerprint, created }: ReleaseSignature,
  { isVerbose }: Screen,
): string {
  const key = isVerbose ? `${keyName} (${fingerprint})` : keyName;
  return `good, by ${key}, ${created.toISOString().slice(0, 10)}`;
}
