import { dirname, resolve } from 'node:path';

import { withOcOptions } from '../../delivering/applying/oc-options.ts';
import type { ApplyReport } from '../../delivering/applying/request.ts';
import type { DeliveryReport } from '../../delivering/deliver.ts';
import type { DeliveredPart } from '../../delivering/delivered-parts.ts';
import type { MirrorReport } from '../../workflows/mirror.ts';
import type { ResourcesReport } from '../../delivering/resources/write.ts';
import type { ResourcesOutcome } from '../../workflows/resources.ts';
import type { Closure } from '../../kinds/closure.ts';
import type { CopyReport } from '../../transfer/copy-options.ts';
import type { ShownStep } from '../../kinds/resource-file.ts';
import type { UnpackReport } from '../../workflows/unpack.ts';
import { counted, few, folderText, formatBytes, leavesText, pathWord } from '../../core/text.ts';
import { type Outcome, PARTLY_DONE } from '../command.ts';
import { bundleFacts, bundleJson, trustAdvice } from './bundle-facts.ts';
import { clusterCommands, clusterSections } from './cluster/apply-report.ts';
import {
  completionSteps,
  dropsText,
  holesJson,
  holesText,
  missingWords,
  undoneWords,
} from './parts/holes.ts';
import type { Block, Report, Rows, Section } from './layout.ts';
import { offersText } from './parts/offers.ts';
import { partsBrief, partsFacts, partsJson } from './parts/part-facts.ts';
import { receiptRows, receiptSteps, writtenJson } from './receipts/receipt-report.ts';
import { signatureRows as imageSignatureRows, signaturesJson } from './parts/signature-facts.ts';
import type { Screen } from './screen.ts';
import { listed, partsText, shortened, size } from './shown.ts';

/** What somebody wrote on the command line, so that it can be said what to write next. */
export interface Asked {
  readonly paths: readonly string[];
  readonly isPiped: boolean;
  /** Options about trust, as words for a shell; and those that say where what goes. */
  readonly trust: readonly string[];
  /** Those of them that packing for the bundle needs, too. */
  readonly packing: readonly string[];
  readonly where: readonly string[];
  /** Options that change what is written for clusters, as `resources` takes them. */
  readonly names: readonly string[];
}

export function unpackReport(unpacked: UnpackReport, asked: Asked): Outcome {
  const { bundle, delivery } = unpacked;
  const { closure } = bundle;
  const isDamaged = lacksMoreThanHoles(unpacked);
  const bundleWords = asked.isPiped ? 'BUNDLE' : pathWord(asked.paths[0] ?? 'BUNDLE');
  return {
    report: (screen) => [
      [verdict(delivery, { done: 'Unpacked', planned: 'unpacked' })],
      warnings(delivery, screen),
      leftOut(delivery, screen),
      holesText(closure, screen),
      withheldText(delivery, closure),
      completionSteps(closure, [bundleWords], {
        pack: asked.packing,
        unpack: [...asked.where, ...asked.trust],
      }),
      isDamaged ? completingSteps(unpacked, asked) : [],
      ...clusterText(delivery, screen),
      nextSteps(delivery, renaming(delivery, asked), screen),
      receiptSteps(unpacked.receipt),
      trustAdvice(bundle),
      [
        {
          facts: [
            ...deliveryFacts(delivery, screen),
            ...receiptRows(unpacked.receipt),
            ...bundleFacts(bundle, screen),
            ...(screen.isVerbose ? partsFacts : partsBrief)(bundle.closure, screen),
          ],
        },
      ],
      planText(delivery, screen),
    ],
    json: {
      bundle: bundleJson(bundle),
      delivery: deliveryJson(delivery),
      receipt: writtenJson(unpacked.receipt),
    },
    ...partlyDone(delivery, closure),
  };
}

/** Whether something was left out, or the bundle has not all of it. */
function partlyDone({ copied }: DeliveryReport, closure: Closure): Pick<Outcome, 'status'> {
  const isPartial = (copied?.left.length ?? 0) > 0 || missingWords(closure) !== undefined;
  return isPartial ? { status: PARTLY_DONE } : {};
}

