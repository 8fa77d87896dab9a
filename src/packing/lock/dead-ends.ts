import { parseRange } from '../../catalogs/versions/range.ts';
import { parseVersion } from '../../catalogs/versions/version.ts';
import { compareText } from '../../core/text.ts';
import type { LockedBundle } from '../../kinds/lock/catalog.ts';

/** A version that may be installed, and that no update of the newer lock leads from. */
export interface DeadEnd {
  readonly version: string;
  /** Those by which it may have been installed. */
  readonly channels: readonly string[];
  /** What would keep the way, if it was asked for, as long as the catalog has the version. */
  readonly minVersion: string;
}

/**
 * Versions of an operator from which clusters are not updated any more: OLM looks in the channel of
 * a Subscription for a version that replaces or skips the one that is installed. Where the channel
 * is gone, another one may lead on: people have to change the Subscription anyway.
 * @param before of one package, and `after` as well
 * @returns `undefined` where the newer lock does not say what its versions replace
 */
export function deadEnds(
  before: Iterable<LockedBundle>,
  after: Iterable<LockedBundle>,
): readonly DeadEnd[] | undefined {
  const now = [...after];
  if (now.some(({ updates }) => updates === undefined)) return undefined;
  const channels = new Set(now.flatMap((own) => own.channels));
  const found: DeadEnd[] = [];
  for (const old of before) {
    const leads = (channel: string): boolean => now.some((own) => takes(own, channel, old));
    const isLeft = (channel: string): boolean =>
      channels.has(channel) ? leads(channel) : [...channels].some(leads);
    const dead = old.channels.filter((channel) => !isLeft(channel));
    const { version } = old;
    if (dead.length > 0) found.push({ version, channels: dead, minVersion: version });
  }
  return found.sort((a, b) => compareText(a.version, b.version));
}

/** Whether a version is another one in a channel, or takes its place there. */
function takes(
  { name, updates = {} }: LockedBundle,
  channel: string,
  old: Pick<LockedBundle, 'name' | 'version'>,
): boolean {
  const own = Object.hasOwn(updates, channel) ? updates[channel]! : undefined;
  if (own === undefined) return false;
  if (name === old.name || own.replaces === old.name) return true;
  if (own.skips?.includes(old.name) === true) return true;
  const version = parseVersion(old.version);
  const range = own.skipRange === undefined ? undefined : parseRange(own.skipRange);
  return version !== undefined && range?.(version) === true;
}
