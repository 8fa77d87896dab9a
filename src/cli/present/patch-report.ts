import { hexOf } from '../../core/digest.ts';
import { counted } from '../../core/text.ts';
import type { PatchReport } from '../../workflows/inspect.ts';
import type { Outcome } from '../command.ts';
import { formatBytes } from '../units.ts';
import { bundleFacts, bundleJson, trustAdvice } from './bundle-facts.ts';
import { partsText, size } from './shown.ts';

/** What a patch alone is, and for which bundle. */
export function patchReport({ patch, blobs, layerBytes }: PatchReport): Outcome {
  const { labels, repairs } = patch;
  const bundle = { ...patch, closure: undefined };
  return {
    report: (screen) => [
      [
        {
          verdict: `A patch for ${partsText(labels)}: ${formatBytes(patch.size)}`,
          mood: 'good',
        },
      ],
      [
        { text: 'The patch digest is the one on the form that came with it. It is for a bundle:' },
        { hex: hexOf(repairs) },
        { text: 'Use it together with that bundle:' },
        { commands: ['bundle unpack BUNDLE PATCH --to REGISTRY'] },
      ],
      trustAdvice(bundle),
      [
        {
          facts: [
            ...bundleFacts(bundle, screen).map(
              ([label, ...fact]) => [label.replace('bundle', 'patch'), ...fact] as const,
            ),
            ['blobs', `${counted(blobs, 'blob')}, of which layers ${size(layerBytes, screen)}`],
            ['not hashed', 'the layers: unpack and repair do that'],
          ],
        },
      ],
    ],
    json: {
      patch: { ...bundleJson(bundle), repairs: hexOf(repairs), labels },
      ...{ blobs, layerBytes },
    },
  };
}
