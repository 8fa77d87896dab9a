import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import fc from 'fast-check';
import { expect } from 'vitest';

import type { Context } from '../../../src/core/context.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { BundleError, type ErrorCode } from '../../../src/core/errors.ts';
import { parseDeliveryTarget } from '../../../src/delivering/delivery-target.ts';
import { repositoryAt } from '../../../src/kinds/destinations.ts';
import type { PartRequest } from '../../../src/kinds/kind.ts';
import type { NetworkOptions } from '../../../src/network/network.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import type { PlannedImage } from '../../../src/transfer/image.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import { importHistory } from '../../../src/workflows/history/import.ts';
import { pack } from '../../../src/workflows/pack/pack.ts';
import { prune, type PruneRequest } from '../../../src/workflows/prune/prune.ts';
import { askForReceipt } from '../../../src/workflows/receipts/ask.ts';
import { unpack } from '../../../src/workflows/unpack.ts';
import { contextIn } from '../context.ts';
import { MADE_KINDS, madeRelease, madeTool } from './content.ts';
import type { Site } from './site.ts';

/** What becomes of the receipt of a run at the site. */
type Receipt = 'imported' | 'kept' | 'none';

/** One event; numbers choose among what there is at the time. */
export type Step =
  | {
      readonly what: 'pack';
      readonly releases: readonly number[];
      readonly tool: number | undefined;
      readonly since: 'nothing' | 'last' | 'receipt' | 'bundle' | 'assumed';
      readonly of: number;
    }
  | { readonly what: 'lose'; readonly medium: number }
  | {
      readonly what: 'deliver';
      readonly medium: number;
      /** Names its baselines beside it, as far as they are not lost. */
      readonly isWithOthers: boolean;
      readonly receipt: Receipt;
      readonly replaces: boolean;
    }
  | { readonly what: 'damage'; readonly losses: readonly number[] }
  | {
      readonly what: 'prune';
      readonly keep: 'last' | 'names' | 'bundle';
      readonly of: number;
      readonly receipt: Receipt;
      readonly collects: boolean;
    }
  | { readonly what: 'ask' }
  | { readonly what: 'save' }
  | { readonly what: 'restore'; readonly state: number };

/** The builds of the components of each release, and what happens. */
export interface Story {
  readonly releases: readonly (readonly number[])[];
  readonly steps: readonly Step[];
}

const VERSIONS = ['4.17.1', '4.17.2', '4.17.3', '4.17.4', '4.17.5'] as const;
const BUILDS = 4;
const one = fc.nat({ max: 11 });
const receipt = fc.constantFrom<Receipt>('imported', 'imported', 'imported', 'kept', 'none');
const release = fc.nat({ max: VERSIONS.length - 1 });

const packing = fc.record({
  what: fc.constant('pack' as const),
  releases: fc.uniqueArray(release, { minLength: 1, maxLength: 2 }),
  tool: fc.option(fc.nat({ max: BUILDS - 1 }), { nil: undefined }),
  since: fc.constantFrom(...(['last', 'last', 'last', 'receipt', 'bundle', 'assumed'] as const)),
  of: one,
});
const delivering = fc.record({
  what: fc.constant('deliver' as const),
  medium: one,
  isWithOthers: fc.boolean(),
  receipt,
  replaces: fc.constantFrom(true, true, true, false),
});
const pruning = fc.record({
  what: fc.constant('prune' as const),
  keep: fc.constantFrom(...(['last', 'names', 'bundle'] as const)),
  of: one,
  receipt,
  collects: fc.boolean(),
});
const damaging = fc.record({
  what: fc.constant('damage' as const),
  losses: fc.array(fc.nat({ max: 99 }), { minLength: 1, maxLength: 3 }),
});
const newest = delivering.map((step) => ({ ...step, medium: 0 }));
const restoring = fc.record({ what: fc.constant('restore' as const), state: one });
const only = <T extends Step['what']>(what: T): fc.Arbitrary<{ readonly what: T }> =>
  fc.constant({ what });

