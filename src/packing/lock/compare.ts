import type { Digest } from '../../core/digest.ts';
import { compareText } from '../../core/text.ts';
import type { LockedBundle, LockedCatalog, LockedPackage } from '../../kinds/lock/catalog.ts';
import type { LockedChart } from '../../kinds/lock/chart.ts';
import type { LockedImage } from '../../kinds/lock/image.ts';
import { type DeadEnd, deadEnds } from './dead-ends.ts';
import { digestIn, imageDigests } from './image-digests.ts';
import type { Lock } from './lock.ts';

/** What a newer lock brings, and what it has no more. */
export interface LockComparison {
  /** Facts about the bundle itself that are other ones; a text is empty where there is none. */
  readonly settings: readonly Change[];
  readonly releases: Changes;
  readonly graph: Changes;
  readonly catalogs: readonly CatalogChange[];
  readonly charts: Changes;
  readonly images: Changes;
  /** Images of all parts, by digest: signatures and other things that are attached count apart. */
  readonly contents: Counts;
  readonly attached: Counts;
  /** All images that only one of the two has, whatever they belong to and whatever is attached. */
  readonly newImages: readonly NamedImage[];
  readonly goneImages: readonly NamedImage[];
  /** Bytes of manifests, configs and layers, each once. */
  readonly bytes: Counts;
  /** Names and sizes of parts of the newer one that the older one does not have. */
  readonly sizes: ReadonlyMap<string, number>;
}

export interface Changes {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly Change[];
}

/** An image of any part. */
export interface NamedImage {
  readonly name: string;
  readonly digest: Digest;
}

/** Something that has the same name, and is another one. */
export interface Change {
  readonly name: string;
  readonly was: string;
  readonly is: string;
}

export interface Counts {
  readonly was: number;
  readonly is: number;
  readonly added: number;
  readonly removed: number;
}

/** A catalog of both, or of one of them; its operators, where they differ. */
export interface CatalogChange {
  /** Of the newer lock, where it has the catalog. */
  readonly reference: string;
  /** How the older one calls it; left out where that has none. */
  readonly before?: string;
  readonly isGone: boolean;
  /** The catalog that it is made of, where that is another one. */
  readonly from?: { readonly was: Digest; readonly is: Digest };
  /** Images that operators name by a tag alone, and that the tag names no more. */
  readonly moved: readonly Change[];
  readonly operators: readonly OperatorChange[];
}

export interface OperatorChange {
  readonly name: string;
  readonly state: 'new' | 'gone' | 'changed';
  /** Versions. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Versions that have another image. */
  readonly rebuilt: readonly string[];
  /** Channels whose newest version is another one; a text is empty where there is no such channel. */
  readonly heads: readonly Change[];
  readonly defaultChannel?: { readonly was: string; readonly is: string };
  /** Versions that were carried, and from which no update leads on; left out where there are none. */
  readonly deadEnds?: readonly DeadEnd[];
}

/** Compares two locks, the older one first. */
export function compareLocks(before: Lock, after: Lock): LockComparison {
  const named = (names: (lock: Lock) => readonly Named[]): Changes =>
    changesOf(names(before), names(after));
  const known = new Set(before.parts.map(({ label }) => label));
  return {
    settings: changesOf(settingsOf(before), settingsOf(after)).changed,
    releases: named(({ releases }) =>
      releases.map(({ version, architecture, digest }) => [
        `${version} for ${architecture}`,
        digest,
      ]),
    ),
    graph: named(({ graph }) => graph.map(({ digest }) => ['update graph', digest])),
    catalogs: pairsOf(before.catalogs, after.catalogs).flatMap(catalogChange),
    charts: named(({ charts }) =>
      charts.map((chart) => [`${chart.name} ${chart.version}`, toldOf(chart)]),
    ),
    images: named(({ images }) => images.map((image) => [nameOf(image), image.digest])),
    newImages: imagesOnlyIn(after, before),
    goneImages: imagesOnlyIn(before, after),
    contents: countsOf(imageDigests(before, false), imageDigests(after, false)),
    attached: countsOf(imageDigests(before, true), imageDigests(after, true)),
    bytes: countsOf(
      before.blobs.map(({ digest, size }) => [digest, size]),
      after.blobs.map(({ digest, size }) => [digest, size]),
    ),
    sizes: new Map(
      after.parts.flatMap(({ label, bytes }) => (known.has(label) ? [] : [[label, bytes]])),
    ),
  };
}

