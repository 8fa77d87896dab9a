import type { RequiredBundle } from '../bundle/format/manifest.ts';
import { forEachLimited } from '../core/concurrency.ts';
import type { Context } from '../core/context.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { Store } from '../core/store.ts';
import { counted, formatBytes, leavesText, shellWord } from '../core/text.ts';
import type { Closure } from '../kinds/closure.ts';
import type { Held } from '../transfer/holders.ts';
import type { Place } from '../transfer/image.ts';
import type { DeliveryTarget } from './delivery-target.ts';
import type { Places } from './places.ts';

/** What a bundle leaves out, and nothing beside it has: the target has to have it. */
export interface Required {
  readonly bundles: readonly RequiredBundle[];
  /** Where earlier bundles have put a blob, as far as somebody knows. */
  readonly placesOf: (digest: Digest) => readonly Place[];
}

interface Wanted {
  readonly descriptor: Descriptor;
  /** Those that have it: each of them, where they are several. */
  readonly bundles: readonly RequiredBundle[];
  /** The repositories that have to have it, and the images that need it. */
  readonly at: Set<Store>;
  readonly images: Set<string>;
}

/**
 * Looks at the target for all that a bundle leaves out: in the repository where it has to be, else
 * in all others of the delivery, and where earlier bundles have put it.
 * @returns what is held where, so that it is mounted or copied from there.
 * @throws BundleError BUNDLE_UNUSABLE listing what is nowhere; as asking a registry does
 */
export async function findRequired(
  closure: Closure,
  required: Required & { readonly to: DeliveryTarget },
  { storeAt, used }: Places,
  { lookups, signal, observe }: Context,
): Promise<Held> {
  const wanted = wantedBy(closure, required, storeAt);
  if (wanted.length === 0) return new Map();
  observe({ type: 'phase', what: 'looking for what earlier bundles have brought' });
  const held = new Map<Digest, readonly Store[]>();
  const missing = new Set<Wanted>();
  let done = 0;
  await forEachLimited(
    wanted,
    lookups,
    async (one, stop) => {
      const { descriptor, at } = one;
      const has = (store: Store): Promise<boolean> => store.exists(descriptor, { signal: stop });
      const holders: Store[] = [];
      for (const store of at) if (await has(store)) holders.push(store);
      if (holders.length === 0) {
        const places = [...used, ...required.placesOf(descriptor.digest)];
        const others = new Set(places.map(storeAt));
        for (const store of others) {
          if (at.has(store) || !(await unlessRefused(has(store), stop))) continue;
          holders.push(store);
          break;
        }
      }
      if (holders.length === 0) missing.add(one);
      else held.set(descriptor.digest, holders);
      done += 1;
      observe({ type: 'counted', what: 'blobs', done, total: wanted.length });
    },
    signal,
  );
  if (missing.size > 0)
    throw notThere(
      wanted.filter((one) => missing.has(one)),
      required.to,
    );
  return held;
}

function wantedBy(
  { content: { images } }: Closure,
  { bundles }: Required,
  storeAt: Places['storeAt'],
): readonly Wanted[] {
  const rows = new Map<Digest, RequiredBundle[]>();
  for (const bundle of bundles)
    for (const { digest } of bundle.blobs) rows.set(digest, [...(rows.get(digest) ?? []), bundle]);
  const wanted = new Map<Digest, Wanted>();
  for (const { name, place, blobs } of images) {
    for (const descriptor of blobs) {
      const holders = rows.get(descriptor.digest);
      if (holders === undefined) continue;
      const known = wanted.get(descriptor.digest);
      const one = known ?? { descriptor, bundles: holders, at: new Set(), images: new Set() };
      one.at.add(storeAt(place));
      one.images.add(name);
      wanted.set(descriptor.digest, one);
    }
  }
  return [...wanted.values()];
}

/** Where one may not look, one finds nothing. */
async function unlessRefused(answer: Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  try {
    return await answer;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof BundleError)) throw error;
    return false;
  }
}

function notThere(missing: readonly Wanted[], to: DeliveryTarget): BundleError {
  const bytes = missing.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  const ofImages = new Map<string, Wanted[]>();
  const ofBundles = new Map<RequiredBundle, number>();
  for (const one of missing) {
    for (const image of one.images) ofImages.set(image, [...(ofImages.get(image) ?? []), one]);
    for (const bundle of one.bundles) ofBundles.set(bundle, (ofBundles.get(bundle) ?? 0) + 1);
  }
  const namesOf = (some: readonly Wanted[]): string =>
    [...new Set(some.flatMap(({ bundles }) => bundles.map(({ name }) => name)))].join(', ');
  const names = namesOf(missing);
  const isShared = missing.some(({ bundles }) => bundles.length > 1);
  return new BundleError(
    'BUNDLE_UNUSABLE',
    `the target lacks ${leavesText(missing.length)} (${formatBytes(bytes)}) that this bundle leaves ` +
      'out: nothing was pushed',
    {
      side: 'target',
      expected: `what ${names} has`,
      got: `${counted(ofImages.size, 'image')} would not be whole`,
      details: [
        {
          label: 'images',
          items: [...ofImages].map(
            ([image, some]) => `${image}: lacks ${leavesText(some.length)} of ${namesOf(some)}`,
          ),
        },
        {
          label: 'bundles',
          items: [...ofBundles].map(
            ([{ name, bundle, assumed }, count]) =>
              `${name} (${hexOf(bundle)}) has ${count}` +
              (assumed === true ? '; the packer assumed that it had arrived' : ''),
          ),
        },
      ],
      hint:
        `Name ${names} beside this bundle, in any order (bundle unpack BUNDLE OTHER_BUNDLE …), or ` +
        'unpack that first, to the same target. ' +
        (isShared ? 'If several of them have a blob, one of these is enough. ' : '') +
        ifLost(to),
    },
  );
}

/** No receipt is about an image layout. */
function ifLost(to: DeliveryTarget): string {
  if (to.kind === 'layout') return 'If that bundle is lost, have a whole bundle packed.';
  const command = `bundle receipt make --afresh --to ${shellWord(to.name)} -o DIR --site SITE`;
  return (
    'If that bundle is lost, make a new receipt of what the registry really has, and carry it ' +
    `back: ${command}. Then have the next bundle packed from that receipt.`
  );
}
