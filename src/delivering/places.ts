import { join, resolve } from 'node:path';

import { BundleError, hasCode } from '../core/errors.ts';
import { formatRepository } from '../core/reference.ts';
import type { Store } from '../core/store.ts';
import { isThere } from '../files/look.ts';
import { checkSpace } from '../files/space.ts';
import type { Closure } from '../kinds/closure.ts';
import { type Destinations, forEachRepository, repositoryAt } from '../kinds/destinations.ts';
import type { Network } from '../network/network.ts';
import { isLockTag } from '../network/prune-lock.ts';
import { ImageLayout } from '../stores/layout/layout.ts';
import { PathInLayout } from '../stores/layout/path-in-layout.ts';
import { MemoryStore } from '../stores/memory.ts';
import type { RepositoryProbe } from '../stores/registry/probe.ts';
import { FIXED_PLACES, isFixed, type Place, type PlannedImage } from '../transfer/image.ts';
import type { DeliveryTarget } from './delivery-target.ts';

/** The ends that parts are written to. */
export interface Places {
  /** Places of one repository have one store. */
  readonly storeAt: (place: Place) => Store;
  /** Those that an image goes to, release images first. */
  readonly used: readonly Place[];
  /** `undefined` for an image layout, as is the next. */
  readonly destinations: Destinations | undefined;
  readonly network: Network | undefined;
}

/**
 * Opens the repositories of a target; an image layout is looked at, and on a dry run not made.
 * @throws BundleError DISK for want of space.
 */
export async function openPlaces(
  to: DeliveryTarget,
  closure: Closure,
  { dryRun, network }: { readonly dryRun: boolean; readonly network: () => Promise<Network> },
): Promise<Places> {
  const used = placesOf(closure.content.images);
  if (to.kind === 'registry') {
    const { destinations } = to;
    const opened = await network();
    const storeAt = forEachRepository(destinations, (name) => opened.target(name));
    return { storeAt, used, destinations, network: opened };
  }
  const { folder } = to;
  const layout = dryRun ? await layoutForDryRun(folder) : await ImageLayout.open(folder);
  if (!dryRun) await checkSpace(resolve(folder), await missingBytes(layout, closure));
  return { storeAt: placesInLayout(layout), used, destinations: undefined, network: undefined };
}

/** A layout has one store for all places with a purpose, and one for each path. */
export function placesInLayout(layout: Store): (place: Place) => Store {
  const paths = new Map<Place, Store>();
  return (place) => {
    if (isFixed(place)) return layout;
    const known = paths.get(place) ?? new PathInLayout(layout, place.slice(1));
    paths.set(place, known);
    return known;
  };
}

/**
 * Release images and components are always looked at where there are some: a registry that refuses
 * one is told early.
 */
function placesOf(images: readonly PlannedImage[]): readonly Place[] {
  const places = new Set(images.map(({ place }) => place));
  const isOfReleases = places.size === 0 || places.has('entry') || places.has('content');
  const fixed = FIXED_PLACES.filter((place) =>
    place === 'graph' ? places.has(place) : isOfReleases,
  );
  return [...fixed, ...[...places].filter((place) => !isFixed(place))];
}

/** The name of a place, as a cluster asks for it. */
export function nameOfPlace({ destinations, storeAt }: Places, place: Place): string {
  if (destinations === undefined) return storeAt(place).name;
  return formatRepository(repositoryAt(destinations, place));
}

/** The names of all places that are used, each once. */
export function namesOfPlaces({ used, storeAt }: Places): readonly string[] {
  return [...new Set(used.map((place) => storeAt(place).name))];
}

/** One for each repository; none for an image layout. */
export function probesOf({ used, destinations, network }: Places): readonly RepositoryProbe[] {
  if (destinations === undefined || network === undefined) return [];
  const probes = used.map((place) => network.probe(repositoryAt(destinations, place)));
  return probes.filter(({ name }, index) => probes.findIndex((one) => one.name === name) === index);
}