/** What decides how the bundle is made and called, beside what it holds. */
function settingsOf({ name, volumeSize, signatures, referrers, offers }: Lock): readonly Named[] {
  const update =
    offers?.update === undefined ? '' : `, ${offers.update.from} to ${offers.update.to}`;
  return [
    ['name', name ?? ''],
    ['bytes of a volume', String(volumeSize ?? '')],
    ['signatures', signatures ? 'carried' : ''],
    ['referrers', referrers ? 'carried' : ''],
    ['updates offered', offers === undefined ? '' : `${offers.channel}${update}`],
  ];
}

/** A name, and what tells whether it is another thing by now. */
type Named = readonly [string, string];

function changesOf(before: readonly Named[], after: readonly Named[]): Changes {
  const [old, now] = [new Map(before), new Map(after)];
  return {
    added: [...now.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
    changed: [...now].flatMap(([name, is]) => {
      const was = old.get(name);
      return was === undefined || was === is ? [] : [{ name, was, is }];
    }),
  };
}

/** With its place, where that does not follow from its name. */
function nameOf({ reference, path, tag }: LockedImage): string {
  const target = `${path}:${tag}`;
  const isUsual = reference.endsWith(`/${target}`) || /@sha256:[0-9a-f]*$/.test(reference);
  return isUsual ? reference : `${reference} as ${target}`;
}

/** A chart with its images. */
function toldOf({ artifact, images }: LockedChart): string {
  return [artifact, ...images.map(({ reference, digest }) => `${reference}@${digest}`)].join(' ');
}

/** Each once, by digest: an image that only has another name is no other one. */
function imagesOnlyIn(lock: Lock, other: Lock): readonly NamedImage[] {
  const known = new Set(allImages(other).map(({ digest }) => digest));
  const only = allImages(lock).filter(({ digest }) => !known.has(digest));
  const once = new Map(only.toReversed().map((image) => [image.digest, image]));
  return [...once.values()].sort(
    (a, b) => compareText(a.name, b.name) || compareText(a.digest, b.digest),
  );
}

function allImages({ contents }: Lock): readonly NamedImage[] {
  return contents.map(({ name, source }) => ({ name, digest: digestIn(source) }));
}

/** @param sizes of things by their digests: each counts as much. */
function countsOf(
  before: readonly (readonly [Digest, number])[],
  after: readonly (readonly [Digest, number])[],
): Counts {
  const [old, now] = [new Map(before), new Map(after)];
  const sum = (these: ReadonlyMap<Digest, number>, but?: ReadonlyMap<Digest, number>): number =>
    [...these].reduce((all, [digest, size]) => (but?.has(digest) === true ? all : all + size), 0);
  return { was: sum(old), is: sum(now), added: sum(now, old), removed: sum(old, now) };
}

interface Pair {
  readonly old?: LockedCatalog;
  readonly now?: LockedCatalog;
}

/** By reference and place; else by repository, as of the index for the next version of OpenShift. */
function pairsOf(
  before: readonly LockedCatalog[],
  after: readonly LockedCatalog[],
): readonly Pair[] {
  const left = [...before];
  const take = (isIt: (own: LockedCatalog) => boolean): LockedCatalog | undefined => {
    const at = left.findIndex(isIt);
    return at === -1 ? undefined : left.splice(at, 1)[0];
  };
  const place = ({ reference, path, tag }: LockedCatalog): string => `${reference} ${path}:${tag}`;
  const exact = after.map((now) => ({ now, old: take((own) => place(own) === place(now)) }));
  const pairs = exact.map(({ now, old }): Pair => {
    const found = old ?? take((own) => repositoryOf(own.reference) === repositoryOf(now.reference));
    return found === undefined ? { now } : { now, old: found };
  });
  return [...pairs, ...left.map((old) => ({ old }))];
}

function repositoryOf(reference: string): string {
  return reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}

function catalogChange({ old, now }: Pair): readonly CatalogChange[] {
  const operators = operatorChanges(old, now);
  const { reference } = (now ?? old)!;
  if (old === undefined || now === undefined)
    return [
      {
        ...{ reference, ...(old && { before: old.reference }), isGone: now === undefined },
        ...{ moved: [], operators },
      },
    ];
  const isOther = old.from !== now.from;
  const { changed: moved } = changesOf(Object.entries(old.pinned), Object.entries(now.pinned));
  const count = operators.length + moved.length;
  const isSame = !isOther && count === 0 && old.reference === reference;
  return isSame
    ? []
    : [
        {
          ...{ reference, before: old.reference, isGone: false },
          ...(isOther && { from: { was: old.from, is: now.from } }),
          ...{ moved, operators },
        },
      ];
}

interface Operator {
  readonly own: LockedPackage;
  /** By name. */
  readonly bundles: ReadonlyMap<string, LockedBundle>;
}

function operatorsOf(catalog: LockedCatalog | undefined): ReadonlyMap<string, Operator> {
  return new Map(
    (catalog?.packages ?? []).map((own) => {
      const bundles = catalog!.bundles.filter((bundle) => bundle.package === own.name);
      return [own.name, { own, bundles: new Map(bundles.map((one) => [one.name, one])) }];
    }),
  );
}

function operatorChanges(
  before: LockedCatalog | undefined,
  after: LockedCatalog | undefined,
): readonly OperatorChange[] {
  const [old, now] = [operatorsOf(before), operatorsOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])]
    .sort(compareText)
    .flatMap((name) => operatorChange(name, old.get(name), now.get(name)) ?? []);
}

