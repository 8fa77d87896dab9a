import { beforeEach, describe, expect, it, vi } from 'vitest';
import { drain } from '../../../src/core/bytes.ts';
import { Pace } from '../../../src/core/concurrency.ts';
import { BundleError } from '../../../src/core/errors.ts';
import type { TransferEvent } from '../../../src/core/events.ts';
import { OCI_LAYER_GZIP } from '../../../src/core/media-types.ts';
import type { PlannedBlob } from '../../../src/transfer/plan.ts';
import { RateLimit } from '../../../src/transfer/rate.ts';
import { readAhead, type ReadAheadOptions } from '../../../src/transfer/read-ahead.ts';
import type { VerifiedStream } from '../../../src/transfer/verified.ts';
import { type Held, held } from '../../contract/content.ts';
import { keep, layerOf, WatchedStore } from './images.ts';

const MiB = 1024 * 1024;

let store: WatchedStore;
let events: TransferEvent[];
let stop: AbortController;
beforeEach(() => {
  store = new WatchedStore('source');
  events = [];
  stop = new AbortController();
});

/** Blobs that the store holds, each of an image of its own. */
async function blobsOf(...contents: readonly Held[]): Promise<PlannedBlob[]> {
  await keep(store.inner, ...contents);
  return contents.map(({ descriptor }, index) => ({ descriptor, store, image: `i${index}` }));
}

/** A layer of so many bytes, that differs from others in its first ones. */
function layer(text: string, size: number): Held {
  const bytes = Buffer.alloc(size);
  bytes.write(text);
  return held(OCI_LAYER_GZIP, bytes);
}

function options(other: Partial<ReadAheadOptions> = {}): ReadAheadOptions {
  return {
    concurrency: 4,
    signal: stop.signal,
    observe: (event) => events.push(event),
    ...other,
  };
}

/** Keeps what it is handed, in order. */
class Consumer {
  readonly taken: [string, Buffer][] = [];

  readonly consume = async ({ image }: PlannedBlob, content: VerifiedStream): Promise<void> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) chunks.push(Uint8Array.from(chunk));
    this.taken.push([image, Buffer.concat(chunks)]);
  };
}

const advanced = (): number =>
  events.reduce((total, event) => total + (event.type === 'advanced' ? event.bytes : 0), 0);
const typesOf = (image: string): string[] =>
  events.filter((event) => 'image' in event && event.image === image).map(({ type }) => type);

/** A wait for something that comes, without a clock of its own. */
const until = (what: () => boolean): Promise<void> => expect.poll(what).toBe(true);

