import { basename, dirname, resolve } from 'node:path';

import { hexOf } from '../../../core/digest.ts';
import { labelsOf } from '../../../kinds/closure.ts';
import type { PackReport } from '../../../packing/report.ts';
import { BUNDLE_SUFFIX, PATCH_SUFFIX } from '../../../bundle/format/names.ts';
import { namesItsPart } from '../../../transfer/image.ts';
import { type Outcome, PARTLY_DONE } from '../../command.ts';
import { blobsText } from '../bundle-report.ts';
import {
  completionSteps,
  dropsText,
  holesJson,
  holesText,
  missingWords,
  undoneWords,
} from '../parts/holes.ts';
import { incrementJson, incrementText } from '../parts/increment.ts';
import type { Block, Rows, Section } from '../layout.ts';
import { offersText } from '../parts/offers.ts';
import { imagesOfPacker, packerAlone } from './packer-alone.ts';
import { partsBrief, partsFacts, partsJson } from '../parts/part-facts.ts';
import { signatureRows, signaturesJson } from '../parts/signature-facts.ts';
import {
  counted,
  exactBytes,
  folderText,
  formatBytes,
  leavesText,
  optionWords,
  pathWord,
} from '../../../core/text.ts';
import type { Screen } from '../screen.ts';
import { checking, labelsIn, partsText, shortened, size as sizeText } from '../shown.ts';

/** Options that a bundle cannot be verified without, where it was packed. */
export interface VerifyNeeds {
  readonly releaseKeyFiles: readonly string[];
  /** Whether the user's own key has signed, which is accepted here by itself. */
  readonly signedWith: 'own' | 'another';
}

/** What the commands need that a report of pack prints. */
export interface PackNeeds extends VerifyNeeds {
  /** Options that were given to pack, and that it needs again to complete the bundle. */
  readonly again: readonly string[];
}

/** Of a bundle that went into a pipe. */
export function pipedReport(
  report: PackReport,
  needs: Pick<VerifyNeeds, 'releaseKeyFiles'>,
): Outcome {
  const { size, volumes } = report;
  return {
    report: (screen) => [
      [
        {
          verdict: packedWords(
            report,
            `${whatOf(report)} into the pipe: ${formatBytes(size)}, signed`,
          ),
          mood: moodOf(report),
        },
      ],
      holesIn(report, screen),
      leftOut(report, screen),
      incrementText(report.increment, report.closure, screen),
      outOfBand(report),
      packerAlone(report.closure),
      keysToHand(needs),
      offersText(report.offers),
      [
        {
          facts: [
            ['stream', exactBytes(size)],
            ['sha256 of it', volumes[0]?.digest && { hex: hexOf(volumes[0].digest) }],
            ['signer', signerText(report, screen)],
            ...partsFacts(report.closure, screen),
            ...signatureRows(report.signatures, screen, report.closure.parts.length),
          ],
        },
      ],
    ],
    json: packJson(report),
    ...(undone(report) !== undefined && { status: PARTLY_DONE }),
  };
}

export function packReport(report: PackReport, needs: PackNeeds): Outcome {
  return {
    report: (screen) => (report.dryRun ? dryRun(report, screen) : packed(report, needs, screen)),
    json: packJson(report),
    ...((report.left > 0 || undone(report) !== undefined) && {
      status: PARTLY_DONE,
    }),
  };
}

function packed(report: PackReport, needs: PackNeeds, screen: Screen): readonly Section[] {
  const { path, size, kept, before, left, volumes } = report;
  const count = before + volumes.length + left;
  const inVolumes = count === 1 ? '' : `, ${counted(count, 'volume')}`;
  const what = `${whatOf(report)}: ${formatBytes(size)}, signed${inVolumes}`;
  return [
    left > 0
      ? [
          {
            verdict: `NOT COMPLETE: ${count - left} of ${count} volumes written, ${left} left`,
            mood: 'warning',
          },
          { text: what },
        ]
      : [{ verdict: packedWords(report, what), mood: moodOf(report) }],
    holesIn(report, screen),
    leftOut(report, screen),
    incrementText(report.increment, report.closure, screen),
    path.endsWith(PATCH_SUFFIX) ? patchSteps(report, needs) : checkSteps(report, needs),
    togetherSteps(report, needs),
    outOfBand(report),
    report.repairs === undefined ? packerAlone(report.closure) : [],
    keysToHand(needs),
    left > 0 || report.repairs !== undefined
      ? []
      : completionSteps(report.closure, bundlesOf(report).map(pathWord), {
          ...{ pack: needs.again, isPackedHere: true },
          unpack: [`--to REGISTRY/NAMESPACE${verifyOptions(report, needs)}`],
        }),
    offersText(report.offers),
    [
      {
        facts: [
          ...volumeFacts(report, screen),
          ['of an earlier run', screen.isVerbose ? keptText(kept) : undefined],
          ['signer', signerText(report, screen)],
          ...contentFacts(report, screen),
        ],
      },
    ],
  ];
}

