import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { serveStores } from '../../scripts/lib/bench/memory-registry.ts';
import { makeOperators, operatorSet } from '../../scripts/lib/made-operators.ts';
import type { Digest } from '../../src/core/digest.ts';
import { KINDS } from '../../src/kinds/all.ts';
import { leadingBlobs } from '../../src/kinds/closure.ts';
import { MemoryStore } from '../../src/stores/memory.ts';
import { contextIn } from '../support/context.ts';
import { wholeTags } from '../support/killed-runs.ts';
import { describeWith } from '../support/needs.ts';
import { bundleIn, listingOf, openedBundle } from '../support/opened-bundle.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

const MINUTE = 60_000;
const MONTHS = ['october', 'november', 'december'] as const;
type Month = (typeof MONTHS)[number];
const TAKEN = ['op-000', 'op-002', 'op-003', 'op-007', 'op-009'];
const SITE = 'plant-a';

/**
 * Every other operator has one version more in the second month, every third one in the last. The
 * catalog itself is built again each month, and filtered again by the program.
 */
const inMonth = (month: number) => ({
  ...{ operators: 12, related: 2, ownBytes: 3000, sharedBytes: 9000, build: MONTHS[month]! },
  versions: (operator: number) =>
    2 + (month >= 1 && operator % 2 === 0 ? 1 : 0) + (month >= 2 && operator % 3 === 0 ? 1 : 0),
  architectures: ['amd64', 'arm64'],
});

interface Packed {
  readonly path: string;
  readonly size: number;
  readonly increment?: { readonly leftOut: { readonly blobs: number; readonly bytes: number } };
}

