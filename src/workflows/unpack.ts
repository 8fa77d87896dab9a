import type { Fault } from '../bundle/reading/fault.ts';
import type { BundleManifest } from '../bundle/format/manifest.ts';
import { blobPath } from '../bundle/format/paths.ts';
import { describeBundle } from '../bundle/format/plan.ts';
import type { Context } from '../core/context.ts';
import { isDigest } from '../core/digest.ts';
import { BundleError, gravest, hasCode, systemCode } from '../core/errors.ts';
import { deliver, type DeliveryReport, type DeliveryRequest } from '../delivering/deliver.ts';
import { type Closure, contentsOf, selectParts } from '../kinds/closure.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import { packCommand } from '../opening/commands.ts';
import {
  breaksImages,
  copyOrPatch,
  DAMAGE_FILE,
  type HasEntries,
  hasWholeImage,
  missingVolumesOf,
  missingVolumesWay,
  needsOtherPatch,
  noImageKnownDamaged,
  notDerived,
} from '../opening/damaged.ts';
import { incompleteParts } from '../opening/audit.ts';
import { tellDamage } from '../opening/open-to-read.ts';
import { derivedOf } from '../opening/some-parts.ts';
import { firstKey, type KeySource, loadSigningKey } from '../packing/signing-key.ts';
import { History, keepIfPossible } from '../history/history.ts';
import { publishReceipt, type WrittenReceipt } from '../history/publish.ts';
import { siteOfReceipt } from '../history/site.ts';
import { prepareReceiptFolder } from '../receipts/file.ts';
import { requiredAtTarget } from '../delivering/leaves-out.ts';
import { receiptTarget } from '../receipts/issue.ts';
import type { ReceiptPart } from '../receipts/receipt.ts';
import {
  type OpenedFacts,
  type OpenRequest,
  surveyBundle,
  type SurveyedBundle,
} from '../opening/open-bundle.ts';

export interface UnpackRequest {
  readonly bundle: OpenRequest;
  readonly delivery: DeliveryRequest;
  readonly network: NetworkOptions;
  /** The parts that are pushed, by any of their names; all of them if none is named. */
  readonly select: readonly string[];
  /** Pushes what is whole of a bundle that is damaged or lacks volumes. */
  readonly partial: boolean;
  /** The folder of the history, which may know where earlier bundles have put what they had. */
  readonly history?: string | undefined;
  /** The receipt that is written when something has arrived whole, if one is wanted. */
  readonly receipt?: ReceiptRequest | undefined;
}

/** A receipt of a delivery: where it is written, and who signs it. */
export interface ReceiptRequest {
  readonly folder: string;
  readonly key: KeySource;
  /** The name of the site; that of its registry unless told. */
  readonly site?: string | undefined;
  /** This is its first receipt, though there are some of other sites about the same registry. */
  readonly isNewSite: boolean;
  /** Whether it is written for paper, too. */
  readonly paper: boolean;
  /** The folder of the history that keeps it, too; earlier ones are found there. */
  readonly history?: string | undefined;
}

export interface UnpackReport {
  readonly bundle: OpenedFacts;
  readonly delivery: DeliveryReport;
  /** Numbers of the volumes that were not there. */
  readonly missingVolumes: readonly number[];
  /** What makes a patch on the connected side, once what is damaged is listed. */
  readonly patchCommand: string;
  /** `undefined` where none was wanted, or nothing has arrived whole. */
  readonly receipt: WrittenReceipt | undefined;
}

/**
 * Verifies a bundle and pushes it. What can be checked without the blobs is checked before the
 * first upload; each blob is hashed while it is sent, and completed at the target only if it was
 * right.
 *
 * A damaged bundle is accepted with patches that hold what it lacks, or if only what is whole is to
 * be pushed.
 * @throws BundleError as opening a bundle and delivering its parts do
 */
