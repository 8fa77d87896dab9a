import type { BundleManifest, RequiredBundle } from '../../../bundle/format/manifest.ts';
import { hexOf } from '../../../core/digest.ts';
import { formatBytes, leavesText } from '../../../core/text.ts';
import { type Closure, keptBlobs } from '../../../kinds/closure.ts';
import type { IncrementFacts, LeftOut } from '../../../packing/increments/leave-out.ts';
import type { Block, Rows, Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';

/** What a pack has left out, and what that rests on. */
export function incrementText(
  increment: IncrementFacts | undefined,
  closure: Closure,
  screen: Screen,
): Section {
  const { parts } = closure;
  if (increment === undefined) return [];
  const { sites, total, ofParts, bundles } = increment;
  const assumed = bundles.filter(({ isAssumed }) => isAssumed);
  const isForSeveral = sites.length > 1;
  const have = isForSeveral ? 'have, each' : 'has';
  const by = sites.length === 0 ? '' : `, which ${listed(sites)} ${have} by signed receipts`;
  if (total.blobs === 0) {
    const to = isForSeveral ? 'all of the sites' : (sites[0] ?? 'the closed side');
    return [{ text: `This is a whole bundle: nothing of it counts as delivered to ${to} yet.` }];
  }
  const isShared = bundles.reduce((sum, { blobs }) => sum + blobs, 0) > total.blobs;
  const ofEach = parts.length === 1 ? [] : parts.map(({ label }, at) => [label, ofParts[at]!]);
  const rows = [
    ...(ofEach as [string, LeftOut][]).map(([label, saved]) => [`  ${label}`, words(saved)]),
    ...bundles.map((one) => [
      `  in ${one.name} (${shortened(one.bundle, screen)})`,
      words(one) + (one.isAssumed ? ', ASSUMED to have arrived' : ''),
    ]),
  ];
  const [only] = bundles;
  const from =
    only && rows.length === 1 ? ` of ${only.name} (${shortened(only.bundle, screen)})` : '';
  const proof = assumed.length > 0 ? '' : by;
  const layers = closure.content.blobs.map(({ descriptor }) => descriptor.digest);
  const carried = keptBlobs(closure);
  const isAll = total.blobs === layers.filter((digest) => !carried.has(digest)).length;
  return [
    { text: `An increment: it leaves out ${words(total)}${from}${proof}.` },
    ...(isAll ? [{ text: ALL_IS_THERE } satisfies Block] : []),
    ...(from === '' ? [{ table: { rows, cut: 0 } } satisfies Block] : []),
    ...(isShared ? [{ text: SHARED } satisfies Block] : []),
    ...(assumed.length > 0 ? [{ text: ASSUMED } satisfies Block] : []),
  ];
}

const ALL_IS_THERE =
  'All of its configs and layers count as delivered: the bundle brings manifests and signatures ' +
  'alone.';

const SHARED =
  'The sites have some of this from different bundles: what several of these have is counted for ' +
  'each.';

const ASSUMED =
  'NOT PROVEN: some of this is left out only since the command line assumes that it has arrived. ' +
  'The signed listing says so. Where it has not, unpack refuses the bundle before it pushes anything.';

/** What several rows list together: the sites of a bundle may have one blob from several bundles. */
export function distinct(rows: readonly RequiredBundle['blobs'][]): LeftOut & {
  readonly isShared: boolean;
} {
  const all = rows.flat();
  const sizes = new Map(all.map(({ digest, size }) => [digest, size]));
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return { blobs: sizes.size, bytes, isShared: all.length > sizes.size };
}

export const ONE_IS_ENOUGH = 'If several of them have a blob, one of these is enough.';

/** As a sentence lists it. */
function listed(names: readonly string[]): string {
  const last = names.at(-1)!;
  return names.length < 3 ? names.join(' and ') : `${names.slice(0, -1).join(', ')} and ${last}`;
}

function words({ blobs, bytes }: LeftOut): string {
  return `${leavesText(blobs)}, ${formatBytes(bytes)}`;
}

export function incrementJson(increment: IncrementFacts | undefined, { parts }: Closure): object {
  if (increment === undefined) return {};
  const { sites, total, ofParts, bundles } = increment;
  return {
    increment: {
      ...{ sites, leftOut: total },
      parts: parts.map(({ label }, at) => ({ label, leftOut: ofParts[at] })),
      bundles: bundles.map(({ bundle, name, isAssumed, blobs, bytes }) => ({
        ...{ name, digest: hexOf(bundle), assumed: isAssumed, blobs, bytes },
      })),
    },
  };
}

/** What a bundle leaves out by its own listing; nothing where it is whole alone. */
export function requiresRows(requires: readonly RequiredBundle[], screen: Screen): Rows {
  return requires.map(({ bundle, name, assumed, blobs }, at) => {
    const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
    const standing = assumed === true ? ', ASSUMED to have arrived' : '';
    return [
      at === 0 ? 'leaves out' : '',
      `${words({ blobs: blobs.length, bytes })} of ${name} (${shortened(bundle, screen)})${standing}`,
    ];
  });
}

/** What a bundle leaves out by its own listing, for programs; nothing where it is whole alone. */
export function requiresJson({ requires }: Pick<BundleManifest, 'requires'>): object {
  if (requires === undefined) return {};
  return {
    requires: requires.map(({ bundle, name, assumed, blobs }) => ({
      ...{ name, digest: hexOf(bundle), assumed: assumed === true, blobs: blobs.length },
      bytes: blobs.reduce((sum, { size }) => sum + size, 0),
    })),
  };
}
