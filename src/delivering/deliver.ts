import { join, resolve } from 'node:path';

import { copyImages } from '../transfer/copy.ts';
import type { CopyOptions, CopyReport } from '../transfer/copy-options.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { type PlannedImage, releaseImagesOf } from '../transfer/plan.ts';
import { formatRepository } from '../core/reference.ts';
import type { Store } from '../core/store.ts';
import { surveyTags, type TagState } from '../transfer/tags.ts';
import type { Destinations } from '../kinds/destinations.ts';
import { compareVersions } from '../kinds/release/version.ts';
import { ImageLayout } from '../stores/layout/layout.ts';
import { MemoryStore } from '../stores/memory.ts';
import type { Context } from '../core/context.ts';
import type { DeliveryTarget } from './delivery-target.ts';
import { checkSpace, prepareFolder } from '../files/disk.ts';
import { withLock } from '../files/lock.ts';
import type { Network } from '../network/network.ts';
import type { PlannedRelease } from '../kinds/release/release.ts';
import { prepareResources, type ResourcesReport, writeResources } from './resources.ts';
import { namingAll } from './target-refusal.ts';

/** Where a release goes, and what is written beside it. */
export interface DeliveryRequest {
  readonly to: DeliveryTarget;
  /** Lets tags that name something else be overwritten. */
  readonly replaceTags: boolean;
  /** Where cluster resources are written. */
  readonly resourcesFolder: string;
  readonly dryRun: boolean;
}

export interface DeliveryReport {
  /** Full references of the release image at its target, by tag and by digest. */
  readonly releaseImage: { readonly tagged: string; readonly pinned: string };
  /** Where each image went. */
  readonly images: readonly {
    readonly name: string;
    readonly role: string;
    readonly digest: string;
    readonly destination: string;
  }[];
  /** What was moved; `undefined` on a dry run. */
  readonly copied: CopyReport | undefined;
  readonly replacedTags: readonly string[];
  /** What was written for the cluster; `undefined` on a dry run and for image layouts. */
  readonly resources: ResourcesReport | undefined;
}

/** The two ends that a release is written to; they are the same store for an image layout. */
interface Places {
  readonly releaseImages: Store;
  readonly components: Store;
  /** `undefined` for an image layout, as is the next. */
  readonly destinations: Destinations | undefined;
  readonly network: Network | undefined;
}

/**
 * Brings a planned release to its target. All tags are asked first: what names another digest is
 * refused before the first upload, unless it may be replaced. The release's own tag is set when
 * everything else is there.
 * @param options lets images be left out that are not whole; then nothing names the release. Or
 * says what comes through a pipe.
 * @throws BundleError TAG_CONFLICT, NOT_ALLOWED, REGISTRY, NETWORK, DISK, and whatever the source
 * of the content throws.
 */
export async function deliver(
  release: PlannedRelease,
  request: DeliveryRequest,
  network: () => Promise<Network>,
  context: Context,
  options: Pick<CopyOptions, 'leaves' | 'pass'> = {},
): Promise<DeliveryReport> {
  const { to, dryRun } = request;
  if (to.kind === 'registry' || dryRun)
    return deliverTo(release, request, network, context, options);
  await prepareFolder(to.folder);
  await ImageLayout.create(to.folder);
  // Each tag is a new index.json: of two runs that write one layout, the later would lose what the
  // earlier has named.
  return withLock(join(resolve(to.folder), 'index.json'), context.signal, (signal) =>
    deliverTo(release, request, network, { ...context, signal }, options),
  );
}

async function deliverTo(
  release: PlannedRelease,
  request: DeliveryRequest,
  network: () => Promise<Network>,
  context: Context,
  options: Pick<CopyOptions, 'leaves' | 'pass'>,
): Promise<DeliveryReport> {
  const { observe } = context;
  const { content } = release;
  const places = await openPlaces(request, release, network);
  const ofRelease = releaseImagesOf(content);
  const targetOf = (image: PlannedImage): Store =>
    ofRelease.has(image) ? places.releaseImages : places.components;

  observe({ type: 'phase', what: 'asking the target for its tags' });
  const tags = await surveyTags(content.images, targetOf, context).catch((error: unknown) => {
    throw namingAll(error, [...new Set([places.releaseImages.name, places.components.name])]);
  });
  const replaced = conflictsIn(tags, request.replaceTags);
  await warnOfNewer(release, places.releaseImages, context);
  const report = {
    releaseImage: referencesOf(release, places),
    images: content.images.map((image) => ({
      name: image.name,
      role: image.role,
      digest: image.descriptor.digest,
      destination: namesAt(targetOf(image), image).join(' '),
    })),
    replacedTags: replaced.map(nameOfTag),
  };
  if (request.dryRun) return { ...report, copied: undefined, resources: undefined };
  // Before the first upload: what cannot be written in the end should not have been begun.
  if (places.destinations) await prepareResources(resolve(request.resourcesFolder));
  if (tags.some(({ image, current }) => current !== image.descriptor.digest))
    await checkWritable(places, context);

  const blobs = new Map(
    content.images.flatMap((image) =>
      image.blobs.map((blob) => [`${targetOf(image).name} ${blob.digest}`, blob.size]),
    ),
  );
  const bytes = [...blobs.values()].reduce((total, size) => total + size, 0);
  observe({ type: 'planned', blobs: blobs.size, bytes, images: content.images.length });
  observe({ type: 'phase', what: `copying to ${request.to.name}` });
  const copied = await copyImages(content, tags, targetOf, { ...context, ...options });
  const isWhole = copied.left.length === 0;
  const resources =
    isWhole && places.destinations
      ? await writeResources(release, places.destinations, resolve(request.resourcesFolder))
      : undefined;
  return { ...report, copied, resources };
}

