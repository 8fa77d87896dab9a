import type { Digest } from '../../core/digest.ts';
import type { InspectedImage, InspectReport } from '../../workflows/inspect.ts';
import type { VerifyReport } from '../../workflows/verify.ts';
import type { Outcome } from '../command.ts';
import { formatBytes, printable } from '../units.ts';
import { bundleFacts, bundleJson, trustAdvice } from './bundle-facts.ts';
import { partsFacts } from './part-facts.ts';
import type { Rows } from './part-report.ts';
import { columns, facts } from './table.ts';

const LARGEST = 10;
/** Enough of a digest to find it in the next column. */
const SHOWN_DIGEST = 'sha256:'.length + 12;

export function verifyReport({ bundle, blobs, bytes }: VerifyReport): Outcome {
  const text = [
    facts([
      ...bundleFacts(bundle),
      ...partsFacts(bundle.closure),
      [
        'checked',
        `every byte: ${blobs} blobs (${formatBytes(bytes)}) hashed; ` +
          'the bytes between them recomputed and compared',
      ],
      ['result', 'good'],
    ]),
    ...trustAdvice(bundle),
  ].join('\n');
  return {
    text: printable(text),
    json: { result: 'good', bundle: bundleJson(bundle), blobs, bytes },
  };
}

export function inspectReport(
  { bundle, unknownKinds, images, blobs, layerBytes, missing }: InspectReport,
  all: boolean,
): Outcome {
  const { closure } = bundle;
  const listed = all
    ? images
    : images.toSorted((a, b) => (b.ownSize ?? 0) - (a.ownSize ?? 0)).slice(0, LARGEST);
  const shown = (bytes: number | undefined): string =>
    bytes === undefined ? '' : formatBytes(bytes);
  const names = new Map(
    images.flatMap(({ digest, name, role }) =>
      role === 'referrer' ? [] : [[digest, name] as const],
    ),
  );
  const nameOf = (digest: Digest): string =>
    names.get(digest) ?? `${digest.slice(0, SHOWN_DIGEST)}…`;
  const label = ({ name, role, subject, artifactType }: InspectedImage): string =>
    role === 'referrer' && subject !== undefined
      ? `${artifactType ?? 'referrer'} of ${nameOf(subject)}`
      : name;
  // With a single part there is nothing to tell: all images are its own.
  const partsOf = ({ parts }: InspectedImage): string[] =>
    bundle.labels.length > 1 ? [parts.join(', ')] : [];
  const rows = listed.map((image) => [
    ...[label(image), image.digest, shown(image.size), shown(image.ownSize)],
    ...partsOf(image),
  ]);
  const heads = ['NAME', 'DIGEST', 'SIZE', 'OWN', ...(bundle.labels.length > 1 ? ['PART'] : [])];
  const text = [
    facts([
      ...bundleFacts(bundle),
      ...(closure === undefined ? underived(bundle, unknownKinds) : partsFacts(closure)),
      ['blobs', `${blobs}, layers ${formatBytes(layerBytes)}`],
      ['volumes', volumesText(bundle, missing.volumes)],
    ]),
    '',
    all ? 'images:' : `the ${listed.length} largest images (--images lists all ${images.length}):`,
    columns([heads, ...rows]),
    ...missingText(missing),
    '',
    'Signatures, listing and manifests were checked. Layers were not hashed; ' +
      'bundle verify does that.',
    ...trustAdvice(bundle),
  ].join('\n');
  return {
    text: printable(text),
    json: {
      ...{ bundle: bundleJson(bundle), labels: bundle.labels, unknownKinds },
      ...{ blobs, layerBytes, missing, images },
    },
  };
}

/** The labels of the parts from `bundle.json`, for a bundle whose parts cannot be derived. */
function underived({ labels }: InspectReport['bundle'], unknownKinds: readonly string[]): Rows {
  const why =
    unknownKinds.length > 0
      ? `NOT PROVEN: this program does not know the kind ${unknownKinds.join(', ')}`
      : 'NOT PROVEN: the manifests and signatures are in volume 1, which is missing';
  return [['parts', `${labels.join(', ')}: ${why}`]];
}

function volumesText(
  { reader }: InspectReport['bundle'],
  missing: readonly number[],
): string | undefined {
  if (reader.volumeCount === 1) return undefined;
  return missing.length === 0
    ? String(reader.volumeCount)
    : `${reader.volumeCount}, of which ${missing.join(', ')} MISSING`;
}

function missingText({ volumes, images }: InspectReport['missing']): readonly string[] {
  if (volumes.length === 0) return [];
  return [
    '',
    `volumes ${volumes.join(', ')} are missing. ${images.length} images need them:`,
    ...images.map(({ name, parts }) => `  ${name} (${parts.join(', ')})`),
  ];
}
