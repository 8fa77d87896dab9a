import { basename } from 'node:path';

import { volumeNames } from '../bundle/format/names.ts';
import { METADATA, type Fault } from '../bundle/reading/fault.ts';
import { volumesMissing } from '../bundle/reading/found-volumes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { BundleError } from '../core/errors.ts';
import { counted, few, optionWords } from '../core/text.ts';
import { imagesHitBy, imagesNeeding } from './audit.ts';
import { type Asked, commandOn, packCommand } from './commands.ts';
import type { SurveyedBundle } from './open-bundle.ts';

/** Where a damage map goes that nobody has named yet. */
export const DAMAGE_FILE = 'damage.json';

/** What is known of the damage of a bundle. */
export interface KnownDamage {
  readonly faults?: readonly Fault[];
  /** The file that lists what is damaged, if there is one. */
  readonly damageFile?: string | undefined;
}

/** What to do where images are damaged. */
export function copyOrPatch(
  asked: Asked,
  bundle: SurveyedBundle,
  { faults = [], damageFile, canPush = false }: KnownDamage & CanPush = {},
): string {
  const again = `${copyAgain(bundle, faults)}. ${canPush ? PUSH_WHOLE : ''}`;
  return `${again}${canPush ? 'If neither will do' : 'If that cannot be done'}, ${patchWay(asked, bundle, damageFile)}`;
}

/** Whether somebody who unpacks could push some images as they are. */
interface CanPush {
  readonly canPush?: boolean;
}

const PUSH_WHOLE = 'Or push the images that are whole now, with --partial. ';

/** Of a bundle in volumes only those in which damage was found. */
function copyAgain({ reader }: SurveyedBundle, faults: readonly Fault[]): string {
  const files = [...new Set(faults.filter(hasPlace).map(({ path }) => basename(path)))].toSorted();
  const isKnown = reader.volumeCount > 1 && files.length > 0;
  const what = isKnown ? few(files).join(', ') : 'the bundle';
  return `Copy ${what} again from the connected side, where it was packed`;
}

/** Whether a fault is known to be in the file that it names. */
function hasPlace({ start, end }: Fault): boolean {
  return end > start;
}

/**
 * What stands in the way of parts that cannot be derived, and how the others are pushed; nothing
 * where all can be.
 */
export function notDerived(asked: Asked, bundle: SurveyedBundle): string {
  const { closure, some, reader, labels } = bundle;
  if (closure !== undefined) return '';
  if (some === undefined && (reader.missingVolumes.includes(1) || !reader.hasMetadata)) {
    return (
      'Nothing can be unpacked, not even with --partial: manifests of the images are damaged or ' +
      'missing, and without them nothing proves which images belong to a release. '
    );
  }
  const lost = some === undefined ? labels : some.lost.map(({ label }) => label);
  const why =
    `${lost.join(' and ')} cannot be unpacked, not even with --partial: the damage is in the image ` +
    'that names all others: of a release, the release image. ';
  if (some === undefined) return why;
  const names = some.closure.parts.flatMap(({ names: all }) => all.at(-2) ?? []);
  const others = commandOn('unpack', asked, ...optionWords('release', names), '--partial');
  return `${why}This pushes the others:\n  ${others} --to REGISTRY/NAMESPACE\n`;
}

/** How a patch is made, from the middle of a sentence on. */
export function patchWay(asked: Asked, bundle: SurveyedBundle, damageFile?: string): string {
  const file = damageFile ?? DAMAGE_FILE;
  const list =
    damageFile === undefined
      ? 'make a patch. List here what is damaged:\n' +
        `  ${commandOn('verify', asked, '--damage', DAMAGE_FILE)}\n` +
        `Take ${file} to the connected side. There, pack what it lists`
      : `make a patch. Take ${file} to the connected side. There, pack what it lists`;
  return (
    `${list}, with the same mirrors, keys and signature options as the bundle:\n` +
    `  ${packCommand(bundle.reader.manifest, asked.kinds, file)}\n` +
    'Bring the patch here, and unpack both together:\n' +
    `  ${commandOn('unpack', asked, 'PATCH')} --to REGISTRY/NAMESPACE`
  );
}

/** Where images are as they should be, and other bytes are not. */
export function noImageDamaged(asked: Asked, bundle: SurveyedBundle): string {
  return `No image is damaged. ${repairWay(asked, bundle)}`;
}

/** The same for somebody who unpacks, before the layers are read. */
export function noImageKnownDamaged(asked: Asked, bundle: SurveyedBundle): string {
  return (
    'No image is damaged in what was read so far; the layers are read only when they are pushed. ' +
    `${repairWay(asked, bundle)}\n` +
    'Or push the images that prove to be whole, with --partial.'
  );
}

/** Volumes are written only where they are asked for again. */
function repairWay(asked: Asked, { reader }: SurveyedBundle): string {
  const form =
    reader.volumeCount === 1
      ? 'again as it was'
      : 'again, as one file; --volume-size cuts it into volumes';
  return `Write the whole bundle ${form}:\n  ${commandOn('repair', asked, '-o', 'FOLDER')}`;
}

