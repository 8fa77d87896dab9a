import {
  chmod,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type DescribedBundle, describeBundle } from '../../../src/bundle/format/plan.ts';
import { hexOf } from '../../../src/core/digest.ts';
import { BundleError } from '../../../src/core/errors.ts';
import type { Notice, TransferEvent } from '../../../src/core/events.ts';
import { believedReceipts } from '../../../src/history/believed.ts';
import { blobsOf } from '../../../src/history/blobs.ts';
import { formatKept, parseKept } from '../../../src/history/entry.ts';
import { History, keepIfPossible } from '../../../src/history/history.ts';
import { provenAt } from '../../../src/history/proven.ts';
import { checkSiteKey } from '../../../src/history/site-keys.ts';
import { type Closure, contentsOf } from '../../../src/kinds/closure.ts';
import { receiptDigest } from '../../../src/receipts/receipt.ts';
import { formatSigned, signReceipt } from '../../../src/receipts/signed.ts';
import { standingsOf } from '../../../src/receipts/standing.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import { importHistory } from '../../../src/workflows/history/import.ts';
import { readHistory } from '../../../src/workflows/history/look.ts';
import { contextIn } from '../../support/context.ts';
import { sampleKind } from '../../support/sample-kind.ts';
import { bundleRow, receiptOf, siteKey } from '../../support/receipts.ts';
import { sampleClosure } from '../../support/sample-parts.ts';
import { temporaryFolder } from '../../support/user.ts';
import { configOf, keep, layerOf, manifestOf } from '../transfer/images.ts';

interface Made {
  readonly described: DescribedBundle;
  readonly closure: Closure;
}

type Word = 'one' | 'two' | 'three';

/** A bundle whose parts have a layer each, and one that all of them have. */
async function made(name: string, ...words: readonly Word[]): Promise<Made> {
  const store = new MemoryStore();
  const requests = [];
  for (const word of words) {
    const layers = [layerOf('shared by all'), layerOf(`of ${word}`)];
    const image = manifestOf(word, layers);
    await keep(store, ...layers, configOf(word), image);
    requests.push({ name: word, image: image.descriptor, store });
  }
  const closure = await sampleClosure(requests);
  return { described: describeBundle(contentsOf(name, closure)), closure };
}

let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
let history: History;
let notices: Notice[];
const observe = (event: TransferEvent): void => {
  if (event.type === 'noticed') notices.push(event);
};
beforeEach(async () => {
  temporary = await temporaryFolder('history');
  history = new History(join(temporary.path, 'history'));
  notices = [];
});
afterEach(() => temporary.remove());