export async function unpack(request: UnpackRequest, context: Context): Promise<UnpackReport> {
  const { partial, bundle: open, select, delivery: to } = request;
  const faults: Fault[] = [];
  const bundle = await surveyBundle(open, context, (fault) => faults.push(fault));
  const { reader, isPatched } = bundle;
  let network: Network | undefined;
  let isCopying = false;
  const issuing = await prepareReceipt(request, context);
  try {
    const held = await usable(bundle, faults, request);
    announce(bundle, faults, held, context);
    const closure = selectParts(held, select);
    const incomplete = isPatched ? new Set<number>() : incompleteParts(closure, bundle, faults);
    isCopying = true;
    const delivery = await deliver(
      { closure, kinds: open.kinds, request: to },
      async () => (network = await Network.open(request.network, context)),
      context,
      {
        leaves: partial ? { incompleteParts: incomplete, isLoss: isDamageOfSource } : undefined,
        pass: reader.pass,
        required: await requiredAtTarget(bundle, request),
      },
    );
    await reader.pass?.finish(); // a dry run sends nothing, and says no less
    const { missingVolumes, manifest } = reader;
    const patchCommand = packCommand(manifest, open.kinds, DAMAGE_FILE);
    const opened = { ...bundle, closure };
    const receipt = await issuing?.(opened, delivery);
    return { bundle: opened, delivery, missingVolumes, patchCommand, receipt };
  } catch (error) {
    const canGoOn = isCopying && reader.pass === undefined;
    throw canGoOn ? await withWayOut(error, bundle, request) : error;
  } finally {
    await network?.close();
    await bundle.close();
  }
}

type Issuing = (
  bundle: SurveyedBundle & { readonly closure: Closure },
  delivery: DeliveryReport,
) => Promise<WrittenReceipt | undefined>;

/**
 * Finds out before the first upload whether a receipt can be signed and written in the end.
 * @throws BundleError USAGE, CONFIGURATION, NOT_FOUND, DISK
 */
async function prepareReceipt(
  { receipt: wanted, delivery: { to, dryRun } }: UnpackRequest,
  context: Context,
): Promise<Issuing | undefined> {
  if (wanted === undefined) return undefined;
  if (to.kind !== 'registry') {
    throw new BundleError('USAGE', '--receipt needs a registry: an image layout is no site', {
      hint: 'Give --to REGISTRY[/NAMESPACE], or leave --receipt out.',
    });
  }
  const target = receiptTarget(to.destinations);
  const loaded = await loadSigningKey(wanted.key, context.configFolder);
  const site = await siteOfReceipt({ ...wanted, key: loaded, target });
  if (dryRun) return undefined;
  const key = loaded ?? (await firstKey(wanted.key, false, context)).key;
  await prepareReceiptFolder(wanted.folder);
  return async ({ reader, closure, digest }, { parts: delivered }) => {
    const { name, parts: rows } = reader.manifest;
    if (closure.parts.length === rows.length)
      await keepListing(reader.manifest, closure, wanted, context);
    const parts = closure.parts.flatMap(({ label, claim }, index): ReceiptPart[] => {
      const text = JSON.stringify(claim);
      const number = rows.findIndex((row) => JSON.stringify(row.claim) === text);
      return delivered[index]?.isWhole === true && number !== -1 ? [{ number, label }] : [];
    });
    if (parts.length === 0) {
      context.observe({ type: 'noticed', code: 'no-receipt', bundle: digest });
      return undefined;
    }
    const whole = parts.length === rows.length;
    const bundles = [{ name, digest, whole, known: 'delivered' as const, parts }];
    const issue = { site, target, bundles };
    return await publishReceipt(issue, { ...wanted, key }, context).catch(receiptLost);
  };
}

/** So that the registry can be asked for the bundle later, when its medium is gone. */
async function keepListing(
  { name, requires }: BundleManifest,
  closure: Closure,
  { history: folder }: ReceiptRequest,
  { observe }: Context,
): Promise<void> {
  if (folder === undefined) return;
  const history = new History(folder);
  await keepIfPossible(history, name, observe, () =>
    history.keepBundle(describeBundle(contentsOf(name, closure, requires)), closure),
  );
}

function receiptLost(error: unknown): never {
  if (!(error instanceof BundleError)) throw error;
  throw error
    .retold(`everything was delivered, but its receipt is not complete: ${error.message}`)
    .withHint(
      `${error.hint ?? ''} Then run the same command again: what is there is not sent twice.`.trim(),
    );
}

