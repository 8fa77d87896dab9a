import { hexOf } from '../../core/digest.ts';
import { type Asked, commandOn } from '../../opening/commands.ts';
import type { PatchReport } from '../../workflows/inspect.ts';
import type { Outcome } from '../command.ts';
import { formatBytes } from '../units.ts';
import { bundleFacts, bundleJson, trustAdvice } from './bundle-facts.ts';
import { blobsText } from './bundle-report.ts';
import { partsText } from './shown.ts';

/**
 * What a patch alone is, and for which bundle.
 * @param asked what the command line said of the patch.
 */
export function patchReport(
  { patch, blobs, layers, layerBytes }: PatchReport,
  asked: Asked,
): Outcome {
  const { labels, repairs } = patch;
  const bundle = { ...patch, closure: undefined };
  // What was expected is the patch, and not the bundle.
  const { paths, kinds, trustedKeyFiles, signatures, releaseKeyFiles } = asked;
  const both = { paths: ['BUNDLE', ...paths], kinds, trustedKeyFiles, signatures, releaseKeyFiles };
  const unpacking = commandOn('unpack', both, '--to', 'REGISTRY/NAMESPACE');
  return {
    report: (screen) => [
      [
        {
          verdict: `A patch for ${partsText(labels)}: ${formatBytes(patch.size)}`,
          mood: 'good',
        },
      ],
      [
        {
          text: 'Compare the patch digest with the one that you got out of band. It is for a bundle:',
        },
        { hex: hexOf(repairs) },
        { text: 'Use it together with that bundle:' },
        { commands: [unpacking] },
      ],
      trustAdvice(bundle),
      [
        {
          facts: [
            ...bundleFacts(bundle, screen).map(
              ([label, ...fact]) => [label.replace('bundle', 'patch'), ...fact] as const,
            ),
            ['blobs', blobsText({ blobs, layers, layerBytes }, screen)],
            ['not hashed', 'the layers: unpack and repair do that'],
          ],
        },
      ],
    ],
    json: {
      patch: { ...bundleJson(bundle), repairs: hexOf(repairs), labels },
      ...{ blobs, layers, layerBytes },
    },
  };
}
