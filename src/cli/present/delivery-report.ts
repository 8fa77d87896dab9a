import { relative } from 'node:path';

import type { DeliveredPart, DeliveryReport } from '../../delivering/deliver.ts';
import type { MirrorReport } from '../../workflows/mirror.ts';
import type { ResourcesReport } from '../../delivering/resources/write.ts';
import type { ResourcesOutcome } from '../../workflows/resources.ts';
import type { UnpackReport } from '../../workflows/unpack.ts';
import { type Outcome, PARTLY_DONE } from '../command.ts';
import { few } from '../../core/text.ts';
import { formatBytes } from '../units.ts';
import { bundleFacts, bundleJson, trustAdvice } from './bundle-facts.ts';
import type { Block, Rows, Section } from './layout.ts';
import { offersText } from './parts/offers.ts';
import { partsFacts, partsJson } from './parts/part-facts.ts';
import type { Screen } from './screen.ts';
import { counted, listed, partsText, shortened, size } from './shown.ts';

export function unpackReport({ bundle, delivery }: UnpackReport): Outcome {
  const isPartial = (delivery.copied?.left.length ?? 0) > 0;
  return {
    report: (screen) => [
      [verdict(delivery, { done: 'Unpacked', planned: 'unpacked' })],
      [...warnings(delivery, screen), ...loopbackWarning(delivery.target, delivery.resources)],
      nextSteps(delivery.resources),
      trustAdvice(bundle),
      [
        {
          facts: [
            ...deliveryFacts(delivery, screen),
            ...bundleFacts(bundle, screen),
            ...partsFacts(bundle.closure, screen),
          ],
        },
      ],
      planText(delivery, screen),
    ],
    json: { bundle: bundleJson(bundle), delivery },
    ...(isPartial && { status: PARTLY_DONE }),
  };
}

export function mirrorReport({ closure, delivery, offers }: MirrorReport): Outcome {
  return {
    report: (screen) => [
      [verdict(delivery, { done: 'Mirrored', planned: 'mirrored' })],
      [...warnings(delivery, screen), ...loopbackWarning(delivery.target, delivery.resources)],
      nextSteps(delivery.resources),
      offersText(offers),
      [{ facts: [...deliveryFacts(delivery, screen), ...partsFacts(closure, screen)] }],
      planText(delivery, screen),
    ],
    json: { ...(offers !== undefined && { offers }), parts: partsJson(closure), delivery },
  };
}

export function resourcesReport({ bundle, target, resources }: ResourcesOutcome): Outcome {
  const labels = partsText(bundle.closure.parts.map(({ label }) => label));
  return {
    report: (screen) => [
      [
        {
          verdict: `Wrote the files for clusters that get ${labels} from ${target}`,
          mood: 'good',
        },
      ],
      loopbackWarning(target, resources),
      nextSteps(resources),
      trustAdvice(bundle),
      [
        {
          facts: [
            ...writtenFacts(resources),
            ...bundleFacts(bundle, screen),
            ...partsFacts(bundle.closure, screen),
          ],
        },
      ],
    ],
    json: { bundle: bundleJson(bundle), target, resources },
  };
}

function verdict(
  { parts, copied, target, content }: DeliveryReport,
  { done, planned }: { readonly done: string; readonly planned: string },
): Block {
  const labels = (some: readonly DeliveredPart[]): string =>
    partsText(some.map(({ label }) => label));
  if (copied === undefined) {
    return {
      verdict:
        `Dry run: ${labels(parts)} would be ${planned} to ${target}, ` +
        `${formatBytes(content.bytes)} at most. Nothing was written.`,
      mood: 'good',
    };
  }
  if (copied.left.length > 0) {
    const whole = parts.filter(({ isWhole }) => isWhole);
    const lacking = parts.filter(({ isWhole }) => !isWhole);
    const complete = whole.length === 0 ? '' : `; ${labels(whole)} complete`;
    return {
      verdict: `PARTLY DONE: ${labels(lacking)} has no tag${complete}`,
      mood: 'warning',
    };
  }
  const { blobs, manifests, tags } = copied;
  const nothing = blobs.pushed + blobs.mounted + manifests.pushed + tags.set === 0;
  const sent = nothing
    ? 'everything was there already, nothing was uploaded'
    : `complete, ${formatBytes(blobs.pushedBytes)} uploaded`;
  return { verdict: `${done} ${labels(parts)} to ${target}: ${sent}`, mood: 'good' };
}

