import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { BundleError, hasCode } from '../../../src/core/errors.ts';
import type { TransferEvent } from '../../../src/core/events.ts';
import { OCI_INDEX } from '../../../src/core/media-types.ts';
import { copyImages } from '../../../src/transfer/copy.ts';
import type { CopyOptions, CopyReport } from '../../../src/transfer/copy-options.ts';
import type { ImageRequest, PlannedImage } from '../../../src/transfer/image.ts';
import type { ContentPlan } from '../../../src/transfer/plan.ts';
import { surveyTags } from '../../../src/transfer/tags.ts';
import { EMPTY, type Held, imageIndex, referrerManifest } from '../../contract/content.ts';
import { type Call, configOf, keep, layerOf, manifestOf } from './images.ts';
import { planOf, requestFor, WatchedStore } from './images.ts';

let source: WatchedStore;
let target: WatchedStore;
let entry: WatchedStore;
let events: TransferEvent[];
let stop: AbortController;
beforeEach(() => {
  source = new WatchedStore('source');
  target = new WatchedStore('target');
  entry = new WatchedStore('entry');
  events = [];
  stop = new AbortController();
});

/** An image at the source, with its blobs. */
async function made(
  name: string,
  layers: readonly Held[] = [layerOf(name)],
  other: Partial<ImageRequest> = {},
): Promise<ImageRequest & { readonly manifest: Held }> {
  const manifest = manifestOf(name, layers);
  await keep(source.inner, configOf(name), ...layers, manifest);
  return { ...requestFor(name, manifest, source, other), manifest };
}

const last = { order: 'last' } as const;

/** What is attached to an image by a tag. */
async function signature(name: string, subject: ImageRequest): Promise<ImageRequest> {
  const { place, order, descriptor } = subject;
  const attached = { place, order, attachment: 'tag', subject: descriptor.digest } as const;
  return made(name, [layerOf(name)], attached);
}

async function copy(
  plan: ContentPlan,
  options: Partial<CopyOptions> = {},
  targetOf: (image: PlannedImage) => WatchedStore = () => target,
): Promise<CopyReport> {
  const concurrency = options.concurrency ?? 3;
  const tags = await surveyTags(plan.images, targetOf, { concurrency, signal: stop.signal });
  const observe = (event: TransferEvent): number => events.push(event);
  return copyImages(plan, tags, targetOf, {
    concurrency,
    signal: stop.signal,
    observe,
    ...options,
  });
}

const byPlace = ({ place }: PlannedImage): WatchedStore => (place === 'entry' ? entry : target);

/** What was pushed and tagged, in this order: digests, and tags behind them. */
function written({ calls }: WatchedStore): string[] {
  return calls
    .filter(({ what }) => what === 'push' || what === 'tag')
    .map(({ what, digest, tag }) => [what, digest, tag ?? ''].join(' ').trim());
}

const push = ({ descriptor }: { readonly descriptor: Descriptor }, tag = ''): string =>
  `push ${descriptor.digest} ${tag}`.trim();
const tagged = ({ descriptor }: { readonly descriptor: Descriptor }, tag: string): string =>
  `tag ${descriptor.digest} ${tag}`;

const failing = (
  code: ConstructorParameters<typeof BundleError>[0],
  when: (call: Call) => boolean,
): ((call: Call) => void) => {
  return (call) => {
    if (when(call)) throw new BundleError(code, `cannot ${call.what} ${call.digest}`);
  };
};

/** Losses as of a medium that is damaged. */
const damaged = (error: BundleError): boolean => hasCode(error, 'DISK');
const partial = (...incompleteParts: number[]): Pick<CopyOptions, 'leaves'> => ({
  leaves: { incompleteParts: new Set(incompleteParts), isLoss: damaged },
});
const unreadable = (...blobs: readonly Held[]): ((call: Call) => void) =>
  failing(
    'DISK',
    ({ what, digest }) =>
      what === 'fetch' && blobs.some(({ descriptor }) => descriptor.digest === digest),
  );

