import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ByteStream, readAll, streamOf } from '../../../src/core/bytes.ts';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { BundleError, hasCode } from '../../../src/core/errors.ts';
import type { TransferEvent } from '../../../src/core/events.ts';
import { OCTET_STREAM } from '../../../src/core/media-types.ts';
import {
  readVerified,
  RepeatableContent,
  twiceIfWrong,
  verified,
} from '../../../src/transfer/verified.ts';

const describing = (bytes: Uint8Array): Descriptor => ({
  mediaType: OCTET_STREAM,
  digest: digestOf(bytes),
  size: bytes.length,
});
const content = fc.uint8Array({ minLength: 1, maxLength: 200 });
const cuts = fc.array(fc.nat(200), { maxLength: 5 });

/** The bytes in pieces, some of them empty. */
function pieces(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const ends = [...at.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

/** What a consumer has been handed when the stream ended, and how it ended. */
async function consume(stream: ByteStream): Promise<{ seen: number; failure: unknown }> {
  let seen = 0;
  try {
    for await (const chunk of stream) seen += chunk.length;
  } catch (failure) {
    return { seen, failure };
  }
  return { seen, failure: undefined };
}

async function expectRefused(
  altered: Uint8Array,
  at: readonly number[],
  expected: Descriptor,
): Promise<void> {
  const { seen, failure } = await consume(verified(streamOf(...pieces(altered, at)), expected));
  expect(hasCode(failure, 'CONTENT_MISMATCH')).toBe(true);
  expect(seen).toBeLessThan(expected.size);
}

describe('verified', () => {
  it('passes on what was promised, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(content, cuts, async (bytes, at) => {
        const got = await readAll(
          verified(streamOf(...pieces(bytes, at)), describing(bytes)),
          bytes.length,
          'test',
        );
        expect(Buffer.compare(got, bytes)).toBe(0);
      }),
    );
  });

  it('refuses content that ends early', async () => {
    await fc.assert(
      fc.asyncProperty(content, cuts, fc.nat(), async (bytes, at, end) => {
        await expectRefused(bytes.subarray(0, end % bytes.length), at, describing(bytes));
      }),
    );
  });

  it('refuses any bit flipped, and never hands on the last byte of it', async () => {
    await fc.assert(
      fc.asyncProperty(content, cuts, fc.nat(), fc.nat(7), async (bytes, at, where, bit) => {
        const altered = Uint8Array.from(bytes);
        altered[where % bytes.length]! ^= 1 << bit;
        await expectRefused(altered, at, describing(bytes));
      }),
    );
  });

  it('refuses any byte more, and never hands on the last byte before it', async () => {
    await fc.assert(
      fc.asyncProperty(
        content,
        cuts,
        fc.uint8Array({ minLength: 1 }),
        fc.nat(),
        async (bytes, at, more, where) => {
          const cut = where % (bytes.length + 1);
          const altered = Buffer.concat([bytes.subarray(0, cut), more, bytes.subarray(cut)]);
          await expectRefused(altered, at, describing(bytes));
        },
      ),
    );
  });

  it('tells what was promised and what came', async () => {
    const [bytes, other] = [Buffer.from('good'), Buffer.from('evil')];
    expect((await consume(verified(streamOf(other), describing(bytes)))).failure).toMatchObject({
      expected: digestOf(bytes),
      got: digestOf(other),
    });
    expect(
      (await consume(verified(streamOf(bytes, other), describing(bytes)))).failure,
    ).toMatchObject({ expected: '4 bytes' });
    expect((await consume(verified(streamOf(), describing(bytes)))).failure).toMatchObject({
      expected: '4 bytes',
      got: '0 bytes',
    });
  });

  it('checks the empty blob too', async () => {
    const empty = describing(Buffer.alloc(0));
    expect(await consume(verified(streamOf(), empty))).toEqual({ seen: 0, failure: undefined });
    expect(await consume(verified(streamOf(Buffer.alloc(0)), empty))).toEqual({
      seen: 0,
      failure: undefined,
    });
    expect((await consume(verified(streamOf(Buffer.of(0)), empty))).failure).toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
    const wrong = { ...empty, digest: digestOf('x') };
    expect((await consume(verified(streamOf(), wrong))).failure).toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
  });

  it('passes on the failure of its source, and closes the source when it refuses', async () => {
    const broken = new Error('the source broke');
    const closed: boolean[] = [];
    const source = async function* (fail: boolean): AsyncGenerator<Uint8Array> {
      try {
        yield Buffer.from('go');
        if (fail) throw broken;
        yield Buffer.from('too much');
      } finally {
        closed.push(true);
      }
    };
    expect((await consume(verified(source(true), describing(Buffer.from('good'))))).failure).toBe(
      broken,
    );
    expect(
      (await consume(verified(source(false), describing(Buffer.from('good'))))).failure,
    ).toMatchObject({ code: 'CONTENT_MISMATCH' });
    expect(closed).toEqual([true, true]);
  });
});

it('verified keeps the last chunk even if its memory is used again', async () => {
  const reused = Buffer.from('a');
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield reused;
    reused.write('b');
  };
  expect(
    Buffer.from(
      await readAll(verified(source(), describing(Buffer.from('a'))), 1, 'test'),
    ).toString(),
  ).toBe('a');
});

