import { counted, formatBytes, leavesText } from '../../core/text.ts';
import type { Digest } from '../../core/digest.ts';
import type { InspectedImage, InspectReport } from '../../workflows/inspect.ts';
import type { VerifyReport } from '../../workflows/verify.ts';
import type { Closure } from '../../kinds/closure.ts';
import { type Outcome, PARTLY_DONE } from '../command.ts';
import { bundleFacts, bundleJson, trustAdvice } from './bundle-facts.ts';
import { statusOf } from './failure.ts';
import { completionSteps, holesText, missingWords } from './parts/holes.ts';
import { requiredJson, requiredText } from './parts/required.ts';
import type { Block, Rows, Section } from './layout.ts';
import { partsFacts } from './parts/part-facts.ts';
import { signatureRows, signaturesJson } from './parts/signature-facts.ts';
import type { Screen } from './screen.ts';
import { labelsIn, listed, partsText, shortened, size } from './shown.ts';

const LARGEST = 10;

/**
 * @param again the bundle, and options about trust, as words for a command line; none of a pipe.
 * @param packing options that packing for it needs, too.
 */
export function verifyReport(
  { bundle, blobs, bytes, signatures, required }: VerifyReport,
  again: readonly string[] = [],
  packing: readonly string[] = [],
): Outcome {
  return {
    report: (screen) => [
      [
        {
          verdict: `${goodWords(bundle.closure)}, every byte checked (${formatBytes(bundle.size)})`,
          mood: missingWords(bundle.closure) === undefined ? 'good' : 'warning',
        },
      ],
      holesText(bundle.closure, screen),
      requiredText(required, again, screen),
      again.length === 0
        ? []
        : completionSteps(bundle.closure, [again[0]!], {
            pack: packing,
            unpack: ['--to', 'REGISTRY/NAMESPACE', ...again.slice(1)],
          }),
      trustAdvice(bundle),
      again.length === 0
        ? []
        : [
            { text: pushText(bundle.closure, required) },
            { commands: [`bundle unpack ${again.join(' ')} --to REGISTRY/NAMESPACE`] },
          ],
      [
        {
          facts: [
            ...bundleFacts(bundle, screen),
            [
              'checked',
              `${counted(blobs, 'blob')} (${size(bytes, screen)}) hashed; all other bytes recomputed`,
            ],
            ...partsFacts(bundle.closure, screen),
            ...signatureRows(signatures, screen, bundle.closure.parts.length),
          ],
        },
      ],
    ],
    json: {
      result: missingWords(bundle.closure) === undefined ? 'good' : 'incomplete',
      ...{ bundle: bundleJson(bundle), blobs, bytes },
      ...requiredJson(required),
      ...signaturesJson(signatures),
    },
    ...(missingWords(bundle.closure) !== undefined && { status: PARTLY_DONE }),
  };
}

function pushText(closure: Closure, required: VerifyReport['required']): string {
  if (missingWords(closure) !== undefined) return PUSH_PART;
  return required.length === 0 ? PUSH : PUSH_REST;
}

const PUSH_REST =
  'Next, push it to the registry that has what it leaves out. If that is not there yet, name the ' +
  'bundle that has it beside this one:';
const PUSH = 'Next, push it to the registry that the clusters pull from:';
const PUSH_PART =
  'Next, push what is there to the registry that the clusters pull from. What lacks an image gets ' +
  'no tag until that is there:';

function goodWords(closure: Closure): string {
  const missing = missingWords(closure);
  const labels = partsText(labelsIn(closure));
  return missing === undefined
    ? `Good: ${labels}`
    : `GOOD, BUT NOT COMPLETE: ${missing} of ${labels}`;
}