/** Whether images were left out that the bundle should have. */
function lacksMoreThanHoles({ delivery, bundle, missingVolumes }: UnpackReport): boolean {
  const { left = [], held = [] } = delivery.copied ?? {};
  if (left.length === 0) return false;
  if (missingVolumes.length > 0 || missingWords(bundle.closure) === undefined) return true;
  return left.some((name) => !held.includes(name));
}

/** The parts that nothing at the target names, since they are not whole. */
function withheldText({ parts, copied }: DeliveryReport, closure: Closure): Section {
  const withheld = parts.filter(({ isWhole }) => isWhole === false);
  if (withheld.length === 0 || missingWords(closure) === undefined) return [];
  const verb = copied === undefined ? 'Would be held back' : 'Held back';
  const them = withheld.length === 1 ? 'it' : 'them';
  return [
    {
      text:
        `${verb}: ${partsText(withheld.map(({ label }) => label))}. No tag names ` +
        `${them}, and the files for clusters do not have ${them}. ` +
        'Images that are whole are pushed.',
    },
  ];
}

export function mirrorReport({ closure, delivery, offers, signatures }: MirrorReport): Outcome {
  const isUndone = undoneWords(closure) !== undefined;
  const partly = isUndone ? { status: PARTLY_DONE } : partlyDone(delivery, closure);
  const isPartial = partly.status !== undefined;
  return {
    report: (screen) => [
      [verdict(delivery, { done: 'Mirrored', planned: 'mirrored' })],
      warnings(delivery, screen),
      leftOut(delivery, screen),
      holesText(closure, screen),
      dropsText(closure, screen),
      withheldText(delivery, closure),
      isPartial ? [{ text: RUN_AGAIN }] : [],
      ...clusterText(delivery, screen),
      nextSteps(delivery, SAME_COMMAND, screen),
      offersText(offers),
      [
        {
          facts: [
            ...deliveryFacts(delivery, screen),
            ...(screen.isVerbose ? partsFacts : partsBrief)(closure, screen),
            ...imageSignatureRows(signatures, screen),
          ],
        },
      ],
      planText(delivery, screen),
    ],
    json: {
      ...(offers !== undefined && { offers }),
      ...signaturesJson(signatures),
      ...{ parts: partsJson(closure), delivery: deliveryJson(delivery), holes: holesJson(closure) },
    },
    ...partly,
  };
}

const RUN_AGAIN =
  'Next, when the sources have what is missing, run the same command again. What is at the target ' +
  'already is not sent again.';

