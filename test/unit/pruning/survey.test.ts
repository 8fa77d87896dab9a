import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { type Digest, digestOf, hexOf } from '../../../src/core/digest.ts';
import { hasCode } from '../../../src/core/errors.ts';
import { parseManifest, successors } from '../../../src/core/manifest.ts';
import {
  isManifestType,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../../src/core/media-types.ts';
import { freedBy } from '../../../src/pruning/freed.ts';
import type { Pushed, PushedImage } from '../../../src/pruning/pushed.ts';
import { type RemovedFrom, removePlanned } from '../../../src/pruning/remove.ts';
import { type RepositoryPlan, surveyRepository } from '../../../src/pruning/survey.ts';
import { MemoryRepository, referrersList, type Ways } from '../../support/removable-repository.ts';

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const MiB = 1024 * 1024;
const signal = new AbortController().signal;
const LOOKING = { lookups: 4, signal };

/** What a manifest consists of, before it has a digest. */
interface Drawn {
  readonly layers: readonly number[];
  /** Of an index: numbers of manifests before it. */
  readonly children: readonly number[] | undefined;
  /** The number of one before it. */
  readonly subject: number | undefined;
}

interface DrawnImage {
  readonly manifest: number;
  readonly parts: readonly number[];
  /** A tag that cosign would make for this manifest; else one of the part. */
  readonly signs: number | undefined;
}

interface DrawnForeign {
  readonly on: number;
  /** A tag on ours; an index of its own over it; a referrer; a tag that is about it. */
  readonly how: 'tag' | 'index' | 'referrer' | 'about';
}

interface World {
  readonly manifests: readonly Drawn[];
  readonly images: readonly DrawnImage[];
  readonly foreign: readonly DrawnForeign[];
  readonly staying: readonly number[];
  readonly hasLists: boolean;
}

const PARTS = 4;
const MANIFESTS = 9;
const below = (most: number): fc.Arbitrary<number> => fc.nat({ max: Math.max(0, most - 1) });
const world: fc.Arbitrary<World> = fc.record({
  manifests: fc.tuple(
    ...Array.from({ length: MANIFESTS }, (_, number) =>
      fc.record({
        layers: fc.uniqueArray(below(5), { maxLength: 3 }),
        children:
          number === 0
            ? fc.constant(undefined)
            : fc.option(fc.uniqueArray(below(number), { minLength: 1, maxLength: 3 }), {
                nil: undefined,
                freq: 2,
              }),
        subject:
          number === 0
            ? fc.constant(undefined)
            : fc.option(below(number), { nil: undefined, freq: 3 }),
      }),
    ),
  ),
  images: fc.array(
    fc.record({
      manifest: below(MANIFESTS),
      parts: fc.uniqueArray(below(PARTS), { minLength: 1, maxLength: 2 }),
      signs: fc.option(below(MANIFESTS), { nil: undefined, freq: 4 }),
    }),
    { maxLength: 8 },
  ),
  foreign: fc.array(
    fc.record({
      on: below(MANIFESTS),
      how: fc.constantFrom('tag' as const, 'index' as const, 'referrer' as const, 'about' as const),
    }),
    { maxLength: 2 },
  ),
  staying: fc.uniqueArray(below(PARTS), { maxLength: PARTS }),
  hasLists: fc.boolean(),
});

interface Made {
  readonly repository: MemoryRepository;
  readonly pushed: Pushed;
  readonly staying: ReadonlySet<string>;
  readonly ours: ReadonlySet<Digest>;
  /** Manifests of others, and tags of others. */
  readonly foreign: ReadonlySet<Digest>;
  readonly foreignTags: ReadonlyMap<string, Digest>;
}

function made({ manifests, images, foreign, staying, hasLists }: World, ways: Ways): Made {
  const repository = new MemoryRepository(ways);
  const digests: Digest[] = [];
  const describe = (digest: Digest): object => {
    const { bytes, mediaType } = all.get(digest)!;
    return { mediaType, digest, size: bytes.length };
  };
  const all = new Map<Digest, { bytes: Uint8Array; mediaType: string }>();
  const make = (manifest: { mediaType: string }): Digest => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...manifest }));
    const digest = digestOf(bytes);
    all.set(digest, { bytes, mediaType: manifest.mediaType });
    return digest;
  };
  const put = (digest: Digest, ...tags: readonly string[]): void => {
    repository.manifests.set(digest, all.get(digest)!);
    for (const tag of tags) repository.tagged.set(tag, digest);
  };
  for (const [number, { layers, children, subject }] of manifests.entries()) {
    const about = subject !== undefined && { subject: describe(digests[subject]!) };
    const blob = (text: string, mediaType: string): object => ({
      ...{ mediaType, digest: digestOf(text), size: 1000 + text.length },
    });
    digests.push(
      children === undefined
        ? make({
            mediaType: OCI_MANIFEST,
            ...{ config: blob(`config ${number}`, OCI_CONFIG) },
            ...{ layers: layers.map((layer) => blob(`layer ${layer}`, LAYER)), ...about },
          })
        : make({
            mediaType: OCI_INDEX,
            ...{ manifests: children.map((child) => describe(digests[child]!)) },
            ...{ annotations: { number: String(number) }, ...about },
          }),
    );
  }
  const treeOf = (digest: Digest): readonly Digest[] => {
    const { bytes, mediaType } = all.get(digest)!;
    const below = successors(parseManifest(bytes, mediaType)).filter((one) =>
      isManifestType(one.mediaType),
    );
    return [digest, ...below.flatMap((child) => treeOf(child.digest))];
  };
  const ours = new Set<Digest>();
  const list: PushedImage[] = images.map(({ manifest, parts, signs }, at) => {
    const digest = digests[manifest]!;
    const { bytes, mediaType } = all.get(digest)!;
    const signed = signs === undefined || signs === manifest ? undefined : digests[signs]!;
    const tag = signed === undefined ? `image-${at}` : `sha256-${hexOf(signed)}.sig`;
    const { subject } = manifests[manifest]!;
    for (const one of treeOf(digest)) {
      ours.add(one);
      put(one);
    }
    put(digest, tag);
    return {
      ...{ name: `image ${at}`, tags: [tag], parts: parts.map((part) => `part ${part}`) },
      descriptor: { digest, size: bytes.length, mediaType },
      subject: signed ?? (subject === undefined ? undefined : digests[subject]!),
    };
  });
  const before = new Set(ours);
  const foreigners = new Set<Digest>();
  const foreignTags = new Map<string, Digest>();
  for (const [at, { on, how }] of foreign.entries()) {
    const digest = digests[on]!;
    if (!before.has(digest)) continue;
    const config = { mediaType: OCI_CONFIG, digest: digestOf('theirs'), size: 10 };
    const theirs = { mediaType: OCI_MANIFEST, config, layers: [], annotations: { at: String(at) } };
    const tag = how === 'about' ? `sha256-${hexOf(digest)}.att` : `theirs-${at}`;
    if (how === 'tag') repository.tagged.set(tag, digest);
    else {
      const own =
        how === 'index'
          ? make({ mediaType: OCI_INDEX, manifests: [describe(digest)] } as { mediaType: string })
          : make(how === 'referrer' ? { ...theirs, ...{ subject: describe(digest) } } : theirs);
      put(own);
      foreigners.add(own);
      if (how === 'referrer') continue; // it is found by what it is about alone
      repository.tagged.set(tag, own);
    }
    foreignTags.set(tag, repository.tagged.get(tag)!);
  }
  if (hasLists) {
    for (const subject of ours) {
      const entries = [...repository.manifests].filter(
        ([, { bytes, mediaType }]) => parseManifest(bytes, mediaType).subject === subject,
      );
      const listed = entries.map(([digest, { bytes }]) => ({ digest, size: bytes.length }));
      if (listed.length > 0) repository.add(referrersList(listed), `sha256-${hexOf(subject)}`);
    }
  }
  // A tag that two images want names the later one.
  const pushed: Pushed = {
    ...{ parts: [], images: new Map([['r', list]]) },
    manifests: new Map([...all].map(([digest, { bytes }]) => [digest, bytes])),
  };
  const stays = new Set(staying.map((part) => `part ${part}`));
  return { repository, pushed, staying: stays, ours, foreign: foreigners, foreignTags };
}