/** Steps that often come one after the other, since much comes of them. */
const events: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(packing, newest) },
  { weight: 1, arbitrary: fc.tuple(packing, fc.oneof(damaging, pruning, restoring), newest) },
  { weight: 1, arbitrary: fc.tuple(packing, packing, newest) },
  { weight: 2, arbitrary: fc.tuple(delivering) },
  { weight: 3, arbitrary: fc.tuple(pruning) },
  { weight: 1, arbitrary: fc.tuple(damaging) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.record({ what: fc.constant('lose' as const), medium: one })),
  },
  { weight: 1, arbitrary: fc.tuple(only('ask')) },
  { weight: 1, arbitrary: fc.tuple(only('save')) },
  { weight: 1, arbitrary: fc.tuple(restoring) },
);

/** Each begins with a whole bundle that arrives. */
export const story: fc.Arbitrary<Story> = fc
  .record({
    releases: fc.tuple(
      ...VERSIONS.map(() => fc.array(fc.nat({ max: BUILDS - 1 }), { minLength: 3, maxLength: 3 })),
    ),
    first: packing.map((step): Step => ({ ...step, since: 'nothing' })),
    arrives: newest.map((step): Step => ({ ...step, receipt: 'imported' })),
    rest: fc.array(events, { minLength: 2, maxLength: 5 }),
  })
  .map(({ releases, first, arrives, rest }) => ({
    ...{ releases, steps: [first, arrives, ...rest.flat()] },
  }));

/** What the histories came to: a test in which all were refused would say nothing. */
export class Tally {
  readonly counts = new Map<string, number>();

  add(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  of(what: string): number {
    return this.counts.get(what) ?? 0;
  }
}

interface Medium {
  readonly path: string;
  readonly digest: Digest;
  readonly requires: readonly Digest[];
  /** Nothing can be wrong with it, unless the registry has lost something since. */
  readonly isSound: boolean;
  /** How often something was taken from the registry by the time. */
  readonly losses: number;
}

/** An image that a run has brought. */
interface ArrivedImage {
  readonly repository: string;
  readonly image: PlannedImage;
  /** Of the parts that it belongs to. */
  readonly names: readonly string[];
}

/** A bundle that a run has brought. */
interface Arrived {
  readonly digest: Digest;
  readonly parts: readonly string[];
  /** Whether the site has a receipt of it. */
  readonly isKnown: boolean;
  readonly images: readonly ArrivedImage[];
}

const SITE = 'plant-a';
const NETWORK: NetworkOptions = {
  ...{ caFiles: [], insecureRegistries: [], mirrors: [], mirrorSetFiles: [] },
};
const noPassphrase = async (): Promise<undefined> => undefined;

/** Runs a story with a site, and looks after each step whether what is promised is true. */
export class Run {
  readonly #site: Site;
  readonly #folder: string;
  readonly #story: Story;
  readonly #tally: Tally;
  readonly #context: Context;
  readonly #store = new MemoryStore('the source');
  readonly #media: Medium[] = [];
  readonly #arrived: Arrived[] = [];
  readonly #states: { restore: () => Promise<void>; lacking: ReadonlySet<string> }[] = [];
  /** What the registry lacks by its own fault. */
  #lacking: ReadonlySet<string> = new Set();
  #packed = 0;
  /** How often something was taken from the registry. */
  #losses = 0;
  /** Whether the receipts of the connected side say nothing that is not true. */
  #isTrue = true;

  constructor(story: Story, site: Site, folder: string, tally: Tally) {
    this.#story = story;
    this.#site = site;
    this.#folder = folder;
    this.#tally = tally;
    this.#context = contextIn(join(folder, 'config'));
  }

