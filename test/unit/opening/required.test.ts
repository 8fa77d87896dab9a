import { describe, expect, it } from 'vitest';

import type { RequiredBundle } from '../../../src/bundle/format/manifest.ts';
import type { TransferEvent } from '../../../src/core/events.ts';
import type { BundleReader } from '../../../src/bundle/reading/reader.ts';
import { CompletedBundle, checkRequired } from '../../../src/opening/incomplete/completed.ts';
import { auditRequired } from '../../../src/opening/incomplete/audit-required.ts';
import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { streamOf, utf8 } from '../../../src/core/bytes.ts';
import { contextIn } from '../../support/context.ts';

const bytesOf = (word: string): Uint8Array => Buffer.from(word);
const descriptorOf = (word: string) => ({
  ...{ mediaType: '', digest: digestOf(bytesOf(word)), size: word.length },
});

/** As much of a reader as is asked here. @param there what the volumes that are there have. */
function readerOf(there: readonly string[], requires?: readonly RequiredBundle[]): BundleReader {
  const held = new Map(there.map((word) => [descriptorOf(word).digest, bytesOf(word)]));
  return {
    manifest: { requires },
    files: new Map(),
    exists: async ({ digest }: { digest: Digest }) => Promise.resolve(held.has(digest)),
    fetch: ({ digest }: { digest: Digest }) => {
      const bytes = held.get(digest);
      if (bytes === undefined) throw new Error(`${digest} is in no volume that is there`);
      return streamOf(bytes);
    },
  } as unknown as BundleReader;
}

function row(name: string, words: readonly string[]): RequiredBundle {
  const blobs = words.map((word) => {
    const { digest, size } = descriptorOf(word);
    return { digest, size };
  });
  return { name, bundle: digestOf(bytesOf(name)), blobs };
}

describe('an earlier bundle', () => {
  const [blob] = row('', ['layer']).blobs;
  const manifest = { name: 'first', blobs: [blob] };
  const earlier = { name: 'f', manifest } as unknown as BundleReader;
  const check = (wanted: RequiredBundle): void => {
    checkRequired(earlier, digestOf(bytesOf('first')), [wanted]);
  };

  it('is the one that is listed, by its digest and its name, and has what is listed', () => {
    const wanted = row('first', ['layer']);
    check(wanted);
    expect(() => {
      check({ ...wanted, name: 'other' });
    }).toThrow('f has another name than it should have');
    expect(() => {
      check(row('other', ['layer']));
    }).toThrow('f is not a bundle that the other completes');
    expect(() => {
      check(row('first', ['layer', 'another']));
    }).toThrow('f should have');
  });
});

describe('what several earlier bundles have', () => {
  const rows = [row('first', ['shared', 'one']), row('second', ['shared', 'two'])];
  const [first, second] = rows.map(({ bundle }) => bundle) as [Digest, Digest];

  it('is read from any of them that has it', async () => {
    // The first is there, but not the volume with the blob.
    const earlier = new Map([
      [first, readerOf(['one'])],
      [second, readerOf(['shared', 'two'])],
    ]);
    const whole = new CompletedBundle(readerOf([], rows), earlier);
    for (const word of ['shared', 'one', 'two']) {
      expect(await whole.exists(descriptorOf(word))).toBe(true);
      const chunks: Uint8Array[] = [];
      for await (const chunk of whole.fetch(descriptorOf(word))) chunks.push(chunk);
      expect(utf8(Buffer.concat(chunks))).toBe(word);
    }
  });

  it('is counted once, where it was read, and as unread for each where it was not', async () => {
    const counted: string[] = [];
    const observe = (event: TransferEvent): void => {
      if (event.type === 'counted') counted.push(`${event.done} of ${event.total} ${event.what}`);
    };
    const context = contextIn('/', { observe });
    const audit = async (earlier: ReadonlyMap<Digest, BundleReader>) =>
      (await auditRequired({ reader: readerOf([], rows), earlier }, context)).map(
        ({ name, good, unread }) => [name, good, unread.length],
      );
    expect(await audit(new Map([[second, readerOf(['shared', 'two'])]]))).toEqual([
      ['first', 0, 1],
      ['second', 2, 0],
    ]);
    expect(counted).toEqual(['0 of 2 blobs', '1 of 2 blobs']); // of the bundle that is there
    expect(await audit(new Map())).toEqual([
      ['first', 0, 2],
      ['second', 0, 2],
    ]);
  });
});
