import { basename } from 'node:path';

import {
  type DamageMap,
  formatDamageMap,
  MAX_DAMAGE_BYTES,
  parseDamageMap,
} from '../bundle/format/damage-map.ts';
import { type Fault, isDamage, PART_ROOT } from '../bundle/reading/fault.ts';
import type { Context } from '../core/context.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, gravest, hasCode } from '../core/errors.ts';
import { counted, leavesText } from '../core/text.ts';
import { refuseMissingFolder } from '../files/folder.ts';
import { refuseForeignFile } from '../files/foreign.ts';
import { isThere } from '../files/look.ts';
import { writeWhole } from '../files/write-whole.ts';
import { judgedSignatures, type SignatureFacts } from '../kinds/signatures/judged.ts';
import {
  copyOrPatch,
  missingVolumesOf,
  missingVolumesWay,
  needsOtherPatch,
  noImageDamaged,
  notDerived,
  notInPatches,
  patchHoldsAll,
} from '../opening/damaged.ts';
import { auditLayers, imagesHitBy } from '../opening/audit.ts';
import { type AuditedRequired, auditRequired } from '../opening/incomplete/audit-required.ts';
import { damageMapOf } from '../opening/damage.ts';
import {
  type OpenedFacts,
  type OpenRequest,
  surveyBundle,
  type SurveyedBundle,
} from '../opening/open-bundle.ts';

export interface VerifyRequest extends OpenRequest {
  /** Where the damage map is written, if the bundle is damaged. */
  readonly damageFile?: string | undefined;
}

/** The result of an audit without a fault; an audit that finds a fault throws. */
export interface VerifyReport {
  readonly bundle: OpenedFacts;
  /** Blobs that were hashed, and their bytes. */
  readonly blobs: number;
  readonly bytes: number;
  readonly signatures: SignatureFacts;
  /** What it leaves out, since earlier bundles have it. */
  readonly required: readonly AuditedRequired[];
}

/**
 * A damaged bundle has one fault or few; of a heap of them the first ones are events, and the
 * damage map has all.
 */
const MAX_TOLD = 20;
/** Exit statuses of what is wrong with a bundle, not with the run. */
const OF_BUNDLE: readonly number[] = [20, 21, 22];

/**
 * Audits a bundle: signer, listing, what proves its parts, closure, and every byte of the file. It
 * continues behind a fault, so that all of them are known in the end.
 * @throws BundleError the gravest of what was found, naming the entry and the images that need it.
 */
export async function verify(request: VerifyRequest, context: Context): Promise<VerifyReport> {
  const { damageFile } = request;
  if (damageFile !== undefined) await checkDamageFile(damageFile);
  const found: Fault[] = [];
  const onFault = (fault: Fault): void => {
    found.push(fault);
  };
  const bundle = await surveyBundle(request, context, onFault).catch((error: unknown): never => {
    if (damageFile !== undefined && isDamage(error))
      context.observe({ type: 'noticed', code: 'damage-map-impossible', path: damageFile });
    throw withFaults(error, found, context);
  });
  const { closure } = bundle;
  try {
    const audited = await auditLayers(bundle, onFault, context);
    const faults = withoutEcho(found);
    const failures = failuresOf(bundle, faults);
    if (failures.length > 0) {
      tellEach(failures, gravestOf(failures), context.observe);
      const { good, goodBytes, lost } = audited;
      const facts = { faults: failures.length, good, goodBytes, lost: lost.length };
      context.observe({ type: 'noticed', code: 'audit-failed', ...facts });
      const map = damageMapOf(bundle, { faults, lost });
      const listed = await writeDamageMap(damageFile, map, context);
      const isMended = isMendedByPatch(bundle, lost);
      const error = damagedBundle(bundle, { failures, map, isMended });
      const hint = await wayOut(bundle, { faults, lost }, { ...request, damageFile: listed });
      throw hint === undefined ? error : error.withHint(hint);
    }
    if (damageFile !== undefined && (await isThere(damageFile)))
      context.observe({ type: 'noticed', code: 'damage-map-left', path: damageFile });
    if (closure === undefined) throw new RangeError('a bundle without a fault has its manifests');
    const { manifests } = closure.content;
    const metadata = manifests.reduce((total, { descriptor }) => total + descriptor.size, 0);
    return {
      bundle: { ...bundle, closure },
      blobs: audited.good + manifests.length,
      bytes: audited.goodBytes + metadata,
      required: await auditRequired(bundle, context),
      signatures: await judgedSignatures(closure, async () => bundle.releaseKeys, context.now),
    };
  } finally {
    await bundle.close();
  }
}

