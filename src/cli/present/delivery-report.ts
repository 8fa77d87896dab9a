import type { DeliveryReport } from '../../delivering/deliver.ts';
import type { MirrorReport } from '../../workflows/mirror.ts';
import type { UnpackReport } from '../../workflows/unpack.ts';
import { type Outcome, PARTLY_DONE } from '../command.ts';
import { formatBytes, printable } from '../units.ts';
import {
  bundleFacts,
  bundleJson,
  releaseFacts,
  releaseJson,
  trustAdvice,
} from './release-facts.ts';
import { columns, facts } from './table.ts';

export function unpackReport({ bundle, delivery }: UnpackReport): Outcome {
  const rows = [
    ...bundleFacts(bundle),
    ...releaseFacts(bundle.release),
    ...deliveryFacts(delivery),
  ];
  const text = [
    facts(rows),
    ...planText(delivery),
    ...trustAdvice(bundle),
    ...nextSteps(delivery),
  ].join('\n');
  const isPartial = (delivery.copied?.left.length ?? 0) > 0;
  return {
    text: printable(text),
    json: { bundle: bundleJson(bundle), delivery },
    ...(isPartial && { status: PARTLY_DONE }),
  };
}

export function mirrorReport({ release, delivery }: MirrorReport): Outcome {
  const text = [
    facts([...releaseFacts(release), ...deliveryFacts(delivery)]),
    ...planText(delivery),
    ...nextSteps(delivery),
  ].join('\n');
  return { text: printable(text), json: { release: releaseJson(release), delivery } };
}

function deliveryFacts({
  releaseImage,
  copied,
  replacedTags,
  resources,
}: DeliveryReport): readonly (readonly [string, string | undefined])[] {
  const replaced = replacedTags.length === 0 ? undefined : replacedTags.join(', ');
  if (copied === undefined)
    return [
      ['would go to', releaseImage.tagged],
      ['would replace', replaced],
    ];
  const { blobs, manifests, tags, left } = copied;
  const nothing = blobs.pushed + blobs.mounted + manifests.pushed + tags.set === 0;
  return [
    ...(left.length > 0
      ? [['release image', 'NOT PUSHED: not everything that it needs is there'] as const]
      : [
          ['release image', releaseImage.tagged] as const,
          ['by digest', releaseImage.pinned] as const,
        ]),
    [
      'blobs',
      `${blobs.pushed} pushed (${formatBytes(blobs.pushedBytes)}), ${blobs.mounted} mounted, ${blobs.skipped} there already`,
    ],
    ['manifests', `${manifests.pushed} pushed, ${manifests.skipped} there already`],
    ['tags', `${tags.set} set, ${tags.kept} right already`],
    ['replaced', replaced],
    ['left out', left.length === 0 ? undefined : left.join(', ')],
    [
      'result',
      left.length > 0
        ? 'PARTLY DONE: the release has no tag'
        : nothing
          ? 'everything was there already: nothing was uploaded'
          : 'complete',
    ],
    ['written', resources?.files.join(', ')],
  ];
}

function planText({ copied, images }: DeliveryReport): string[] {
  if (copied !== undefined) return [];
  return [
    '',
    columns(images.map(({ name, destination }) => [name, destination])),
    '',
    'Dry run: nothing was written.',
  ];
}

function nextSteps({ resources }: DeliveryReport): string[] {
  return resources === undefined ? [] : ['', ...resources.nextSteps];
}
