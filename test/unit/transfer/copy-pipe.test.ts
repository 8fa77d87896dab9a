import { beforeEach, describe, expect, it } from 'vitest';
import { drain, streamOf } from '../../../src/core/bytes.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { BundleError, hasCode } from '../../../src/core/errors.ts';
import type { TransferEvent } from '../../../src/core/events.ts';
import { OCI_LAYER_GZIP } from '../../../src/core/media-types.ts';
import type { ReadOnlyStore } from '../../../src/core/store.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { copyImages } from '../../../src/transfer/copy.ts';
import type { CopyOptions, CopyReport } from '../../../src/transfer/copy-options.ts';
import type { ImageRequest } from '../../../src/transfer/image.ts';
import { OnePass } from '../../../src/transfer/one-pass.ts';
import type { ContentPlan } from '../../../src/transfer/plan.ts';
import { surveyTags } from '../../../src/transfer/tags.ts';
import { type Held, held } from '../../contract/content.ts';
import { configOf, keep, layerOf, manifestOf, planOf, requestFor, WatchedStore } from './images.ts';

const MiB = 1024 * 1024;

let source: MemoryStore;
let target: WatchedStore;
let events: TransferEvent[];
beforeEach(() => {
  source = new MemoryStore('source');
  target = new WatchedStore('target');
  events = [];
});

/** A layer of some MiB, that differs from others in its first byte. */
function large(text: string, size: number): Held {
  const bytes = Buffer.alloc(size * MiB);
  bytes.write(text);
  return held(OCI_LAYER_GZIP, bytes);
}

async function made(
  name: string,
  layers: readonly Held[] = [layerOf(name)],
  other: Partial<ImageRequest> = {},
): Promise<ImageRequest> {
  const manifest = manifestOf(name, layers);
  await keep(source, configOf(name), ...layers, manifest);
  return requestFor(name, manifest, source, other);
}

interface Pipe {
  /** The blobs in the order in which they come; those of the plan if it is not given. */
  readonly blobs?: readonly Held[];
  /** What happens in the place of a blob. */
  readonly broken?: { readonly at: Held; readonly with: Error };
  readonly altered?: Held;
  readonly end?: () => Promise<void>;
}

/** The plan, with images that come out of a pipe. */
function piped(plan: ContentPlan, pipe: Pipe = {}): { plan: ContentPlan; pass: OnePass } {
  const blobs = pipe.blobs ?? plan.blobs;
  const isOf = (digest: Digest, some: Held | undefined): boolean =>
    some?.descriptor.digest === digest;
  const pass = new OnePass(
    blobs.map(({ descriptor }) => descriptor),
    async function* (descriptor) {
      if (pipe.broken && isOf(descriptor.digest, pipe.broken.at)) throw pipe.broken.with;
      let isAltered = isOf(descriptor.digest, pipe.altered);
      for await (const chunk of source.fetch(descriptor)) {
        yield isAltered ? chunk.map((byte) => byte ^ 1) : chunk;
        isAltered = false;
      }
    },
    pipe.end ?? (async () => undefined),
  );
  const store: ReadOnlyStore = Object.assign(new MemoryStore('pipe'), {
    fetch: pass.fetch.bind(pass),
  });
  return { plan: { ...plan, images: plan.images.map((image) => ({ ...image, store })) }, pass };
}

async function copy(
  { plan, pass }: { plan: ContentPlan; pass: OnePass },
  options: Partial<CopyOptions> = {},
): Promise<CopyReport> {
  const { signal } = new AbortController();
  const tags = await surveyTags(plan.images, () => target, { concurrency: 1, signal });
  return copyImages(plan, tags, () => target, {
    concurrency: 2,
    signal,
    observe: (event) => events.push(event),
    pass,
    ...options,
  });
}

/** Pushes some blob as over a connection that breaks at its end, and has to begin anew. */
function breakOnce(blob: Held): void {
  const { inner } = target;
  const push = target.push.bind(target);
  target.push = async (descriptor, content, options) => {
    if (descriptor.digest !== blob.descriptor.digest) return push(descriptor, content, options);
    await drain(content).catch(() => undefined);
    return inner.push(descriptor, options!.again!(0), options);
  };
}

const last = { order: 'last' } as const;
const partial = (isLoss: (error: BundleError) => boolean): Pick<CopyOptions, 'leaves'> => ({
  leaves: { incompleteParts: new Set(), isLoss },
});

