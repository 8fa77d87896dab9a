import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { type Limit, mapLimited } from '../core/concurrency.ts';
import { type ImageManifest, type Manifest, parseManifest } from '../core/manifest.ts';
import { isManifestType, OCI_INDEX } from '../core/media-types.ts';
import type { RawManifest, RemovableRepository } from '../core/store.ts';
import { counted } from '../core/text.ts';
import { LOCK_TAG } from '../network/prune-lock.ts';
import type { Pushed, PushedImage } from './pushed.ts';

export interface SurveyOptions {
  readonly lookups: Limit;
  readonly signal: AbortSignal;
}

/** A manifest that goes, with the tags that name it. */
export interface GoingManifest {
  readonly digest: Digest;
  readonly size: number;
  readonly tags: readonly string[];
  /** Keys of the parts that brought it. */
  readonly parts: readonly string[];
  /** Configs and layers that it names. */
  readonly blobs: readonly Descriptor[];
}

/** A manifest of something that goes, which stays nevertheless. */
export interface SharedManifest {
  readonly digest: Digest;
  /** Names of the images that go, and have it. */
  readonly images: readonly string[];
  /** Keys of the parts that brought it. */
  readonly parts: readonly string[];
  readonly why: string;
  /** The tag that it stays for, where nothing that is known here accounts for that. */
  readonly tag: string | undefined;
}

/** Why a manifest stays. */
interface Reason {
  readonly why: string;
  /** As {@link SharedManifest} has it. */
  readonly tag?: string;
}

/** What becomes of one repository. */
export interface RepositoryPlan {
  readonly repository: string;
  readonly place: RemovableRepository;
  /** In the order in which they go: what points to others, and is attached to them, first. */
  readonly going: readonly GoingManifest[];
  /** Tags of images that go, on manifests that stay. */
  readonly looseTags: readonly { readonly tag: string; readonly digest: Digest }[];
  readonly shared: readonly SharedManifest[];
  /** Everything that has to be there afterwards, by digest, what is pointed to first. */
  readonly keeps: ReadonlyMap<Digest, RawManifest & { readonly tags: readonly string[] }>;
  /** All tags that were there. */
  readonly tags: readonly string[];
}

/** The tag of a list of referrers, and the tags that cosign makes. */
const ABOUT = /^sha256-([0-9a-f]{64})(\..+)?$/;
const DIGESTS = /sha256:[0-9a-f]{64}/g;

/**
 * Finds out what of a repository can go: the manifests that this program has pushed for parts that
 * go, as far as nothing that stays needs them. Whatever else has a tag there stays, with all that it
 * names.
 * @param staying keys of the parts that stay.
 * @throws BundleError REGISTRY where the registry does not list all tags.
 */
export async function surveyRepository(
  place: RemovableRepository,
  repository: string,
  { images, manifests }: Pushed,
  { staying, ...options }: SurveyOptions & { readonly staying: ReadonlySet<string> },
): Promise<RepositoryPlan> {
  const survey = new Survey(place, images.get(repository) ?? [], manifests, options);
  return survey.plan(repository, ({ parts }) => parts.some((key) => staying.has(key)));
}

class Survey {
  readonly #place: RemovableRepository;
  readonly #images: readonly PushedImage[];
  readonly #listed: ReadonlyMap<Digest, Uint8Array>;
  readonly #options: SurveyOptions;
  /** What was asked for; `undefined` where it is not there. */
  readonly #fetched = new Map<Digest, RawManifest | undefined>();
  /** What stays, and why. */
  readonly #kept = new Map<Digest, Reason>();
  /** Manifests that this program has pushed. */
  readonly #ours = new Map<Digest, Set<PushedImage>>();

  constructor(
    place: RemovableRepository,
    images: readonly PushedImage[],
    listed: ReadonlyMap<Digest, Uint8Array>,
    options: SurveyOptions,
  ) {
    this.#place = place;
    this.#images = images;
    this.#listed = listed;
    this.#options = options;
  }

