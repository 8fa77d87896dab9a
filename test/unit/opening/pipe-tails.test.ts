import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Fault } from '../../../src/bundle/reading/fault.ts';
import { SealedBundle } from '../../../src/bundle/reading/sealed.ts';
import { Pace } from '../../../src/core/concurrency.ts';
import { copyImages } from '../../../src/transfer/copy.ts';
import { hasCode } from '../../../src/core/errors.ts';
import type { ContentPlan } from '../../../src/transfer/plan.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import { auditLayers } from '../../../src/opening/audit.ts';
import { contextIn } from '../../support/context.ts';
import { type SampleBundle, writeSampleBundle } from '../../support/sample-bundle.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
/** Bytes that a pass keeps of what has come. */
const WINDOW = 56 * MiB;

const context = contextIn('/', { now: new Date(0), concurrency: new Pace(4) });

/** What is done to the end of a stream that is right up to there. */
const TAILS: readonly (readonly [string, (bytes: Buffer) => readonly Buffer[]])[] = [
  ...[1, 100, 2000].map(
    (by) => [`cut by ${by}`, (bytes: Buffer) => [bytes.subarray(0, -by)]] as const,
  ),
  ...[1, 9, 60, 150, 700, 2000, 4000].map(
    (from) =>
      [`changed ${from} bytes from the end`, (bytes: Buffer) => flipped(bytes, from)] as const,
  ),
  ...[1, 2, 70_000].map(
    (by) => [`longer by ${by}`, (bytes: Buffer) => [bytes, Buffer.alloc(by, 'x')]] as const,
  ),
];

function flipped(bytes: Buffer, from: number): readonly Buffer[] {
  const tail = Buffer.from(bytes.subarray(-from));
  tail[0]! ^= 1;
  return [bytes.subarray(0, -from), tail];
}

describe.each([
  ['layers of no size and of some bytes', [0, 5, 700]],
  ['layers that the window holds many times', [300 * KiB, 1, 200 * KiB]],
  ['layers as large as the window', [WINDOW - 1, WINDOW, 3]],
  ['a layer as large as the window at the end', [1, WINDOW]],
  ['layers larger than the window', [5, WINDOW + 1, WINDOW + 3 * MiB]],
])('the end of a bundle in a pipe, with %s', (_, sizes) => {
  let folder: string;
  let sample: SampleBundle;
  let bytes: Buffer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-tails-'));
    sample = await writeSampleBundle(folder, sizes, SigningKey.generate('ed25519'));
    bytes = await readFile(sample.path);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const received = async (parts: readonly Buffer[]): Promise<SealedBundle> =>
    SealedBundle.receive(Readable.from(chunksOf(parts)), 'stdin');

  /** What an audit of the layers finds. */
  const audited = async (parts: readonly Buffer[]): Promise<readonly Fault[]> => {
    const sealed = await received(parts);
    const faults: Fault[] = [];
    try {
      const reader = await sealed.unseal();
      const { good } = await auditLayers(
        { reader, closure: undefined, unchecked: new Set(), size: sealed.size, path: 'stdin' },
        (fault) => faults.push(fault),
        context,
      );
      expect(good).toBe(sample.layers.length);
      return faults;
    } finally {
      await sealed.close();
    }
  };

  /**
   * Copies everything to a target, which may hold all of it. @returns what names the release there
   * in the end.
   */
  const copied = async (
    parts: readonly Buffer[],
    target = new MemoryStore('target'),
  ): Promise<readonly string[]> => {
    const sealed = await received(parts);
    try {
      const reader = await sealed.unseal();
      const plan = planOf(sample, reader);
      const [image] = plan.images;
      const tags = [{ image: image!, target, tag: image!.tags[0]!, current: undefined }];
      await copyImages(plan, tags, () => target, { ...context, pass: reader.pass }).catch(
        (error: unknown) => {
          if (!hasCode(error, 'BUNDLE_UNUSABLE')) throw error;
        },
      );
      return await target.tags();
    } finally {
      await sealed.close();
    }
  };

  it('is good as it was made', async () => {
    expect(await audited([bytes])).toEqual([]);
    expect(await copied([bytes])).toEqual(['4.17.3-x86_64']);
  });

  it.each(TAILS)('is a fault in an audit when it is %s', async (_tail, change) => {
    const [fault, ...others] = await audited(change(bytes));
    expect(fault).toMatchObject({
      entries: ['the end of the bundle'],
      path: 'stdin',
      error: { code: 'BUNDLE_UNUSABLE' },
    });
    expect(fault!.start).toBeGreaterThan(sizes.reduce((total, size) => total + size));
    expect(fault!.end).toBeGreaterThanOrEqual(fault!.start);
    expect(others).toEqual([]);
  });

  it.each(TAILS)(
    'keeps the release from its tag when it is %s, whether the target had the layers or not',
    async (_tail, change) => {
      const target = new MemoryStore('target');
      expect(await copied(change(bytes), target)).toEqual([]);
      expect(await copied(change(bytes), target)).toEqual([]);
    },
  );
});

async function* chunksOf(parts: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const part of parts)
    for (let at = 0; at < part.length; at += 64 * KiB) yield part.subarray(at, at + 64 * KiB);
}

/** What a part derived from the bundle would say of its one image. */
function planOf(
  { contents, layers }: SampleBundle,
  store: ContentPlan['blobs'][number]['store'],
): ContentPlan {
  const [image] = contents.images;
  const [manifest] = contents.manifests;
  const { name, role, source, tags, parts } = image!;
  return {
    images: [
      {
        ...{ name, role, source, tags, parts, store },
        ...({ place: 'entry', proof: 'publisher', order: 'last' } as const),
        descriptor: manifest!.descriptor,
        manifests: [manifest!.descriptor],
        blobs: layers.map(({ descriptor }) => descriptor),
      },
    ],
    manifests: contents.manifests,
    blobs: layers.map(({ descriptor }) => ({ descriptor, image: name, store })),
  };
}
