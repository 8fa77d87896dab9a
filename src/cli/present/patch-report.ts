import { formatBytes } from '../../core/text.ts';
import { hexOf } from '../../core/digest.ts';
import { type Asked, commandOn } from '../../opening/commands.ts';
import type { PatchReport } from '../../workflows/inspect.ts';
import type { Outcome } from '../command.ts';
import { bundleFacts, bundleJson, trustAdvice } from './bundle-facts.ts';
import { blobsText } from './bundle-report.ts';
import type { Rows } from './layout.ts';
import { partsText } from './shown.ts';

const COMPARE = 'compare it with the one that you got out of band';

/**
 * What a patch alone is, and for which bundle.
 * @param asked what the command line said of the patch.
 */
export function patchReport(
  { patch, bundleName, blobs, layers, layerBytes }: PatchReport,
  asked: Asked,
): Outcome {
  const { labels, repairs } = patch;
  const bundle = { ...patch, closure: undefined };
  // What was expected is the patch, and not the bundle.
  const { paths, kinds, trustedKeyFiles, signatures, releaseKeyFiles } = asked;
  const both = { paths: ['BUNDLE', ...paths], kinds, trustedKeyFiles, signatures, releaseKeyFiles };
  const commands = [
    commandOn('unpack', both, '--to', 'REGISTRY/NAMESPACE'),
    commandOn('repair', both, '-o', 'FOLDER'),
  ];
  return {
    report: (screen) => [
      [
        {
          verdict:
            `A patch, not a bundle: it mends a damaged bundle of ${partsText(labels)} ` +
            `(${formatBytes(patch.size)})`,
          mood: 'good',
        },
      ],
      [
        {
          text:
            'Use it together with that bundle, by its path in place of BUNDLE. unpack pushes what ' +
            'is in both; repair writes the whole bundle again:',
        },
        { commands },
        ...(releaseKeyFiles.length > 0
          ? []
          : [{ text: 'Add --release-key FILE to both, if the bundle needed it.' }]),
      ],
      [
        { text: `It is only for ${bundleName}, the one that has this bundle digest:` },
        { hex: hexOf(repairs) },
        { text: 'bundle inspect BUNDLE shows it.' },
      ],
      trustAdvice(bundle),
      [
        {
          facts: [
            ['mends', blobsText({ blobs, layers, layerBytes }, screen)],
            ...bundleFacts(bundle, screen).flatMap(([label, ...fact]): Rows => {
              const row = [label.replace('bundle', 'patch'), ...fact] as const;
              return label === 'bundle digest' ? [row, ['', COMPARE]] : [row];
            }),
            ['not hashed', 'the layers: unpack and repair do that'],
          ],
        },
      ],
    ],
    json: {
      patch: { ...bundleJson(bundle), repairs: hexOf(repairs), bundleName, labels },
      ...{ blobs, layers, layerBytes },
    },
  };
}
