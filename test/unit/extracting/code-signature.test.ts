import { describe, expect, it } from 'vitest';

import { machO } from '../../../scripts/lib/programs.ts';
import { readAll } from '../../../src/core/bytes.ts';
import { resigned, type SignatureState } from '../../../src/extracting/code-signature.ts';

const CODE = Buffer.alloc(10_000, 'code');

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function run(program: Uint8Array, size = 1000) {
  const state: SignatureState = { outcome: 'none' };
  const bytes = await readAll(resigned(inChunks(program, size), state), 2 ** 24, 'a program');
  return { bytes: Buffer.from(bytes), outcome: state.outcome };
}

/** A program whose code was changed after it was signed. */
function changed(code: Buffer = CODE): { before: Buffer; after: Buffer } {
  const other = Buffer.from(code);
  other.write('changed', 5000);
  const before = machO(code);
  other.copy(before, 48);
  return { before, after: machO(other) };
}

describe('the code signature of a program', () => {
  it.each([1, 33, 4096, 100_000])(
    'is what the linker would have made of the changed program, in chunks of %d bytes',
    async (size) => {
      const { before, after } = changed();
      const { bytes, outcome } = await run(before, size);
      expect(bytes.equals(after)).toBe(true);
      expect(outcome).toBe('renewed');
    },
  );

  it('stays as it is where nothing was changed', async () => {
    const program = machO(CODE);
    expect(await run(program)).toEqual({ bytes: program, outcome: 'kept' });
  });

  it('is only looked for in Mach-O programs', async () => {
    for (const program of [Buffer.alloc(0), Buffer.from('#!/bin/sh\n'), Buffer.alloc(5000, 7)]) {
      expect(await run(program, 100)).toEqual({ bytes: program, outcome: 'none' });
    }
  });

  it('of somebody with a certificate is left, and told', async () => {
    const { before } = changed();
    const limit = 48 + CODE.length;
    const certified = Buffer.concat([before, Buffer.alloc(28)]);
    certified.writeUInt32LE(before.length + 28 - limit, 44);
    // The directory moves behind a second entry of the list of blobs.
    certified.copyWithin(limit + 28, limit + 20, before.length);
    certified.writeUInt32BE(2, limit + 8);
    certified.writeUInt32BE(28, limit + 16);
    certified.writeUInt32BE(0x10000, limit + 20);
    const cms = before.length - limit + 8;
    certified.writeUInt32BE(cms, limit + 24);
    certified.writeUInt32BE(0xfade0b01, limit + cms);
    certified.writeUInt32BE(20, limit + cms + 4);
    expect(await run(certified)).toEqual({ bytes: certified, outcome: 'broken' });
    certified.writeUInt32BE(8, limit + cms + 4); // an empty one is no certificate
    expect((await run(certified)).outcome).toBe('renewed');
  });

  it.each<readonly [string, (program: Buffer, signature: number) => Buffer | undefined]>([
    ['ends early', (program) => program.subarray(0, program.length - 40)],
    ['has hashes of another kind', (program, at) => void program.writeUInt8(1, at + 57)],
    ['has pages of another size', (program, at) => void program.writeUInt8(14, at + 59)],
    ['has too many hashes', (program, at) => void program.writeUInt32BE(0xffffffff, at + 48)],
    ['has its hashes outside', (program, at) => void program.writeUInt32BE(0xfffffff0, at + 36)],
    ['is nothing known', (program, at) => void program.writeUInt32BE(0, at)],
    ['names blobs outside', (program, at) => void program.writeUInt32BE(0xfffffff0, at + 16)],
  ])('that %s is left, and told', async (_, spoil) => {
    const { before } = changed();
    const program = spoil(before, 48 + CODE.length) ?? before;
    expect(await run(Buffer.from(program))).toEqual({ bytes: program, outcome: 'broken' });
  });

  it.each<readonly [string, (program: Buffer) => void]>([
    ['is before the program', (program) => void program.writeUInt32LE(0, 40)],
    ['has no bytes', (program) => void program.writeUInt32LE(0, 44)],
    ['is larger than any', (program) => void program.writeUInt32LE(0xffffffff, 44)],
    ['is in a command of no size', (program) => void program.writeUInt32LE(0, 36)],
    ['is among commands without end', (program) => void program.writeUInt32LE(0xffffffff, 20)],
  ])('is none if it %s', async (_, spoil) => {
    const { before } = changed();
    spoil(before);
    expect(await run(Buffer.from(before))).toEqual({ bytes: before, outcome: 'none' });
  });
});
