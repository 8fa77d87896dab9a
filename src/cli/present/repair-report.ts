import { hexOf } from '../../core/digest.ts';
import { shellWord } from '../../core/text.ts';
import type { RepairReport } from '../../workflows/repair.ts';
import type { Outcome } from '../command.ts';
import { formatBytes } from '../units.ts';
import type { Rows } from './layout.ts';
import { partsFacts, partsJson } from './parts/part-facts.ts';
import { labelsIn, partsText, size as sizeText } from './shown.ts';

/** @param trust options about trust, as they were typed: the commands after it need them too. */
export function repairReport(
  { path, volumes, size, bundleDigest, closure, faults, was }: RepairReport,
  trust: readonly string[],
): Outcome {
  const repaired = [shellWord(volumes[0]?.path ?? path), ...trust].join(' ');
  const files = volumes.map((volume) => ({
    path: volume.path,
    size: volume.size,
    digest: hexOf(volume.digest),
  }));
  return {
    json: {
      path,
      size,
      bundleDigest: hexOf(bundleDigest),
      volumes: files,
      parts: partsJson(closure),
      faults,
    },
    report: (screen) => [
      [
        {
          verdict:
            `Repaired ${partsText(labelsIn(closure))}: ${formatBytes(size)}, ` +
            'every blob hashed',
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
      [
        {
          facts: [
            ...files.flatMap(({ path: file, size: bytes, digest }): Rows => [
              ['file', file],
              ['size', sizeText(bytes, screen)],
              ['sha256', screen.isVerbose ? { hex: digest } : undefined],
            ]),
            ...partsFacts(closure, screen),
            ['bundle digest', { hex: hexOf(bundleDigest) }],
            ['', 'that of the damaged bundle: the content is the same to the byte'],
            ['written as', form(was, volumes.length)],
          ],
        },
      ],
    ],
  };
}

/** What is written has as many files as were asked for, whatever the damaged one had. */
function form(was: number, now: number): string | undefined {
  if (was === now) return undefined;
  const files = (count: number): string => (count === 1 ? 'one file' : `${count} volumes`);
  // Only who asks for volumes gets them: somebody may have taken them for granted.
  const way = now === 1 ? ' (--volume-size SIZE makes volumes again)' : '';
  return `${files(now)}; the damaged bundle had ${files(was)}${way}`;
}