describe('copyImages', () => {
  it('copies an image: blobs, then manifests bottom up, then its tags at once', async () => {
    const [amd, arm] = [await made('amd64'), await made('arm64')];
    const index = imageIndex(OCI_INDEX, [
      { manifest: amd.manifest, architecture: 'amd64' },
      { manifest: arm.manifest, architecture: 'arm64' },
    ]);
    await keep(source.inner, index);
    const multi = requestFor('multi', index, source, { tags: ['one', 'two'] });
    const report = await copy(await planOf([multi]), { concurrency: 1 });
    const blobs = [configOf('amd64'), layerOf('amd64'), configOf('arm64'), layerOf('arm64')];
    expect(written(target)).toEqual([
      ...blobs.map((blob) => push(blob)),
      push(amd),
      push(arm),
      push(multi, 'one'),
      tagged(multi, 'two'),
    ]);
    const bytes = blobs.reduce((total, { descriptor }) => total + descriptor.size, 0);
    expect(report).toEqual({
      blobs: { pushed: 4, mounted: 0, skipped: 0, pushedBytes: bytes, skippedBytes: 0 },
      manifests: { pushed: 3, skipped: 0 },
      tags: { set: 2, kept: 0 },
      wholeParts: [0],
      left: [],
      held: [],
    });
    for (const { descriptor } of [...blobs, amd, arm, multi])
      expect(await target.inner.exists(descriptor)).toBe(true);
    const advanced = events.map((event) => (event.type === 'advanced' ? event.bytes : 0));
    expect(advanced.reduce((total, one) => total + one, 0)).toBe(bytes);
  });

  it('sends nothing that is there, and keeps tags that name the right thing', async () => {
    const one = await made('one', [layerOf('one')], { tags: ['a', 'b'] });
    const signed = await signature('one.sig', one);
    const plan = await planOf([one, signed, await made('two', [layerOf('one')], last)]);
    await copy(plan);
    target.calls.length = 0;
    source.calls.length = 0;
    events.length = 0;
    const report = await copy(plan);
    expect(written(target)).toEqual([]);
    expect(source.calls).toEqual([]);
    expect(report).toMatchObject({
      blobs: { pushed: 0, skipped: 5, pushedBytes: 0 },
      manifests: { pushed: 0, skipped: 3 },
      tags: { set: 0, kept: 4 },
      left: [],
      held: [],
    });
    const skipped = events.filter(({ type }) => type === 'skipped');
    expect(skipped).toHaveLength(5);
    expect(events.filter((event) => !skipped.includes(event))).toEqual(
      [1, 2, 3].map((done) => ({ type: 'counted', what: 'images', done, total: 3 })),
    );
    // A manifest that a tag names is there, and only a referrer has to be listed.
    expect(target.digestsOf('exists')).toHaveLength(5);
    expect(target.digestsOf('referrers')).toEqual([]);
  });

  it('sets a tag that named something else', async () => {
    const [old, one] = [await made('old', [], { tags: ['a', 'b'] }), await made('new')];
    await copy(await planOf([old]));
    const report = await copy(await planOf([{ ...one, tags: ['b', 'c'] }]));
    expect(report.tags).toEqual({ set: 2, kept: 0 });
    for (const [tag, { descriptor }] of [
      ['a', old],
      ['b', one],
      ['c', one],
    ] as const)
      expect(await target.inner.resolve(tag)).toEqual(descriptor);
  });

  it('is content with a manifest that is there and has no tag to be set', async () => {
    const one = await made('one', [], { tags: [] });
    await keep(target.inner, configOf('one'), one.manifest);
    const report = await copy(await planOf([one]));
    expect(report.manifests).toEqual({ pushed: 0, skipped: 1 });
  });

  it('copies what images share once, and a manifest that is a blob elsewhere as both', async () => {
    const one = await made('one', [layerOf('shared')], { tags: [] });
    const two = await made('two', [layerOf('shared'), one.manifest]);
    const report = await copy(await planOf([two, one]), { concurrency: 1 });
    expect(report.blobs).toMatchObject({ pushed: 4, skipped: 0 });
    const { digest } = one.descriptor;
    // The target is asked for the blob and for the manifest: registries keep them apart.
    expect(target.digestsOf('exists').filter((asked) => asked === digest)).toHaveLength(2);
    // The bytes of a manifest are known: nobody asks the source for them again.
    expect(source.digestsOf('fetch').filter((asked) => asked === digest)).toHaveLength(1);
  });

  it('finishes images that became ready together at once', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const images = await Promise.all(names.map((name) => made(name, [layerOf('base')])));
    const manifests = new Set(images.map(({ descriptor }) => descriptor.digest as string));
    let open: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let waiting = 0;
    target.fault = ({ what, digest }) => {
      if (what !== 'push' || !manifests.has(digest)) return undefined;
      waiting += 1;
      return gate;
    };
    const empty = imageIndex(OCI_INDEX, []);
    await keep(source.inner, empty);
    const plan = await planOf([...images, requestFor('empty', empty, source)]);
    const copying = copy(plan, { concurrency: 3 });
    await expect.poll(() => waiting).toBe(3);
    expect(await target.inner.resolve('empty')).toEqual(empty.descriptor);
    open?.();
    expect((await copying).left).toEqual([]);
  });

  it('finishes an image while the last blob is still on its way', async () => {
    const plan = await planOf([await made('slow'), await made('a'), await made('b', [])]);
    target.fault = ({ what, digest }) =>
      what === 'push' && isOf(layerOf('slow'))(digest)
        ? expect.poll(async () => [...(await target.inner.tags())].sort()).toEqual(['a', 'b'])
        : undefined;
    const report = await copy(plan, { concurrency: 4 });
    expect(report).toMatchObject({ left: [], tags: { set: 3 } });
  });

  describe('order', () => {
    it('has last images after all others, and names nothing before all is there', async () => {
      const named = await made('named', undefined, last);
      const signed = await signature('named.sig', named);
      const images = [named, signed, await made('a'), await made('b')];
      await copy(await planOf(images), { concurrency: 1 });
      const lines = written(target);
      expect(lines.slice(-2)).toEqual([push(signed, 'named.sig'), tagged(named, 'named')]);
      const places = images.map((image) => lines.findIndex((line) => line.startsWith(push(image))));
      const [ofNamed, , ...others] = places as [number, number, ...number[]];
      expect(Math.min(...places)).toBeGreaterThan(-1);
      expect(Math.max(...others)).toBeLessThan(ofNamed);
    });

    it('has the tags of all parts behind the manifests of all parts', async () => {
      const [one, two] = [await made('1', undefined, last), await made('2', undefined, last)];
      await copy(await planOf([one], [two, await made('b')]), { concurrency: 1 });
      expect(written(target).slice(-2)).toEqual([tagged(one, '1'), tagged(two, '2')]);
    });

    it('has what is attached behind its subject, far down too', async () => {
      const one = await made('one');
      const first = await signature('first', one);
      const second = await signature('second', first);
      await copy(await planOf([one, first, second]), { concurrency: 3 });
      const lines = written(target);
      const places = [one, first, second].map((image) => lines.indexOf(push(image, image.name)));
      expect(places).not.toContain(-1);
      expect(places).toEqual([...places].sort((a, b) => a - b));
    });
  });

  describe('referrers', () => {
    const listed = async (): Promise<[ContentPlan, Held]> => {
      const one = await made('one');
      const layers = [layerOf('statement')];
      const manifest = referrerManifest(one.manifest, 'application/x', layers);
      await keep(source.inner, EMPTY, ...layers, manifest);
      const { digest: subject } = one.descriptor;
      const referrer = requestFor('r', manifest, source, {
        tags: [],
        attachment: 'referrer',
        subject,
      });
      return [await planOf([one, referrer]), manifest];
    };

    it('are pushed again where their subject does not list them', async () => {
      const [plan, { descriptor }] = await listed();
      await copy(plan);
      target.calls.length = 0;
      expect((await copy(plan)).manifests).toEqual({ pushed: 0, skipped: 2 });
      expect(target.digestsOf('referrers')).toEqual([plan.images[0]!.descriptor.digest]);
      target.referrers = async () => [];
      expect((await copy(plan)).manifests).toEqual({ pushed: 1, skipped: 1 });
      expect(target.digestsOf('push')).toEqual([descriptor.digest]);
    });
  });

  describe('with two targets', () => {
    const two = async (): Promise<ContentPlan> =>
      planOf([
        await made('a', [layerOf('base')]),
        await made('b', [layerOf('base')], { ...last, place: 'entry' }),
      ]);

    it('mounts what the other target holds', async () => {
      entry.neighbours = [target];
      const report = await copy(await two(), {}, byPlace);
      expect(report.blobs).toMatchObject({ pushed: 3, mounted: 1, skipped: 0 });
      expect(source.digestsOf('fetch').filter(isOf(layerOf('base')))).toHaveLength(1);
      expect(target.digestsOf('fetch')).toEqual([]);
      expect(await entry.inner.exists(layerOf('base').descriptor)).toBe(true);
    });

    it('reads from the other target what cannot be mounted', async () => {
      const report = await copy(await two(), {}, byPlace);
      expect(report.blobs).toMatchObject({ pushed: 4, mounted: 0 });
      expect(source.digestsOf('fetch').filter(isOf(layerOf('base')))).toHaveLength(1);
      expect(target.digestsOf('fetch')).toEqual([layerOf('base').descriptor.digest]);
    });

    it('blames the target for what the other target does not give', async () => {
      target.fault = unreadable(layerOf('base'));
      await expect(copy(await two(), partial(), byPlace)).rejects.toMatchObject({
        code: 'DISK',
        side: 'target',
        subject: undefined,
      });
    });

    it('blames the target for wrong bytes of the other target', async () => {
      target.alter = (bytes) => bytes.map((byte) => byte ^ 1);
      await expect(copy(await two(), partial(), byPlace)).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
        side: 'target',
      });
    });

    it('asks a target that cannot mount for nothing of the kind', async () => {
      Object.defineProperty(entry, 'mount', { value: undefined });
      const report = await copy(await two(), {}, byPlace);
      expect(report.blobs).toMatchObject({ pushed: 4, mounted: 0 });
    });

    it('has a blob that is lost at one and there at the other', async () => {
      await keep(entry.inner, layerOf('base'));
      source.fault = unreadable(layerOf('base'));
      const [a, b] = [
        await made('a', [layerOf('base')]),
        await made('b', [layerOf('base')], { place: 'entry' }),
      ];
      const report = await copy(await planOf([a], [b]), partial(), byPlace);
      expect(report).toMatchObject({ left: ['a'], wholeParts: [1] });
      expect(await entry.inner.tags()).toEqual(['b']);
      expect(await target.inner.tags()).toEqual([]);
    });
  });

  describe('a failure', () => {
    const plan = async (): Promise<ContentPlan> =>
      planOf([await made('a'), await made('b'), await made('named', [], last)]);
    const sourceFailures: [string, string, () => void][] = [
      [
        'a blob that is not there',
        'NOT_FOUND',
        () => {
          source.fault = failing(
            'NOT_FOUND',
            ({ what, digest }) => what === 'fetch' && isOf(layerOf('b'))(digest),
          );
        },
      ],
      [
        'a disk that cannot be read',
        'DISK',
        () => {
          source.fault = unreadable(layerOf('b'));
        },
      ],
      [
        'wrong bytes',
        'CONTENT_MISMATCH',
        () => {
          source.alter = (bytes, digest) =>
            isOf(layerOf('b'))(digest) ? bytes.map((byte) => byte ^ 1) : bytes;
        },
      ],
      [
        'bytes that end too soon',
        'CONTENT_MISMATCH',
        () => {
          source.alter = (bytes, digest) =>
            isOf(layerOf('b'))(digest) ? bytes.subarray(1) : bytes;
        },
      ],
    ];
    it.each(sourceFailures)('of the source is one of the source: %s', async (_, code, breakIt) => {
      const planned = await plan();
      breakIt();
      await expect(copy(planned)).rejects.toMatchObject({
        code,
        side: 'source',
        subject: 'image b',
      });
      expect(await target.inner.tags()).not.toContain('named');
      expect(await target.inner.exists(layerOf('b').descriptor)).toBe(false);
    });

    const calls: [Call['what'], Held, string][] = [
      ['exists', layerOf('a'), 'image a'],
      ['push', layerOf('a'), 'image a'],
      ['push', manifestOf('a', [layerOf('a')]), 'image a'],
      ['mount', configOf('named'), 'image named'],
      ['tag', manifestOf('named', []), 'image named'],
    ];
    it.each(calls)('of the target is one of the target: %s', async (what, held, subject) => {
      const image = await made('named', [], { ...last, place: 'entry' });
      const other = await made('twin', [configOf('named')]);
      const planned = await planOf([await made('a'), other, image]);
      const fault = failing('REGISTRY', (call) => call.what === what && isOf(held)(call.digest));
      target.fault = fault;
      entry.fault = fault;
      // A loss is a failure of the source alone.
      const isLoss = vi.fn(() => true);
      const leaves = { incompleteParts: new Set<number>(), isLoss };
      for (const options of [{}, { leaves }]) {
        await expect(copy(planned, options, byPlace)).rejects.toMatchObject({
          code: 'REGISTRY',
          side: 'target',
          subject,
        });
        expect(await entry.inner.tags()).toEqual([]);
      }
      expect(isLoss).not.toHaveBeenCalled();
    });

    it('of the survey of tags is one of the target', async () => {
      const planned = await plan();
      target.fault = failing('REGISTRY', ({ what }) => what === 'resolve');
      await expect(copy(planned)).rejects.toMatchObject({ code: 'REGISTRY', side: 'target' });
    });

    it('that nobody foresaw passes through as it is', async () => {
      const planned = await plan();
      const bug = new TypeError('a bug');
      source.fault = () => {
        throw bug;
      };
      await expect(copy(planned, partial())).rejects.toBe(bug);
    });

    it('starts nothing more', async () => {
      const planned = await plan();
      target.fault = failing('DISK', ({ what }) => what === 'push');
      await expect(copy(planned, { concurrency: 1 })).rejects.toThrow();
      expect(target.digestsOf('push')).toHaveLength(1);
    });

    it('is none of a copy that is ended: that says why', async () => {
      const planned = await plan();
      source.fault = () => {
        stop.abort(new Error('the user'));
      };
      await expect(copy(planned, partial())).rejects.toThrow('the user');
      expect(await target.inner.tags()).toEqual([]);
    });
  });

  describe('content that is asked for again', () => {
    /** Pushes like a store whose connection breaks after some bytes, once. */
    const breaking = (at: number): void => {
      const { inner } = target;
      target.push = async (descriptor, content, options) => {
        const again = options?.again;
        if (again === undefined) return inner.push(descriptor, content, options);
        const chunks: Uint8Array[] = [];
        for await (const chunk of content) chunks.push(Uint8Array.from(chunk.subarray(0, at)));
        for await (const chunk of again(at)) chunks.push(Uint8Array.from(chunk));
        return inner.push(
          descriptor,
          (async function* () {
            yield* chunks;
          })(),
          options,
        );
      };
    };

    it('is read from there on, and counted once', async () => {
      const plan = await planOf([await made('a')]);
      breaking(5);
      await copy(plan);
      const bytes = layerOf('a').descriptor.size + configOf('a').descriptor.size;
      const advanced = events.flatMap((event) => (event.type === 'advanced' ? [event.bytes] : []));
      expect(advanced.reduce((total, one) => total + one, 0)).toBe(bytes);
      expect(advanced.filter((one) => one < 0)).toHaveLength(2);
    });

    it('comes from memory where the plan has it', async () => {
      const one = await made('one');
      const plan = await planOf([one, await made('two', [one.manifest])]);
      breaking(7);
      await copy(plan);
      expect(await target.inner.exists(one.descriptor)).toBe(true);
    });
  });

  describe('of several parts', () => {
    interface Parts {
      readonly plan: ContentPlan;
      readonly names: readonly string[];
    }
    const parts = async (): Promise<Parts> => {
      const shared = await made('shared');
      const lists = [1, 2, 3].map(async (number) => {
        const named = await made(`named${number}`, undefined, { ...last, place: 'entry' });
        return [
          named,
          await signature(`named${number}.sig`, named),
          await made(`only${number}`),
          ...(number < 3 ? [shared] : []),
        ];
      });
      const plan = await planOf(...(await Promise.all(lists)));
      return { plan, names: plan.images.map(({ name }) => name) };
    };

    it('all are whole', async () => {
      const { plan } = await parts();
      expect(await copy(plan, {}, byPlace)).toMatchObject({ wholeParts: [0, 1, 2], left: [] });
      expect((await entry.inner.tags()).length).toBe(6);
    });

    it('a part that is not whole does not hold back the others', async () => {
      const { plan } = await parts();
      source.fault = unreadable(layerOf('only2'));
      const report = await copy(plan, partial(), byPlace);
      expect(report.wholeParts).toEqual([0, 2]);
      expect(report.left).toEqual(['named2', 'named2.sig', 'only2']);
      expect([...(await entry.inner.tags())].sort()).toEqual(
        ['named1', 'named1.sig', 'named3', 'named3.sig'].sort(),
      );
      expect([...(await target.inner.tags())].sort()).toEqual(['only1', 'only3', 'shared']);
      expect(report.tags).toEqual({ set: 7, kept: 0 });
      expect(events.filter(({ type }) => type === 'noticed')).toMatchObject([
        { cause: expect.stringContaining(layerOf('only2').descriptor.digest) as string },
      ]);
      const named = plan.images.find(({ name }) => name === 'named2')!;
      expect(await entry.inner.exists(named.descriptor)).toBe(false);
    });

    it('what two parts share and cannot be had leaves both', async () => {
      const { plan } = await parts();
      source.fault = unreadable(layerOf('shared'));
      const report = await copy(plan, partial(), byPlace);
      expect(report.wholeParts).toEqual([2]);
      expect([...(await entry.inner.tags())].sort()).toEqual(['named3', 'named3.sig']);
    });

    it('a part that is known to be incomplete gets no last image', async () => {
      const { plan } = await parts();
      const report = await copy(plan, partial(0), byPlace);
      expect(report).toMatchObject({ wholeParts: [1, 2], left: ['named1', 'named1.sig'] });
      expect(await target.inner.tags()).toContain('only1');
      expect(await entry.inner.tags()).not.toContain('named1');
      expect(await entry.inner.exists(layerOf('named1').descriptor)).toBe(false);
    });

    it('an image is broken by what another place has asked for in vain, though it waits', async () => {
      const shared = layerOf('shared');
      const plan = await planOf([
        await made('named', [shared], { ...last, place: 'entry' }),
        await made('only', [shared]),
        await made('other', undefined, { ...last, place: 'entry' }),
      ]);
      source.fault = unreadable(shared);
      const report = await copy(plan, partial(), byPlace);
      expect(report).toMatchObject({ left: ['named', 'only', 'other'], held: ['other'] });
      expect(events.filter(({ type }) => type === 'noticed')).toMatchObject([
        { image: 'named', images: 2 },
        { image: 'only' },
      ]);
    });

    it('an image whose turn had come is left when its part cannot be whole any more', async () => {
      const plan = await planOf([
        // With the config of the other one, so that both wait for the same last blob.
        await made('A1', [configOf('A2'), layerOf('x')], last),
        await made('A2', [layerOf('x')], last),
        await made('B', [layerOf('y')], last),
      ]);
      const manifests = plan.images.map(({ descriptor }) => descriptor.digest);
      const isAsked = (): boolean =>
        source.digestsOf('fetch').includes(layerOf('y').descriptor.digest);
      const isUnderWay = (): boolean => target.digestsOf('push').includes(manifests[0]!);
      let hasFailed = false;
      const isLost = (): boolean => hasFailed;
      const until = (what: () => boolean): Promise<void> => expect.poll(what).toBe(true);
      source.fault = async (call) => {
        if (!isFetchOf(layerOf('y'))(call)) return;
        await until(isUnderWay);
        hasFailed = true;
        unreadable(layerOf('y'))(call);
      };
      target.fault = async ({ digest, what }) => {
        if (what === 'push' && isOf(layerOf('x'))(digest)) await until(isAsked);
        if (what === 'push' && digest === manifests[0]) await until(isLost);
      };
      const report = await copy(plan, { concurrency: 2, ...partial() });
      expect(report).toMatchObject({ left: ['A1', 'A2', 'B'], wholeParts: [] });
      expect(target.digestsOf('push')).not.toContain(manifests[1]);
      expect(await target.inner.tags()).toEqual([]);
    });

    it('a loss that is none for this copy ends it', async () => {
      const { plan } = await parts();
      source.fault = failing('NETWORK', isFetchOf(layerOf('only2')));
      await expect(copy(plan, partial(), byPlace)).rejects.toMatchObject({
        code: 'NETWORK',
        side: 'source',
      });
      expect((await entry.inner.tags()).filter((tag) => !tag.endsWith('.sig'))).toEqual([]);
    });

    it('without leave to leave, one loss names none', async () => {
      const { plan } = await parts();
      source.fault = unreadable(layerOf('only3'));
      await expect(copy(plan, {}, byPlace)).rejects.toMatchObject({ side: 'source' });
      expect((await entry.inner.tags()).filter((tag) => !tag.endsWith('.sig'))).toEqual([]);
    });

    it('a later copy of the same brings the rest', async () => {
      const { plan, names } = await parts();
      source.fault = unreadable(layerOf('only2'));
      await copy(plan, partial(), byPlace);
      source.fault = () => undefined;
      const report = await copy(plan, partial(), byPlace);
      expect(report).toMatchObject({ wholeParts: [0, 1, 2], left: [] });
      expect(report.tags.set + report.tags.kept).toBe(names.length);
    });
  });
});

function isOf({ descriptor }: Held): (digest: Digest) => boolean {
  return (digest) => digest === descriptor.digest;
}

function isFetchOf(held: Held): (call: Call) => boolean {
  return ({ what, digest }) => what === 'fetch' && isOf(held)(digest);
}