/** Whether a fault or a missing volume is known to break an image. */
export async function breaksImages(
  bundle: SurveyedBundle,
  faults: readonly Fault[],
): Promise<boolean> {
  if (bundle.closure === undefined) return true;
  if (faults.some((fault) => imagesHitBy(fault, bundle).length > 0)) return true;
  return (await layersAbsent(bundle)).length > 0;
}

/** What is known to be damaged, whatever made it known. */
export type HasEntries = Pick<Fault, 'entries'>;

/**
 * Whether `--partial` has an image to push. One that waits for all others of its part is none where
 * something of the part is lost.
 */
export async function hasWholeImage(
  bundle: SurveyedBundle,
  faults: readonly HasEntries[],
): Promise<boolean> {
  const absent = (await layersAbsent(bundle)).map(({ digest }) => digest);
  const hit = [
    ...faults.flatMap((fault) => imagesHitBy(fault, bundle)),
    ...imagesNeeding(absent, bundle),
  ];
  const names = new Set(hit.map(({ name }) => name));
  const images = bundle.closure?.content.images ?? [];
  return images.some(({ name, order }) => order !== 'last' && !names.has(name));
}

/** Configs and layers that neither the bundle nor a patch has. */
async function layersAbsent({ reader, content }: SurveyedBundle): Promise<readonly Descriptor[]> {
  const absent: Descriptor[] = [];
  for (const layer of reader.layers) if (!(await content.exists(layer))) absent.push(layer);
  return absent;
}

/** What to do where a patch was given that does not hold all that is damaged. */
export function needsOtherPatch(
  asked: Asked,
  bundle: SurveyedBundle,
  {
    lacking,
    damageFile,
    canPush = false,
  }: KnownDamage & CanPush & { readonly lacking?: number } = {},
): string {
  const { patches } = bundle;
  const names = patches.map(({ reader }) => basename(reader.name)).join(' and ');
  const held = patches.reduce((total, { reader }) => total + reader.manifest.blobs.length, 0);
  const not =
    lacking === undefined
      ? 'not all that is damaged'
      : `not ${counted(lacking, 'other')} that ${lacking === 1 ? 'is' : 'are'} damaged`;
  return (
    `${names} ${patches.length === 1 ? 'holds' : 'hold'} ${counted(held, 'blob')} of this ` +
    `bundle, but ${not}: it was made for other damage. ` +
    copyOrPatch(asked, bundle, { damageFile, canPush })
  );
}

/**
 * The failure of volumes that are not there. A first volume whose manifests are useless counts as
 * missing, but that has been told as a fault.
 */
export function missingVolumesOf(
  { path, reader }: Pick<SurveyedBundle, 'path' | 'reader'>,
  faults: readonly Fault[],
): BundleError | undefined {
  const isToldOfFirst = faults.some(({ entries }) => entries.includes(METADATA));
  const missing = reader.missingVolumes.filter((number) => number > 1 || !isToldOfFirst);
  if (missing.length === 0) return undefined;
  return volumesMissing(basename(path), missing, reader.volumeCount);
}

/** What to do where volumes are not there: what they are needed for decides. */
export async function missingVolumesWay(
  asked: Asked,
  bundle: SurveyedBundle,
  { faults = [], damageFile }: KnownDamage = {},
): Promise<string> {
  const { reader, closure } = bundle;
  const all = faults.some(hasPlace)
    ? `${copyAgain(bundle, faults)}. Find ${missingNames(bundle)}, and name the folders of all volumes.`
    : 'Name the folders of all volumes.';
  const lost = reader.missingVolumes.length === 1 ? 'the volume is lost' : 'the volumes are lost';
  const orPatch = `If ${lost}, ${patchWay(asked, bundle, damageFile)}`;
  if (closure === undefined) {
    return `${all} ${notDerived(asked, bundle)}${orPatch}`;
  }
  const absent = await layersAbsent(bundle);
  if (absent.length === 0) return `${all} ${noImageDamaged(asked, bundle)}`;
  const digests = absent.map(({ digest }) => digest);
  const needing = imagesNeeding(digests, bundle).length;
  const { length: images } = closure.content.images;
  const others = (await hasWholeImage(bundle, faults))
    ? '; unpack --partial pushes the others'
    : '';
  return (
    `${all} ${needing} of ${counted(images, 'image')} cannot be unpacked without what is ` +
    `missing${others}. ${orPatch}`
  );
}

/** The files of the volumes that are not there. */
function missingNames({ path, reader }: SurveyedBundle): string {
  const names = volumeNames(basename(path), reader.volumeCount);
  return few(reader.missingVolumes.map((number) => names[number - 1]!)).join(', ');
}

/** What to do where everything that is damaged is in the patches that were given. */
export function patchHoldsAll(asked: Asked, bundle: SurveyedBundle): string {
  return (
    'What is damaged is in the patch that was given. This pushes the whole bundle:\n' +
    `  ${commandOn('unpack', asked, '--to', 'REGISTRY/NAMESPACE')}\n` +
    repairWay(asked, bundle)
  );
}

/** How many of some blobs no patch holds. */
export function notInPatches(
  { patches }: Pick<SurveyedBundle, 'patches'>,
  lost: readonly Digest[],
): number {
  const held = new Set(
    patches.flatMap(({ reader, damaged }) =>
      reader.layerDigests.filter((digest) => !damaged.has(digest)),
    ),
  );
  return lost.filter((digest) => !held.has(digest)).length;
}