/**
 * The closure of the bundle. @throws BundleError if the bundle is not whole, unless the user
 * accepts that.
 */
async function usable(
  bundle: SurveyedBundle,
  faults: readonly Fault[],
  { partial, select, bundle: asked }: UnpackRequest,
): Promise<Closure> {
  const { closure, isPatched } = bundle;
  if (closure !== undefined && (partial || isPatched)) return closure;
  const derived = partial || isPatched ? derivedOf(bundle, select, asked.expected) : undefined;
  if (derived !== undefined) return derived;
  const missing = missingVolumesOf(bundle, faults);
  const failures = [...faults.map(({ error }) => error), ...(missing ? [missing] : [])];
  if (failures.length > 0) {
    const error = gravest(failures) as BundleError;
    const items = failures.map(({ message }) => message);
    const told = items.length === 1 ? error : error.withDetails([{ label: 'faults', items }]);
    throw told.withHint(await wayOut(asked, bundle, faults));
  }
  if (closure === undefined) throw new RangeError('a bundle without a fault has its manifests');
  return closure;
}

/** What to do about what was found before the copy began. */
async function wayOut(
  asked: OpenRequest,
  bundle: SurveyedBundle,
  faults: readonly Fault[],
): Promise<string> {
  if (bundle.isPatched) return needsOtherPatch(asked, bundle);
  if (missingVolumesOf(bundle, faults) !== undefined)
    return missingVolumesWay(asked, bundle, { faults });
  if (await breaksImages(bundle, faults)) {
    const canPush = bundle.closure !== undefined && (await hasWholeImage(bundle, faults));
    return notDerived(asked, bundle) + copyOrPatch(asked, bundle, { faults, canPush });
  }
  return noImageKnownDamaged(asked, bundle);
}

/** Where bytes of the bundle turn out to be wrong, what to do about that. */
async function withWayOut(
  error: unknown,
  bundle: SurveyedBundle,
  { partial, bundle: asked }: UnpackRequest,
): Promise<unknown> {
  const { requires = [] } = bundle.reader.manifest;
  const isElsewhere = hasCode(error, 'NOT_FOUND') && error.side === 'source' && requires.length > 0;
  if (isElsewhere) {
    const names = requires.map(({ name }) => `${name}.tar.zst`).join(' and ');
    return error.withHint(
      `This bundle leaves out what ${names} has, and the target has lost some of that: name all of ` +
        'them together, or unpack them first, to the same target.',
    );
  }
  const isDamage = hasCode(error, 'CONTENT_MISMATCH') || hasCode(error, 'BUNDLE_UNUSABLE');
  if (!isDamage || error.side !== 'source') return error;
  const canPush = !partial && (await hasWholeImage(bundle, blobOf(error)));
  const way = bundle.isPatched ? needsOtherPatch : copyOrPatch;
  return error.withHint(way(asked, bundle, { canPush }));
}

/** The blob that turned out to be wrong, where its digest is what was expected. */
function blobOf({ expected = '' }: BundleError): readonly HasEntries[] {
  return isDigest(expected) ? [{ entries: [blobPath(expected)] }] : [];
}

function announce(
  { path, digest, signer, standing }: SurveyedBundle,
  faults: readonly Fault[],
  { parts }: Closure,
  context: Context,
): void {
  const { observe } = context;
  const labels = parts.map(({ label }) => label);
  observe({ type: 'noticed', code: 'bundle-opened', bundle: digest, parts: labels });
  if (standing === 'unknown') {
    observe({ type: 'noticed', code: 'signer-not-trusted', signer: signer.id });
  }
  tellDamage({ path }, faults, context);
}

/** Whether a failure of the bundle is one of its bytes: anything else ends the run. */
function isDamageOfSource(error: BundleError): boolean {
  const { code, cause } = error;
  if (code === 'CONTENT_MISMATCH' || code === 'BUNDLE_UNUSABLE') return true;
  return code === 'DISK' && systemCode(cause) === 'EIO';
}