function operatorChange(
  name: string,
  old: Operator | undefined,
  now: Operator | undefined,
): OperatorChange | undefined {
  const none: Operator['bundles'] = new Map();
  const [was, is] = [old?.bundles ?? none, now?.bundles ?? none];
  const only = (
    these: ReadonlyMap<string, LockedBundle>,
    those: ReadonlyMap<string, LockedBundle>,
  ): readonly string[] =>
    [...these.values()].filter((own) => !those.has(own.name)).map(({ version }) => version);
  const rebuilt = [...is.values()]
    .filter((own) => was.has(own.name) && was.get(own.name)?.digest !== own.digest)
    .map(({ version }) => version);
  const [added, removed] = [only(is, was), only(was, is)];
  if (old === undefined || now === undefined) {
    const state = now === undefined ? 'gone' : 'new';
    return { name, state, added, removed, rebuilt, heads: [] };
  }
  const heads = headChanges(old, now);
  const defaults = { was: old.own.defaultChannel, is: now.own.defaultChannel };
  const isOther = defaults.was !== defaults.is;
  const count = added.length + removed.length + rebuilt.length + heads.length;
  if (count === 0 && !isOther) return undefined;
  const changed = { name, state: 'changed', added, removed, rebuilt, heads } as const;
  const dead = deadEnds(was.values(), is.values()) ?? [];
  return {
    ...changed,
    ...(isOther && { defaultChannel: defaults }),
    ...(dead.length > 0 && { deadEnds: dead }),
  };
}

function headChanges(old: Operator, now: Operator): readonly Change[] {
  const version = ({ own, bundles }: Operator, channel: string): string => {
    const head = Object.hasOwn(own.heads, channel) ? own.heads[channel]! : '';
    return bundles.get(head)?.version ?? head;
  };
  return [...new Set([...Object.keys(old.own.heads), ...Object.keys(now.own.heads)])]
    .sort(compareText)
    .map((name) => ({ name, was: version(old, name), is: version(now, name) }))
    .filter(({ was, is }) => was !== is);
}
