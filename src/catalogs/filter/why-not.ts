import type { PackageContent } from '../packages.ts';
import { versionOf } from '../catalog.ts';
import { meantRange, parseBounds } from '../versions/bounds.ts';
import { boundsOf, type CatalogRequest, type PackageRequest } from './request.ts';
import type { FilterResult } from './result.ts';

/** Why a bundle is not kept, as far as one channel of it is concerned, or its package. */
export type Absence =
  | { readonly type: 'skipped'; readonly cause: string }
  | { readonly type: 'package-not-asked' }
  | { readonly type: 'in-no-channel' }
  | { readonly type: 'channel-not-asked'; readonly channel: string }
  | { readonly type: 'below'; readonly minVersion: string }
  | { readonly type: 'above'; readonly maxVersion: string }
  /** Only the newest is wanted of the channel. */
  | { readonly type: 'not-head'; readonly channel: string; readonly head: string }
  /** It is what was asked for, and the filter of oc-mirror does not keep it. */
  | { readonly type: 'filter' };

/** The same in words: `below the minimum 1.2.0`. */
export function describeAbsence(absence: Absence): string {
  switch (absence.type) {
    case 'skipped':
      return absence.cause;
    case 'package-not-asked':
      return 'the operator is not asked for';
    case 'in-no-channel':
      return 'in no channel';
    case 'channel-not-asked':
      return `channel ${absence.channel} is not asked for`;
    case 'below':
      return `below the minimum ${absence.minVersion}`;
    case 'above':
      return `above the maximum ${absence.maxVersion}`;
    case 'not-head':
      return `not the newest of ${absence.channel} (${absence.head})`;
    case 'filter':
      return 'in range, and the filter of oc-mirror leaves it out';
  }
}

/**
 * Why bundles of a package are not kept, by name: each reason once, in the order of their channels.
 * @param content of the whole catalog, with what was left out by name.
 */
export function absences(
  content: PackageContent,
  request: CatalogRequest,
  result: FilterResult,
): ReadonlyMap<string, readonly Absence[]> {
  const kept = new Set(
    result.bundles.flatMap(({ bundle }) => (bundle.package === content.name ? bundle.name : [])),
  );
  const asked = request.packages.find(({ name }) => name === content.name);
  const isAsked = asked !== undefined || request.packages.length === 0;
  const skipped = new Map(
    result.notes.flatMap((note) =>
      note.type === 'bundle-skipped' && note.package === content.name
        ? [[note.bundle, note.cause]]
        : [],
    ),
  );
  const why = (name: string): readonly Absence[] => {
    const cause = skipped.get(name);
    if (cause !== undefined) return [{ type: 'skipped', cause }];
    if (!isAsked) return [{ type: 'package-not-asked' }];
    const channels = content.channelsWith(name);
    if (channels.length === 0) return [{ type: 'in-no-channel' }];
    const all = channels.map((channel) => inChannel(name, channel, content, { asked, result }));
    return [...new Map(all.map((own) => [JSON.stringify(own), own])).values()];
  };
  const names = [...content.bundles.keys()].filter((name) => !kept.has(name));
  return new Map(names.map((name) => [name, why(name)]));
}

interface Asked {
  readonly asked: PackageRequest | undefined;
  readonly result: FilterResult;
}

function inChannel(
  name: string,
  channel: string,
  content: PackageContent,
  { asked, result }: Asked,
): Absence {
  const channels = asked?.channels ?? [];
  if (channels.length > 0 && channels.every((own) => own.name !== channel))
    return { type: 'channel-not-asked', channel };
  const bounds = boundsOf(asked, channel);
  if (bounds === undefined)
    return { type: 'not-head', channel, head: newestOf(channel, content, result) };
  const parsed = parseBounds(bounds);
  const version = content.version(name);
  if (typeof parsed === 'string' || version === undefined) return { type: 'filter' };
  const { min, max } = parsed;
  const { minVersion, maxVersion } = bounds;
  if (minVersion !== undefined && !meantRange({ min, max: undefined })(version))
    return { type: 'below', minVersion };
  if (maxVersion !== undefined && !meantRange({ min: undefined, max })(version))
    return { type: 'above', maxVersion };
  return { type: 'filter' };
}

/** The version of the newest that is kept: what was left out by name may have been newer. */
function newestOf(channel: string, content: PackageContent, { channels }: FilterResult): string {
  const kept = channels.find(({ from }) => from.package === content.name && from.name === channel);
  const [newest] = kept === undefined ? [] : content.newestFirst(kept.entries);
  const name = newest?.name ?? content.walk(channel).head ?? '';
  const bundle = content.bundles.get(name);
  return bundle === undefined ? name : versionOf(bundle) || name;
}