/**
 * An audit takes long, so that a place for the damage map is refused before it. A file there may
 * be the bundle itself, or a key: only a damage map is replaced.
 * @throws BundleError USAGE, DISK
 */
async function checkDamageFile(path: string): Promise<void> {
  await refuseMissingFolder(path);
  const isOwn = (text: string): boolean => text === '' || isDamageMap(text, path);
  await refuseForeignFile({
    path,
    what: 'no damage map',
    limit: MAX_DAMAGE_BYTES,
    isOwn,
    other: 'file name',
  });
}

function isDamageMap(text: string, path: string): boolean {
  try {
    parseDamageMap(Buffer.from(text), path);
    return true;
  } catch (error) {
    if (hasCode(error, 'CONFIGURATION')) return false;
    throw error;
  }
}

/**
 * What ends the reading of a bundle does not undo the faults that were found before: the gravest
 * decides (docs/format.md, several faults).
 */
function withFaults(error: unknown, faults: readonly Fault[], { observe }: Context): unknown {
  const isOfBundle = error instanceof BundleError && OF_BUNDLE.includes(error.exitStatus);
  if (!isOfBundle || faults.length === 0) return error;
  const found = [...faults.map(toldOf), { error, text: error.message }];
  const worst = gravestOf(found);
  tellEach(found, worst, observe);
  return worst.withDetails([{ label: 'faults', items: found.map(({ text }) => text) }]);
}

/** A failure, and the sentence that says where it is too. */
interface Told {
  readonly error: BundleError;
  readonly text: string;
}

/** A fault, with its place and its size as far as its own words do not have them. */
function toldOf({ path, start, end, error }: Fault): Told {
  const { message, expected, got } = error;
  const hasPlace = message.includes(path) || end === start;
  const place = `${basename(path)}, ${counted(end - start, 'byte')} from byte ${start}: `;
  const untold = [
    ...(expected === undefined || message.includes(expected) ? [] : [`expected ${expected}`]),
    ...(got === undefined || message.includes(got) ? [] : [`got ${got}`]),
  ];
  const text = [hasPlace ? message : `${place}${message}`, ...untold].join(', ');
  return { error, text };
}

function gravestOf(found: readonly Told[]): BundleError {
  return gravest(found.map(({ error }) => error)) as BundleError;
}

/** For programs: people are told of them all when the run ends. */
function tellEach(found: readonly Told[], worst: BundleError, observe: Context['observe']): void {
  for (const { error, text: cause } of found.slice(0, MAX_TOLD))
    observe({ type: 'noticed', code: 'fault-found', cause, gravest: error === worst });
}

/** A part that could not be derived is no fault beside that of the blob which is the reason. */
function withoutEcho(faults: readonly Fault[]): readonly Fault[] {
  const isOfBlob = ({ entries }: Fault): boolean =>
    entries.some((entry) => entry.startsWith('blobs/'));
  if (!faults.some(isOfBlob)) return faults;
  return faults.filter(({ entries }) => !entries.includes(PART_ROOT));
}

function failuresOf(bundle: SurveyedBundle, faults: readonly Fault[]): readonly Told[] {
  const missing = missingVolumesOf(bundle, faults);
  const found = faults.map(toldOf);
  return missing === undefined ? found : [...found, { error: missing, text: missing.message }];
}

/**
 * The failure that an audit ends with: the verdict, then each fault once, and each image that one
 * of them breaks once.
 */