describe('copyImages out of a pipe', () => {
  it('copies everything, and awaits the end of the pipe before it names anything', async () => {
    const plan = await planOf([await made('named', undefined, last), await made('a')]);
    let tagsAtEnd: readonly string[] | undefined;
    const end = async (): Promise<void> => {
      await expect.poll(() => target.inner.tags()).toEqual(['a']);
      for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
      tagsAtEnd = await target.inner.tags();
    };
    const report = await copy(piped(plan, { end }));
    expect(report).toMatchObject({ left: [], wholeParts: [0], blobs: { pushed: 4 } });
    expect(tagsAtEnd).toEqual(['a']);
    expect([...(await target.inner.tags())].sort()).toEqual(['a', 'named']);
  });

  it('takes the blobs in the order in which they come, whatever that of the plan is', async () => {
    const layers = ['a', 'b', 'c'].map((text) => large(text, 30));
    const images = layers.map((layer) => made(layer.bytes.toString().slice(0, 1), [layer]));
    const plan = await planOf(await Promise.all(images));
    // The window holds one of them: whoever waited for another one would wait for ever.
    const blobs = plan.blobs.toReversed().map(({ descriptor }) => ({ descriptor }) as Held);
    const report = await copy(piped(plan, { blobs }), { concurrency: 1 });
    expect(report).toMatchObject({ left: [], blobs: { pushed: 6 } });
  });

  it('lets what no image needs go by, however much it is', async () => {
    const others = [large('x', 57), large('y', 40), large('z', 40)];
    await keep(source, ...others);
    const plan = await planOf([await made('a')]);
    const own = [layerOf('a'), configOf('a')];
    const blobs = [...others.slice(0, 2), own[0]!, others[2]!, own[1]!];
    const report = await copy(piped(plan, { blobs }));
    expect(report).toMatchObject({ left: [], wholeParts: [0], blobs: { pushed: 2 } });
  });

  it('lets what is at the target go by', async () => {
    const layer = large('x', 57);
    await target.inner.push(layer.descriptor, streamOf(layer.bytes));
    const plan = await planOf([await made('a', [layer]), await made('b')]);
    const report = await copy(piped(plan));
    expect(report).toMatchObject({ left: [], blobs: { pushed: 3, skipped: 1 } });
  });

  describe('that is cut off', () => {
    const cut = new BundleError('BUNDLE_UNUSABLE', 'the pipe ends here', { expected: 'more' });

    it('brings what came before, names nothing, and says how far it got', async () => {
      const plan = await planOf(
        [await made('whole'), await made('a'), await made('b'), await made('named', [], last)],
        [await made('other', [layerOf('whole')], last)],
      );
      const copying = copy(piped(plan, { broken: { at: layerOf('a'), with: cut } }));
      await expect(copying).rejects.toMatchObject({
        code: 'BUNDLE_UNUSABLE',
        side: 'source',
        expected: 'more',
        message: expect.stringContaining('1 of 5 images') as string,
      });
      expect(await target.inner.tags()).toEqual(['whole']);
      expect(events.filter(({ type }) => type === 'noticed')).toEqual([]);
    });

    it('is a failure for a copy that may leave images out, too', async () => {
      const plan = await planOf([await made('a')], [await made('named', [], last)]);
      const broken = { at: layerOf('a'), with: cut };
      await expect(
        copy(
          piped(plan, { broken }),
          partial(() => true),
        ),
      ).rejects.toMatchObject({
        code: 'BUNDLE_UNUSABLE',
      });
      expect(await target.inner.tags()).toEqual([]);
    });

    it('at its very end names nothing either', async () => {
      const plan = await planOf([await made('named', [], last)]);
      const end = async (): Promise<void> => {
        throw cut;
      };
      await expect(copy(piped(plan, { end }))).rejects.toMatchObject({ code: 'BUNDLE_UNUSABLE' });
      expect(await target.inner.tags()).toEqual([]);
    });

    it('passes on what nobody foresaw', async () => {
      const bug = new TypeError('a bug');
      const plan = await planOf([await made('a')]);
      const copying = copy(piped(plan, { broken: { at: layerOf('a'), with: bug } }));
      await expect(copying).rejects.toBe(bug);
    });
  });

  describe('that cannot be read again', () => {
    const huge = large('huge', 57);
    const plan = async (): Promise<ContentPlan> =>
      planOf(
        [await made('a', [huge]), await made('b'), await made('named', undefined, last)],
        [await made('c'), await made('other', undefined, last)],
      );

    it('leaves out what is lost, and names nothing', async () => {
      breakOnce(huge);
      const report = await copy(piped(await plan()));
      expect(report.left).toEqual(['a', 'named', 'other']);
      expect(report.wholeParts).toEqual([]);
      expect([...(await target.inner.tags())].sort()).toEqual(['b', 'c']);
      expect(events.filter(({ type }) => type === 'noticed')).toHaveLength(1);
    });

    it('names each part that is whole, if images may be left out', async () => {
      breakOnce(huge);
      const report = await copy(
        piped(await plan()),
        partial(() => false),
      );
      expect(report).toMatchObject({ left: ['a', 'named'], wholeParts: [1] });
      expect([...(await target.inner.tags())].sort()).toEqual(['b', 'c', 'other']);
    });

    it('says of wrong bytes that they are wrong, though they are asked for again', async () => {
      breakOnce(huge);
      const planned = await plan();
      await expect(copy(piped(planned, { altered: huge }))).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
        side: 'source',
        subject: 'image a',
      });
      expect(await target.inner.tags()).not.toContain('named');
      expect(await target.inner.tags()).not.toContain('other');
    });

    it('leaves out what is wrong, if images may be left out', async () => {
      const planned = await plan();
      const report = await copy(
        piped(planned, { altered: huge }),
        partial((error) => hasCode(error, 'CONTENT_MISMATCH')),
      );
      expect(report).toMatchObject({ left: ['a', 'named'], wholeParts: [1] });
    });
  });
});
