import { describe, expect, it } from 'vitest';

import type { Descriptor } from '../../../src/core/descriptor.ts';
import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { OnePass } from '../../../src/transfer/one-pass.ts';
import { seededBytes } from '../../support/sample-bundle.ts';

const MiB = 1024 * 1024;

interface Blob {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

function blobsOf(...sizes: readonly number[]): readonly Blob[] {
  return sizes.map((size, index) => {
    const bytes = seededBytes(`pass ${index}`, size);
    return { bytes, descriptor: { mediaType: '', digest: digestOf(bytes), size } };
  });
}

/** A pass over blobs, and the digests of those that were read from, in order. */
function passOver(
  blobs: readonly Blob[],
  broken?: { readonly failure: Error; readonly in: Blob },
): { pass: OnePass; read: string[] } {
  const read: string[] = [];
  const pass = new OnePass(
    blobs.map(({ descriptor }) => descriptor),
    async function* ({ digest }) {
      read.push(digest);
      const { bytes } = blobs.find(({ descriptor }) => descriptor.digest === digest)!;
      for (let at = 0; at < bytes.length; at += 700_001) {
        if (broken?.in.bytes === bytes && at > bytes.length / 2) throw broken.failure;
        yield bytes.subarray(at, at + 700_001);
      }
    },
    async () => undefined,
  );
  return { pass, read };
}

async function contentOf(pass: OnePass, { descriptor }: Blob, start = 0): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of pass.fetch(descriptor, { range: { start, end: descriptor.size } }))
    chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

