import { dirname } from 'node:path';

import { hexOf } from '../../core/digest.ts';
import type { PackReport } from '../../workflows/pack.ts';
import type { Outcome } from '../command.ts';
import { formatBytes } from '../units.ts';
import { releaseFacts, releaseJson } from './release-facts.ts';
import { columns, facts } from './table.ts';

export function packReport(report: PackReport): Outcome {
  return { text: report.dryRun ? dryRunText(report) : packedText(report), json: json(report) };
}

function packedText(report: PackReport): string {
  const { path, size, bundleDigest, fileDigest, signer, release, kept } = report;
  return [
    facts([
      ['packed', `${path} (${formatBytes(size)}, ${size} bytes)`],
      ['of an earlier run', keptText(kept)],
      ['sha256 of the file', fileDigest && hexOf(fileDigest)],
      ...releaseFacts(release),
      ['bundle digest', hexOf(bundleDigest)],
      ['signer', `${signer.id ?? ''} (${signer.algorithm})`],
    ]),
    '',
    'Write on the form that travels with the medium, or tell the other side by another way:',
    `  bundle digest  ${hexOf(bundleDigest)}`,
    `  signer         ${signer.id ?? ''}`,
    'Then unmount the medium, put it in again, and read it back. A read before that comes from memory and proves nothing about the medium:',
    `  bundle verify ${dirname(path)} --bundle-digest ${hexOf(bundleDigest)}`,
  ].join('\n');
}

function keptText({ layers, bytes, finished }: PackReport['kept']): string | undefined {
  if (finished) return 'it was finished already: every byte was read back and is right, nothing was fetched';
  return layers === 0 ? undefined : `${layers} layers (${formatBytes(bytes)}) were kept`;
}

function dryRunText({ path, size, bundleDigest, signer, release, space }: PackReport): string {
  const images = release.content.images.map(({ name, descriptor }) => [name, descriptor.digest] as const);
  return [
    facts([
      ['would pack', path],
      ['size', `${size} bytes (${formatBytes(size)})`],
      ['free space', `${space.free} bytes (${formatBytes(space.free)})`],
      ...releaseFacts(release),
      ['bundle digest', hexOf(bundleDigest)],
      ['signer', signer.id === undefined ? `a new key of your own (${signer.algorithm})` : `${signer.id} (${signer.algorithm})`],
    ]),
    '',
    columns(images),
    '',
    'Dry run: nothing was written.',
  ].join('\n');
}

function json({ path, size, bundleDigest, fileDigest, signer, release, space, kept, dryRun }: PackReport): object {
  return {
    dryRun,
    path,
    size,
    bundleDigest: hexOf(bundleDigest),
    fileDigest: fileDigest && hexOf(fileDigest),
    signer: { id: signer.id, algorithm: signer.algorithm },
    freeSpace: space.free,
    kept,
    release: releaseJson(release),
  };
}