describe('RepeatableContent', () => {
  const reader = (bytes: Uint8Array, at: readonly number[], starts: number[] = []) => {
    return (start: number): ByteStream => {
      starts.push(start);
      return streamOf(...pieces(bytes.subarray(start), at));
    };
  };

  it('gives the content from any byte, whatever was given before, reading at most a checkpoint more', async () => {
    await fc.assert(
      fc.asyncProperty(
        content,
        cuts,
        fc.array(fc.nat(200), { minLength: 1, maxLength: 4 }),
        async (bytes, at, wanted) => {
          const starts: number[] = [];
          const distance = 16;
          const repeatable = new RepeatableContent(
            describing(bytes),
            reader(bytes, at, starts),
            distance,
          );
          const whole = await readAll(repeatable.from(0), 200, 'test');
          expect(Buffer.compare(whole, bytes)).toBe(0);
          const longest = Math.max(distance, ...pieces(bytes, at).map(({ length }) => length));
          for (const start of wanted
            .map((position) => position % (bytes.length + 1))
            .sort((a, b) => b - a)) {
            expect(
              Buffer.compare(
                await readAll(repeatable.from(start), 200, 'test'),
                bytes.subarray(start),
              ),
            ).toBe(0);
            expect(start - starts.at(-1)!).toBeLessThan(distance + longest);
          }
        },
      ),
    );
  });

  it('holds the end back when any byte was other than promised, the first time or later', async () => {
    await fc.assert(
      fc.asyncProperty(content, cuts, fc.nat(), fc.nat(), async (bytes, at, where, from) => {
        const altered = Buffer.from(bytes);
        altered[where % bytes.length]! ^= 1;
        const wrong = new RepeatableContent(describing(bytes), reader(altered, at), 16);
        expect((await consume(wrong.from(0))).failure).toMatchObject({ code: 'CONTENT_MISMATCH' });
        const start = from % bytes.length;
        const { seen, failure } = await consume(wrong.from(start));
        expect(failure).toMatchObject({ code: 'CONTENT_MISMATCH' });
        expect(seen).toBeLessThan(bytes.length - start);
      }),
    );
  });

  it('believes nothing it saw before it was restarted', async () => {
    const bytes = Buffer.alloc(100, 7);
    let source = Buffer.alloc(100, 8);
    const repeatable = new RepeatableContent(
      describing(bytes),
      (start) => streamOf(source.subarray(start)),
      16,
    );
    expect((await consume(repeatable.from(0))).failure).toMatchObject({ code: 'CONTENT_MISMATCH' });
    source = bytes;
    repeatable.restart();
    expect((await consume(repeatable.from(50))).failure).toBe(undefined);
  });
});

describe('twiceIfWrong', () => {
  const wrong = new BundleError('CONTENT_MISMATCH', 'wrong');

  it('does once more what was wrong, and tells of it', async () => {
    const events: TransferEvent[] = [];
    let times = 0;
    const task = async (): Promise<number> => {
      times += 1;
      if (times === 1) throw wrong;
      return times;
    };
    expect(await twiceIfWrong({}, task, 'what', (event) => void events.push(event))).toBe(2);
    expect(events).toMatchObject([{ type: 'retried', what: 'what', attempt: 1 }]);
  });

  it.each([
    [wrong, 2],
    [new BundleError('NETWORK', 'broken'), 1],
  ])('throws %s after %d', async (error, expected) => {
    let times = 0;
    const task = async (): Promise<void> => {
      times += 1;
      throw error;
    };
    await expect(twiceIfWrong({}, task, 'what', undefined)).rejects.toBe(error);
    expect(times).toBe(expected);
  });

  it('does nothing again with a store that gives the same each time', async () => {
    let times = 0;
    const task = async (): Promise<void> => {
      times += 1;
      throw wrong;
    };
    const tell = (): never => expect.unreachable();
    await expect(twiceIfWrong({ isSteady: true }, task, 'what', tell)).rejects.toBe(wrong);
    expect(times).toBe(1);
  });
});

describe('readVerified', () => {
  it('does not begin to read what is over the limit', async () => {
    const bytes = Buffer.from('four');
    expect(Buffer.compare(await readVerified(streamOf(bytes), describing(bytes), 4), bytes)).toBe(
      0,
    );
    const never = async function* (): AsyncGenerator<Uint8Array> {
      yield await Promise.reject<Uint8Array>(new Error('was read'));
    };
    await expect(readVerified(never(), describing(bytes), 3)).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });
});

describe('readAll', () => {
  it('keeps chunks whose memory is used again', async () => {
    const reused = Buffer.alloc(1);
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (const value of [1, 2, 3]) {
        reused[0] = value;
        yield reused;
      }
    };
    expect([...(await readAll(source(), 3, 'test'))]).toEqual([1, 2, 3]);
  });

  it('stops at its limit', async () => {
    await expect(
      readAll(streamOf(Buffer.alloc(3), Buffer.alloc(2)), 4, 'test'),
    ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
  });
});