/** A catalog that changes each month, and what an image set file takes of it. */
describeWith(['docker-registry'], 'a catalog month by month', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let packer: User;
  let operator: User;
  let packing: readonly string[];
  let trust: readonly string[];
  let siteKey: readonly string[];
  /** The registry that gets each month, and what had a tag there then. */
  let site: TestRegistry;
  const then = new Map<Month, ReadonlyMap<string, string>>();
  const receipts = new Map<Month, string>();
  const increments = new Map<Month, Packed>();
  const wholes = new Map<Month, Packed>();
  const stops: (() => Promise<void>)[] = [];

  const place = (name: string): string => join(temporary.path, name);
  const packed = async (out: string, ...more: readonly string[]): Promise<Packed> => {
    const report = (await packer.json([...packing, '-o', place(out), ...more])) as Packed;
    return { ...report, path: await bundleIn(place(out)) };
  };
  const newTarget = async (): Promise<TestRegistry> => {
    const target = await startRegistry();
    stops.push(target.stop);
    return target;
  };
  const unpacking = (target: TestRegistry, ...files: readonly string[]): readonly string[] => [
    ...['unpack', ...files, '--to', `${target.host}/site`, ...trust, '--replace-tags'],
    ...['--resources-dir', place('resources')],
  ];
  /** Each tag that there is names what it does at the site; others may be of a month before. */
  const wholeAt = async (target: TestRegistry, month: Month): Promise<void> => {
    const at = ['verify', wholes.get(month)!.path, '--at', `${target.host}/site`, '--deep'];
    const ran = await operator.bundle([...at, ...trust]);
    expect(ran.status, ran.stdout + ran.stderr).toBe(0);
    const tags = await wholeTags(target);
    expect(tags.size).toBeGreaterThan(TAKEN.length);
    for (const [tag, digest] of tags)
      expect([tag, digest]).toEqual([tag, then.get(month)!.get(tag)]);
  };

  beforeAll(async () => {
    temporary = await temporaryFolder('monthly');
    stops.push(() => temporary.remove());
    packer = await User.new(place('connected'));
    operator = await User.new(place('closed'));
    const store = new MemoryStore();
    const publish = (month: number) => makeOperators(() => store, inMonth(month));
    const { repositories } = await publish(0);
    const source = await serveStores(Object.fromEntries(repositories.map((one) => [one, store])));
    stops.push(source.stop);
    await writeFile(place('site.yaml'), operatorSet(TAKEN));
    await packer.bundle(['keygen', '--type', 'ed25519', '-o', place('packer.pem')]);
    await operator.bundle(['keygen', '--type', 'ed25519', '-o', place('site.pem')]);
    trust = ['--trusted-key', place('packer.pub')];
    siteKey = ['--trusted-key', place('site.pub')];
    packing = [
      ...['pack', '--config', place('site.yaml'), '--mirror', `quay.io=${source.host}`],
      ...['--key', place('packer.pem')],
    ];
    site = await newTarget();
    for (const [at, month] of MONTHS.entries()) {
      if (at > 0) await publish(at);
      wholes.set(month, await packed(`whole-${month}`, '--no-history'));
      const since = at === 0 ? [] : ['--since-last', SITE, ...siteKey];
      increments.set(month, await packed(`medium-${month}`, ...since));
      const { receipt } = (await operator.json([
        ...unpacking(site, place(`medium-${month}`)),
        ...['--receipt', place('back'), '--receipt-key', place('site.pem'), '--site', SITE],
      ])) as { readonly receipt: { readonly path: string } };
      receipts.set(month, receipt.path);
      then.set(month, await wholeTags(site));
      await packer.json(['history', 'import', receipt.path, ...siteKey]);
    }
  }, 4 * MINUTE);
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  it('carries each month what is new in it, to the byte', async () => {
    const had = new Set<Digest>();
    for (const month of MONTHS) {
      const whole = await openedBundle(
        {
          ...{ paths: [wholes.get(month)!.path], kinds: KINDS, releaseKeyFiles: [] },
          trustedKeyFiles: [place('packer.pub')],
        },
        contextIn('/'),
      );
      const { content } = whole.closure;
      const leading = leadingBlobs(whole.closure);
      const blobs = content.blobs.map(({ descriptor }) => descriptor);
      const isLeft = ({ digest }: { digest: Digest }): boolean =>
        had.has(digest) && !leading.has(digest);
      const plain = [
        ...content.manifests.map(({ descriptor }) => descriptor),
        ...blobs.filter((blob) => !isLeft(blob)),
      ].map(({ digest, size }) => ({ digest, size }));
      const listing = await listingOf(increments.get(month)!.path);
      expect(listing.blobs).toEqual(plain);
      const left = blobs.filter(isLeft);
      const required = (listing.requires ?? []).flatMap((row) => row.blobs);
      expect(required.map(({ digest }) => digest).toSorted()).toEqual(
        left.map(({ digest }) => digest).toSorted(),
      );
      if (month !== MONTHS[0]) {
        const bytes = left.reduce((sum, { size }) => sum + size, 0);
        expect(increments.get(month)!.increment!.leftOut).toEqual({ blobs: left.length, bytes });
        // Of each month something is new, and something was there before.
        expect(left.length).toBeGreaterThan(0);
        expect(blobs.some(({ digest }) => !had.has(digest))).toBe(true);
        const sizes = [wholes, increments].map(async (of) => stat(of.get(month)!.path));
        const [whole_, own] = await Promise.all(sizes);
        // Beside the bytes of the blobs there is a frame of each, and a row of each in the listing.
        const saved = whole_!.size - own!.size;
        expect(Math.abs(saved - bytes)).toBeLessThan(left.length * 1700);
      }
      for (const { digest } of blobs) had.add(digest);
    }
  });

  it('is whole at the site after the last of them', async () => {
    await wholeAt(site, 'december');
  });

  it('is refused with a list where a month was skipped, and arrives with that beside it', async () => {
    const target = await newTarget();
    const [first, second, third] = MONTHS.map((month) => increments.get(month)!.path);
    await operator.json(unpacking(target, first!));
    const before = await wholeTags(target);
    const ran = await operator.bundle(unpacking(target, third!));
    expect(ran.status, ran.stdout).toBe(22);
    expect(ran.stderr).toContain('nothing was pushed');
    expect(ran.stderr).toMatch(
      /ops\/op-00\d-image-\d.*: lacks 4 configs and layers of site-increment/,
    );
    expect(ran.stderr).toMatch(/site-increment \([0-9a-f]{64}\) has \d+/);
    expect(ran.stderr).not.toMatch(/ site \([0-9a-f]{64}\) has/);
    expect(await wholeTags(target)).toEqual(before);
    // Both increments are called alike: what a bundle is called is no reason to take it for another.
    const together = await operator.bundle(unpacking(target, third!, second!));
    expect(together.status, together.stderr).toBe(0);
    await wholeAt(target, 'december');
  });

  it('arrives from all of its media at once, in any order', async () => {
    const target = await newTarget();
    const [first, second, third] = MONTHS.map((month) => increments.get(month)!.path);
    const ran = await operator.bundle(unpacking(target, second!, third!, first!));
    expect(ran.status, ran.stderr).toBe(0);
    await wholeAt(target, 'december');
  });

  it('costs one medium where one is lost', async () => {
    const target = await newTarget();
    await operator.json(unpacking(target, increments.get('october')!.path));
    // November never arrived: December is packed from the last receipt that came back.
    const again = await packed('again', '--baseline', receipts.get('october')!, ...siteKey);
    const ran = await operator.bundle(unpacking(target, again.path));
    expect(ran.status, ran.stderr).toBe(0);
    await wholeAt(target, 'december');
    const { blobs: lost } = await listingOf(increments.get('november')!.path);
    const { blobs: last } = await listingOf(increments.get('december')!.path);
    const before = new Set([...lost, ...last].map(({ digest }) => digest));
    const { blobs } = await listingOf(again.path);
    expect(blobs.filter(({ digest }) => !before.has(digest))).toEqual([]);
  });
});
