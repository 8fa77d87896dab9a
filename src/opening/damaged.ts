import { basename } from 'node:path';

import { METADATA, type Fault } from '../bundle/reading/fault.ts';
import { volumesMissing } from '../bundle/reading/found-volumes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { BundleError } from '../core/errors.ts';
import { counted } from '../core/text.ts';
import { imagesHitBy, imagesNeeding } from './audit.ts';
import { type Asked, commandOn, packCommand } from './commands.ts';
import type { SurveyedBundle } from './open-bundle.ts';

/** Where a damage map goes that nobody has named yet. */
export const DAMAGE_FILE = 'damage.json';

/**
 * What to do where images are damaged.
 * @param damageFile that lists what is damaged, if there is one.
 */
export function copyOrPatch(asked: Asked, bundle: SurveyedBundle, damageFile?: string): string {
  const before = 'Copy the bundle again from where it was made. If that cannot be done, ';
  return before + patchWay(asked, bundle, damageFile);
}

/** How a patch is made, from the middle of a sentence on. */
export function patchWay(asked: Asked, bundle: SurveyedBundle, damageFile?: string): string {
  const file = damageFile ?? DAMAGE_FILE;
  const list =
    damageFile === undefined
      ? 'make a patch. List here what is damaged:\n' +
        `  ${commandOn('verify', asked, '--damage', DAMAGE_FILE)}\n` +
        `Take ${file} to the connected side, and pack what it lists`
      : `make a patch: take ${file} to the connected side, and pack what it lists`;
  return (
    `${list}, with the same mirrors, keys and signature options as the bundle:\n` +
    `  ${packCommand(bundle.reader.manifest, asked.kinds, file)}`
  );
}

/** Where images are as they should be, and other bytes are not. */
export function noImageDamaged(asked: Asked, fact = 'No image is damaged.'): string {
  const repair = commandOn('repair', asked, '-o', 'FOLDER');
  return `${fact} This writes the bundle again as it was:\n  ${repair}`;
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
  { lacking, damageFile }: { lacking?: number; damageFile?: string | undefined } = {},
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
    `bundle, but ${not}: it was made for less damage. Copy the bundle again, or ` +
    patchWay(asked, bundle, damageFile)
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
  damageFile?: string,
): Promise<string> {
  const { reader, closure } = bundle;
  const all = 'Name the folders of all volumes.';
  const lost = reader.missingVolumes.length === 1 ? 'the volume is lost' : 'the volumes are lost';
  const orPatch = `If ${lost}, ${patchWay(asked, bundle, damageFile)}`;
  if (closure === undefined) {
    return (
      `${all} Without what is missing, nobody knows which images the releases have, so that ` +
      `nothing can be unpacked, not even with --partial. ${orPatch}`
    );
  }
  const absent = await layersAbsent(bundle);
  if (absent.length === 0) return `${all} ${noImageDamaged(asked)}`;
  const digests = absent.map(({ digest }) => digest);
  const needing = imagesNeeding(digests, bundle).length;
  const { length: images } = closure.content.images;
  return (
    `${all} ${needing} of ${counted(images, 'image')} cannot be had without what is ` +
    `missing; unpack --partial pushes what is complete. ${orPatch}`
  );
}

/** What to do where everything that is damaged is in the patches that were given. */
export function patchHoldsAll(asked: Asked): string {
  return (
    'What is damaged is in the patch that was given. This pushes the whole bundle:\n' +
    `  ${commandOn('unpack', asked, '--to', 'REGISTRY/NAMESPACE')}\n` +
    'This writes it again as it was:\n' +
    `  ${commandOn('repair', asked, '-o', 'FOLDER')}`
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