  async play(): Promise<void> {
    await mkdir(this.#place('back'), { recursive: true });
    for (const name of ['packer', 'site']) {
      const key = SigningKey.generate('ed25519');
      await writeFile(this.#place(`${name}.pem`), key.pem());
      await writeFile(this.#place(`${name}.pub`), key.public.pem);
    }
    for (const step of this.#story.steps) await this.#do(step);
  }

  async #do(step: Step): Promise<void> {
    switch (step.what) {
      case 'pack':
        return this.#pack(step);
      case 'lose': {
        const lost = newestFirst(this.#media, step.medium);
        if (lost === undefined) return;
        this.#media.splice(this.#media.indexOf(lost), 1);
        await rm(lost.path);
        return;
      }
      case 'deliver':
        return this.#deliver(step);
      case 'damage': {
        const content = await this.#site.content();
        for (const loss of step.losses)
          if (content.length > 0) await this.#site.lose(content[loss % content.length]!);
        this.#lost(await this.#site.lacking());
        return;
      }
      case 'prune':
        return this.#prune(step);
      case 'ask':
        return this.#ask();
      case 'save': {
        const [restore, lacking] = [await this.#site.save(), this.#lacking];
        this.#states.push({ restore, lacking });
        return;
      }
      case 'restore': {
        const state = newestFirst(this.#states, step.state);
        if (state === undefined) return;
        await state.restore();
        this.#lost(state.lacking);
        expect(await this.#site.lacking()).toEqual(state.lacking);
      }
    }
  }

  #place(name: string): string {
    return join(this.#folder, name);
  }

  #lost(lacking: ReadonlySet<string>): void {
    this.#lacking = lacking;
    this.#losses += 1;
    this.#isTrue = false;
  }

  get #open() {
    const trustedKeyFiles = [this.#place('packer.pub'), this.#place('site.pub')];
    return { kinds: MADE_KINDS, releaseKeyFiles: [], trustedKeyFiles };
  }

  get #to() {
    return parseDeliveryTarget(`${this.#site.host}/ocp4`, {});
  }

  #receipt(asked: Receipt) {
    if (asked === 'none') return undefined;
    return {
      ...{ folder: this.#place('back'), site: SITE, paper: false, isNewSite: false },
      ...{ history: this.#place('at-site'), key: this.#key('site') },
    };
  }

  #key(name: string) {
    return { keyFile: this.#place(`${name}.pem`), passphrase: noPassphrase };
  }

  /** What runs only if it is refused for one of these reasons, and `undefined` where it is. */
  async #unlessRefused<T>(codes: readonly ErrorCode[], run: Promise<T>): Promise<T | undefined> {
    try {
      return await run;
    } catch (error) {
      if (!(error instanceof BundleError) || !codes.includes(error.code)) throw error;
      this.#tally.add(`refused: ${error.code}`);
      return undefined;
    }
  }

  async #parts({ releases, tool }: Step & { what: 'pack' }): Promise<readonly PartRequest[]> {
    const parts: PartRequest[] = [];
    for (const number of releases) {
      const builds = this.#story.releases[number]!;
      parts.push(await madeRelease(this.#store, VERSIONS[number]!, builds));
    }
    if (tool !== undefined) parts.push(await madeTool(this.#store, tool));
    return parts;
  }

  async #pack(step: Step & { what: 'pack' }): Promise<void> {
    const { since, of } = step;
    const receipts = await this.#receipts();
    const medium = newestFirst(this.#media, of);
    const baselines = {
      ...{ sinceLast: since === 'last' ? [SITE] : [], sites: [], assumed: [] as string[] },
      ...{ baselines: [] as string[], open: this.#open, history: this.#place('packed') },
    };
    const back = newestFirst(receipts, of);
    if (since === 'receipt' && back !== undefined) baselines.baselines.push(back);
    if (since === 'bundle' && medium !== undefined) baselines.baselines.push(medium.path);
    if (since === 'assumed' && medium !== undefined) baselines.assumed.push(medium.path);
    const isWhole =
      [...baselines.baselines, ...baselines.assumed, ...baselines.sinceLast].length === 0;
    this.#packed += 1;
    const name = `bundle-${this.#packed}`;
    const packing = pack(
      {
        ...{ parts: await this.#parts(step), referrers: true, name },
        ...{ output: this.#place(name), restart: false, dryRun: false },
        ...{ key: this.#key('packer'), network: NETWORK, history: this.#place('packed') },
        ...(!isWhole && { baselines }),
      },
      this.#context,
    );
    const report = await this.#unlessRefused(['NOT_PROVEN'], packing);
    if (report === undefined) return;
    const { path, bundleDigest, increment } = report;
    const requires = increment?.bundles.map(({ bundle }) => bundle) ?? [];
    this.#tally.add(requires.length > 0 ? 'packed: increment' : 'packed: whole');
    const isSound = isWhole || (this.#isTrue && since !== 'assumed');
    this.#media.push({ path, digest: bundleDigest, requires, isSound, losses: this.#losses });
  }

  async #receipts(): Promise<readonly string[]> {
    return (await readdir(this.#place('back')))
      .toSorted()
      .map((name) => this.#place(`back/${name}`));
  }

  async #deliver({
    medium: number,
    isWithOthers,
    receipt: asked,
    replaces,
  }: Step & { what: 'deliver' }): Promise<void> {
    const medium = newestFirst(this.#media, number);
    if (medium === undefined) return;
    const others = isWithOthers
      ? this.#media.filter(({ digest }) => medium.requires.includes(digest))
      : [];
    const before = await this.#site.print();
    const paths = [medium, ...others].map(({ path }) => path);
    const running = unpack(
      {
        bundle: { ...this.#open, paths, expectedDigest: medium.digest },
        delivery: {
          ...{ to: this.#to, replaceTags: replaces, dryRun: false },
          resources: { folder: this.#place('resources') },
        },
        ...{ network: NETWORK, select: [], partial: false },
        ...{ history: this.#place('at-site'), receipt: this.#receipt(asked) },
      },
      this.#context,
    );
    const isFresh = medium.isSound && medium.losses === this.#losses;
    const isCertain = isFresh || medium.requires.length === 0;
    const refusals: readonly ErrorCode[] = [
      ...(isCertain ? [] : (['BUNDLE_UNUSABLE'] as const)),
      ...(replaces ? [] : (['TAG_CONFLICT'] as const)),
    ];
    const report = await this.#unlessRefused(refusals, running);
    if (report === undefined) {
      expect(await this.#site.print()).toBe(before);
      return;
    }
    this.#tally.add(medium.requires.length > 0 ? 'delivered: increment' : 'delivered: whole');
    const { parts, content } = report.bundle.closure;
    const images = content.images.map((image) => {
      const names = image.parts.flatMap((number) => parts[number]!.names);
      return { image, names, repository: this.#repositoryOf(image) };
    });
    const labels = parts.map((part) => part.names[0]!);
    const isKnown = asked !== 'none';
    this.#arrived.push({ digest: medium.digest, parts: labels, isKnown, images });
    const tags = await this.#site.tags();
    for (const { image, repository } of images) {
      expect(await this.#lackedBy(repository, image)).toEqual([]);
      for (const tag of image.tags)
        expect([tag, tags.get(`${repository}:${tag}`)]).toEqual([tag, image.descriptor.digest]);
    }
    await this.#expectClosed();
    if (asked === 'imported') await this.#import();
  }

  #repositoryOf({ place }: PlannedImage): string {
    const to = this.#to;
    if (to.kind !== 'registry') throw new Error('a layout');
    return repositoryAt(to.destinations, place).repository;
  }

  async #lackedBy(repository: string, image: PlannedImage): Promise<readonly string[]> {
    const asked = contentOf(image).map(async ({ digest, what }) =>
      (await this.#site.holds(repository, digest, what)) ? [] : [digest],
    );
    return (await Promise.all(asked)).flat();
  }

  /** Nothing is missing but what the registry has lost by its own fault. */
  async #expectClosed(): Promise<void> {
    const lacking = await this.#site.lacking();
    expect([...lacking].filter((what) => !this.#lacking.has(what))).toEqual([]);
    this.#lacking = lacking;
  }

  async #import(): Promise<void> {
    const paths = [this.#place('back')];
    await importHistory(
      { paths, history: this.#place('packed'), open: this.#open, acceptNewKey: false },
      this.#context,
    );
  }

  async #prune({ keep, of, receipt: asked, collects }: Step & { what: 'prune' }): Promise<void> {
    const known = this.#arrived.filter(({ isKnown }) => isKnown);
    const kept = newestFirst(known, of);
    if (kept === undefined) return;
    const keeping: PruneRequest['keeping'] = {
      names: keep === 'names' ? [kept.parts[of % kept.parts.length]!] : [],
      last: keep === 'last' ? 1 + (of % 2) : undefined,
      bundles: keep === 'bundle' ? [kept.digest] : [],
    };
    const standing = await this.#standing();
    const running = prune(
      {
        ...{ to: this.#to, network: NETWORK, paths: [], open: this.#open, kinds: MADE_KINDS },
        ...{ history: this.#place('at-site'), keeping, yes: true, takesOver: false },
        receipt: this.#receipt(asked),
      },
      this.#context,
    );
    // Receipts may not name any more what has arrived once.
    const report = await this.#unlessRefused(['NOT_FOUND', 'USAGE'], running);
    const now = await this.#standing();
    if (report === undefined) {
      expect(now).toEqual(standing);
      return;
    }
    this.#tally.add('pruned');
    const staying = new Set<unknown>([
      ...keeping.names,
      ...report.parts.filter(({ stays }) => stays).map(({ claim }) => claim['digest']),
    ]);
    const needed = new Set(
      this.#arrived.flatMap(({ digest, images }) =>
        images
          .filter(
            (one) =>
              keeping.bundles.includes(digest) || one.names.some((name) => staying.has(name)),
          )
          .flatMap(keysOf),
      ),
    );
    expect([...standing].filter((what) => needed.has(what) && !now.has(what))).toEqual([]);
    await this.#expectClosed();
    if (collects) await this.#site.collectGarbage();
    await this.#expectClosed();
    expect(report.removed!.flatMap(({ stillGiven }) => stillGiven)).toEqual([]);
    if (report.removed!.some(({ manifests }) => manifests.length > 0)) {
      this.#tally.add('pruned: something');
      this.#losses += 1;
      this.#isTrue &&= asked === 'imported';
    }
    if (asked === 'imported') await this.#import();
  }

  /** What is there of all that has arrived, with the tags that name it. */
  async #standing(): Promise<ReadonlySet<string>> {
    const tags = await this.#site.tags();
    const there = new Set([...tags].map(([tag, digest]) => `${tag} ${digest}`));
    const wanted = new Map(
      this.#arrived.flatMap(({ images }) =>
        images.flatMap(({ repository, image }) =>
          contentOf(image).map(
            (one) => [`${repository} ${one.digest}`, { repository, ...one }] as const,
          ),
        ),
      ),
    );
    for (const [key, { repository, digest, what }] of wanted)
      if (await this.#site.holds(repository, digest, what)) there.add(key);
    return there;
  }

  /** The site looks what is there, and says it. */
  async #ask(): Promise<void> {
    const receipt = this.#receipt('imported')!;
    const asking = askForReceipt(
      {
        ...{ ...receipt, to: this.#to, network: NETWORK, paths: [], digests: [] },
        ...{ open: this.#open, kinds: MADE_KINDS, keeps: true, deep: false, isAfresh: true },
      },
      this.#context,
    );
    const report = await this.#unlessRefused(['USAGE'], asking);
    if (report === undefined) return;
    this.#tally.add('asked');
    await this.#import();
    this.#isTrue = true;
  }
}

/** One of some, by a number. */
function newestFirst<T>(some: readonly T[], number: number): T | undefined {
  return some.at(-1 - (number % Math.max(some.length, 1)));
}

function contentOf({ manifests, blobs }: PlannedImage) {
  return [
    ...manifests.map(({ digest }) => ({ digest, what: 'manifest' as const })),
    ...blobs.map(({ digest }) => ({ digest, what: 'blob' as const })),
  ];
}

/** What has to stay of an image that stays. */
function keysOf({ repository, image }: ArrivedImage): readonly string[] {
  const tags = image.tags.map((tag) => `${repository}:${tag} ${image.descriptor.digest}`);
  return [...contentOf(image).map(({ digest }) => `${repository} ${digest}`), ...tags];
}