  async plan(repository: string, stays: (image: PushedImage) => boolean): Promise<RepositoryPlan> {
    const { lookups, signal } = this.#options;
    const listed = await this.#place.tags(signal);
    await this.#checkList(new Set(listed));
    const tags = listed.filter((tag) => !tag.startsWith(LOCK_TAG));
    const named = new Map<string, Digest>();
    await mapLimited(
      tags,
      lookups,
      async (tag) => {
        const found = await this.#place.manifest(tag, signal);
        if (found === undefined) return;
        named.set(tag, found.digest);
        this.#fetched.set(found.digest, found);
      },
      signal,
    );
    for (const image of this.#images) {
      for (const digest of await this.#treeOf(image.descriptor.digest))
        this.#ours.set(digest, (this.#ours.get(digest) ?? new Set()).add(image));
    }
    const lists = await this.#keepForeign(named);
    for (const image of this.#images)
      if (stays(image)) await this.#keep(image.descriptor.digest, { why: `${image.name} stays` });
    await this.#keepReferred();
    const present = await this.#present();
    const going = new Set(present.filter((digest) => !this.#kept.has(digest)));
    for (const [subject, { digest }] of lists)
      if (this.#kept.has(subject))
        this.#kept.set(digest, { why: 'it lists what is attached to an image that stays' });
    for (const { digest } of lists.values()) if (!this.#kept.has(digest)) going.add(digest);
    const tagsOf = (digest: Digest): readonly string[] =>
      [...named].filter(([, one]) => one === digest).map(([tag]) => tag);
    const keeps = new Map(
      [...this.#kept.keys()].flatMap((digest) => {
        const raw = this.#fetched.get(digest);
        return raw === undefined ? [] : [[digest, { ...raw, tags: tagsOf(digest) }] as const];
      }),
    );
    return {
      repository,
      place: this.#place,
      going: this.#inOrder(going).map((digest) => ({
        ...this.#goingOf(digest),
        tags: tagsOf(digest),
      })),
      looseTags: this.#looseTags(named, stays),
      shared: this.#shared(stays),
      keeps: childrenFirst(keeps),
      tags: listed,
    };
  }

  /**
   * What others have there shows only in the list of tags, so a list that is not whole would cost
   * them their images: it has to have each tag of this program that the registry gives.
   * @throws BundleError REGISTRY
   */
  async #checkList(listed: ReadonlySet<string>): Promise<void> {
    const { lookups, signal } = this.#options;
    const unlisted = new Set(this.#images.flatMap(({ tags }) => tags));
    for (const tag of listed) unlisted.delete(tag);
    const found = await mapLimited(
      [...unlisted],
      lookups,
      async (tag) => ((await this.#place.manifest(tag, signal)) === undefined ? [] : [tag]),
      signal,
    );
    const [tag] = found.flat();
    if (tag === undefined) return;
    throw new BundleError(
      'REGISTRY',
      `${this.#place.name}: the registry does not list all tags, so nothing is removed there`,
      {
        expected: `a list of tags that has ${tag}, which is there`,
        got: `a list of ${counted(listed.size, 'tag')} without it`,
        hint:
          'Tags of others may be missing in it, too, and their images would go. See that the ' +
          'registry, or the proxy before it, lists all tags: GET /v2/…/tags/list.',
      },
    );
  }

  /**
   * Keeps whatever has a tag of which nothing shows that this program has set it, with all that it
   * names: the tag may be of somebody else, or of a bundle that is not known here.
   * @returns lists of referrers that hold nothing but ours, by their subjects: they go with these.
   */
  async #keepForeign(named: ReadonlyMap<string, Digest>): Promise<Map<Digest, RawManifest>> {
    const expected = new Set(
      this.#images.flatMap(({ tags, descriptor }) =>
        tags.map((tag) => `${tag} ${descriptor.digest}`),
      ),
    );
    const lists = new Map<Digest, RawManifest>();
    for (const [tag, digest] of named) {
      if (expected.has(`${tag} ${digest}`)) continue;
      const [, hex, suffix] = ABOUT.exec(tag) ?? [];
      const subject = hex === undefined ? undefined : (`sha256:${hex}` as Digest);
      const raw = this.#fetched.get(digest)!;
      if (subject !== undefined && suffix === undefined && this.#isOwnList(raw, subject)) {
        lists.set(subject, raw);
        continue;
      }
      const reason = { why: `no receipt and no bundle here accounts for its tag ${tag}`, tag };
      await this.#keep(digest, reason);
      if (subject !== undefined && this.#ours.has(subject)) await this.#keep(subject, reason);
    }
    return lists;
  }

  /** Whether a list of referrers was made for what this program has pushed, and nothing else. */
  #isOwnList({ bytes, digest, mediaType }: RawManifest, subject: Digest): boolean {
    const list = viewOf(bytes, mediaType);
    if (list?.kind !== 'index' || list.mediaType !== OCI_INDEX || digest === subject) return false;
    return this.#ours.has(subject) && list.manifests.every((one) => this.#ours.has(one.digest));
  }

  /** Keeps what is attached by others, and what it is attached to. */
  async #keepReferred(): Promise<void> {
    const { lookups, signal } = this.#options;
    const asked = [...this.#ours.keys()].filter((digest) => !this.#kept.has(digest));
    const answers = await mapLimited(
      asked,
      lookups,
      async (subject) => ({ subject, referrers: await this.#place.referrers(subject, signal) }),
      signal,
    );
    for (const { subject, referrers } of answers) {
      for (const referrer of referrers.filter((digest) => !this.#ours.has(digest))) {
        const why = `no receipt and no bundle here accounts for ${referrer}, which is attached to it`;
        await this.#keep(referrer, { why });
        await this.#keep(subject, { why });
      }
    }
  }

  /** Keeps a manifest, what it names, and what this program has attached to these. */
  async #keep(start: Digest, first: Reason): Promise<void> {
    const waiting: [Digest, Reason][] = [[start, first]];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [digest, reason] = next;
      if (this.#kept.has(digest)) continue;
      this.#kept.set(digest, reason);
      for (const image of this.#images)
        if (image.subject === digest)
          waiting.push([image.descriptor.digest, { why: 'it is attached to an image that stays' }]);
      // What the registry has lost may be brought again: what it consists of stays for that.
      const raw = (await this.#raw(digest)) ?? this.#listedAs(digest);
      if (raw === undefined) continue;
      for (const named of digestsIn(raw)) if (this.#ours.has(named)) waiting.push([named, reason]);
      for (const child of childrenOf(raw)) waiting.push([child, reason]);
    }
  }

  /** A manifest, and those below it. */
  async #treeOf(start: Digest): Promise<ReadonlySet<Digest>> {
    const seen = new Set<Digest>();
    const waiting = [start];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      const raw = this.#listedAs(next) ?? (await this.#raw(next));
      if (raw !== undefined) waiting.push(...childrenOf(raw));
    }
    return seen;
  }

  /** The manifest as a bundle has it. */
  #listedAs(digest: Digest): RawManifest | undefined {
    const bytes = this.#listed.get(digest);
    return bytes && { bytes, mediaType: undefined, digest };
  }

  /** The manifest at the registry. */
  async #raw(digest: Digest): Promise<RawManifest | undefined> {
    if (!this.#fetched.has(digest))
      this.#fetched.set(digest, await this.#place.manifest(digest, this.#options.signal));
    return this.#fetched.get(digest);
  }

  /** Those of this program that are there. */
  async #present(): Promise<readonly Digest[]> {
    const { lookups, signal } = this.#options;
    const found = await mapLimited(
      [...this.#ours.keys()],
      lookups,
      async (digest) => ((await this.#raw(digest)) === undefined ? [] : [digest]),
      signal,
    );
    return found.flat();
  }

  #goingOf(digest: Digest): Omit<GoingManifest, 'tags'> {
    const raw = this.#fetched.get(digest)!;
    const view = viewOf(raw.bytes, raw.mediaType);
    const blobs = view?.kind === 'manifest' ? blobsIn(view) : [];
    return { digest, size: raw.bytes.length, blobs, parts: this.#partsOf(digest) };
  }

  #partsOf(digest: Digest): readonly string[] {
    return [...new Set([...(this.#ours.get(digest) ?? [])].flatMap(({ parts }) => parts))];
  }

  /** What names others, or is attached to them, goes before them. */
  #inOrder(going: ReadonlySet<Digest>): readonly Digest[] {
    const raws = [...going].map((digest) => [digest, this.#fetched.get(digest)!] as const);
    return [...childrenFirst(new Map(raws)).keys()].reverse();
  }

  #looseTags(
    named: ReadonlyMap<string, Digest>,
    stays: (image: PushedImage) => boolean,
  ): RepositoryPlan['looseTags'] {
    const needed = new Set(this.#images.filter(stays).flatMap(tagsWithDigest));
    const ours = new Set(this.#images.flatMap(tagsWithDigest));
    return [...named].flatMap(([tag, digest]) => {
      const key = `${tag} ${digest}`;
      const isAttached = ABOUT.test(tag); // what it is attached to stays
      if (!ours.has(key) || needed.has(key) || isAttached || !this.#kept.has(digest)) return [];
      return [{ tag, digest }];
    });
  }

  #shared(stays: (image: PushedImage) => boolean): readonly SharedManifest[] {
    return [...this.#ours].flatMap(([digest, images]) => {
      const reason = this.#kept.get(digest);
      const names = [...images].filter((image) => !stays(image)).map(({ name }) => name);
      if (reason === undefined || names.length === 0 || this.#fetched.get(digest) === undefined)
        return [];
      const { why, tag } = reason;
      return [{ digest, images: [...new Set(names)], parts: this.#partsOf(digest), why, tag }];
    });
  }
}

function tagsWithDigest({ tags, descriptor }: PushedImage): readonly string[] {
  return tags.map((tag) => `${tag} ${descriptor.digest}`);
}

/** In such an order that each comes after what it names. */
function childrenFirst<T extends RawManifest>(raws: ReadonlyMap<Digest, T>): Map<Digest, T> {
  const ordered = new Map<Digest, T>();
  const begun = new Set<Digest>();
  const add = (digest: Digest): void => {
    const raw = raws.get(digest);
    if (raw === undefined || begun.has(digest)) return;
    begun.add(digest);
    for (const named of digestsIn(raw)) add(named);
    ordered.set(digest, raw);
  };
  for (const digest of raws.keys()) add(digest);
  return ordered;
}

/**
 * Every digest that the bytes of a manifest have in them, whatever its type: nothing that something
 * unknown might need is taken away.
 */
export function digestsIn({ bytes, digest }: RawManifest): readonly Digest[] {
  const found = new Set(Buffer.from(bytes).toString('latin1').match(DIGESTS) as Digest[] | null);
  found.delete(digest);
  return [...found];
}

function childrenOf({ bytes, mediaType }: RawManifest): readonly Digest[] {
  const view = viewOf(bytes, mediaType);
  if (view?.kind !== 'index') return [];
  return view.manifests.filter((one) => isManifestType(one.mediaType)).map(({ digest }) => digest);
}

function blobsIn({ config, layers }: ImageManifest): readonly Descriptor[] {
  return [config, ...layers];
}

function viewOf(bytes: Uint8Array, mediaType: string | undefined): Manifest | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch (error) {
    if (error instanceof BundleError) return undefined;
    throw error;
  }
}