export function inspectReport(inspected: InspectReport, all: boolean): Outcome {
  const { bundle, unknownKinds, images, blobs, layers, layerBytes, missing, faults } = inspected;
  return {
    report: (screen) => [
      [inspectVerdict(inspected), ...damageText(inspected)],
      bundle.closure === undefined ? [] : holesText(bundle.closure, screen),
      missingText(inspected, all, screen),
      trustAdvice(bundle),
      [
        {
          facts: [
            ...bundleFacts(bundle, screen),
            [
              'blobs',
              bundle.reader.tellsManifests
                ? `${blobs}: ${blobsText({ blobs, layers, layerBytes }, screen)}`
                : `${blobs}; which of them are manifests is in volume 1`,
            ],
            ['volumes', volumesText(bundle, missing.volumes)],
            ['not hashed', 'the layers: bundle verify does that'],
            ...(bundle.closure === undefined
              ? underived(inspected)
              : partsFacts(bundle.closure, screen)),
          ],
        },
      ],
      imagesText(inspected, all, screen),
    ],
    json: {
      ...{ bundle: bundleJson(bundle), labels: bundle.labels, faults, unknownKinds },
      ...{ blobs, layers, layerBytes, missing, images },
    },
    ...statusOfInspected(inspected),
  };
}

/** How many blobs of each sort there are. */
export function blobsText(
  { blobs, layers, layerBytes }: Pick<InspectReport, 'blobs' | 'layers' | 'layerBytes'>,
  screen: Screen,
): string {
  return listed([
    ...(blobs === layers ? [] : [counted(blobs - layers, 'manifest')]),
    `${leavesText(layers)} (${size(layerBytes, screen)})`,
  ]);
}

/** Damage is graver than what the bundle itself says that it lacks. */
function statusOfInspected({ bundle, failure }: InspectReport): Pick<Outcome, 'status'> {
  if (failure !== undefined) return { status: statusOf(failure) };
  return hasHoles(bundle) ? { status: PARTLY_DONE } : {};
}

function hasHoles({ reader }: InspectReport['bundle']): boolean {
  return (reader.manifest.holes ?? []).length > 0;
}

/** The faults, and what to do to know all of them. */
function damageText({ faults }: InspectReport): Section {
  if (faults.length === 0) return [];
  return [
    ...faults.map((fault): Block => ({ text: `  ${fault}` })),
    { text: 'bundle verify looks for more, names the images, and says what to do.' },
  ];
}

function inspectVerdict({ bundle, images, missing, faults }: InspectReport): Block {
  const { volumes } = missing;
  const { reader } = bundle;
  const lacking =
    volumes.length === 0
      ? ''
      : `; ${volumesNamed(volumes)} of ${bundle.reader.volumeCount} ${isOrAre(volumes)} MISSING`;
  return {
    verdict:
      `${partsText(bundle.labels)}: ${formatBytes(bundle.size)}, ` +
      imageCount(images) +
      (hasHoles(bundle) ? `; ${counted(reader.manifest.holes!.length, 'more')} MISSING` : '') +
      (faults.length === 0 ? '' : '; DAMAGED') +
      lacking,
    mood:
      volumes.length + faults.length > 0
        ? 'bad'
        : bundle.closure === undefined || hasHoles(bundle)
          ? 'warning'
          : 'good',
  };
}

/** Signatures and the like are no images to whoever counts those of a release. */
function imageCount(images: readonly InspectedImage[]): string {
  const attached = images.filter(({ subject }) => subject !== undefined);
  const own = counted(images.length - attached.length, 'image');
  if (attached.length === 0) return own;
  return attached.every(({ role }) => role === 'signature')
    ? `${own}, ${counted(attached.length, 'signature')}`
    : `${own}, ${counted(attached.length, 'signature or referrer', 'signatures and referrers')}`;
}

