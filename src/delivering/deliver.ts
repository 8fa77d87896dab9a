import { join, resolve } from 'node:path';

import type { Context } from '../core/context.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { Store } from '../core/store.ts';
import { prepareFolder } from '../files/folder.ts';
import { withLock } from '../files/lock.ts';
import { NO_WISHES, readWishes, refuseUnmetWishes } from '../kinds/catalog/wishes.ts';
import { type Closure, closureOf, labelsOf } from '../kinds/closure.ts';
import type { Kind } from '../kinds/kind.ts';
import type { CatalogWishes } from '../kinds/resource-file.ts';
import type { Network } from '../network/network.ts';
import { type PruneWatch, watchPrunes } from '../network/prune-lock.ts';
import { ImageLayout } from '../stores/layout/layout.ts';
import { copyImages } from '../transfer/copy.ts';
import type { CopyOptions, CopyReport, CopyStanding, Leaves } from '../transfer/copy-options.ts';
import { namesItsPart, type PlannedImage } from '../transfer/image.ts';
import { Applying } from './applying/applying.ts';
import { ocOptions } from './applying/oc-options.ts';
import type { ApplyReport, ApplyRequest } from './applying/request.ts';
import { type DeliveredPart, deliveredParts } from './delivered-parts.ts';
import type { DeliveryTarget } from './delivery-target.ts';
import { heldBackParts } from './held-back.ts';
import { type Newer, newerAt } from './newer.ts';
import {
  checkSpaceForNew,
  openPlaces,
  type Places,
  refuseBesideReleases,
  refuseLockTags,
  refuseSharedTags,
} from './places.ts';
import { findRequired, type Required } from './required.ts';
import { type PlannedResources, planResources } from './resources/plan.ts';
import type { ResourceRequest } from './resources/request.ts';
import { certificatesIn } from './resources/trust.ts';
import { prepareResources, type ResourcesReport, writeResources } from './resources/write.ts';
import { refuseSparseLists } from './sparse-lists.ts';
import {
  checkWritable,
  conflictsIn,
  type SettledTags,
  settledTags,
  tagsAt,
} from './target-tags.ts';

/** Where parts go, and what is written beside them. */
export interface DeliveryRequest {
  readonly to: DeliveryTarget;
  /** Lets tags that name something else be overwritten. */
  readonly replaceTags: boolean;
  readonly resources: ResourceRequest;
  /** What is applied to a cluster, if anything. */
  readonly apply?: ApplyRequest | undefined;
  readonly dryRun: boolean;
}

/** The parts that are delivered, and their destination. */
export interface Delivery {
  readonly closure: Closure;
  /** Of the parts. */
  readonly kinds: readonly Kind[];
  readonly request: DeliveryRequest;
}

/** What is known of the source. */
interface DeliveryOptions extends Pick<CopyOptions, 'leaves' | 'pass'> {
  /** What it leaves out: that is looked for before the first upload. */
  readonly required?: Required | undefined;
}

/** The same, with the files read that are named for it. */
interface SettledDelivery extends Delivery {
  readonly catalogs: CatalogWishes;
}

export interface DeliveryReport extends SettledTags {
  /** The target, as it was asked for. */
  readonly target: string;
  readonly parts: readonly DeliveredPart[];
  /** The configs and layers that the target needs, wherever it gets them from. */
  readonly content: { readonly blobs: number; readonly bytes: number };
  /** The newer things of each kind that the target holds. */
  readonly newer: readonly Newer[];
  /** Where each image went. */
  readonly images: readonly {
    readonly name: string;
    readonly role: string;
    readonly digest: string;
    /** How the parts are called that it belongs to. */
    readonly parts: readonly string[];
    readonly destination: string;
  }[];
  /** Counts of what was copied; `undefined` on a dry run. */
  readonly copied: CopyReport | undefined;
  /**
   * The files that were written for the cluster; `undefined` on a dry run and for image layouts.
   */
  readonly resources: ResourcesReport | undefined;
  /** What was applied, or would be; `undefined` where nothing was asked for or nothing arrived. */
  readonly cluster: ApplyReport | undefined;
}