export function resourcesReport(outcome: ResourcesOutcome, asked: Known): Outcome {
  const { bundle, target, resources, cluster, selected } = outcome;
  const labels = partsText(bundle.closure.parts.map(({ label }) => label));
  const verdict =
    resources === undefined
      ? `Dry run: the files for clusters that get ${labels} from ${target} were not written`
      : `Wrote the files for clusters that get ${labels} from ${target}`;
  return {
    report: (screen) => [
      [{ verdict, mood: 'good' }],
      holesText(selected, screen),
      completionSteps(selected, [asked.isPiped ? 'BUNDLE' : pathWord(asked.paths[0] ?? 'BUNDLE')], {
        pack: asked.packing,
        unpack: ['--to', 'REGISTRY/NAMESPACE', ...asked.trust],
      }),
      ...clusterText(outcome, screen),
      nextSteps(outcome, renaming(outcome, asked), screen),
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
    json: {
      ...{ bundle: bundleJson(bundle), target, resources: resourcesJson(resources), cluster },
      ...(missingWords(selected) !== undefined && { holes: holesJson(selected) }),
    },
    ...(missingWords(selected) !== undefined && { status: PARTLY_DONE }),
  };
}

function deliveryJson(delivery: DeliveryReport): DeliveryReport {
  return { ...delivery, resources: resourcesJson(delivery.resources) };
}

/** For programs, which may work in another folder than the one that the command ran in. */
function resourcesJson(resources: ResourcesReport | undefined): ResourcesReport | undefined {
  if (resources === undefined) return undefined;
  const { files, stepsFile, signatures } = resources;
  return {
    ...resources,
    ...{ files: files.map((path) => resolve(path)), stepsFile: resolve(stepsFile) },
    ...(signatures !== undefined && {
      signatures: {
        ...signatures,
        folder: resolve(signatures.folder),
        registriesD: signatures.registriesD && resolve(signatures.registriesD),
      },
    }),
  };
}

function verdict(
  { parts, images, copied, target, content }: DeliveryReport,
  { done, planned }: { readonly done: string; readonly planned: string },
): Block {
  const labels = (some: readonly DeliveredPart[]): string =>
    partsText(some.map(({ label }) => label));
  if (copied === undefined) {
    return {
      verdict:
        `Dry run: ${labels(parts)} would be ${planned} to ${target}, ` +
        `at most ${formatBytes(content.bytes)} to upload. Nothing was written.`,
      mood: 'good',
    };
  }
  if (copied.left.length > 0 || parts.some(({ isWhole }) => isWhole === false)) {
    const whole = parts.filter(({ isWhole }) => isWhole);
    const lacking = parts.filter(({ isWhole }) => !isWhole);
    const left = new Set(copied.left);
    if (whole.length === 0 && images.every(({ name }) => left.has(name)))
      return {
        verdict: `No image is complete: ${labels(lacking)} cannot be used yet`,
        mood: 'warning',
      };
    const complete = whole.length === 0 ? '' : `; ${labels(whole)} complete`;
    return {
      verdict: `PARTLY DONE: ${labels(lacking)} ${lacking.length === 1 ? 'has' : 'have'} no tag${complete}`,
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

function clusterText({ cluster }: Pick<DeliveryReport, 'cluster'>, screen: Screen): Report {
  return cluster === undefined ? [] : clusterSections(cluster, screen);
}

/** How the files are written again for another name of the registry. */
type Renaming = Section;

const SAME_COMMAND: Renaming = [
  {
    text:
      'Run the same command again, and give --to the name by which nodes reach the registry. ' +
      'It prints the commands for the cluster. What is in the registry is not sent again.',
  },
];

/** What is needed of a command line to write the files again. */
type Known = Pick<Asked, 'paths' | 'isPiped' | 'trust' | 'packing' | 'names'>;

function renaming(
  { target }: { readonly target: string },
  { paths, isPiped, trust, names }: Known,
): Renaming {
  const path = isPiped ? '-' : paths.map(pathWord).join(' ');
  const to = target.replace(/^(docker:\/\/)?[^/]+/, 'REGISTRY');
  const command = ['bundle resources', path, '--to', to, ...names, ...trust].join(' ');
  return [
    {
      text:
        'Write them again for the name by which nodes reach the registry' +
        (isPiped ? ', and send the bundle through a pipe again. ' : '. ') +
        'This prints the commands for the cluster:',
    },
    { commands: [isPiped ? `PROGRAM | ${command}` : command] },
  ];
}

/**
 * What to do on a cluster. Nothing of it is ready to be typed where the files name the registry by
 * an address that means another machine there.
 */
function nextSteps(
  {
    target,
    resources,
    cluster,
    newer = [],
  }: Pick<DeliveryReport, 'target' | 'resources' | 'cluster'> & Partial<DeliveryReport>,
  again: Renaming,
  screen: Screen,
): Section {
  if (resources === undefined) return [];
  const { nextSteps: steps, notes, stepsFile } = resources;
  if (resources.isLoopback) {
    const { files } = resources;
    const folder = folderText(dirname(stepsFile));
    const verdict =
      `WARNING: ${target} is an address of this machine: no cluster can use the ` +
      `${counted(files.length, 'file')} for clusters that were written into ${folder}.`;
    return [{ verdict, mood: 'warning' }, ...again];
  }
  const left = cluster === undefined ? steps : stepsLeft(steps, cluster);
  const told = notes.map((text): Block => ({ text }));
  if (left.length === 0) return [...told, { text: `All about it is in ${stepsFile}.` }];
  const kinds = newer.map(({ kind }) => `newer ${kind}`).join(' and no ');
  const where = kinds === '' ? 'Next' : `Next, on a cluster that has no ${kinds} yet`;
  const updates = left.some(({ commands }) => commands.some(isUpdate));
  return [
    ...told,
    ...(updates ? [{ text: readFirst(stepsFile) }] : []),
    { text: `${where}${updates ? '' : ` (all of it is in ${stepsFile})`}:` },
    ...left.flatMap((step) => shownStep(step, screen)),
  ];
}

function readFirst(stepsFile: string): string {
  return (
    `Read ${stepsFile} first: it has what comes before the update (the pull secret, the ` +
    'certificate of the registry, what "oc adm upgrade" still asks for).'
  );
}

function isUpdate(command: string): boolean {
  return command.startsWith('oc adm upgrade ');
}

function shownStep({ condition, commands }: ShownStep, { isVerbose }: Screen): Section {
  const isLong = commands.length > SHOWN_COMMANDS && !isVerbose;
  const shown = isLong ? commands.slice(0, SHOWN_COMMANDS - 1) : commands;
  const more = commands.length - shown.length;
  return [
    ...(condition === undefined ? [] : [{ text: condition }]),
    ...(commands.length === 0 ? [] : [{ commands: shown }]),
    ...(more > 0 ? [{ text: `  and ${counted(more, 'more command')} in next-steps.txt` }] : []),
  ];
}

/** The steps for what was not applied, and the commands that update the cluster as it is. */
function stepsLeft(steps: readonly ShownStep[], cluster: ApplyReport): readonly ShownStep[] {
  const applied = (cluster.applied ?? []).map(({ file }) => file);
  const own = (command: string): string => withOcOptions(command, cluster.ocOptions);
  return steps.flatMap((step): readonly ShownStep[] => {
    const { commands, files } = step;
    if (commands.some(isUpdate)) {
      const isKnown = cluster.cluster.version !== undefined;
      const updates = isKnown ? clusterCommands(cluster) : commands.map(own);
      return updates.length === 0 ? [] : [{ ...step, commands: updates }];
    }
    if (files.length > 0 && files.every((file) => applied.includes(file))) return [];
    const isDone = (command: string): boolean => applied.some((file) => command.includes(file));
    return [{ ...step, commands: commands.filter((command) => !isDone(command)).map(own) }];
  });
}

/** How many images of each part were left out: for somebody who wants everything, which. */
function leftOut({ copied, images, parts }: DeliveryReport, screen: Screen): Section {
  const left = new Set(copied?.left);
  if (left.size === 0) return [];
  const rows = parts.flatMap(({ label }): Rows => {
    const own = images.filter((image) => image.parts.includes(label));
    const lacking = own.filter(({ name }) => left.has(name));
    if (lacking.length === 0) return [];
    const held = lacking.filter(({ name }) => copied?.held.includes(name));
    const broken = lacking.filter((image) => !held.includes(image));
    const of = counted(own.length, 'image');
    const waiting = held.length === 1 ? 'is held back' : 'are held back';
    const names = namesText(held, screen);
    const lines =
      broken.length === 0
        ? [`${held.length} of ${of} ${waiting}: ${names}`]
        : [
            `${broken.length} of ${of} ${broken.length === 1 ? 'needs' : 'need'} what is damaged ` +
              `or missing: ${namesText(broken, screen)}`,
            ...(held.length === 0 ? [] : [`${held.length} more ${waiting} with them: ${names}`]),
          ];
    return lines.map((line, at) => [at === 0 ? `  ${label}` : '', line]);
  });
  const all = screen.isVerbose ? '' : ' (--verbose lists all)';
  return [{ text: `Left out${all}:` }, { facts: rows }];
}

/** Signatures are called by the digests of what they sign: the others say more. */
function namesText(images: DeliveryReport['images'], screen: Screen): string {
  const names = images
    .toSorted((a, b) => Number(a.role === 'signature') - Number(b.role === 'signature'))
    .map(({ name }) => shortened(name, screen));
  const more = screen.isVerbose ? 0 : names.length - SHOWN_LEFT;
  return listed(more > 1 ? [...names.slice(0, SHOWN_LEFT), `${more} more`] : names);
}

const SHOWN_LEFT = 3;
/** Commands of one step: a set may bring dozens of charts. */
const SHOWN_COMMANDS = 8;
const DAMAGE_FILE = 'damage.json';

/** How to have the rest too. */
function completingSteps({ missingVolumes, patchCommand }: UnpackReport, asked: Asked): Section {
  const { isPiped } = asked;
  const paths = asked.paths.map(pathWord).join(' ');
  const trust = asked.trust.map((word) => ` ${word}`).join('');
  const again = `bundle unpack ${paths}`;
  const where = `${asked.where.join(' ')}${trust}`;
  if (isPiped) return [{ text: 'Next, send the stream again: what is at the target is kept.' }];
  const byPatch: Section = [
    {
      commands: [`bundle verify ${paths}${trust} --damage ${DAMAGE_FILE}`],
    },
    {
      text:
        `On the connected side, with ${DAMAGE_FILE} from here, and with the same mirrors, keys ` +
        'and signature options as the bundle:',
    },
    { commands: [patchCommand] },
    { text: 'Here, with the patch that it makes:' },
    { commands: [`${again} PATCH ${where}`] },
  ];
  const kept = 'What is at the target already is not sent again.';
  if (missingVolumes.length > 0) {
    return [
      { text: `Next, name the folders of all volumes. ${kept}` },
      { commands: [`${again} OTHER_FOLDERS ${where}`] },
      { text: 'If a volume is lost, list what it held, and make a patch:' },
      ...byPatch,
    ];
  }
  return [
    {
      text: `Next, copy the bundle again from where it was made, and run the same command. ${kept}`,
    },
    { text: 'If that cannot be done, list what is damaged, and make a patch:' },
    ...byPatch,
  ];
}

function deliveryFacts(
  { parts, content, copied, replacedTags, unreplacedTags, resources }: DeliveryReport,
  screen: Screen,
): Rows {
  const replaced = replacedTags.map((tag) => shortened(tag, screen));
  const unreplaced = unreplacedTags.map((tag): Rows[number] => [
    'not replaced',
    `${shortened(tag, screen)}, which names what it named before`,
  ]);
  if (copied === undefined) {
    const named = parts.flatMap((part) => part.named.map(({ tagged }) => tagged));
    return [
      ...named.map((tagged) => ['would go to', tagged] as const),
      ...replaced.map((tag) => ['would replace', tag] as const),
      ...unreplaced,
      [
        'upload',
        `at most ${leavesText(content.blobs)} (${size(content.bytes, screen)}): ` +
          'less if the target has some of it, which a dry run does not look up',
      ],
    ];
  }
  const { blobs, manifests, tags } = copied;
  return [
    ...parts.flatMap((part) => partRows(part, screen)),
    ['content', sentText(blobs, screen)],
    ...(screen.isVerbose
      ? ([
          ['manifests', `${manifests.pushed} pushed, ${manifests.skipped} there already`],
          ['tags', `${tags.set} set, ${tags.kept} correct already`],
        ] as const)
      : []),
    ...replaced.map((tag) => ['replaced', tag] as const),
    ...unreplaced,
    ...writtenRows(resources, screen),
  ];
}

/** What became of configs and layers, counted in each repository that needs them. */
function sentText(
  { pushed, pushedBytes, mounted, skipped }: CopyReport['blobs'],
  screen: Screen,
): string {
  return [
    `${leavesText(pushed)} pushed (${size(pushedBytes, screen)})`,
    ...(mounted === 0 ? [] : [`${mounted} copied within the registry`]),
    ...(skipped === 0 ? [] : [`${skipped} there already`]),
  ].join(', ');
}

/** The steps name the files that matter. */
function writtenRows(resources: ResourcesReport | undefined, screen: Screen): Rows {
  if (resources === undefined || screen.isVerbose) return writtenFacts(resources);
  const { files, stepsFile } = resources;
  return [
    ['written', `${counted(files.length, 'file')} in ${folderText(dirname(stepsFile))}`],
    ...signatureRows(resources),
  ];
}

function writtenFacts(resources: ResourcesReport | undefined): Rows {
  if (resources === undefined) return [];
  const { files } = resources;
  return [
    ...files.map((file, number) => [number === 0 ? 'written' : '', file] as const),
    ...signatureRows(resources),
  ];
}

function signatureRows({ signatures: written }: ResourcesReport): Rows {
  if (written === undefined) return [];
  const { folder, signatures, manifests, registriesD } = written;
  return [
    [
      'signatures',
      `${counted(signatures, 'signature')} of ${counted(manifests, 'manifest')} in ${folder}`,
    ],
    ['', registriesD],
  ];
}

function partRows({ isWhole, named }: DeliveredPart, screen: Screen): Rows {
  // The verdict says that nothing names it, and what is left out says why.
  if (isWhole !== true) return [];
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
  const which = images.length === 1 ? 'the image' : `each of ${images.length} images`;
  if (!isVerbose) return [{ text: `--verbose lists where ${which} goes.` }];
  return [{ table: { rows: images.map(({ name, destination }) => [name, destination]) } }];
}
