import type { Catalog } from '../catalog.ts';
import type { PackageContent } from '../packages.ts';
import { compareText } from '../../core/text.ts';
import { formatVersion } from '../versions/version.ts';
import type {
  FilterNote,
  FilterResult,
  KeptBundle,
  KeptChannel,
  KeptPackage,
  Reason,
} from './result.ts';

/** Entries of a channel by name, each with the reasons why it is kept. */
type KeptEntries = Map<string, Reason[]>;

/** What is kept of a catalog, while it is being found. */
export class Selection {
  readonly #packages: ReadonlyMap<string, PackageContent>;
  readonly #kept = new Map<string, Map<string, KeptEntries>>();
  /** The default channels that somebody asked for. */
  readonly #wanted = new Map<string, string>();

  constructor(packages: ReadonlyMap<string, PackageContent>) {
    this.#packages = packages;
  }

  /** Keeps entries of a channel for a reason, and what has to be kept with them. */
  keep(content: PackageContent, channel: string, wanted: ReadonlyMap<string, Reason>): void {
    const channels = this.#kept.get(content.name) ?? new Map<string, KeptEntries>();
    this.#kept.set(content.name, channels);
    const entries: KeptEntries = channels.get(channel) ?? new Map<string, Reason[]>();
    channels.set(channel, entries);
    for (const [name, reason] of wanted) addReason(entries, name, reason);
    const closure = content.walk(channel).closureOf(entries.keys());
    for (const [name, cause] of closure) {
      if (cause === undefined || entries.has(name)) continue;
      let origin = cause;
      for (let next = closure.get(origin); next !== undefined; next = closure.get(origin))
        origin = next;
      const version = content.version(origin);
      addReason(entries, name, {
        type: 'links',
        channel,
        version: version === undefined ? origin : formatVersion(version),
      });
    }
  }

  /** The default channel has to be this one. */
  want(ofPackage: string, defaultChannel: string): void {
    this.#wanted.set(ofPackage, defaultChannel);
  }

  /** Whether something of a channel is kept. */
  hasChannel(ofPackage: string, channel: string): boolean {
    return this.#kept.get(ofPackage)?.has(channel) ?? false;
  }

  channelsOf(ofPackage: string): readonly string[] {
    return [...(this.#kept.get(ofPackage)?.keys() ?? [])];
  }

  /** All bundles that are kept, by package and name. */
  bundles(): readonly KeptBundle[] {
    const found: KeptBundle[] = [];
    for (const [ofPackage, channels] of this.#kept) {
      const content = this.#packages.get(ofPackage)!;
      const reasons = new Map<string, Reason[]>();
      for (const entries of channels.values())
        for (const [name, own] of entries)
          for (const reason of own) addReason(reasons, name, reason);
      for (const [name, own] of reasons) {
        const bundle = content.bundles.get(name);
        if (bundle !== undefined) found.push({ bundle, reasons: own });
      }
    }
    return found.sort(
      ({ bundle: a }, { bundle: b }) =>
        compareText(a.package, b.package) || compareText(a.name, b.name),
    );
  }

  /** What is kept as documents of the catalog. */
  result(catalog: Catalog, notes: readonly FilterNote[]): FilterResult {
    const all = [...notes];
    const bundles = this.bundles();
    const packages = catalog.packages
      .filter(({ name }) => this.#kept.has(name))
      .map((from): KeptPackage => {
        const defaultChannel = this.#defaultOf(from.name);
        if (defaultChannel !== from.defaultChannel)
          all.push({
            type: 'default-channel',
            package: from.name,
            was: from.defaultChannel,
            is: defaultChannel,
          });
        return { from, defaultChannel };
      });
    const channels = catalog.channels.flatMap((from): readonly KeptChannel[] => {
      const kept = this.#kept.get(from.package)?.get(from.name);
      if (kept === undefined) return [];
      return [{ from, entries: from.entries.filter(({ name }) => kept.has(name)) }];
    });
    const names = new Set(bundles.map(({ bundle }) => keyOf(bundle.package, bundle.name)));
    return {
      packages,
      channels,
      bundles,
      deprecations: catalog.deprecations.flatMap((from) => {
        if (!this.#kept.has(from.package)) return [];
        const entries = from.entries.filter(({ schema, name }) => {
          if (schema === 'olm.bundle') return names.has(keyOf(from.package, name));
          if (schema === 'olm.channel') return this.hasChannel(from.package, name);
          return true;
        });
        return entries.length === 0 && from.entries.length > 0 ? [] : [{ from, entries }];
      }),
      others: catalog.others.filter((own) => own.package === '' || this.#kept.has(own.package)),
      notes: all,
    };
  }

  /** The wanted one, else the publisher's, else the one with the highest version. */
  #defaultOf(ofPackage: string): string {
    const content = this.#packages.get(ofPackage)!;
    const kept = this.#kept.get(ofPackage)!;
    const own = this.#wanted.get(ofPackage) ?? content.package.defaultChannel;
    if (kept.has(own) || own === '') return own;
    const entries = [...kept].flatMap(([channel, names]) =>
      [...names.keys()].map((name) => ({ channel, name })),
    );
    const order = content.newestFirst(
      entries.map(({ name }) => ({ name, replaces: '', skips: [], skipRange: '' })),
    );
    const newest = order[0]!.name;
    // Of several, the one whose name comes last: names of channels end with their version.
    return entries
      .filter(({ name }) => name === newest)
      .map(({ channel }) => channel)
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
      .at(-1)!;
  }
}

function keyOf(ofPackage: string, bundle: string): string {
  return JSON.stringify([ofPackage, bundle]);
}

/** Each reason once; a bundle that is in range in several channels is so for one reason. */
function addReason(entries: Map<string, Reason[]>, name: string, reason: Reason): void {
  const known = entries.get(name);
  const same = JSON.stringify(reason);
  if (known === undefined) entries.set(name, [reason]);
  else if (!known.some((own) => JSON.stringify(own) === same)) known.push(reason);
}