/**
 * Brings parts to their target. All tags are asked first: what names another digest is refused
 * before the first upload, unless it may be replaced. The tags that name a part are set when
 * everything else is there.
 * @param options lets images be left out that are not whole; then nothing names their parts. Or
 * says what comes through a pipe.
 * @throws BundleError TAG_CONFLICT, BUNDLE_UNUSABLE for what the target lacks, NOT_ALLOWED, REGISTRY, NETWORK, DISK; USAGE when two images
 * want one tag; and whatever the source of the content throws.
 */
export async function deliver(
  asked: Delivery,
  network: () => Promise<Network>,
  context: Context,
  options: DeliveryOptions = {},
): Promise<DeliveryReport> {
  const { to, dryRun, resources } = asked.request;
  const { images } = asked.closure.content;
  refuseBesideReleases(images, to);
  refuseLockTags(images, to);
  refuseSharedTags(images, to);
  const catalogs = await readWishes(resources.catalogs ?? NO_WISHES);
  refuseUnmetWishes(asked.closure.parts, catalogs);
  const delivery = { ...asked, catalogs };
  const leaving = { ...options, leaves: leavesOf(delivery, options.leaves) };
  if (to.kind === 'registry' || dryRun) return deliverTo(delivery, network, context, leaving);
  await checkSpaceForNew(to.folder, delivery.closure);
  await prepareFolder(to.folder);
  await ImageLayout.create(to.folder);
  // Each tag is a new index.json: of two runs that write one layout, the later would lose what the
  // earlier has named.
  return withLock(join(resolve(to.folder), 'index.json'), context.signal, (signal) =>
    deliverTo(delivery, network, { ...context, signal }, leaving),
  );
}

/**
 * What may be left out, and the parts that will not be whole: those that are damaged, those that
 * lack an image by their own listing, and those that speak about one of these.
 */
function leavesOf({ closure, kinds }: Delivery, asked: Leaves | undefined): Leaves | undefined {
  const incomplete = heldBackParts(closure, kinds, asked?.incompleteParts);
  if (incomplete.size === 0) return asked;
  return { incompleteParts: incomplete, isLoss: asked?.isLoss ?? (() => false) };
}

async function deliverTo(
  delivery: SettledDelivery,
  network: () => Promise<Network>,
  context: Context,
  options: DeliveryOptions,
): Promise<DeliveryReport> {
  const { observe } = context;
  const { closure, request } = delivery;
  const { content } = closure;
  const places = await openPlaces(request.to, closure, { dryRun: request.dryRun, network });
  const targetOf = ({ place }: PlannedImage): Store => places.storeAt(place);

  // Before the first question: what is found to be there counts as long as nothing is removed.
  const prunes = request.dryRun ? undefined : await watchPrunesAt(places);
  observe({ type: 'phase', what: 'asking the target for its tags' });
  const tags = await tagsAt(places, content.images, request, context);
  const replaced = conflictsIn(tags, request.replaceTags);
  const { required } = options;
  const { to } = request;
  const held = required && (await findRequired(closure, { ...required, to }, places, context));
  const newer = await newerAt(places, closure.parts, delivery.kinds, context);
  const report = {
    target: request.to.name,
    content: sumOf(content),
    newer,
    images: content.images.map((image) => ({
      name: image.name,
      role: image.role,
      digest: image.descriptor.digest,
      parts: labelsOf(image, closure),
      destination: namesAt(targetOf(image), image).join(' '),
    })),
  };
  const certificates = await certificatesIn(request.resources.caFiles ?? []);
  const plan = (some: Closure): PlannedResources | undefined =>
    plannedFor(some, delivery, places, { newer, certificates });
  const expected = expectedWhole(closure, options.leaves);
  const planned = expected && plan(expected);
  const ofExpected = { ...delivery, closure: expected ?? closure };
  const applying = planned && (await planApplying(planned, ofExpected, places, context));
  if (request.dryRun) {
    const parts = deliveredParts(closure, places, { leaves: options.leaves });
    const cluster = applying?.planned;
    const tagged = settledTags(replaced, ({ image }) => mayBeNamed(image, options.leaves));
    return { ...report, ...tagged, parts, copied: undefined, resources: undefined, cluster };
  }
  await applying?.confirm();
  // Before the first upload: what cannot be written in the end should not have been begun.
  if (planned !== undefined) await prepareResources(planned);
  if (tags.some(({ image, current }) => current !== image.descriptor.digest)) {
    await checkWritable(places, context);
    await refuseSparseLists(tags, places, context);
  }
  observe({ type: 'planned', ...report.content, images: content.images.length });
  observe({ type: 'phase', what: `copying to ${request.to.name}` });
  let standing: CopyStanding | undefined;
  const onFailure = (reached: CopyStanding): void => {
    standing = reached;
  };
  const copying = { ...context, ...options, held, onFailure };
  const copied = await copyImages(content, tags, targetOf, copying).catch((error: unknown) => {
    const isForeseen = error instanceof BundleError && !context.signal.aborted;
    // A pipe has a message of its own: it has to be sent again.
    if (isForeseen && options.pass === undefined && standing !== undefined) {
      const { name: target } = request.to;
      const facts = { target, ...standing, isDamage: isDamaged(error) };
      observe({ type: 'noticed', code: 'delivery-can-be-continued', ...facts });
    }
    throw error;
  });
  await prunes?.end();
  const delivered = deliveredParts(closure, places, { copied, leaves: options.leaves });
  const whole = closure.parts.filter((_, part) => delivered[part]!.isWhole === true);
  const arrived = whole.length > 0 ? plan(closureOf(whole)) : undefined;
  const resources = arrived && (await writeResources(arrived));
  const cluster = arrived && (await applying?.apply(arrived.objects));
  const left = new Set(copied.left);
  const tagged = settledTags(replaced, ({ image }) => !left.has(image.name));
  return {
    ...{ ...report, ...tagged, parts: delivered },
    ...{ copied, resources, cluster },
  };
}