/** What is in the files: of a patch, no more than it mends. */
function contentFacts({ closure, mends, signatures }: PackReport, screen: Screen): Rows {
  if (mends !== undefined)
    return [['mends', blobsText(mends, screen)], ...partsBrief(closure, screen)];
  return [
    ...partsFacts(closure, screen),
    ...signatureRows(signatures, screen, closure.parts.length),
  ];
}

/** What was packed; that something is missing comes first. */
function packedWords(report: PackReport, what: string): string {
  const missing = undone(report);
  const done = report.kept.finished ? `${FINISHED} ${what}` : `Packed ${what}`;
  return missing === undefined ? done : `NOT COMPLETE: ${missing}. ${done}`;
}

/** A bundle that is whole is only read: nobody may think that it was made anew. */
export const FINISHED = 'Already packed, every byte read again and good:';

/**
 * What is not in the bundle of all that was asked for: of a completion, what the first one has. A
 * patch has all that it was made for, whatever its bundle lacks.
 */
export function undone({ closure, completes, repairs }: PackReport): string | undefined {
  if (repairs !== undefined) return undefined;
  return (completes === undefined ? undoneWords : missingWords)(closure);
}

/** The images that the bundle lacks. */
function holesIn({ closure, repairs }: PackReport, screen: Screen): Section {
  return repairs === undefined ? holesText(closure, screen) : [];
}

export function leftOut({ closure, completes, repairs }: PackReport, screen: Screen): Section {
  return completes === undefined && repairs === undefined ? dropsText(closure, screen) : [];
}

/** What the bundle holds. */
export function whatOf({ closure, path, increment }: PackReport): string {
  const what = partsText(labelsIn(closure));
  if (path.endsWith(PATCH_SUFFIX)) return `a patch for ${what}`;
  return (increment?.total.blobs ?? 0) === 0 ? what : `an increment: ${what}`;
}

export function moodOf(report: PackReport): 'good' | 'warning' {
  if (undone(report) !== undefined) return 'warning';
  const named = report.closure.content.images.filter(namesItsPart);
  return named.every(({ proof }) => proof === 'publisher') ? 'good' : 'warning';
}

/** How what was written is checked: a host that has just written a file reads it from memory. */
export function checkFirst({
  isOnMedium = false,
  kept,
}: Pick<PackReport, 'isOnMedium' | 'kept'>): Block {
  if (isOnMedium) {
    const text =
      'Next, unmount the medium and mount it again: otherwise the host reads the file from its ' +
      'memory, which proves nothing about the medium. Then check it:';
    return { text };
  }
  const copy = 'unmount that, mount it again, and check the copy there';
  return {
    text: kept.finished
      ? `Next, copy it to a medium, ${copy}:`
      : `Next, check what was written. If you copy it to a medium, ${copy}, too:`,
  };
}

function checkSteps(report: PackReport, needs: VerifyNeeds): Section {
  const { path, before, left, volumes } = report;
  if (left > 0) {
    return [
      checkFirst(report),
      { commands: [sumsCommand(report)] },
      {
        text:
          `Then ${report.isOnMedium === true ? 'put in another medium, and ' : ''}run the same ` +
          `command again${report.isRestarted === true ? ' without --restart' : ''}: it writes ` +
          `volume ${before + volumes.length + 1}.`,
      },
    ];
  }
  const first = volumes[0]?.path ?? path;
  const folders = before > 0 ? ` OTHER_FOLDERS` : '';
  const verify = `bundle verify ${pathWord(first)}${folders}${verifyOptions(report, needs)}`;
  if (before === 0) return [checkFirst(report), { commands: [verify] }];
  return [
    checkFirst(report),
    { commands: [sumsCommand(report)] },
    { text: 'When you have all volumes, check them together:' },
    { commands: [verify] },
  ];
}