/** Everything that something needs which stays, by going round until nothing more comes. */
function neededIn({ repository, pushed, staying, foreign, foreignTags }: Made): Set<Digest> {
  const images = pushed.images.get('r')!;
  const needed = new Set<Digest>([...foreign, ...foreignTags.values()]);
  for (const { parts, descriptor } of images)
    if (parts.some((part) => staying.has(part))) needed.add(descriptor.digest);
  // A tag that names something else than it was pushed with is somebody else's.
  for (const [tag, digest] of repository.tagged) {
    const isOurs = images.some((one) => one.tags.includes(tag) && one.descriptor.digest === digest);
    const isList = /^sha256-[0-9a-f]{64}$/.test(tag);
    const { bytes, mediaType } = repository.manifests.get(digest)!;
    const listed = isList ? successors(parseManifest(bytes, mediaType)) : [];
    const hasOthers = listed.some((entry) => foreign.has(entry.digest));
    if (!isOurs && (!isList || hasOthers)) needed.add(digest);
    const [, hex] = /^sha256-([0-9a-f]{64})\./.exec(tag) ?? [];
    if (!isOurs && hex !== undefined) needed.add(`sha256:${hex}` as Digest);
  }
  for (let size = -1; size !== needed.size;) {
    size = needed.size;
    for (const digest of [...needed]) {
      const raw = repository.manifests.get(digest);
      if (raw === undefined) continue;
      const view = parseManifest(raw.bytes, raw.mediaType);
      if (view.subject !== undefined) needed.add(view.subject);
      for (const one of successors(view)) if (isManifestType(one.mediaType)) needed.add(one.digest);
      for (const { subject, descriptor } of images)
        if (subject === digest) needed.add(descriptor.digest);
    }
  }
  return needed;
}

