import { basename, dirname } from 'node:path';

import { hexOf } from '../../core/digest.ts';
import { labelsOf } from '../../kinds/closure.ts';
import type { PackReport } from '../../packing/report.ts';
import { BUNDLE_SUFFIX, PATCH_SUFFIX } from '../../bundle/format/names.ts';
import { type Outcome, PARTLY_DONE } from '../command.ts';
import { formatBytes } from '../units.ts';
import { partsFacts, partsJson } from './part-facts.ts';
import { shellWord } from '../../core/text.ts';
import { columns, facts } from './table.ts';

/** Of a bundle that went into a pipe. */
export function pipedReport(report: PackReport): Outcome {
  const { size, bundleDigest, volumes, signer, closure } = report;
  const text = facts([
    ['packed', `into the pipe (${formatBytes(size)}, ${size} bytes)`],
    ['sha256 of the stream', volumes[0]?.digest && hexOf(volumes[0].digest)],
    ...partsFacts(closure),
    ['bundle digest', hexOf(bundleDigest)],
    ['signer', `${signer.id ?? ''} (${signer.algorithm})`],
  ]);
  return { text, json: json(report) };
}

export function packReport(report: PackReport): Outcome {
  const text = report.dryRun ? dryRunText(report) : packedText(report);
  return { text, json: json(report), ...(report.left > 0 && { status: PARTLY_DONE }) };
}

function packedText(report: PackReport): string {
  const { path, size, bundleDigest, signer, closure, kept, before, left } = report;
  const verify = `bundle verify ${shellWord(dirname(path))} --bundle-digest ${hexOf(bundleDigest)}`;
  const sums = shellWord(`${basename(path, BUNDLE_SUFFIX)}.sha256`);
  const checkSums = `(cd ${shellWord(dirname(path))} && sha256sum -c ${sums})`;
  return [
    facts([
      ['packed', `${path} (${formatBytes(size)}, ${size} bytes)`],
      ...volumeFacts(report),
      ['of an earlier run', keptText(kept)],
      ...partsFacts(closure),
      ['bundle digest', hexOf(bundleDigest)],
      ['signer', `${signer.id ?? ''} (${signer.algorithm})`],
    ]),
    '',
    ...(left > 0
      ? [
          `${left === 1 ? '1 volume is' : `${left} volumes are`} left to write: ` +
            'put in another medium, and run the same command again.',
          '',
        ]
      : []),
    'Write this on the form that travels with the medium, or tell the closed side out of band:',
    `  bundle digest  ${hexOf(bundleDigest)}`,
    `  signer         ${signer.id ?? ''}`,
    'Then unmount the medium, put it in again, and verify it. Without unmounting, ' +
      'the host reads the',
    'file from its memory, which proves nothing about the medium:',
    ...(path.endsWith(PATCH_SUFFIX)
      ? [
          `  ${checkSums}`,
          'On the closed side, use the patch together with the damaged bundle:',
          '  bundle unpack DAMAGED PATCH --to REGISTRY, or bundle repair DAMAGED PATCH -o DIR',
        ]
      : before + left > 0
        ? [
            `  ${checkSums}`,
            `When you have all volumes: ${verify}, with the folders of the other volumes.`,
          ]
        : [`  ${verify}`]),
  ].join('\n');
}

function volumeFacts({ volumes }: PackReport): readonly (readonly [string, string | undefined])[] {
  const [only, ...more] = volumes;
  if (more.length === 0 && only?.path.endsWith(BUNDLE_SUFFIX))
    return [['sha256 of the file', only.digest && hexOf(only.digest)]];
  return volumes.map(({ path, size, digest }) => {
    const sum = digest === undefined ? '' : `, sha256 ${hexOf(digest)}`;
    return ['volume', `${basename(path)} (${size} bytes)${sum}`];
  });
}

function keptText({ layers, bytes, finished }: PackReport['kept']): string | undefined {
  if (finished)
    return (
      'the bundle was finished already: every byte was re-read and is correct, ' +
      'nothing was fetched'
    );
  return layers === 0 ? undefined : `${layers} layers (${formatBytes(bytes)}) were kept`;
}

function dryRunText(report: PackReport): string {
  const { path, size, bundleDigest, signer, closure, space } = report;
  const isOne = closure.parts.length === 1;
  const images = closure.content.images.map((image) => [
    ...[image.name, image.descriptor.digest],
    ...(isOne ? [] : [labelsOf(image, closure).join(', ')]),
  ]);
  return [
    facts([
      ['would pack', path],
      ['size', `${size} bytes (${formatBytes(size)})`],
      ...volumeFacts(report),
      ['free space', space && `${space.free} bytes (${formatBytes(space.free)})`],
      ...partsFacts(closure),
      ['bundle digest', hexOf(bundleDigest)],
      [
        'signer',
        signer.id === undefined
          ? `a new key of your own (${signer.algorithm})`
          : `${signer.id} (${signer.algorithm})`,
      ],
    ]),
    '',
    columns(images),
    '',
    'Dry run: nothing was written.',
  ].join('\n');
}

function json({
  name,
  path,
  size,
  bundleDigest,
  volumes,
  before,
  left,
  signer,
  closure,
  space,
  kept,
  dryRun,
}: PackReport): object {
  return {
    dryRun,
    name,
    path,
    size,
    bundleDigest: hexOf(bundleDigest),
    fileDigest: volumes.length === 1 ? volumes[0]!.digest && hexOf(volumes[0]!.digest) : undefined,
    volumes: volumes.map((volume) => ({
      path: volume.path,
      size: volume.size,
      digest: volume.digest && hexOf(volume.digest),
    })),
    volumesBefore: before,
    volumesLeft: left,
    signer: { id: signer.id, algorithm: signer.algorithm },
    freeSpace: space?.free,
    kept,
    parts: partsJson(closure),
  };
}