/** What `verify` needs here to accept this very bundle. */
export function verifyOptions({ path }: PackReport, needs: VerifyNeeds): string {
  const key = `${path.slice(0, -BUNDLE_SUFFIX.length)}.pub`;
  return [
    '',
    ...optionWords('release-key', needs.releaseKeyFiles),
    ...optionWords('trusted-key', needs.signedWith === 'own' ? [] : [key]),
  ].join(' ');
}

function sumsCommand({ path }: PackReport): string {
  return checking(dirname(path), `${basename(path, BUNDLE_SUFFIX)}.sha256`);
}

/** The bundle, after those that it completes. */
function bundlesOf({ path, completes = [], volumes }: PackReport): readonly string[] {
  return [...completes, volumes[0]?.path ?? path];
}

/** The bundle leaves out what others have: those that it completes, or that a site has got. */
function togetherSteps(report: PackReport, needs: VerifyNeeds): Section {
  const { completes = [], left, repairs, increment } = report;
  if (left > 0 || repairs !== undefined) return [];
  const commands = [unpackCommand(report, needs)];
  if (completes.length > 0) {
    const text = 'It completes an earlier bundle. On the closed side, unpack both together:';
    return [{ text }, { commands }];
  }
  if ((increment?.total.blobs ?? 0) === 0) return [];
  const text =
    'On the closed side, unpack it into the registry that has what it leaves out. If something is ' +
    'not there, unpack says so before it pushes anything:';
  return [{ text }, { commands }];
}

/** The command as it works here: another host may have the files elsewhere. */
export function unpackCommand(report: PackReport, needs: VerifyNeeds): string {
  const folders = report.before > 0 ? ' OTHER_FOLDERS' : '';
  const paths = bundlesOf(report).map(pathWord).join(' ');
  const options = verifyOptions(report, needs);
  return `bundle unpack ${paths}${folders} --to REGISTRY/NAMESPACE${options}`;
}

function patchSteps(report: PackReport, needs: VerifyNeeds): Section {
  const patch = pathWord(report.volumes[0]?.path ?? report.path);
  const options = verifyOptions(report, needs);
  return [
    checkFirst(report),
    { commands: [sumsCommand(report)] },
    {
      text:
        'On the closed side, use the patch together with the damaged bundle. unpack pushes what ' +
        'is in both; repair writes the whole bundle again:',
    },
    {
      commands: [
        `bundle unpack BUNDLE ${patch} --to REGISTRY/NAMESPACE${options}`,
        `bundle repair BUNDLE ${patch} -o FOLDER${options}`,
      ],
    },
  ];
}

/** What the closed side compares: in groups of digits, as they are written and read aloud. */
function outOfBand({ bundleDigest, repairs, signer }: PackReport): Section {
  const signedBy: Block[] = signer.id === undefined ? [] : hexBlock('signer', signer.id);
  const digests: Block[] =
    repairs === undefined
      ? hexBlock('bundle digest', hexOf(bundleDigest))
      : [
          ...hexBlock('patch digest', hexOf(bundleDigest)),
          ...hexBlock(
            'bundle digest of the damaged bundle, and of the repaired one',
            hexOf(repairs),
          ),
        ];
  const text = 'Tell the closed side out of band, not on the medium:';
  return [{ text }, ...digests, ...signedBy];
}

/** The closed side does not take the word of the packer for a release key. */
export function keysToHand({ releaseKeyFiles }: Pick<VerifyNeeds, 'releaseKeyFiles'>): Section {
  if (releaseKeyFiles.length === 0) return [];
  return [
    {
      text:
        `Hand over ${releaseKeyFiles.length === 1 ? 'this release key' : 'these release keys'} as ` +
        'well, not on the medium. On the closed side, verify, inspect, unpack, resources and ' +
        'others need --release-key FILE:',
    },
    ...releaseKeyFiles.map((file): Block => ({ text: `  ${file}` })),
  ];
}

function hexBlock(label: string, hex: string): Block[] {
  return [{ text: `  ${label}` }, { hex }];
}

function volumeFacts({ path, volumes }: PackReport, screen: Screen): Rows {
  const { isVerbose } = screen;
  return [
    ['folder', folderText(dirname(path))],
    ...volumes.flatMap(({ path: file, size, digest }): Rows => [
      ['file', `${basename(file)} (${sizeText(size, screen)})`],
      ['sha256', isVerbose && digest !== undefined ? { hex: hexOf(digest) } : undefined],
    ]),
  ];
}