async function pruneOnce(
  { repository, pushed, staying }: Made,
  canRemoveTags: boolean,
): Promise<{ readonly plan: RepositoryPlan; readonly removed: RemovedFrom }> {
  const plan = await surveyRepository(repository, 'r', pushed, { staying, ...LOOKING });
  const observe = (): void => undefined;
  const removed = await removePlanned(plan, { canRemoveTags, ...LOOKING, observe });
  return { plan, removed };
}

function expectWhole(world: Made, needed: ReadonlySet<Digest>, before: Snapshot): void {
  const { repository, staying, pushed, foreignTags } = world;
  for (const digest of needed)
    expect(repository.manifests.has(digest) || !before.manifests.has(digest)).toBe(true);
  for (const [tag, digest] of foreignTags) expect(repository.tagged.get(tag)).toBe(digest);
  for (const { parts, tags, descriptor } of pushed.images.get('r')!) {
    if (!parts.some((part) => staying.has(part))) continue;
    // What was pushed later may have taken the tag.
    for (const tag of tags.filter((one) => before.tagged.get(one) === descriptor.digest))
      expect(repository.tagged.get(tag)).toBe(descriptor.digest);
  }
}

interface Snapshot {
  readonly manifests: ReadonlySet<Digest>;
  readonly tagged: ReadonlyMap<string, Digest>;
}

function snapshot({ repository }: Made): Snapshot {
  return { manifests: new Set(repository.manifests.keys()), tagged: new Map(repository.tagged) };
}

