import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { readAll } from '../../../src/core/bytes.ts';
import {
  checkRoom,
  type Marker,
  RELEASE_ARCHITECTURE,
  RELEASE_IMAGE,
  RELEASE_VERSION,
  withValues,
} from '../../../src/extracting/markers.ts';

const VALUES: readonly (readonly [Marker, string])[] = [
  [RELEASE_IMAGE, `quay.io/openshift-release-dev/ocp-release@sha256:${'a'.repeat(64)}`],
  [RELEASE_VERSION, '4.17.3'],
];

async function* inChunks(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    // A chunk is valid only until the next one is asked for.
    const chunk = Uint8Array.from(bytes.subarray(at, at + size));
    yield chunk;
    chunk.fill(0xee);
    at += size;
  }
}

async function patched(bytes: Buffer, sizes: readonly number[] = [7]) {
  const left = new Map(VALUES);
  const result = await readAll(withValues(inChunks(bytes, sizes), left), 2 ** 24, 'a program');
  return { result: Buffer.from(result), left: [...left.keys()] };
}

const withValue = (marker: Marker, value: string): Buffer => {
  const bytes = Buffer.from(marker.bytes);
  bytes.write(`${value}\0`);
  return bytes;
};

describe('markers', () => {
  it('have the lengths of those in real programs', () => {
    expect(RELEASE_IMAGE.bytes).toHaveLength(26 + 300 + 1);
    expect(RELEASE_VERSION.bytes).toHaveLength(28 + 64 + 1);
    expect(RELEASE_ARCHITECTURE.bytes).toHaveLength(33 + 64 + 1);
  });

  it('are found wherever they are, across chunks of any size', async () => {
    const filler = fc.uint8Array({ maxLength: 700 });
    const sizes = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(filler, filler, filler, sizes, async (before, between, after, chunks) => {
        const [[image, reference], [version, name]] = VALUES as [
          readonly [Marker, string],
          readonly [Marker, string],
        ];
        const program = (first: Uint8Array, second: Uint8Array): Buffer =>
          Buffer.concat([before, first, between, second, after]);
        const { result, left } = await patched(program(image.bytes, version.bytes), chunks);
        const expected = program(withValue(image, reference), withValue(version, name));
        expect(result.equals(expected)).toBe(true);
        expect(left).toEqual([]);
      }),
    );
  });

  it('are replaced once, and nothing else is', async () => {
    const twice = Buffer.concat([RELEASE_VERSION.bytes, RELEASE_VERSION.bytes]);
    const { result } = await patched(twice);
    expect(result.subarray(RELEASE_VERSION.bytes.length)).toEqual(RELEASE_VERSION.bytes);
  });

  it('that are not there are told, and the program stays as it is', async () => {
    const short = Buffer.from(RELEASE_IMAGE.bytes.subarray(0, -2));
    const program = Buffer.concat([short, Buffer.from('X'), Buffer.from('no end')]);
    const { result, left } = await patched(program);
    expect(result).toEqual(program);
    expect(left).toEqual([RELEASE_IMAGE, RELEASE_VERSION]);
    expect((await patched(Buffer.alloc(0))).result).toHaveLength(0);
  });

  it('have room for so much', () => {
    expect(() => {
      checkRoom(RELEASE_VERSION, 'v'.repeat(92));
    }).not.toThrow();
    expect(() => {
      checkRoom(RELEASE_VERSION, 'v'.repeat(93));
    }).toThrow(/no room/);
  });
});
