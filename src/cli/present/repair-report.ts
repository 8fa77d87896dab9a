import { resolve } from 'node:path';

import { hexOf } from '../../core/digest.ts';
import { formatBytes, pathWord } from '../../core/text.ts';
import type { RepairReport } from '../../workflows/repair.ts';
import type { Outcome } from '../command.ts';
import type { Rows } from './layout.ts';
import { holesText } from './parts/holes.ts';
import { partsFacts, partsJson } from './parts/part-facts.ts';
import { labelsIn, partsText, size as sizeText } from './shown.ts';

/** @param trust options about trust, as they were typed: the commands after it need them too. */
export function repairReport(report: RepairReport, trust: readonly string[]): Outcome {
  const { path, volumes, size, bundleDigest, closure, faults, finished, was } = report;
  const repaired = [pathWord(volumes[0]?.path ?? path), ...trust].join(' ');
  const files = volumes.map((volume) => ({
    path: resolve(volume.path),
    size: volume.size,
    digest: hexOf(volume.digest),
  }));
  return {
    json: {
      path: resolve(path),
      size,
      bundleDigest: hexOf(bundleDigest),
      volumes: files,
      parts: partsJson(closure),
      ...{ faults, finished },
    },
    report: (screen) => [
      [
        {
          verdict: verdictOf(report),
          mood: 'good',
        },
      ],
      [
        { text: 'Next, check it where it will be used, and unpack it there:' },
        {
          commands: [
            `bundle verify ${repaired}`,
            `bundle unpack ${repaired} --to REGISTRY/NAMESPACE`,
          ],
        },
      ],
      holesText(closure, screen),
      [
        {
          facts: [
            ...volumes.flatMap(({ path: file, size: bytes, digest }): Rows => [
              ['file', file],
              ['size', sizeText(bytes, screen)],
              ['sha256', screen.isVerbose ? { hex: hexOf(digest) } : undefined],
            ]),
            ...partsFacts(closure, screen),
            ['bundle digest', { hex: hexOf(bundleDigest) }],
            ['', sameness(report)],
            ['written as', form(was, volumes.length)],
          ],
        },
      ],
    ],
  };
}

/** What was done; that nothing had to be is no repair. */
function verdictOf({ closure, size, finished, wasDamaged }: RepairReport): string {
  const what = partsText(labelsIn(closure));
  const bytes = formatBytes(size);
  if (finished)
    return `Nothing had to be written: ${what} was there already, every byte read again (${bytes})`;
  return wasDamaged
    ? `Repaired ${what}: ${bytes}, every blob hashed`
    : `Nothing was damaged: wrote ${what} once more, ${bytes}, every blob hashed`;
}

/** Volumes may be cut in another way; what is in them is the same. */
function sameness({ wasDamaged, was, volumes }: RepairReport): string {
  const since = wasDamaged ? 'as before the damage' : 'that of the bundle that was given';
  const isOneFile = was === 1 && volumes.length === 1;
  const what = isOneFile ? 'this file is the original' : 'the content is that of the original';
  return `${since}: ${what}, byte for byte`;
}

/** What is written has as many files as were asked for, whatever the damaged one had. */
function form(was: number, now: number): string | undefined {
  if (was === now) return undefined;
  const files = (count: number): string => (count === 1 ? 'one file' : `${count} volumes`);
  // Only who asks for volumes gets them: somebody may have taken them for granted.
  const way = now === 1 ? ' (--volume-size SIZE makes volumes again)' : '';
  return `${files(now)}; the bundle that was given had ${files(was)}${way}`;
}