function warnings({ newer }: DeliveryReport, { isVerbose }: Screen): Section {
  return newer.flatMap(({ target, kind, names }): Section => [
    { verdict: `WARNING: ${target} already holds a newer ${kind}:`, mood: 'warning' },
    ...(isVerbose ? names : few(names.toReversed())).map((name): Block => ({ text: `  ${name}` })),
    { text: 'A cluster that runs the newer one must not be taken back to the older one.' },
  ]);
}

function loopbackWarning(target: string, resources: ResourcesReport | undefined): Section {
  if (resources?.isLoopback !== true) return [];
  return [
    {
      verdict: `WARNING: ${target} is an address of this machine: no cluster can use these files.`,
      mood: 'warning',
    },
    { text: 'To write them for the name by which nodes reach the registry:' },
    { commands: ['bundle resources PATH --to REGISTRY/NAMESPACE'] },
  ];
}

function nextSteps(resources: ResourcesReport | undefined): Section {
  if (resources === undefined) return [];
  const { nextSteps: commands, notes, stepsFile } = resources;
  return [
    ...notes.map((text): Block => ({ text })),
    { text: `Next (all of it is in ${near(stepsFile)}):` },
    { commands },
  ];
}

/** As somebody types it in the folder that they are in. */
function near(path: string): string {
  const from = relative('', path);
  return from.startsWith('..') ? path : from;
}

function deliveryFacts(
  { parts, content, copied, replacedTags, resources }: DeliveryReport,
  screen: Screen,
): Rows {
  const replaced = replacedTags.map((tag) => shortened(tag, screen));
  if (copied === undefined) {
    const named = parts.flatMap((part) => part.named.map(({ tagged }) => tagged));
    return [
      ...named.map((tagged) => ['would go to', tagged] as const),
      ...replaced.map((tag) => ['would replace', tag] as const),
      [
        'upload',
        `${counted(content.blobs, 'blob')}, ${size(content.bytes, screen)}; ` +
          'less what the target has already',
      ],
    ];
  }
  const { blobs, manifests, tags, left } = copied;
  return [
    ...parts.flatMap((part) => partRows(part, screen)),
    [
      'blobs',
      `${blobs.pushed} pushed (${size(blobs.pushedBytes, screen)}), ${blobs.mounted} mounted, ` +
        `${blobs.skipped} there already`,
    ],
    ['manifests', `${manifests.pushed} pushed, ${manifests.skipped} there already`],
    ['tags', `${tags.set} set, ${tags.kept} correct already`],
    ...replaced.map((tag) => ['replaced', tag] as const),
    ['not complete', left.length === 0 ? undefined : listed(left)],
    ...writtenFacts(resources),
  ];
}

function writtenFacts(resources: ResourcesReport | undefined): Rows {
  return (resources?.files ?? []).map(
    (file, number) => [number === 0 ? 'written' : '', near(file)] as const,
  );
}

function partRows({ kind, label, isWhole, named }: DeliveredPart, screen: Screen): Rows {
  if (isWhole !== true) return [[kind, `${label}: NO TAG, since a part of it is missing`]];
  return named.flatMap(({ tagged, pinned }): Rows => [
    ['tag', tagged],
    [
      'by digest',
      screen.isVerbose ? pinned : shortened(pinned.slice(pinned.indexOf('@') + 1), screen),
    ],
  ]);
}

/** Where each image goes: for somebody who wants all of it. */
function planText({ copied, images }: DeliveryReport, { isVerbose }: Screen): Section {
  if (copied !== undefined) return [];
  if (!isVerbose) return [{ text: `--verbose lists where each of ${images.length} images goes.` }];
  return [{ table: { rows: images.map(({ name, destination }) => [name, destination]) } }];
}