describe('a prune of a repository', () => {
  it('takes what nothing needs that stays, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        world,
        fc.constantFrom<Ways>(
          { tags: 'unsupported' },
          { tags: 'alone' },
          { tags: 'alone', keepsTags: true },
          { tags: 'with-manifest' },
        ),
        async (drawn, ways) => {
          const one = made(drawn, ways);
          const before = snapshot(one);
          const needed = neededIn(one);
          const { plan } = await pruneOnce(one, ways.tags === 'alone');
          expectWhole(one, needed, before);
          const left = [...one.ours].filter((digest) => one.repository.manifests.has(digest));
          const wanted = [...one.ours].filter((digest) => needed.has(digest));
          expect(left.toSorted()).toEqual(wanted.toSorted());
          expect(new Set(plan.going.map(({ digest }) => digest)).size).toBe(plan.going.length);
          const again = await pruneOnce(one, ways.tags === 'alone');
          expect(again.plan.going).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('goes on where it was broken off', async () => {
    await fc.assert(
      fc.asyncProperty(world, fc.nat({ max: 6 }), async (drawn, failsAfter) => {
        const ways = { tags: 'alone' as const, failsAfter };
        const one = made(drawn, ways);
        const before = snapshot(one);
        const needed = neededIn(one);
        const failed = await pruneOnce(one, true).catch((error: unknown) => error);
        expectWhole(one, needed, before);
        if (!hasCode(failed, 'REGISTRY')) return;
        const well = new MemoryRepository({ tags: 'alone' });
        for (const [digest, raw] of one.repository.manifests) well.manifests.set(digest, raw);
        for (const [tag, digest] of one.repository.tagged) well.tagged.set(tag, digest);
        const rest = { ...one, repository: well };
        await pruneOnce(rest, true);
        expectWhole(rest, needed, before);
        const left = [...one.ours].filter((digest) => well.manifests.has(digest));
        expect(left.toSorted()).toEqual([...one.ours].filter((d) => needed.has(d)).toSorted());
      }),
      { numRuns: 150 },
    );
  });

  it('puts back what a registry takes away beside it', async () => {
    let lost = 0;
    await fc.assert(
      fc.asyncProperty(world, async (drawn) => {
        const one = made(drawn, { takesChildren: true });
        const before = snapshot(one);
        const needed = neededIn(one);
        const result = await pruneOnce(one, true).catch((error: unknown) => error);
        expectWhole(one, needed, before);
        if (hasCode(result, 'REGISTRY')) lost += 1;
      }),
      { numRuns: 200 },
    );
    expect(lost).toBeGreaterThan(0);
  });

  it('keeps what a list has that stays, though the registry has lost the list itself', async () => {
    const repository = new MemoryRepository();
    const one = oneImage(repository);
    const [listed] = one.pushed.images.get('r')!;
    const bytes = Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, mediaType: OCI_INDEX },
        manifests: [listed!.descriptor],
      }),
    );
    const lost = { mediaType: OCI_INDEX, digest: digestOf(bytes), size: bytes.length };
    const list: PushedImage = {
      ...{ name: 'list', tags: ['list'], descriptor: lost },
      ...{ subject: undefined, parts: ['part 1'] },
    };
    const pushed: Pushed = {
      ...one.pushed,
      images: new Map([['r', [listed!, list]]]),
      manifests: new Map([...one.pushed.manifests, [lost.digest, bytes]]),
    };
    const staying = new Set(['part 1']);
    const { going } = await surveyRepository(repository, 'r', pushed, { staying, ...LOOKING });
    expect(going).toEqual([]);
  });

  it('says which manifests a registry still gives', async () => {
    const repository = new MemoryRepository({ keepsManifests: true });
    const { pushed, digest } = oneImage(repository);
    const plan = await surveyRepository(repository, 'r', pushed, {
      staying: new Set(),
      ...LOOKING,
    });
    const observe = (): void => undefined;
    const removed = await removePlanned(plan, { canRemoveTags: true, ...LOOKING, observe });
    expect(removed).toMatchObject({ manifests: [], stillGiven: [digest] });
  });

  it('removes nothing where the list of tags lacks one that is there', async () => {
    await fc.assert(
      fc.asyncProperty(world, fc.nat({ max: 3 }), async (drawn, listsTags) => {
        const one = made(drawn, { listsTags });
        const ours = one.pushed.images.get('r')!.flatMap(({ tags }) => tags);
        const { tagged, manifests } = one.repository;
        fc.pre([...tagged.keys()].slice(listsTags).some((tag) => ours.includes(tag)));
        const before = manifests.size;
        await expect(pruneOnce(one, true)).rejects.toMatchObject({
          ...{ code: 'REGISTRY', exitStatus: 25 },
          message: expect.stringContaining('does not list all tags') as string,
        });
        expect(manifests.size).toBe(before);
      }),
      { numRuns: 100 },
    );
  });

  it('ends where the registry removes nothing after all', async () => {
    const repository = new MemoryRepository({ isReadOnly: true });
    const { pushed } = oneImage(repository);
    const options = { staying: new Set<string>(), ...LOOKING };
    const plan = await surveyRepository(repository, 'r', pushed, options);
    const observe = (): void => undefined;
    const ended = removePlanned(plan, { canRemoveTags: true, ...LOOKING, observe });
    await expect(ended).rejects.toMatchObject({ code: 'REGISTRY', exitStatus: 25 });
    expect(repository.tagged.size).toBe(1);
  });

  it('counts what is freed once, and not what stays elsewhere', async () => {
    const repository = new MemoryRepository();
    const { pushed } = oneImage(repository);
    const plan = async (...staying: readonly string[]): Promise<RepositoryPlan> =>
      surveyRepository(repository, 'r', pushed, { staying: new Set(staying), ...LOOKING });
    const going = await plan();
    expect(freedBy([going]).bytes).toBeGreaterThan(MiB);
    expect(freedBy([going, going])).toEqual(freedBy([going]));
    expect(freedBy([going, await plan('part 0')])).toEqual({ blobs: 0, bytes: 0 });
  });
});

function oneImage(repository: MemoryRepository): { pushed: Pushed; digest: Digest } {
  const config = { mediaType: OCI_CONFIG, digest: digestOf('config'), size: 10 };
  const layers = [{ mediaType: LAYER, digest: digestOf('layer'), size: MiB }];
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers };
  const digest = repository.add(manifest, 'one');
  const { bytes } = repository.manifests.get(digest)!;
  const image: PushedImage = {
    ...{ name: 'one', tags: ['one'], subject: undefined, parts: ['part 0'] },
    descriptor: { digest, size: bytes.length, mediaType: OCI_MANIFEST },
  };
  return {
    digest,
    pushed: { parts: [], images: new Map([['r', [image]]]), manifests: new Map([[digest, bytes]]) },
  };
}