describe('one pass', () => {
  it('gives blobs to whoever asks, in whatever order they ask, and as often until they are settled', async () => {
    const blobs = blobsOf(3 * MiB + 1, 0, 5, 9 * MiB, 2 * MiB);
    const { pass, read } = passOver(blobs);
    pass.beginSettling();
    const all = await Promise.all(
      [...blobs, ...blobs].toReversed().map((blob) => contentOf(pass, blob)),
    );
    expect(
      all.every((content, index) =>
        content.equals(blobs[(2 * blobs.length - 1 - index) % blobs.length]!.bytes),
      ),
    ).toBe(true);
    expect(read).toEqual(blobs.map(({ descriptor }) => descriptor.digest));
    expect(
      (await contentOf(pass, blobs[3]!, 4 * MiB)).equals(blobs[3]!.bytes.subarray(4 * MiB)),
    ).toBe(true);
    pass.settle(blobs[3]!.descriptor.digest);
    await expect(contentOf(pass, blobs[3]!)).rejects.toMatchObject({ code: 'NOT_REPLAYABLE' });
    await pass.finish();
  });

  it('says at its end what was wrong of that which nobody asked for, whenever that was known', async () => {
    for (const isKnownBefore of [true, false]) {
      const blobs = blobsOf(5, 3 * MiB, 70 * MiB, 9);
      const [first, small, large] = blobs as [Blob, Blob, Blob, Blob];
      for (const wrong of [small, large]) {
        const promised = { ...wrong.descriptor, digest: digestOf('something else') };
        const stream = blobs.map((blob) =>
          blob === wrong ? { ...blob, descriptor: promised } : blob,
        );
        const { pass } = passOver(stream);
        const needed = (digest: Digest): boolean => digest === first.descriptor.digest;
        if (isKnownBefore) pass.beginSettling(needed);
        expect((await contentOf(pass, first)).equals(first.bytes)).toBe(true);
        if (!isKnownBefore) pass.beginSettling(needed);
        await expect(pass.finish()).rejects.toMatchObject({
          code: 'CONTENT_MISMATCH',
          side: 'source',
          expected: promised.digest,
          got: wrong.descriptor.digest,
        });
      }
    }
  });

  it('lets what is larger than its window go by, and can give the last part of it again', async () => {
    const blobs = blobsOf(70 * MiB, 80 * MiB, 1);
    const { pass } = passOver(blobs);
    pass.beginSettling();
    pass.settle(blobs[0]!.descriptor.digest);
    const large = blobs[1]!;
    expect((await contentOf(pass, large)).equals(large.bytes)).toBe(true);
    expect((await contentOf(pass, large, 60 * MiB)).equals(large.bytes.subarray(60 * MiB))).toBe(
      true,
    );
    await expect(contentOf(pass, large)).rejects.toMatchObject({ code: 'NOT_REPLAYABLE' });
    pass.settle(large.descriptor.digest);
    expect((await contentOf(pass, blobs[2]!)).equals(blobs[2]!.bytes)).toBe(true);
    await pass.finish();
  });

  it('never waits for room that nobody makes while nothing is settled yet', async () => {
    const blobs = blobsOf(40 * MiB, 70 * MiB, 40 * MiB, 30 * MiB);
    const { pass } = passOver(blobs);
    for (const blob of blobs) expect((await contentOf(pass, blob)).length).toBe(blob.bytes.length);
    await expect(contentOf(pass, blobs[1]!)).rejects.toMatchObject({ code: 'NOT_REPLAYABLE' });
    expect((await contentOf(pass, blobs[3]!)).equals(blobs[3]!.bytes)).toBe(true);
    await pass.finish();
  });

  it('waits, however fast it is, for those who have not begun to settle what they will need', async () => {
    const blobs = blobsOf(1 * MiB, 30 * MiB, 40 * MiB, 20 * MiB);
    const { pass, read } = passOver(blobs);
    expect((await contentOf(pass, blobs[0]!)).equals(blobs[0]!.bytes)).toBe(true);
    await expect.poll(() => read).toHaveLength(3); // the window is full within the third
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    expect(read).toHaveLength(3);
    pass.beginSettling();
    for (const blob of blobs) {
      expect((await contentOf(pass, blob)).equals(blob.bytes)).toBe(true);
      pass.settle(blob.descriptor.digest);
    }
    await pass.finish();
  });

  it('tells everybody who waits what it ended with, and still gives what came before', async () => {
    const failure = new Error('the cable');
    const blobs = blobsOf(2 * MiB, 4 * MiB, 1);
    const { pass } = passOver(blobs, { failure, in: blobs[1]! });
    pass.beginSettling();
    const outcomes = await Promise.allSettled(blobs.map((blob) => contentOf(pass, blob)));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect((await contentOf(pass, blobs[0]!)).equals(blobs[0]!.bytes)).toBe(true);
    expect(pass.failure).toBe(failure);
    await expect(pass.finish()).rejects.toBe(failure);
  });

  it('lets go by what nobody will settle', async () => {
    const blobs = blobsOf(60 * MiB, 1, 40 * MiB, 40 * MiB, 2);
    const { pass } = passOver(blobs);
    expect([...pass.digests]).toEqual(blobs.map(({ descriptor }) => descriptor.digest));
    const wanted = [blobs[1]!, blobs[4]!];
    pass.beginSettling((digest) => wanted.some(({ descriptor }) => descriptor.digest === digest));
    for (const blob of wanted) expect((await contentOf(pass, blob)).equals(blob.bytes)).toBe(true);
    await expect(contentOf(pass, blobs[0]!)).rejects.toMatchObject({
      code: 'NOT_REPLAYABLE',
      side: 'source',
    });
    await pass.finish();
  });

  it('needs no room for what is settled while it waits for room', async () => {
    const blobs = blobsOf(50 * MiB, 20 * MiB, 5);
    const { pass, read } = passOver(blobs);
    pass.beginSettling();
    const [first, second, third] = blobs as [Blob, Blob, Blob];
    expect((await contentOf(pass, first)).length).toBe(50 * MiB);
    // And waits for the place that the first one takes.
    await expect.poll(() => read).toHaveLength(2);
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    pass.settle(second.descriptor.digest);
    pass.settle(first.descriptor.digest);
    expect((await contentOf(pass, third)).equals(third.bytes)).toBe(true);
    await expect(contentOf(pass, second)).rejects.toMatchObject({ code: 'NOT_REPLAYABLE' });
    await pass.finish();
  });

  it.each([
    ['fewer', -1],
    ['more', 1],
  ])('ends when %s bytes come than a blob has', async (_, difference) => {
    const [blob, next] = blobsOf(3 * MiB, 1) as [Blob, Blob];
    const size = blob.bytes.length - difference;
    const announced = { ...blob, descriptor: { ...blob.descriptor, size } };
    const { pass } = passOver([announced, next]);
    pass.beginSettling();
    const failure = { code: 'CONTENT_MISMATCH', side: 'source' };
    await expect(contentOf(pass, announced)).rejects.toMatchObject(failure);
    await expect(contentOf(pass, next)).rejects.toMatchObject(failure);
    await expect(pass.finish()).rejects.toMatchObject(failure);
  });

  it('lets a reader go who has given up', async () => {
    const stop = new AbortController();
    const stuck = new OnePass(
      [{ mediaType: '', digest: digestOf('x'), size: 1 }],
      async function* () {
        await new Promise(() => undefined);
        yield Buffer.of(0);
      },
      async () => undefined,
    );
    const [digest] = [...stuck.digests];
    const reading = stuck
      .fetch({ mediaType: '', digest: digest!, size: 1 }, { signal: stop.signal })
      .next();
    stop.abort(new Error('the user'));
    await expect(reading).rejects.toThrow('the user');
  });

  it('reads nothing before somebody asks', async () => {
    const { pass, read } = passOver(blobsOf(5, 6));
    expect(read).toEqual([]);
    await pass.finish();
    expect(read.length).toBe(2);
  });
});
