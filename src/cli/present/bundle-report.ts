import type { InspectReport } from '../../workflows/inspect.ts';
import type { VerifyReport } from '../../workflows/verify.ts';
import type { Outcome } from '../command.ts';
import { formatBytes, printable } from '../units.ts';
import { bundleFacts, bundleJson, releaseFacts, trustAdvice } from './release-facts.ts';
import { columns, facts } from './table.ts';

const LARGEST = 10;

export function verifyReport({ bundle, blobs, bytes }: VerifyReport): Outcome {
  const text = [
    facts([
      ...bundleFacts(bundle),
      ...releaseFacts(bundle.release),
      ['checked', `every byte: ${blobs} blobs (${formatBytes(bytes)}) hashed, everything between them computed and compared`],
      ['result', 'good'],
    ]),
    ...trustAdvice(bundle),
  ].join('\n');
  return { text: printable(text), json: { result: 'good', bundle: bundleJson(bundle), blobs, bytes } };
}

export function inspectReport({ bundle, images, blobs, layerBytes }: InspectReport, all: boolean): Outcome {
  const listed = all ? images : images.toSorted((a, b) => b.ownSize - a.ownSize).slice(0, LARGEST);
  const rows = listed.map(({ name, digest, size, ownSize }) => [name, digest, formatBytes(size), formatBytes(ownSize)] as const);
  const text = [
    facts([...bundleFacts(bundle), ...releaseFacts(bundle.release), ['blobs', `${blobs}, layers ${formatBytes(layerBytes)}`]]),
    '',
    all ? 'images:' : `the ${listed.length} largest images (--images lists all ${images.length}):`,
    columns([['NAME', 'DIGEST', 'SIZE', 'OWN'], ...rows]),
    '',
    'Signatures, listing and manifests were checked; layers were not read: bundle verify does that.',
    ...trustAdvice(bundle),
  ].join('\n');
  return { text: printable(text), json: { bundle: bundleJson(bundle), blobs, layerBytes, images } };
}