/** The largest images; or all of them, with their digests. */
function imagesText({ bundle, images }: InspectReport, all: boolean, screen: Screen): Section {
  // What the manifests would tell is not known, so no image is larger than another.
  if (bundle.closure === undefined && !all) return [];
  const listedImages = all
    ? images
    : [...new Map(images.toReversed().map((image) => [image.digest, image])).values()]
        .toReversed()
        .toSorted((a, b) => (b.ownSize ?? 0) - (a.ownSize ?? 0))
        .slice(0, LARGEST);
  const names = new Map(
    images.flatMap(({ digest, name, role }) =>
      role === 'referrer' ? [] : [[digest, name] as const],
    ),
  );
  const nameOf = (digest: Digest): string => names.get(digest) ?? digest;
  const label = ({ name, role, subject, artifactType }: InspectedImage): string =>
    role === 'referrer' && subject !== undefined
      ? `${artifactType ?? 'referrer'} of ${nameOf(subject)}`
      : name;
  const shown = (bytes: number | undefined): string =>
    bytes === undefined ? '' : formatBytes(bytes);
  // With a single part there is nothing to tell: all images are its own.
  const withParts = bundle.labels.length > 1;
  const rows = listedImages.map((image) => [
    shortened(label(image), screen),
    ...(all ? [shortened(image.digest, screen)] : []),
    ...[shown(image.size), shown(image.ownSize)],
    ...(withParts ? [image.parts.join(', ')] : []),
  ]);
  const heads = [
    ...['name', ...(all ? ['digest'] : []), 'size', 'own'],
    ...(withParts ? ['part'] : []),
  ];
  const text = all
    ? 'All images (own: what no other image needs):'
    : `The ${listedImages.length} largest, by what no other image needs ` +
      `(--images lists all ${images.length}):`;
  return [{ text }, { table: { heads, rows, cut: 0 } }];
}

/** The labels of the parts from `bundle.json`, for a bundle whose parts cannot be derived. */
function underived({
  bundle: { labels, some },
  unknownKinds,
  missing: { volumes: missing },
}: InspectReport): Rows {
  const lost = some?.lost.map(({ label }) => label);
  const why =
    unknownKinds.length > 0
      ? `NOT PROVEN: this program does not know the kind ${unknownKinds.join(', ')}`
      : `NOT PROVEN: what proves ${lost === undefined ? 'them' : listed(lost)} is ` +
        (missing.length === 0
          ? 'damaged'
          : `in ${volumesNamed(missing)}, which ${isOrAre(missing)} missing`);
  return [
    ['parts', labels.join(', ')],
    ['', why],
  ];
}

function volumesText(
  { reader }: InspectReport['bundle'],
  missing: readonly number[],
): string | undefined {
  if (reader.volumeCount === 1) return undefined;
  return missing.length === 0
    ? `all ${reader.volumeCount} are here`
    : `${reader.volumeCount}; ${volumesNamed(missing)} ${isOrAre(missing)} MISSING`;
}

function missingText(
  { bundle, missing: { volumes, images } }: InspectReport,
  all: boolean,
  screen: Screen,
): Section {
  if (volumes.length === 0) return [];
  const shown = all ? images : images.slice(0, LARGEST);
  const withParts = bundle.labels.length > 1;
  const rows = shown.map(({ name, parts }) => [
    `  ${shortened(name, screen)}`,
    ...(withParts ? [parts.join(', ')] : []),
  ]);
  const more = images.length - shown.length;
  if (images.length === 0) {
    return [
      {
        text: `No image needs what is in ${volumesNamed(volumes)}: only the end of the bundle is.`,
      },
    ];
  }
  return [
    {
      text:
        `${counted(images.length, 'image needs', 'images need')} what is in ` +
        `${volumesNamed(volumes)}:`,
    },
    { table: { rows, cut: 0 } },
    ...(more > 0 ? [{ text: `  and ${more} more (--images lists all)` }] : []),
    { text: volumes.length === 1 ? ELSEWHERE : ELSEWHERE_EACH },
  ];
}

const ELSEWHERE = 'If it is in another folder, name that, too.';
const ELSEWHERE_EACH = 'If they are in other folders, name these, too.';

/** `volume 2`, `volumes 2 and 4`. */
function volumesNamed(numbers: readonly number[]): string {
  return `volume${numbers.length === 1 ? '' : 's'} ${listed(numbers.map(String))}`;
}

function isOrAre(numbers: readonly number[]): string {
  return numbers.length === 1 ? 'is' : 'are';
}
