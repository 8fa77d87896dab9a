import type { DeliveredPart, DeliveryReport } from '../../delivering/deliver.ts';
import type { MirrorReport } from '../../workflows/mirror.ts';
import type { UnpackReport } from '../../workflows/unpack.ts';
import { type Outcome, PARTLY_DONE } from '../command.ts';
import { formatBytes, printable } from '../units.ts';
import { bundleFacts, bundleJson, trustAdvice } from './bundle-facts.ts';
import { partsFacts, partsJson } from './part-facts.ts';
import type { Rows } from './part-report.ts';
import { columns, facts } from './table.ts';

export function unpackReport({ bundle, delivery }: UnpackReport): Outcome {
  const rows = [...bundleFacts(bundle), ...partsFacts(bundle.closure), ...deliveryFacts(delivery)];
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

export function mirrorReport({ closure, delivery }: MirrorReport): Outcome {
  const text = [
    facts([...partsFacts(closure), ...deliveryFacts(delivery)]),
    ...planText(delivery),
    ...nextSteps(delivery),
  ].join('\n');
  return { text: printable(text), json: { parts: partsJson(closure), delivery } };
}

function deliveryFacts({ parts, copied, replacedTags, resources }: DeliveryReport): Rows {
  const replaced = replacedTags.length === 0 ? undefined : replacedTags.join(', ');
  if (copied === undefined) {
    const named = parts.flatMap((part) => part.named.map(({ tagged }) => tagged));
    return [
      ['would go to', named.join(', ')],
      ['would replace', replaced],
    ];
  }
  const { blobs, manifests, tags, left } = copied;
  const nothing = blobs.pushed + blobs.mounted + manifests.pushed + tags.set === 0;
  return [
    ...parts.flatMap(partRows),
    [
      'blobs',
      `${blobs.pushed} pushed (${formatBytes(blobs.pushedBytes)}), ${blobs.mounted} mounted, ` +
        `${blobs.skipped} there already`,
    ],
    ['manifests', `${manifests.pushed} pushed, ${manifests.skipped} there already`],
    ['tags', `${tags.set} set, ${tags.kept} correct already`],
    ['replaced', replaced],
    ['not complete', left.length === 0 ? undefined : left.join(', ')],
    [
      'result',
      left.length > 0
        ? partlyDone(parts)
        : nothing
          ? 'complete: everything was there already, nothing was uploaded'
          : 'complete',
    ],
    ['files written', resources?.files.join(', ')],
  ];
}

function partRows({ kind, label, isWhole, named }: DeliveredPart): Rows {
  if (isWhole !== true) return [[kind, `${label}: NO TAG, since a part of it is missing`]];
  return named.flatMap(({ tagged, pinned }): Rows => [
    [kind, tagged],
    ['by digest', pinned],
  ]);
}

function partlyDone(parts: readonly DeliveredPart[]): string {
  const whole = parts.filter(({ isWhole }) => isWhole);
  const missing = parts.filter(({ isWhole }) => !isWhole).map(({ label }) => label);
  const done = whole.length === 0 ? '' : `; ${whole.map(({ label }) => label).join(', ')} complete`;
  return `PARTLY DONE: ${missing.join(', ')} has no tag${done}`;
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