function damagedBundle(
  bundle: SurveyedBundle,
  {
    failures,
    map,
    isMended,
  }: {
    readonly failures: readonly Told[];
    readonly map: DamageMap;
    readonly isMended: boolean;
  },
): BundleError {
  const { path, reader, closure, labels } = bundle;
  const worst = gravestOf(failures);
  const { faults, missingImages, patch } = map;
  const images = [...faults.flatMap((fault) => fault.images), ...missingImages];
  const isOne = labels.length === 1;
  const names = [
    ...new Set(
      images
        .toSorted((a, b) => Number(isSignature(a.name)) - Number(isSignature(b.name)))
        .map(({ name, parts }) => (isOne ? name : `${name} (${parts.join(', ')})`)),
    ),
  ];
  const all = (closure?.content.images ?? reader.manifest.images).length;
  const lost = patch.blobs.length;
  const need = names.length === 1 ? 'needs' : 'need';
  const isOfManifests = patch.metadata && closure === undefined;
  const what =
    lost === 0 && isOfManifests
      ? `manifests in it are damaged, and ${names.length} of ${counted(all, 'image')} ${need} them`
      : lost === 0
        ? 'its manifests, configs and layers are good, but other bytes of the file are not'
        : `${lost} of ${blobsText(reader)} ${lost === 1 ? 'is' : 'are'} damaged or missing, ` +
          `and ${names.length} of ${counted(all, 'image')} ${need} ${lost === 1 ? 'it' : 'them'}`;
  const found = faults.length === 0 ? 'NOT COMPLETE' : 'DAMAGED';
  const flaw = isMended ? `${found}, but the patch given here mends all of it` : found;
  const { code, hint, expected, got, side } = worst;
  return new BundleError(code, `the bundle is ${flaw}: ${basename(path)}: ${what}`, {
    ...{ hint, expected, got, side, cause: worst },
    subject: names.length === 1 ? `image ${names[0]!}` : undefined,
    details: [
      { label: 'faults', items: failures.map(({ text }) => text) },
      ...(names.length === 0 ? [] : [{ label: 'images', items: names }]),
    ],
  });
}

/** Those that can be damaged one by one; without the first volume nobody knows the manifests. */
function blobsText({ tellsManifests, layers, manifest }: SurveyedBundle['reader']): string {
  return tellsManifests ? leavesText(layers.length) : counted(manifest.blobs.length, 'blob');
}

/** Signatures are called by the digests of what they sign: the others say more. */
function isSignature(name: string): boolean {
  return name.startsWith('sha256-');
}

/**
 * What to do about damage, which is known only when all of it is. A pipe cannot be read again, so
 * that it has to be sent again in any case.
 */
async function wayOut(
  bundle: SurveyedBundle,
  { faults, lost }: { readonly faults: readonly Fault[]; readonly lost: readonly Digest[] },
  request: VerifyRequest,
): Promise<string | undefined> {
  const { input, damageFile } = request;
  const { closure, isPatched } = bundle;
  if (input !== undefined) return undefined;
  const isUnharmed = faults.every((fault) => imagesHitBy(fault, bundle).length === 0);
  if (closure !== undefined && lost.length === 0 && isUnharmed)
    return noImageDamaged(request, bundle);
  if (isPatched) {
    const lacking = notInPatches(bundle, lost);
    return isMendedByPatch(bundle, lost)
      ? patchHoldsAll(request, bundle)
      : needsOtherPatch(request, bundle, { lacking, damageFile });
  }
  const isIncomplete = missingVolumesOf(bundle, faults) !== undefined;
  const known = { faults, damageFile };
  return isIncomplete
    ? missingVolumesWay(request, bundle, known)
    : notDerived(request, bundle) + copyOrPatch(request, bundle, known);
}

/** Whether the patches that were given hold all that is lost. */
function isMendedByPatch(bundle: SurveyedBundle, lost: readonly Digest[]): boolean {
  const { closure, isPatched } = bundle;
  return isPatched && closure !== undefined && notInPatches(bundle, lost) === 0;
}

/**
 * The faults decide the exit status, even if the damage map cannot be written.
 * @returns its path, if it was asked for and written.
 */
async function writeDamageMap(
  file: string | undefined,
  map: DamageMap,
  { observe }: Context,
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    await writeWhole(file, formatDamageMap(map));
    observe({ type: 'noticed', code: 'damage-map-written', path: file });
    return file;
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    observe({ type: 'noticed', code: 'damage-map-not-written', cause: error.message });
    return undefined;
  }
}
