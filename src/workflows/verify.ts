import { dirname, resolve } from 'node:path';

import { formatDamageMap, MAX_DAMAGE_BYTES, parseDamageMap } from '../bundle/format/damage-map.ts';
import { type Fault, PART_ROOT } from '../bundle/reading/fault.ts';
import type { Context } from '../core/context.ts';
import { BundleError, gravest, hasCode } from '../core/errors.ts';
import { shellWord } from '../core/text.ts';
import { refuseForeignFile } from '../files/foreign.ts';
import { isFolder } from '../files/look.ts';
import { writeWhole } from '../files/write-whole.ts';
import { copyOrPatch, missingVolumesOf } from '../opening/damaged.ts';
import { type Audited, auditLayers, imagesHitBy } from '../opening/audit.ts';
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
}

/**
 * A damaged bundle has one fault or few; of a heap of them the first ones are shown, and the damage
 * map has all.
 */
const SHOWN_FAULTS = 20;
/** A layer that all images share is needed by hundreds: the damage map has all of them. */
const SHOWN_IMAGES = 5;
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
    throw withFaults(error, found, context);
  });
  const { closure } = bundle;
  try {
    const audited = await auditLayers(bundle, onFault, context);
    const faults = withoutEcho(found);
    const failures = failuresOf(bundle, faults);
    if (failures.length > 0) {
      reportFailures(failures, audited, context);
      const damage = { faults, lost: audited.lost };
      const listed = await writeDamageMap(damageFile, bundle, damage, context);
      throw withWayOut(gravest(failures) as BundleError, bundle, audited, {
        ...request,
        damageFile: listed,
        isIncomplete: missingVolumesOf(bundle, faults) !== undefined,
      });
    }
    if (closure === undefined) throw new RangeError('a bundle without a fault has its manifests');
    const { manifests } = closure.content;
    const metadata = manifests.reduce((total, { descriptor }) => total + descriptor.size, 0);
    return {
      bundle: { ...bundle, closure },
      blobs: audited.good + manifests.length,
      bytes: audited.goodBytes + metadata,
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
  if (!(await isFolder(dirname(resolve(path))))) {
    throw new BundleError('DISK', `cannot write ${path}: its folder does not exist`, {
      hint: 'Create the folder first.',
    });
  }
  const isOwn = (text: string): boolean => text === '' || isDamageMap(text, path);
  await refuseForeignFile({ path, what: 'no damage map', limit: MAX_DAMAGE_BYTES, isOwn });
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
  const failures = [...faults.map((fault) => fault.error), error];
  tellFirst(failures, observe);
  return gravest(failures);
}

/** The gravest is what the run ends with: people are told of it then. */
function tellFirst(failures: readonly BundleError[], observe: Context['observe']): void {
  const last = gravest(failures);
  for (const failure of failures.slice(0, SHOWN_FAULTS)) {
    const { message: cause } = failure;
    observe({ type: 'noticed', code: 'fault-found', cause, gravest: failure === last });
  }
}

/** A part that could not be derived is no fault beside that of the blob which is the reason. */
function withoutEcho(faults: readonly Fault[]): readonly Fault[] {
  const isOfBlob = ({ entries }: Fault): boolean =>
    entries.some((entry) => entry.startsWith('blobs/'));
  if (!faults.some(isOfBlob)) return faults;
  return faults.filter(({ entries }) => !entries.includes(PART_ROOT));
}

function failuresOf(bundle: SurveyedBundle, faults: readonly Fault[]): readonly BundleError[] {
  const missing = missingVolumesOf(bundle, faults);
  const found = faults.map((fault) => aboutImages(fault, bundle));
  return missing === undefined ? found : [...found, missing];
}

/** Where there are several parts, an image is called by its own as well. */
function aboutImages(fault: Fault, bundle: SurveyedBundle): BundleError {
  const images = imagesHitBy(fault, bundle);
  const { error } = fault;
  if (images.length === 0) return error;
  const isOne = bundle.labels.length === 1;
  const names = images.map(({ name, parts }) => (isOne ? name : `${name} (${parts.join(', ')})`));
  if (names.length === 1) return error.about(`image ${names[0]!}`);
  // Signatures are called by the digests of what they sign: the others say more.
  const told = names.toSorted((a, b) => Number(isSignature(a)) - Number(isSignature(b)));
  const more = names.length - SHOWN_IMAGES;
  const shown = more > 1 ? [...told.slice(0, SHOWN_IMAGES), `${more} more`] : told;
  const { code, message, hint, expected, got, side } = error;
  return new BundleError(
    code,
    `${message}; ${names.length} images need that: ${shown.join(', ')}`,
    {
      ...{ hint, expected, got, side, cause: error },
      subject: `images ${shown.join(', ')}`,
    },
  );
}

function isSignature(name: string): boolean {
  return name.startsWith('sha256-');
}

function reportFailures(
  failures: readonly BundleError[],
  { good, goodBytes, lost }: Audited,
  { observe }: Context,
): void {
  tellFirst(failures, observe);
  const facts = { faults: failures.length, good, goodBytes, lost: lost.length };
  observe({ type: 'noticed', code: 'audit-failed', ...facts });
}

/**
 * What to do about damage, which is known only when all of it is. A pipe cannot be read again, so
 * that it has to be sent again in any case.
 */
function withWayOut(
  error: BundleError,
  { closure }: Pick<SurveyedBundle, 'closure'>,
  { lost }: Audited,
  request: VerifyRequest & { readonly isIncomplete: boolean },
): BundleError {
  const { input, paths, damageFile, isIncomplete } = request;
  if (input !== undefined) return error;
  if (isIncomplete && damageFile === undefined) return error;
  if (closure === undefined || lost.length > 0)
    return error.withHint(copyOrPatch(request, damageFile));
  const bundle = paths.map(shellWord).join(' ');
  return error.withHint(
    `No image is damaged. This writes the bundle again as it was: bundle repair ${bundle} -o FOLDER`,
  );
}

/**
 * The faults decide the exit status, even if the damage map cannot be written.
 * @returns its path, if it was asked for and written.
 */
async function writeDamageMap(
  file: string | undefined,
  bundle: SurveyedBundle,
  damage: Parameters<typeof damageMapOf>[1],
  { observe }: Context,
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    await writeWhole(file, formatDamageMap(damageMapOf(bundle, damage)));
    observe({ type: 'noticed', code: 'damage-map-written', path: file });
    return file;
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    observe({ type: 'noticed', code: 'damage-map-not-written', cause: error.message });
    return undefined;
  }
}