describe('what is kept of a bundle', () => {
  it('is in folders that others cannot write to, whatever the mask', async () => {
    const { described, closure } = await made('two', 'one');
    const mask = process.umask(0);
    try {
      await history.keepBundle(described, closure);
    } finally {
      process.umask(mask);
    }
    for (const folder of [history.folder, join(history.folder, 'bundles')])
      expect((await stat(folder)).mode & 0o777).toBe(0o755);
  });

  it('is read back, and is every blob and manifest of it', async () => {
    const { described, closure } = await made('two', 'one', 'two');
    await history.keepBundle(described, closure);
    const kept = await history.bundle(described.bundleDigest);
    expect(kept?.manifest).toEqual(described.manifest);
    const all = blobsOf(kept!);
    expect([...all.keys()].sort()).toEqual(
      described.manifest.blobs.map(({ digest }) => digest).sort(),
    );
    for (const { digest, size } of described.manifest.blobs)
      expect(all.get(digest)!.size).toBe(size);
  });

  it('has for each part exactly what its images consist of', async () => {
    const { described, closure } = await made('two', 'one', 'two');
    const kept = parseKept(formatKept(described, closure), described.bundleDigest, 'f');
    for (const number of [0, 1]) {
      const wanted = new Set(
        closure.content.images
          .filter(({ parts }) => parts.includes(number))
          .flatMap(({ manifests, blobs }) => [...manifests, ...blobs])
          .map(({ digest }) => digest),
      );
      expect(new Set(blobsOf(kept, new Set([number])).keys())).toEqual(wanted);
    }
    expect(blobsOf(kept, new Set()).size).toBe(0);
  });

  it('is nothing that the bundle does not hold itself', async () => {
    const { described, closure } = await made('one', 'one');
    const kept = parseKept(formatKept(described, closure), described.bundleDigest, 'f');
    const layer = closure.content.blobs[0]!.descriptor.digest;
    const blobs = kept.manifest.blobs.filter(({ digest }) => digest !== layer);
    const lacking = blobsOf({ ...kept, manifest: { ...kept.manifest, blobs } });
    expect([blobsOf(kept).has(layer), lacking.has(layer)]).toEqual([true, false]);
    expect(lacking.size).toBe(blobs.length);
  });

  it('is refused with an error for any byte that was changed, and any cut', async () => {
    const { described, closure } = await made('one', 'one');
    const file = Buffer.from(formatKept(described, closure));
    const good = parseKept(file, described.bundleDigest, 'f');
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const flipped = Buffer.from(file);
        flipped[at] = flipped[at]! ^ by;
        for (const changed of [flipped, file.subarray(0, at)]) {
          try {
            // What decodes to the same is the same; only the places are in no digest.
            const read = parseKept(changed, described.bundleDigest, 'f');
            expect({ ...read, places: [] }).toEqual({ ...good, places: [] });
          } catch (error) {
            expect(error).toBeInstanceOf(BundleError);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is another bundle’s under its name: refused, and written again by the next pack', async () => {
    const one = await made('one', 'one');
    const other = await made('other', 'two');
    await history.keepBundle(one.described, one.closure);
    const folder = join(history.folder, 'bundles');
    const [name] = await readdir(folder);
    await writeFile(join(folder, name!), formatKept(other.described, other.closure));
    await expect(history.bundle(one.described.bundleDigest)).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
    await history.keepBundle(one.described, one.closure);
    expect((await history.bundle(one.described.bundleDigest))?.manifest.name).toBe('one');
  });

  it.each([
    ['cut off', (file: Buffer) => file.subarray(0, file.length / 2)],
    ['empty', () => Buffer.alloc(0)],
    ['zeros, as after a power cut', (file: Buffer) => Buffer.alloc(file.length)],
  ])('that is %s is no bundle, and is written again', async (_, damage) => {
    const { described, closure } = await made('one', 'one');
    await history.keepBundle(described, closure);
    const folder = join(history.folder, 'bundles');
    const path = join(folder, (await readdir(folder))[0]!);
    await writeFile(path, damage(await readFile(path)));
    await expect(history.bundle(described.bundleDigest)).rejects.toBeInstanceOf(BundleError);
    await history.keepBundle(described, closure);
    expect(await history.bundle(described.bundleDigest)).toBeDefined();
  });

  it.each([
    ['a folder', (path: string) => mkdir(path)],
    ['a link to itself', (path: string) => symlink(path, path)],
    ['a device', (path: string) => symlink('/dev/zero', path)],
    ['larger than any', (path: string) => writeFile(path, '').then(() => truncate(path, 2 ** 34))],
  ])('that is %s is told as damaged, and hides no other', async (_, put) => {
    const one = await made('one', 'one');
    const other = await made('other', 'two');
    for (const { described, closure } of [one, other]) await history.keepBundle(described, closure);
    const { bundleDigest: digest } = one.described;
    const path = join(history.folder, 'bundles', `${hexOf(digest)}.zst`);
    await rm(path);
    await put(path);
    await expect(history.bundle(digest)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
    expect(await history.readable(digest)).toBeUndefined();
    const looking = { history: history.folder, isNamed: true, trustedKeyFiles: [] };
    const user = contextIn(temporary.path);
    const { bundles, damaged } = await readHistory({ ...looking, kinds: [sampleKind] }, user);
    expect(bundles.map(({ name }) => name)).toEqual(['other']);
    expect(damaged.map(({ message }) => message)).toEqual([
      expect.stringContaining(`${path} cannot be used: `),
    ]);
    // One that leads nowhere, or was removed meanwhile, is not there.
    await rm(path, { recursive: true });
    await symlink('nowhere', path);
    expect((await readHistory({ ...looking, kinds: [sampleKind] }, user)).damaged).toEqual([]);
  });

  it('is left out where the history cannot be written, with a notice', async () => {
    const { described, closure } = await made('one', 'one');
    await mkdir(temporary.path, { recursive: true });
    await writeFile(history.folder, 'somebody else');
    await keepIfPossible(history, 'one', observe, () => history.keepBundle(described, closure));
    expect(notices).toMatchObject([{ code: 'history-not-kept', what: 'one' }]);
    expect(await readFile(history.folder, 'utf8')).toBe('somebody else');
  });

  it('is written by several at once, and whole', async () => {
    const { described, closure } = await made('one', 'one');
    await Promise.all([1, 2, 3].map(() => history.keepBundle(described, closure)));
    expect(await readdir(join(history.folder, 'bundles'))).toHaveLength(1);
    expect(await history.bundle(described.bundleDigest)).toBeDefined();
  });
});

describe('receipts in a history', () => {
  const receipt = signReceipt(receiptOf([bundleRow('a')]), siteKey);

  it('are read back once', async () => {
    await history.keepReceipt(receipt);
    await history.keepReceipt(receipt);
    const believed = await believedReceipts(history, [siteKey.public], observe);
    expect(believed.map((one) => one.receipt)).toEqual([receipt.receipt]);
    expect(notices).toEqual([]);
  });

  it('name a bundle and its parts as the bundle does, where it is known', async () => {
    const { described, closure } = await made('samples', 'one', 'two');
    await history.keepBundle(described, closure);
    const digest = described.bundleDigest;
    const parts = [0, 7].map((number) => ({ number, label: `all of the site's own (${number})` }));
    const row = bundleRow('another name', { digest, whole: false, parts });
    await history.keepReceipt(signReceipt(receiptOf([row, bundleRow('not known')]), siteKey));
    const key = join(temporary.path, 'site.pub');
    await writeFile(key, siteKey.public.pem);
    const request = {
      history: history.folder,
      trustedKeyFiles: [key],
      isNamed: false,
      kinds: [sampleKind],
    };
    const { sites } = await readHistory(request, contextIn(temporary.path));
    const told = sites[0]!.bundles.map(({ name, parts: has }) => [name, ...has.values()]);
    expect(told).toEqual([
      ['samples', 'sample one', 'no part of it (7)'],
      ['not known', 'not known for x86_64'],
    ]);
  });

  it('are refused once where all of them are refused in the same words', async () => {
    const place = (name: string): string => join(temporary.path, name);
    await writeFile(place('site.pub'), siteKey.public.pem);
    const other = signReceipt(receiptOf([bundleRow('b')]), siteKey);
    await writeFile(place('receipt-a.json'), formatSigned(receipt));
    await writeFile(place('receipt-b.json'), formatSigned(other));
    const open = { kinds: [], releaseKeyFiles: [], trustedKeyFiles: [place('site.pub')] };
    const paths = [place('receipt-a.json'), place('receipt-b.json')];
    const importing = (folder: string) =>
      importHistory({ history: folder, paths, open, acceptNewKey: false }, contextIn(place('')));
    const nowhere = importing(place('site.pub'));
    await expect(nowhere).rejects.toMatchObject({ code: 'DISK', details: [] });
    expect((await importing(place('history'))).receipts).toHaveLength(2);
  });

  it.each(['receipts', 'site-keys'])(
    'are read in anew where their %s are damaged',
    async (what) => {
      const { described, closure } = await made('samples', 'one');
      await history.keepBundle(described, closure);
      const row = bundleRow('samples', { digest: described.bundleDigest });
      const signed = signReceipt(receiptOf([row]), siteKey);
      await history.keepReceipt(signed);
      for (const inside of [what, 'bundles']) {
        const folder = join(history.folder, inside);
        await truncate(join(folder, (await readdir(folder))[0]!), 20);
      }
      const place = (name: string): string => join(temporary.path, name);
      await writeFile(place('site.pub'), siteKey.public.pem);
      await writeFile(place('receipt-a.json'), formatSigned(signed));
      const open = { kinds: [], releaseKeyFiles: [], trustedKeyFiles: [place('site.pub')] };
      const request = { history: history.folder, paths: [place('receipt-a.json')], open };
      const importing = () =>
        importHistory({ ...request, acceptNewKey: false }, { ...contextIn(place('')), observe });
      expect((await importing()).receipts).toMatchObject([{ isNew: true }]);
      expect(notices.at(-1)).toMatchObject({ code: 'bundle-not-known', name: 'samples' });
      expect(await believedReceipts(history, [siteKey.public], observe)).toHaveLength(1);
      expect((await importing()).receipts).toMatchObject([{ isNew: false }]);
    },
  );

  it('count only while their keys are trusted', async () => {
    await history.keepReceipt(receipt);
    await history.keepReceipt(
      signReceipt(receiptOf([bundleRow('b')]), SigningKey.generate('ecdsa-p256')),
    );
    const believed = await believedReceipts(history, [siteKey.public], observe);
    expect(believed.map(({ receipt: { bundles } }) => bundles[0]!.name)).toEqual(['a']);
    expect(notices).toMatchObject([{ code: 'receipt-left-aside' }]);
    expect(await believedReceipts(history, [], observe)).toEqual([]);
    const [, ...again] = notices;
    expect(again).toMatchObject([
      { code: 'receipt-left-aside', receipts: { length: 2 } as unknown as string[] },
    ]);
  });

  it('count for a site only with a key that was read in for it, though others are trusted', async () => {
    const otherSite = SigningKey.generate('ecdsa-p256');
    await history.keepReceipt(receipt);
    await history.keepReceipt(
      signReceipt({ ...receiptOf([bundleRow('b')]), site: 'plant-b' }, otherSite),
    );
    // Somebody puts a file into the shared folder that is signed by a site that is trusted.
    const foreign = signReceipt(receiptOf([bundleRow('c')]), otherSite);
    const name = `${hexOf(receiptDigest(foreign.receipt))}.json`;
    await writeFile(join(history.folder, 'receipts', name), formatSigned(foreign));
    const trusted = [siteKey.public, otherSite.public];
    const believed = await believedReceipts(history, trusted, observe);
    expect(believed.map(({ receipt: { bundles } }) => bundles[0]!.name).sort()).toEqual(['a', 'b']);
    expect(notices).toMatchObject([
      { code: 'receipt-left-aside', cause: expect.stringContaining('read it in') as string },
    ]);
    expect(() => {
      checkSiteKey(new Map([['plant-a', new Set([siteKey.public.id])]]), foreign, 'c.json');
    }).toThrow('c.json: it says that it is of plant-a, but is signed with another key than before');
  });

  it('are not written through a link at the name of a folder', async () => {
    await mkdir(join(temporary.path, 'elsewhere'));
    await mkdir(history.folder, { recursive: true });
    for (const name of ['receipts', 'bundles', 'site-keys'])
      await symlink(join(temporary.path, 'elsewhere'), join(history.folder, name));
    await expect(history.keepReceipt(receipt)).rejects.toMatchObject({ code: 'DISK' });
    const { described, closure } = await made('one', 'one');
    await expect(history.keepBundle(described, closure)).rejects.toMatchObject({ code: 'DISK' });
    expect(await readdir(join(temporary.path, 'elsewhere'))).toEqual([]);
  });

  it('count no more where what names their key is damaged', async () => {
    await history.keepReceipt(receipt);
    const folder = join(history.folder, 'site-keys');
    const [name] = await readdir(folder);
    await writeFile(join(folder, name!), '{"site":"plant-a","key":"another"}\n');
    expect(await believedReceipts(history, [siteKey.public], observe)).toEqual([]);
    expect(notices).toMatchObject([{ code: 'receipt-left-aside' }]);
  });

  it('that are damaged, or under another name, are left aside with their reason', async () => {
    await history.keepReceipt(receipt);
    const folder = join(history.folder, 'receipts');
    const [name] = await readdir(folder);
    const content = await readFile(join(folder, name!));
    await writeFile(join(folder, `${'0'.repeat(64)}.json`), content);
    await writeFile(join(folder, name!), content.subarray(0, 100));
    await writeFile(join(folder, 'notes.txt'), 'of somebody else');
    expect(await history.receipts(observe)).toEqual([]);
    expect(notices.map(({ code }) => code)).toEqual(['receipt-left-aside', 'receipt-left-aside']);
    await rm(join(folder, `${'0'.repeat(64)}.json`));
    await rm(join(folder, name!));
    await symlink('nowhere', join(folder, name!));
    expect(await history.receipts(observe)).toEqual([]);
    expect(notices.at(-1)).toMatchObject({ cause: 'no such file or folder' });
  });

  it.skipIf(process.getuid?.() === 0)('are not kept in a folder that is read-only', async () => {
    await mkdir(history.folder);
    await chmod(history.folder, 0o500);
    await keepIfPossible(history, 'a receipt', observe, () => history.keepReceipt(receipt));
    expect(notices).toMatchObject([{ code: 'history-not-kept' }]);
    await chmod(history.folder, 0o700);
  });
});

describe('what is proven to be at a site', () => {
  it('is the union of what its receipts name, with what proves each', async () => {
    const one = await made('first', 'one', 'two');
    const two = await made('second', 'two', 'three');
    const lost = await made('lost', 'three');
    for (const { described, closure } of [one, two]) await history.keepBundle(described, closure);
    const row = ({ described }: Made, parts: readonly number[]): ReturnType<typeof bundleRow> =>
      bundleRow(described.manifest.name, {
        digest: described.bundleDigest,
        whole: parts.length === described.manifest.parts.length,
        parts: parts.map((number) => ({ number, label: String(number) })),
      });
    const receipts = [
      receiptOf([row(one, [0, 1])]),
      receiptOf([row(two, [1]), row(lost, [0])], { time: '2026-12-01T00:00:00Z' }),
    ].map((unsigned) => signReceipt(unsigned, siteKey).receipt);
    const [standing] = standingsOf(receipts);
    const { blobs, unknown } = await provenAt(standing!, history);
    expect(unknown.map(({ name }) => name)).toEqual(['lost']);
    const digestsOf = ({ closure }: Made, parts: readonly number[]): readonly string[] =>
      closure.content.images
        .filter((image) => image.parts.some((number) => parts.includes(number)))
        .flatMap(({ manifests, blobs: layers }) => [...manifests, ...layers])
        .map(({ digest }) => digest);
    const first = new Set(digestsOf(one, [0, 1]));
    const second = new Set(digestsOf(two, [1]));
    expect(new Set(blobs.keys())).toEqual(new Set([...first, ...second]));
    for (const [digest, { bundles, repositories }] of blobs) {
      const proofs = [
        ...(first.has(digest) ? [one.described.bundleDigest] : []),
        ...(second.has(digest) ? [two.described.bundleDigest] : []),
      ];
      expect(bundles).toEqual(proofs);
      expect(repositories.every((name) => name.startsWith('ocp4/'))).toBe(true);
    }
    expect(standing!.bundles[0]!.receipts).toEqual([receiptDigest(receipts[0]!)]);
  });

  it('is nothing at all where the history is empty', async () => {
    await rm(history.folder, { recursive: true, force: true });
    const [standing] = standingsOf([signReceipt(receiptOf([bundleRow('x')]), siteKey).receipt]);
    const { blobs, unknown } = await provenAt(standing!, history);
    expect([blobs.size, unknown.length]).toEqual([0, 1]);
  });
});