export function keptText({ layers, bytes, finished }: PackReport['kept']): string | undefined {
  if (finished) return 'the bundle was finished already: nothing was fetched';
  return layers === 0
    ? undefined
    : `${leavesText(layers)} (${formatBytes(bytes)}) ${layers === 1 ? 'was' : 'were'} kept`;
}

export function signerText({ signer: { id, algorithm } }: PackReport, screen: Screen): string {
  if (id === undefined) return `a new key of your own (${algorithm})`;
  return `${shortened(id, screen)} (${algorithm})`;
}

function dryRun(report: PackReport, screen: Screen): readonly Section[] {
  const { path, size, bundleDigest, repairs, closure, space, volumes } = report;
  const count = volumes.length === 1 ? '' : ` in ${counted(volumes.length, 'volume')}`;
  return [
    [
      {
        verdict:
          `Dry run: ${whatOf(report)} would take ${formatBytes(size)}${count}. ` +
          'No bundle was written.',
        mood: moodOf(report),
      },
    ],
    [
      {
        facts: [
          ['would pack', volumes.length > 1 ? undefined : path],
          ['there already', thereText(report)],
          ['size', exactBytes(size)],
          ...(volumes.length > 1 ? volumeFacts(report, screen) : []),
          ['free space', space && exactBytes(space.free)],
          [repairs === undefined ? 'bundle digest' : 'patch digest', { hex: hexOf(bundleDigest) }],
          ['for the bundle', repairs && { hex: hexOf(repairs) }],
          ['signer', signerText(report, screen)],
          ...contentFacts(report, screen),
        ],
      },
    ],
    holesIn(report, screen),
    leftOut(report, screen),
    incrementText(report.increment, closure, screen),
    report.isIncompleteAllowed ? [{ text: BLOBS_LATER }] : [],
    repairs === undefined ? packerAlone(closure) : [],
    offersText(report.offers),
    imagesOf(report, screen),
  ];
}

function thereText({ there }: PackReport): string | undefined {
  if (there === undefined || there.paths.length === 0) return undefined;
  const [first, ...more] = there.paths.map((path) => basename(path));
  const files = more.length === 0 ? first! : `${first!} and ${more.length} more`;
  return there.isReplaced
    ? `${files}: replaced when the new one is whole`
    : `${files}: read again; only what it lacks is fetched`;
}

export const BLOBS_LATER =
  'Only the manifests of the images were fetched. Configs and layers are tried when the bundle is ' +
  'packed: more images may turn out to be missing then.';

function imagesOf({ closure }: PackReport, { isVerbose }: Screen): Section {
  const { images } = closure.content;
  if (!isVerbose) return [{ text: `--verbose lists all ${images.length} images.` }];
  const isOne = closure.parts.length === 1;
  const rows = images.map((image) => [
    ...[image.name, image.descriptor.digest],
    ...(isOne ? [] : [labelsOf(image, closure).join(', ')]),
  ]);
  return [{ table: { rows } }];
}

export function packJson({
  name,
  path,
  size,
  bundleDigest,
  repairs,
  volumes,
  before,
  left,
  signer,
  closure,
  space,
  kept,
  offers,
  signatures,
  increment,
  there,
  dryRun: isDryRun,
}: PackReport): object {
  return {
    dryRun: isDryRun,
    name,
    path: resolve(path),
    size,
    bundleDigest: hexOf(bundleDigest),
    ...(repairs !== undefined && { repairs: hexOf(repairs) }),
    fileDigest: volumes.length === 1 ? volumes[0]!.digest && hexOf(volumes[0]!.digest) : undefined,
    volumes: volumes.map((volume) => ({
      path: resolve(volume.path),
      size: volume.size,
      digest: volume.digest && hexOf(volume.digest),
    })),
    volumesBefore: before,
    volumesLeft: left,
    signer: { id: signer.id, algorithm: signer.algorithm },
    freeSpace: space?.free,
    kept,
    ...(offers !== undefined && { offers }),
    ...signaturesJson(signatures),
    ...incrementJson(increment, closure),
    parts: partsJson(closure),
    holes: holesJson(closure),
    ...(there !== undefined && { there: there.paths.map((file) => resolve(file)) }),
    packerAlone: imagesOfPacker(closure),
  };
}
