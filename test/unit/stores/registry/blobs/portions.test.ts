import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readAll, streamOf } from '../../../../../src/core/bytes.ts';
import { Portions } from '../../../../../src/stores/registry/blobs/portions.ts';

it('takes any stream in portions of any size', async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 30 }), async (content, size) => {
      const whole = Buffer.concat(content);
      const portions = new Portions(streamOf(...content));
      for (let at = 0; at < whole.length; at += size) {
        expect(
          Buffer.compare(
            await readAll(portions.next(size), 30, 'portion'),
            whole.subarray(at, at + size),
          ),
        ).toBe(0);
      }
      expect((await readAll(portions.next(size), 30, 'end')).length).toBe(0);
    }),
  );
});

it('tells whether it was the content that broke', async () => {
  const broken = new Error('broken');
  const content = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('good');
    throw broken;
  };
  const portions = new Portions(content());
  expect(portions.brokeWith(broken)).toBe(false);
  await expect(readAll(portions.next(10), 10, 'portion')).rejects.toBe(broken);
  expect(portions.brokeWith(broken)).toBe(true);
  expect(portions.brokeWith(new Error('another'))).toBe(false);
});

it('closes its source', async () => {
  let isClosed = false;
  const content = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield Buffer.alloc(10);
      yield Buffer.alloc(10);
    } finally {
      isClosed = true;
    }
  };
  const portions = new Portions(content());
  await readAll(portions.next(5), 10, 'portion');
  await portions.close();
  expect(isClosed).toBe(true);
});