describe('readAhead', () => {
  it('hands out blobs in the order of the list, whichever comes first', async () => {
    const contents = [layerOf('a'), layer('b', 0), layer('c', 3 * MiB), layerOf('d')];
    const blobs = await blobsOf(...contents);
    const { consume, taken } = new Consumer();
    // The first one does not come before the last one was asked for.
    const last = contents[3]!.descriptor.digest;
    store.fault = ({ digest }) =>
      digest === contents[0]!.descriptor.digest
        ? until(() => store.digestsOf('fetch').includes(last))
        : undefined;
    await readAhead(blobs, consume, options());
    expect(taken.map(([image]) => image)).toEqual(['i0', 'i1', 'i2', 'i3']);
    for (const [index, [, bytes]] of taken.entries())
      expect(bytes.equals(contents[index]!.bytes)).toBe(true);
    expect(advanced()).toBe(contents.reduce((sum, { bytes }) => sum + bytes.length, 0));
    for (const { image } of blobs) expect(typesOf(image)).toEqual(['started', 'finished']);
  });

  it('has nothing to do for no blobs', async () => {
    const { consume, taken } = new Consumer();
    await readAhead([], consume, options());
    expect(taken).toEqual([]);
    expect(events).toEqual([]);
  });

  it.each([1, 3, new Pace(2)])(
    'asks for no more than so many at a time: %j',
    async (concurrency) => {
      const most = typeof concurrency === 'number' ? concurrency : concurrency.most;
      const blobs = await blobsOf(...Array.from({ length: 9 }, (_, index) => layerOf(`${index}`)));
      let atOnce = 0;
      let highest = 0;
      store.fault = async () => {
        atOnce += 1;
        highest = Math.max(highest, atOnce);
        // So many are under way as will be: a turn later there would be more if there were any.
        for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
        atOnce -= 1;
      };
      const { consume, taken } = new Consumer();
      await readAhead(blobs, consume, options({ concurrency }));
      expect(taken).toHaveLength(9);
      expect(highest).toBe(most);
    },
  );

  it('asks for nothing that has no place in memory yet', async () => {
    const blobs = await blobsOf(...['a', 'b', 'c', 'd', 'e'].map((text) => layer(text, 12 * MiB)));
    let open: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let isFirst = true;
    const { consume, taken } = new Consumer();
    const reading = readAhead(
      blobs,
      async (blob, content) => {
        if (isFirst) await gate;
        isFirst = false;
        await consume(blob, content);
      },
      options({ concurrency: 8 }),
    );
    await until(() => advanced() >= 21 * MiB);
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    expect(advanced()).toBeLessThanOrEqual(24 * MiB);
    open?.();
    await reading;
    expect(taken).toHaveLength(5);
    expect(advanced()).toBe(60 * MiB);
  });

  it('fetches a large blob in parts, and one that is larger than its window too', async () => {
    const contents = [layer('a', 50 * MiB + 5), layer('b', 6.5 * MiB)];
    const { consume, taken } = new Consumer();
    await readAhead(await blobsOf(...contents), consume, options());
    expect(taken.every(([, bytes], index) => bytes.equals(contents[index]!.bytes))).toBe(true);
    expect(store.calls).toHaveLength(17 + 3);
  });

  it('gives up the place of what was not read to its end', async () => {
    const blobs = await blobsOf(...['a', 'b', 'c', 'd'].map((text) => layer(text, 15 * MiB)));
    const seen: string[] = [];
    const peek = async ({ image }: PlannedBlob, content: VerifiedStream): Promise<void> => {
      for await (const chunk of content) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      seen.push(image);
    };
    await readAhead(blobs, peek, options());
    expect(seen).toEqual(['i0', 'i1', 'i2', 'i3']);
  });

  it('keeps to a rate', async () => {
    const spent: number[] = [];
    const limit = new (class extends RateLimit {
      override async spend(bytes: number): Promise<void> {
        spent.push(bytes);
      }
    })(1);
    const contents = [layer('a', 3.5 * MiB), layer('b', 25 * MiB)];
    let times = 0;
    store.alter = (bytes) => (times++ === 0 ? bytes.map((byte) => byte ^ 1) : bytes);
    await readAhead(await blobsOf(...contents), new Consumer().consume, options({ limit }));
    // The first one came wrong, and once more.
    expect(spent.reduce((total, bytes) => total + bytes, 0)).toBe((2 * 3.5 + 25) * MiB);
  });

  describe('wrong content', () => {
    const sizes: [string, number][] = [
      ['of a small blob', 1000],
      ['of a blob in parts', 6.5 * MiB],
      ['of a blob that is larger than the window', 25 * MiB],
    ];

    it.each(sizes)('%s is fetched once more', async (_, size) => {
      const contents = [layer('a', size), layerOf('b')];
      const { digest } = contents[0]!.descriptor;
      let times = 0;
      store.alter = (bytes, of) =>
        of === digest && times++ === 0 ? bytes.map((byte) => byte ^ 1) : bytes;
      const { consume, taken } = new Consumer();
      await readAhead(await blobsOf(...contents), consume, options());
      expect(taken.map(([image]) => image)).toEqual(['i0', 'i1']);
      expect(taken[0]![1].equals(contents[0]!.bytes)).toBe(true);
      expect(events.filter(({ type }) => type === 'retried')).toMatchObject([
        { what: digest, attempt: 1, delayMs: 0 },
      ]);
      expect(advanced()).toBe(size + contents[1]!.bytes.length);
      expect(typesOf('i0')).toEqual(['started', 'finished']);
    });

    it.each(sizes)('%s is a failure of the source when it comes twice', async (_, size) => {
      const contents = [layerOf('a'), layer('b', size), layerOf('c')];
      store.alter = (bytes, digest) =>
        digest === contents[1]!.descriptor.digest ? bytes.map((byte) => byte ^ 1) : bytes;
      const { consume, taken } = new Consumer();
      await expect(readAhead(await blobsOf(...contents), consume, options())).rejects.toMatchObject(
        {
          code: 'CONTENT_MISMATCH',
          side: 'source',
          subject: 'image i1',
        },
      );
      expect(taken.map(([image]) => image)).toEqual(['i0']);
      expect(typesOf('i1')).toEqual(['started']);
    });

    it.each([
      ['too long', (bytes: Uint8Array) => Buffer.concat([bytes, bytes])],
      ['too short', (bytes: Uint8Array) => bytes.subarray(1)],
      ['nothing', (bytes: Uint8Array) => bytes.subarray(0, 0)],
    ])('that is %s is fetched once more', async (_, alter) => {
      let times = 0;
      store.alter = (bytes) => (times++ === 0 ? alter(bytes) : bytes);
      const [content] = [layerOf('a')];
      const { consume, taken } = new Consumer();
      await readAhead(await blobsOf(content), consume, options());
      expect(taken[0]![1].equals(content.bytes)).toBe(true);
      expect(advanced()).toBe(content.bytes.length);
    });

    it('leaves no segment in the way of the others', async () => {
      const content = layer('a', 25 * MiB);
      const blobs = await blobsOf(content, layer('b', 21 * MiB), layer('c', 21 * MiB));
      let open: (() => void) | undefined;
      const isRetried = new Promise<void>((resolve) => (open = resolve));
      const observe = (event: TransferEvent): void => {
        events.push(event);
        if (event.type === 'retried') open?.();
      };
      // Eight segments are under way when the first one turns out to be too long: they are given
      // up. The ninth, which waits for its place, is not asked for any more.
      let calls = 0;
      store.fault = () => {
        calls += 1;
        return calls > 1 && calls <= 8 ? isRetried : undefined;
      };
      let chunks = 0;
      store.alter = (bytes) => (chunks++ === 0 ? Buffer.alloc(3 * MiB + 1) : bytes);
      const { consume, taken } = new Consumer();
      await readAhead(blobs, consume, options({ concurrency: 16, observe }));
      expect(taken.map(([image]) => image)).toEqual(['i0', 'i1', 'i2']);
      expect(taken[0]![1].equals(content.bytes)).toBe(true);
      expect(advanced()).toBe((25 + 21 + 21) * MiB);
      // The first blob once more and whole, the others in seven segments each.
      expect(store.calls).toHaveLength(8 + 1 + 7 + 7);
    });
  });

  describe('a failure', () => {
    it('to fetch is one of the source, and names the image', async () => {
      const contents = [layerOf('a'), layerOf('b'), layerOf('c')];
      store.fault = ({ digest }) => {
        if (digest === contents[1]!.descriptor.digest)
          throw new BundleError('NETWORK', 'the line', { temporary: true });
      };
      const { consume, taken } = new Consumer();
      const reading = readAhead(await blobsOf(...contents), consume, options());
      await expect(reading).rejects.toMatchObject({
        code: 'NETWORK',
        side: 'source',
        temporary: true,
        subject: 'image i1',
      });
      expect(taken.map(([image]) => image)).toEqual(['i0']);
    });

    it('to fetch what came wrong once more is one of the source', async () => {
      let times = 0;
      store.alter = (bytes) => bytes.map((byte) => byte ^ 1);
      store.fault = () => {
        if (times++ > 0) throw new BundleError('NOT_FOUND', 'it is gone');
      };
      const reading = readAhead(await blobsOf(layerOf('a')), new Consumer().consume, options());
      await expect(reading).rejects.toMatchObject({ code: 'NOT_FOUND', side: 'source' });
    });

    it.each([
      ['DISK', undefined],
      ['CONTENT_MISMATCH', 'image i0'],
    ] as const)(
      'to consume is one of the target, and is not tried again: %s',
      async (code, subject) => {
        const consume = vi.fn(async (_: PlannedBlob, content: VerifiedStream) => {
          await drain(content);
          throw new BundleError(code, 'no room');
        });
        const reading = readAhead(await blobsOf(layerOf('a'), layerOf('b')), consume, options());
        await expect(reading).rejects.toMatchObject({ code, side: 'target', subject });
        expect(consume).toHaveBeenCalledTimes(1);
      },
    );

    it('that nobody foresaw passes through as it is', async () => {
      const bug = new TypeError('a bug');
      const reading = readAhead(
        await blobsOf(layerOf('a')),
        async () => {
          throw bug;
        },
        options(),
      );
      await expect(reading).rejects.toBe(bug);
    });

    it('ends what is under way before it is told', async () => {
      const contents = [layerOf('a'), layerOf('b')];
      let ended = 0;
      const fetch = store.fetch.bind(store);
      store.fetch = async function* (descriptor, its) {
        if (descriptor.digest === contents[0]!.descriptor.digest) {
          yield* fetch(descriptor);
          return;
        }
        const { signal } = its!;
        await until(() => signal!.aborted);
        ended += 1;
        throw signal!.reason as Error;
      };
      const reading = readAhead(
        await blobsOf(...contents),
        async () => {
          throw new BundleError('DISK', 'no room');
        },
        options(),
      );
      await expect(reading).rejects.toMatchObject({ code: 'DISK' });
      expect(ended).toBe(1);
    });
  });

  describe('that is ended', () => {
    it('says why, whatever fails because of it', async () => {
      const reading = readAhead(
        await blobsOf(layerOf('a'), layerOf('b')),
        async () => {
          stop.abort(new Error('the user'));
          throw new BundleError('DISK', 'cut short');
        },
        options(),
      );
      await expect(reading).rejects.toThrow('the user');
    });

    it('before it began asks for nothing', async () => {
      stop.abort(new Error('the user'));
      const { consume, taken } = new Consumer();
      const reading = readAhead(await blobsOf(layerOf('a')), consume, options());
      await expect(reading).rejects.toThrow('the user');
      expect([taken, store.calls]).toEqual([[], []]);
    });

    it('lets nobody wait for a place that will not come', async () => {
      const blobs = await blobsOf(...['a', 'b', 'c', 'd'].map((text) => layer(text, 12 * MiB)));
      const reading = readAhead(
        blobs,
        async () => {
          await until(() => advanced() >= 21 * MiB);
          stop.abort(new Error('the user'));
        },
        options({ concurrency: 16 }),
      );
      await expect(reading).rejects.toThrow('the user');
    });
  });
});
