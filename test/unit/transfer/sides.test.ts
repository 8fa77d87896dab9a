import { describe, expect, it } from 'vitest';
import { drain, streamOf } from '../../../src/core/bytes.ts';
import { BundleError } from '../../../src/core/errors.ts';
import { aboutImage, onSide, streamOn } from '../../../src/transfer/sides.ts';

const detail = { hint: 'do this', expected: 'a', got: 'b', temporary: true, status: 129 } as const;

describe('the side of a failure', () => {
  it('is kept by what is told of it later, as everything else of it is', () => {
    const plain = new BundleError('DISK', 'no room', { ...detail, cause: 'why' });
    expect(plain.side).toBeUndefined();
    const sided = plain.onSide('target');
    const { hint, ...rest } = detail;
    for (const error of [sided, sided.about('image a'), sided.withHint(hint)]) {
      const { status: exitStatus, ...others } = rest;
      expect(error).toMatchObject({ ...others, hint, exitStatus, cause: 'why', side: 'target' });
    }
    expect(sided.about('image a').onSide('source')).toMatchObject({
      subject: 'image a',
      side: 'source',
      message: 'image a: no room',
    });
    expect(sided.onSide('target')).toBe(sided);
  });

  it('is none of what is no failure of this program', () => {
    const bug = new TypeError('a bug');
    expect(onSide(bug, 'source')).toBe(bug);
    expect(onSide(new BundleError('DISK', 'x'), 'source')).toMatchObject({ side: 'source' });
  });

  it('blames the image for all but a disk that cannot be written to', () => {
    const subjectOf = (...[code, side]: readonly ['DISK' | 'REGISTRY', 'source' | 'target']) =>
      aboutImage(new BundleError(code, 'x', { side }), 'a').subject;
    expect(subjectOf('DISK', 'target')).toBeUndefined();
    expect(subjectOf('DISK', 'source')).toBe('image a');
    expect(subjectOf('REGISTRY', 'target')).toBe('image a');
  });

  it('is that of the stream that failed', async () => {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.of(1);
      throw new BundleError('NETWORK', 'the line');
    };
    const seen: number[] = [];
    await expect(
      drain(streamOn('source', failing()), (bytes) => seen.push(bytes)),
    ).rejects.toMatchObject({ code: 'NETWORK', side: 'source' });
    expect(seen).toEqual([1]);
    await drain(streamOn('source', streamOf(Buffer.of(1, 2))), (bytes) => seen.push(bytes));
    expect(seen).toEqual([1, 2]);
  });
});