async function openPlaces(
  { to, dryRun }: DeliveryRequest,
  release: PlannedRelease,
  network: () => Promise<Network>,
): Promise<Places> {
  if (to.kind === 'registry') {
    const { destinations } = to;
    const opened = await network();
    return {
      releaseImages: opened.target(destinations.releaseImages),
      components: opened.target(destinations.components),
      destinations,
      network: opened,
    };
  }
  const { folder } = to;
  const layout = dryRun ? await layoutForDryRun(folder) : await ImageLayout.open(folder);
  if (!dryRun) await checkSpace(resolve(folder), await missingBytes(layout, release));
  return { releaseImages: layout, components: layout, destinations: undefined, network: undefined };
}

/**
 * Asks both repositories before the first upload, so that the second is not found closed when the
 * first is full.
 */
async function checkWritable(
  { destinations, network }: Places,
  { signal }: Context,
): Promise<void> {
  if (destinations === undefined || network === undefined) return;
  const probes = [destinations.releaseImages, destinations.components].map((name) =>
    network.probe(name),
  );
  const names = [...new Set(probes.map(({ name }) => name))];
  for (const probe of probes.slice(0, names.length)) {
    await probe.push(signal).catch((error: unknown) => {
      throw namingAll(error, names);
    });
  }
}

/** A dry run makes no folder: one that is not there yet is as good as an empty one. */
async function layoutForDryRun(folder: string): Promise<Store> {
  try {
    return await ImageLayout.open(folder);
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return new MemoryStore(`oci:${folder}`);
    throw error;
  }
}

async function missingBytes(store: Store, { content }: PlannedRelease): Promise<number> {
  let bytes = 0;
  for (const { descriptor } of content.layers) {
    if (!(await store.exists(descriptor))) bytes += descriptor.size;
  }
  return bytes;
}

function conflictsIn(tags: readonly TagState[], replaceTags: boolean): readonly TagState[] {
  const conflicts = tags.filter(
    ({ image, current }) => current !== undefined && current !== image.descriptor.digest,
  );
  const [first] = conflicts;
  if (first === undefined || replaceTags) return conflicts;
  const more =
    conflicts.length > 1 ? `, and ${conflicts.length - 1} more tags name something else` : '';
  throw new BundleError(
    'TAG_CONFLICT',
    `${nameOfTag(first)} names ${first.current ?? ''} already${more}`,
    {
      expected: first.image.descriptor.digest,
      got: first.current,
      hint: 'Nothing was written. --replace-tags overwrites them; another namespace or repository keeps both.',
    },
  );
}

/** What is given no tag is found by its digest. */
function namesAt(target: Store, { tags, descriptor }: PlannedImage): readonly string[] {
  return tags.length > 0
    ? tags.map((tag) => `${target.name}:${tag}`)
    : [`${target.name}@${descriptor.digest}`];
}

function nameOfTag({ target, tag }: TagState): string {
  return `${target.name}:${tag}`;
}

/** Going back to an older release is allowed, but nobody should do it without knowing. */
async function warnOfNewer(
  { version, architecture }: PlannedRelease,
  target: Store,
  { observe, signal }: Context,
): Promise<void> {
  let tags: readonly string[];
  try {
    tags = await target.tags({ signal });
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return;
    signal.throwIfAborted();
    if (!(error instanceof BundleError)) throw error;
    observe({
      type: 'noticed',
      message: `whether ${target.name} holds a newer release is not known: ${error.message}`,
    });
    return;
  }
  const suffix = `-${architecture}`;
  const newer = tags
    .filter((tag) => tag.endsWith(suffix))
    .map((tag) => tag.slice(0, -suffix.length))
    .filter(
      (other) =>
        /^\d+\.\d+\.\d+(?:[-_][0-9A-Za-z.-]+)?$/.test(other) && compareVersions(other, version) > 0,
    );
  if (newer.length === 0) return;
  observe({
    type: 'noticed',
    message: `${target.name} already holds a newer release: ${newer.toSorted(compareVersions).join(', ')}`,
  });
}

function referencesOf(
  { version, architecture, digest }: PlannedRelease,
  { destinations, releaseImages }: Places,
): DeliveryReport['releaseImage'] {
  const place = destinations ? formatRepository(destinations.releaseImages) : releaseImages.name;
  return {
    tagged: `${place}:${version.replaceAll('+', '_')}-${architecture}`,
    pinned: `${place}@${digest}`,
  };
}
