import type { Digest } from '../../core/digest.ts';
import type { InspectedImage, InspectReport } from '../../workflows/inspect.ts';
import type { VerifyReport } from '../../workflows/verify.ts';
import type { Outcome } from '../command.ts';
import { formatBytes, printable } from '../units.ts';
import { bundleFacts, bundleJson, releaseFacts, trustAdvice } from './release-facts.ts';
import { columns, facts } from './table.ts';

const LARGEST = 10;
/** Enough of a digest to find it in the next column. */
const SHOWN_DIGEST = 'sha256:'.length + 12;

export function verifyReport({ bundle, blobs, bytes }: VerifyReport): Outcome {
  const text = [
    facts([
      ...bundleFacts(bundle),
      ...releaseFacts(bundle.release),
      [
        'checked',
        `every byte: ${blobs} blobs (${formatBytes(bytes)}) hashed, everything between them computed and compared`,
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
  { bundle, images, blobs, layerBytes, missing }: InspectReport,
  all: boolean,
): Outcome {
  const { release } = bundle;
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
  const rows = listed.map(
    (image) => [label(image), image.digest, shown(image.size), shown(image.ownSize)] as const,
  );
  const text = [
    facts([
      ...bundleFacts(bundle),
      ...(release === undefined ? UNDERIVED : releaseFacts(release)),
      ['blobs', `${blobs}, layers ${formatBytes(layerBytes)}`],
      ['volumes', volumesText(bundle, missing.volumes)],
    ]),
    '',
    all ? 'images:' : `the ${listed.length} largest images (--images lists all ${images.length}):`,
    columns([['NAME', 'DIGEST', 'SIZE', 'OWN'], ...rows]),
    ...missingText(missing),
    '',
    'Signatures, listing and manifests were checked; layers were not read: bundle verify does that.',
    ...trustAdvice(bundle),
  ].join('\n');
  return {
    text: printable(text),
    json: { bundle: bundleJson(bundle), blobs, layerBytes, missing, images },
  };
}

/** Without the first volume the release cannot be proven here. */
const UNDERIVED = [
  ['release', 'NOT PROVEN: its manifests and its signature are in volume 1'],
] as const;

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
    `volumes ${volumes.join(', ')} are missing, which hold something of ${images.length} images:`,
    ...images.map((name) => `  ${name}`),
  ];
}