/** Whether what is read is damaged: the same command would find it so again. */
function isDamaged(error: BundleError): boolean {
  const isOfContent = hasCode(error, 'CONTENT_MISMATCH') || hasCode(error, 'BUNDLE_UNUSABLE');
  return isOfContent && error.side === 'source';
}

/** Whether the tags of an image may be set, as far as that is known before anything is copied. */
function mayBeNamed(image: PlannedImage, leaves: Leaves | undefined): boolean {
  return !namesItsPart(image) || !image.parts.some((part) => leaves?.incompleteParts.has(part));
}

/** The parts that may become whole; `undefined` where there is none. */
function expectedWhole(closure: Closure, leaves: Leaves | undefined): Closure | undefined {
  const incomplete = leaves?.incompleteParts;
  if (incomplete === undefined || incomplete.size === 0) return closure;
  const parts = closure.parts.filter((_, number) => !incomplete.has(number));
  return parts.length === 0 ? undefined : closureOf(parts);
}

/** Nothing for an image layout, of which nothing is ever removed. */
async function watchPrunesAt({ network, destinations }: Places): Promise<PruneWatch | undefined> {
  if (network === undefined || destinations === undefined) return undefined;
  return watchPrunes(network.removal(destinations.content));
}

/** Nothing, where nothing is to be applied. */
async function planApplying(
  { objects }: PlannedResources,
  { closure, kinds, request }: Delivery,
  { destinations }: Places,
  context: Context,
): Promise<Applying | undefined> {
  if (request.apply === undefined || destinations === undefined) return undefined;
  const what = { closure, kinds, destinations, files: objects, by: 'delivery' } as const;
  return Applying.plan(request.apply, what, context);
}

/** Nothing for an image layout: no cluster reads from there. */
function plannedFor(
  closure: Closure,
  { kinds, request, catalogs }: SettledDelivery,
  { destinations }: Places,
  known: { readonly newer: readonly Newer[]; readonly certificates: readonly string[] },
): PlannedResources | undefined {
  if (destinations === undefined) return undefined;
  const options = { ...known, ocOptions: request.apply ? ocOptions(request.apply) : [] };
  const { resources } = request;
  return planResources(closure, kinds, destinations, { ...resources, ...options, catalogs });
}

/**
 * How much there is to copy: what several repositories need is counted once, since it is sent to
 * the first of them, and mounted from there.
 */
function sumOf({ blobs }: Closure['content']): DeliveryReport['content'] {
  const bytes = blobs.reduce((total, { descriptor }) => total + descriptor.size, 0);
  return { blobs: blobs.length, bytes };
}

/** An image without a tag is found by its digest. */
function namesAt(target: Store, { tags, descriptor }: PlannedImage): readonly string[] {
  return tags.length > 0
    ? tags.map((tag) => `${target.name}:${tag}`)
    : [`${target.name}@${descriptor.digest}`];
}
