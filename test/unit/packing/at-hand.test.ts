import { describe, expect, it } from 'vitest';

import type { BundleReader } from '../../../src/bundle/reading/reader.ts';
import { drain, streamOf } from '../../../src/core/bytes.ts';
import { BundleError } from '../../../src/core/errors.ts';
import { BundlesAtHand } from '../../../src/packing/resume/at-hand.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { readAhead } from '../../../src/transfer/read-ahead.ts';
import { sampleClosure } from '../../support/sample-parts.ts';
import { configOf, keep, layerOf, manifestOf } from '../transfer/images.ts';

/** Hands the blobs of a closure out. @returns what the source was asked for. */
async function askedFor(
  damage: 'none' | 'flipped' | 'cut' = 'none',
): Promise<{ readonly asked: readonly string[]; readonly told: readonly BundleError[] }> {
  const source = new MemoryStore();
  const layers = [layerOf('here'), layerOf('new')];
  const image = manifestOf('image', layers);
  await keep(source, ...layers, configOf('image'), image);
  const closure = await sampleClosure([{ name: 'image', image: image.descriptor, store: source }]);
  const asked: string[] = [];
  const fetch = source.fetch.bind(source);
  source.fetch = (descriptor, options) => {
    asked.push(descriptor.digest);
    return fetch(descriptor, options);
  };
  const held = layers[0]!;
  const bytes = damage === 'flipped' ? Buffer.from(held.bytes).fill(0) : held.bytes;
  const reader = {
    layerDigests: [held.descriptor.digest],
    fetch: () => (damage === 'cut' ? cut() : streamOf(bytes)),
    close: async () => Promise.resolve(),
  };
  const atHand = new BundlesAtHand();
  const told: BundleError[] = [];
  atHand.add(reader as unknown as BundleReader, {
    onDamaged: (error) => told.push(error),
    close: reader.close,
  });
  const { content } = atHand.before(closure);
  await readAhead(content.blobs, async (_, stream) => drain(stream), {
    concurrency: 2,
    signal: new AbortController().signal,
    observe: () => undefined,
  });
  await atHand.close();
  return { asked, told };
}

// eslint-disable-next-line require-yield -- it ends before its first byte
async function* cut(): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  throw new BundleError('BUNDLE_UNUSABLE', 'the file ends too early');
}

describe('a bundle at hand', () => {
  const [here, fresh] = [layerOf('here'), layerOf('new')].map(
    ({ descriptor }) => descriptor.digest,
  );

  it('gives what it holds, and the source is asked for the rest alone', async () => {
    const { asked, told } = await askedFor();
    expect([asked.includes(here!), asked.includes(fresh!)]).toEqual([false, true]);
    expect(told).toEqual([]);
  });

  it.each([
    ['flipped', 'CONTENT_MISMATCH'],
    ['cut', 'BUNDLE_UNUSABLE'],
  ] as const)('that is %s is told of once, and the source is asked', async (damage, code) => {
    const { asked, told } = await askedFor(damage);
    expect(asked).toContain(here);
    expect(told.map((error) => error.code)).toEqual([code]);
  });
});