/**
 * Refuses two images with the same tag in one repository: a hotfix and the release that it was made
 * from, or two paths that are one when their components are joined.
 */
export function refuseSharedTags(images: readonly PlannedImage[], to: DeliveryTarget): void {
  const owners = new Map<string, PlannedImage>();
  for (const image of images) {
    const name = repositoryNameAt(to, image.place);
    for (const tag of image.tags) {
      const key = `${name}:${tag}`;
      const other = owners.get(key) ?? image;
      owners.set(key, other);
      if (other.descriptor.digest === image.descriptor.digest) continue;
      throw new BundleError(
        'USAGE',
        `${other.descriptor.digest} and ${image.descriptor.digest} would both be tagged ${key}`,
        {
          subject: `${other.name}, ${image.name}`,
          hint:
            isFixed(image.place) && isFixed(other.place)
              ? 'Push one of the two with --release DIGEST, or push them to two namespaces.'
              : `They are ${other.name} and ${image.name}: pack one of them with another path, or ` +
                'leave out --max-nested-paths.',
        },
      );
    }
  }
}

/** What is one name for all images of a repository. */
function repositoryNameAt(to: DeliveryTarget, place: Place): string {
  if (to.kind === 'layout') return isFixed(place) ? to.name : `${to.name}:${place.slice(1)}`;
  return formatRepository(repositoryAt(to.destinations, place));
}

/**
 * Refuses images among release images: an update service takes every tag there for a release.
 */
export function refuseBesideReleases(images: readonly PlannedImage[], to: DeliveryTarget): void {
  if (to.kind === 'layout') return;
  const { destinations } = to;
  const { repository } = destinations.entry;
  const stray = images.find(
    ({ place }) => !isFixed(place) && repositoryAt(destinations, place).repository === repository,
  );
  if (stray === undefined) return;
  throw new BundleError(
    'USAGE',
    `${stray.name} would go to ${repository}, which is for release images alone`,
    {
      subject: stray.name,
      hint:
        'An update service takes every tag there for a release. Pack the image with another path, ' +
        'or name another repository with --release-images-repository.',
    },
  );
}

/** Refuses tags by which it is seen that something is being removed. */
export function refuseLockTags(images: readonly PlannedImage[], to: DeliveryTarget): void {
  if (to.kind === 'layout') return;
  const { destinations } = to;
  const { repository } = destinations.content;
  for (const { name, place, tags } of images) {
    const tag = tags.find(isLockTag);
    if (tag === undefined || repositoryAt(destinations, place).repository !== repository) continue;
    throw new BundleError('USAGE', `${name} would be tagged ${repository}:${tag}`, {
      subject: name,
      expected: 'a tag that bundle prune does not use itself',
      got: tag,
      hint: 'Pack the image with another path, or with another tag.',
    });
  }
}

/** A dry run makes no folder: one that is not there yet is as good as an empty one. */
async function layoutForDryRun(folder: string): Promise<Store> {
  try {
    return (await ImageLayout.find(folder)) ?? new MemoryStore(`oci:${folder}`);
  } catch (error) {
    // A layout that was only begun: it has no index yet.
    if (hasCode(error, 'NOT_FOUND')) return new MemoryStore(`oci:${folder}`);
    throw error;
  }
}

/**
 * Where there is no layout yet, no file of one is made for want of space. A layout that is there is
 * looked at under its lock, since another run may be writing it.
 */
export async function checkSpaceForNew(folder: string, { content }: Closure): Promise<void> {
  if (await isThere(join(folder, 'oci-layout'))) return;
  const needed = content.blobs.reduce((total, { descriptor }) => total + descriptor.size, 0);
  await checkSpace(resolve(folder), needed);
}

async function missingBytes(store: Store, { content }: Closure): Promise<number> {
  let bytes = 0;
  for (const { descriptor } of content.blobs) {
    if (!(await store.exists(descriptor))) bytes += descriptor.size;
  }
  return bytes;
}
