import {
  cp,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import type { Digest } from '../../src/core/digest.ts';
import { KINDS } from '../../src/kinds/all.ts';
import { leadingBlobs } from '../../src/kinds/closure.ts';
import { projectPath } from '../../scripts/lib/project-root.ts';
import { contextIn } from '../support/context.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { wholeTags } from '../support/killed-runs.ts';
import { describeWith } from '../support/needs.ts';
import { bundleIn, listingOf, openedBundle } from '../support/opened-bundle.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { temporaryFolder, User } from '../support/user.ts';

const MINUTE = 60_000;
const VERSIONS = ['4.17.3', '4.17.4', '4.17.5'] as const;

/** What each site has unpacked, one after another, before all of them get the last release. */
const PASTS = {
  'plant-a': [['three']],
  'plant-b': [['three'], ['since-three', 'three']],
  'plant-c': [['four']],
  'plant-d': [['both', '--release', '4.17.3']],
  'plant-e': [['other']],
} as const;
type Site = keyof typeof PASTS;
const SITES = Object.keys(PASTS) as readonly Site[];

interface Packed {
  readonly path: string;
  readonly increment?: {
    readonly sites: readonly string[];
    readonly leftOut: { readonly blobs: number; readonly bytes: number };
  };
}

interface Each {
  readonly together: { readonly blobs: number; readonly bytes: number };
  readonly bundles: readonly {
    readonly site: Site;
    readonly path: string;
    readonly bundleDigest: string;
    readonly kept: { readonly finished: boolean };
  }[];
}

/** Five sites with different pasts, and what brings all of them to one state. */
describeWith(['docker-registry', 'python3'], 'several sites', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let proxy: FaultProxy;
  const stops: (() => Promise<void>)[] = [];
  let packer: User;
  const operators = new Map<Site, User>();
  const receipts = new Map<Site, string>();
  let sources: readonly string[];
  let trust: readonly string[];
  let siteKeys: readonly string[];
  /** The content of the last release, and what each site had of it. */
  let wanted: ReadonlySet<Digest>;
  let leading: ReadonlySet<Digest>;
  const had = new Map<Site, ReadonlySet<Digest>>();
  /** The registries of the sites. */
  const first = new Map<Site, TestRegistry>();
  /** What all of them had in the end, whatever brought it. */
  const states: string[] = [];

  const place = (name: string): string => join(temporary.path, name);
  const fileIn = async (folder: string): Promise<string> => bundleIn(place(folder));
  const packing = (...words: readonly string[]): readonly string[] => [
    ...['pack', ...words, '--mirror', `quay.io=${proxy.host}`, ...sources],
  ];
  const forSites = (sites: readonly string[]): readonly string[] => [
    ...sites.flatMap((site) => ['--site', site]),
    ...siteKeys,
  ];
  const packed = async (out: string, ...words: readonly string[]): Promise<Packed> =>
    (await packer.json([...packing(...words), '-o', place(out)])) as Packed;
  const unpack = async (
    site: Site,
    target: TestRegistry,
    ...words: readonly string[]
  ): Promise<unknown> =>
    operators
      .get(site)!
      .json([
        ...['unpack', ...words, '--to', `${target.host}/${site}`, ...trust],
        ...['--resources-dir', place(`resources-${site}`)],
      ]);
  const receiptOptions = (site: Site): readonly string[] => [
    ...['--receipt', place(`receipts-${site}`), '--receipt-key', place(`${site}.pem`)],
    ...['--site', site],
  ];
  /** A registry with what a site has had so far. */
  const atSite = async (site: Site): Promise<TestRegistry> => {
    const target = await startRegistry();
    stops.push(target.stop);
    for (const [bundle, ...more] of PASTS[site]) {
      const beside = more[0] === '--release' ? [] : more;
      const files = await Promise.all([bundle, ...beside].map(fileIn));
      const { receipt } = (await unpack(
        site,
        target,
        ...files,
        ...receiptOptions(site),
        ...more.slice(beside.length),
      )) as {
        readonly receipt: { readonly path: string };
      };
      receipts.set(site, receipt.path);
    }
    return target;
  };
  /** The tags of the last release there; all that they lead to is there. */
  const lastAt = async (site: Site, target: TestRegistry): Promise<string> => {
    const at = ['verify', await fileIn('whole'), '--at', `${target.host}/${site}`, '--deep'];
    const ran = await operators.get(site)!.bundle([...at, ...trust]);
    expect(ran.status, ran.stdout + ran.stderr).toBe(0);
    const tags = [...(await wholeTags(target))].filter(([tag]) => tag.includes('4.17.5'));
    expect(tags.length).toBeGreaterThan(0);
    const own = tags.map(([tag, digest]) => [tag.replace(`${site}/`, ''), digest]);
    return JSON.stringify(own.toSorted());
  };
  /** Packs a bundle for each site. @returns the report, and the blobs that the source has given. */
  const packedEach = async (
    out: string,
    ...words: readonly string[]
  ): Promise<{ readonly report: Each; readonly fetched: readonly string[] }> => {
    const before = proxy.seen().length;
    const report = (await packer.json([
      ...packing('4.17.5', ...forSites(SITES), '--each', '-o', place(out), ...words),
    ])) as Each;
    const lines = proxy.seen().slice(before);
    const gets = lines.filter((line) => /^GET .*\/blobs\//.test(line));
    return { report, fetched: gets.map((line) => line.replace(/.*\/blobs\//, '')) };
  };

  beforeAll(async () => {
    temporary = await temporaryFolder('sites');
    stops.push(() => temporary.remove());
    source = await startRegistry();
    stops.push(source.stop);
    proxy = await startFaultProxy(source.url);
    stops.push(() => proxy.stop());
    packer = await User.new(place('connected'));
    const signer = await makeReleaseSigner();
    const stores: string[] = [];
    for (const [at, version] of VERSIONS.entries()) {
      const made = await makeReleaseIn(source, place(`release-${version}`), {
        ...{ version, signer, components: at < 2 ? 6 : 7, scale: 0.0002 },
        ...(at > 0 && { rebuild: { name: 'again', share: at === 1 ? 0.5 : 0.2 } }),
      });
      stores.push('--signature-store', made.signatureStore);
      trust = ['--release-key', made.releaseKey];
    }
    await packer.bundle(['keygen', '--type', 'ed25519', '-o', place('packer.pem')]);
    sources = [...stores, ...trust, '--key', place('packer.pem')];
    trust = [...trust, '--trusted-key', place('packer.pub')];
    for (const site of SITES) {
      const operator = await User.new(place(`closed-${site}`));
      operators.set(site, operator);
      await operator.bundle(['keygen', '--type', 'ed25519', '-o', place(`${site}.pem`)]);
    }
    siteKeys = SITES.flatMap((site) => ['--trusted-key', place(`${site}.pub`)]);
    await packed('whole', '4.17.5', '--no-history');
    await packed('three', '4.17.3');
    await packed(
      'since-three',
      '4.17.4',
      '--assume-delivered',
      await fileIn('three'),
      '--trusted-key',
      place('packer.pub'),
    );
    await packed('four', '4.17.4');
    await packed('both', '4.17.3', '4.17.4');
    await packed('other', '4.17.3', '--name', 'other');

    for (const site of SITES) {
      first.set(site, await atSite(site));
      await packer.json(['history', 'import', receipts.get(site)!, ...siteKeys]);
    }

    const whole = await openedBundle(
      {
        ...{ paths: [await fileIn('whole')], kinds: KINDS, releaseKeyFiles: [trust[1]!] },
        trustedKeyFiles: [place('packer.pub')],
      },
      contextIn('/'),
    );
    wanted = new Set(whole.closure.content.blobs.map(({ descriptor }) => descriptor.digest));
    leading = leadingBlobs(whole.closure);
    const blobsIn = async (folder: string): Promise<readonly Digest[]> =>
      (await listingOf(await fileIn(folder))).blobs.map(({ digest }) => digest);
    const three = new Set(await blobsIn('three'));
    const four = new Set(await blobsIn('four'));
    for (const site of SITES) {
      const all =
        site === 'plant-c' ? four : site === 'plant-b' ? new Set([...three, ...four]) : three;
      had.set(site, all);
    }
  }, 10 * MINUTE);
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  it('get one bundle with what any of them lacks, which brings all of them to one state', async () => {
    const dry = await packed('union', '4.17.5', ...forSites(SITES), '--dry-run');
    const { increment } = await packed('union', '4.17.5', ...forSites(SITES));
    expect(dry.increment).toEqual(increment);
    expect(increment!.sites).toEqual(
      SITES.map((site) => `${site} (${first.get(site)!.host}/${site})`),
    );

    // Left out is what every site has, and nothing else.
    const file = await fileIn('union');
    const { requires = [], blobs } = await listingOf(file);
    const own = blobs.filter(({ digest }) => wanted.has(digest)).map(({ digest }) => digest);
    const isEverywhere = (digest: Digest): boolean =>
      SITES.every((site) => had.get(site)!.has(digest));
    expect(own).toEqual([...wanted].filter((one) => leading.has(one) || !isEverywhere(one)));
    expect(own.length).toBeLessThan(wanted.size);
    // Each site finds among the bundles that have it one that it had itself.
    expect(requires.map(({ name }) => name).toSorted()).toEqual([
      ...['ocp-4.17.3-x86_64', 'ocp-4.17.3..4.17.4-x86_64', 'ocp-4.17.4-x86_64', 'other'],
    ]);
    const left = new Set(requires.flatMap((row) => row.blobs.map(({ digest }) => digest)));
    expect(increment!.leftOut.blobs).toBe(left.size);
    expect(await secondVerdict([...trust, file])).toEqual({ status: 0, message: '' });
    for (const folder of ['three', 'four', 'both', 'other']) {
      const beside = await operators
        .get('plant-a')!
        .bundle([...['verify', file, await fileIn(folder), ...trust]]);
      expect(beside.status, beside.stderr).toBe(0);
      expect(beside.stdout).not.toContain('NOT CHECKED');
    }
    const alone = await operators.get('plant-a')!.bundle(['verify', file, ...trust]);
    expect(alone.stdout).toContain('NOT CHECKED');
    expect(alone.stdout).toContain(`NOT CHECKED: ${left.size} configs and layers (`);
    expect(alone.stdout).toContain('one of these is enough');

    // No site has all of these bundles, and yet the printed command makes the patch.
    await mkdir(place('scratched'));
    const scratched = join(place('scratched'), basename(file));
    const bytes = await readFile(file);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(scratched, bytes);
    const map = place('union-damage.json');
    const found = await operators
      .get('plant-a')!
      .bundle(['verify', scratched, ...trust, '--damage', map]);
    const [, words = ''] = /bundle pack (4\.17\.5 .*--baseline .*) --repair/.exec(
      found.stdout + found.stderr,
    )!;
    await packed('union-patch', ...words.split(' '), '--repair', map);

    for (const [site, target] of first) {
      await unpack(site, target, file);
      states.push(await lastAt(site, target));
    }
    expect(new Set(states).size).toBe(1);
  });

  it('get a bundle each, made in one run that fetches each blob once', async () => {
    const dry = await packedEach('each', '--dry-run');
    await expect(readdir(place('each'))).rejects.toThrow('ENOENT');
    const { report, fetched } = await packedEach('each');
    const { bundles, together } = report;
    expect(bundles.map(({ site, path }) => [site, basename(path)])).toEqual(
      SITES.map((site) => [site, `ocp-4.17.5-x86_64-${site}.tar.zst`]),
    );
    expect(dry.report.bundles.map(({ bundleDigest }) => bundleDigest)).toEqual(
      bundles.map(({ bundleDigest }) => bundleDigest),
    );
    expect(dry.report.together).toEqual(together);

    const all = new Set<Digest>();
    for (const { site, path } of bundles) {
      const isOwn = (one: Digest): boolean => leading.has(one) || !had.get(site)!.has(one);
      const { blobs } = await listingOf(path);
      const own = blobs.filter(({ digest }) => wanted.has(digest)).map(({ digest }) => digest);
      expect([site, own]).toEqual([site, [...wanted].filter(isOwn)]);
      for (const digest of own) all.add(digest);
    }
    expect(together.blobs).toBe(all.size);
    // What a release is derived from is read once more, before the bundles are planned.
    const once = fetched.filter((digest) => !leading.has(digest as Digest));
    expect(once.toSorted()).toEqual([...all].filter((one) => !leading.has(one)).toSorted());
    for (const digest of leading)
      expect(fetched.filter((one) => one === digest).length).toBeLessThanOrEqual(2);

    for (const { site, path } of bundles) {
      const target = await atSite(site);
      await unpack(site, target, path);
      states.push(await lastAt(site, target));
    }
    expect(new Set(states).size).toBe(1);
  });

  it('get the rest of these bundles from the same command, after one that was killed', async () => {
    await cp(place('each'), place('killed'), { recursive: true });
    const named = (site: Site): string => place(`killed/ocp-4.17.5-x86_64-${site}.tar.zst`);
    // The third was being written: the last two are not begun.
    for (const site of ['plant-d', 'plant-e'] as const) await rm(named(site));
    const { size } = await stat(named('plant-c'));
    await rename(named('plant-c'), `${named('plant-c')}.partial`);
    await truncate(`${named('plant-c')}.partial`, Math.floor(size * 0.7));
    const { report, fetched } = await packedEach('killed');
    expect(report.bundles.map(({ kept }) => kept.finished)).toEqual([
      ...[true, true, false, false, false],
    ]);
    for (const site of SITES) {
      const made = await readFile(named(site));
      const before = await readFile(place(`each/ocp-4.17.5-x86_64-${site}.tar.zst`));
      expect([site, made.equals(before)]).toEqual([site, true]);
    }
    const finished = await Promise.all([named('plant-a'), named('plant-b')].map(listingOf));
    const held = new Set<string>(
      finished.flatMap(({ blobs }) => blobs.map(({ digest }) => digest)),
    );
    expect(fetched.filter((digest) => held.has(digest))).toEqual([]);
  });

  it.each([
    ['flipped', [20, 22]],
    ['cut', [22]],
  ] as const)(
    'are not told of success when a bundle is %s while another is made, but its name',
    async (damage, statuses) => {
      const first = place(`${damage}/ocp-4.17.5-x86_64-plant-a.tar.zst`);
      const ran = await packer.bundle(
        [...packing('4.17.5', ...forSites(['plant-a', 'plant-b']), '--each', '-o', place(damage))],
        {
          env: {
            NODE_OPTIONS: `--require=${projectPath('test/support/damage-when-told.cjs')}`,
            ...{
              DAMAGE: damage,
              DAMAGED_FILE: first,
              WHEN_TOLD: 'packing ocp-4.17.5-x86_64-plant-b',
            },
          },
        },
      );
      expect(statuses, ran.stderr).toContain(ran.status);
      expect(ran.stderr).toContain('was damaged after it was written');
      expect(ran.stderr).toContain(first);
      const other = place(`${damage}/ocp-4.17.5-x86_64-plant-b.tar.zst`);
      const whole = await readFile(place('each/ocp-4.17.5-x86_64-plant-b.tar.zst'));
      expect((await readFile(other)).equals(whole)).toBe(true);
    },
  );

  it('may get bundles that are made of others on disk, whose damage is fetched', async () => {
    const whole = await readFile(await fileIn('whole'));
    const damaged = place('damaged/ocp-4.17.5-x86_64.tar.zst');
    await mkdir(place('damaged'));
    const bytes = Buffer.from(whole);
    for (const share of [0.5, 0.6, 0.7, 0.8]) {
      const at = Math.floor(bytes.length * share);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
    }
    await writeFile(damaged, bytes);
    const four = await fileIn('four');
    const held = new Set<string>((await listingOf(four)).blobs.map(({ digest }) => digest));
    let told = '';
    const packedFrom = async (out: string, path: string): Promise<readonly string[]> => {
      const before = proxy.seen().length;
      const from = ['--from-bundle', path, '--trusted-key', place('packer.pub')];
      const words = packing('4.17.5', ...from, '--no-history', '-o', place(out));
      const ran = await packer.bundle([...words]);
      expect(ran.status, ran.stderr).toBe(0);
      told = ran.stderr;
      expect((await readFile(await fileIn(out))).equals(whole)).toBe(true);
      const gets = proxy
        .seen()
        .slice(before)
        .filter((line) => /^GET .*\/blobs\//.test(line));
      return gets.map((line) => line.replace(/.*\/blobs\//, ''));
    };
    const rest = [...wanted].filter((one) => !leading.has(one) && !held.has(one));
    const fetched = await packedFrom('from-four', four);
    const own = fetched.filter((digest) => !leading.has(digest as Digest));
    expect(own.toSorted()).toEqual(rest.toSorted());
    // What a release is derived from is read in any case.
    const planned = await packedFrom('from-whole', await fileIn('whole'));
    expect(planned.filter((digest) => !leading.has(digest as Digest))).toEqual([]);
    expect(told).not.toContain('is damaged');
    const again = await packedFrom('from-damaged', damaged);
    expect(told.match(/is damaged/g)).toHaveLength(1);
    expect(told).toContain(damaged);
    expect(again.length).toBeGreaterThan(planned.length);
    expect(again.length).toBeLessThanOrEqual(planned.length + 4);
    const foreign = await packer.bundle([
      ...packing('4.17.5', '--from-bundle', place('plant-a.pub'), '-o', place('none')),
    ]);
    expect(foreign.status, foreign.stderr).toBe(22);
  });

  it('are told apart from a site that is new, mistyped, or not believed', async () => {
    const dry = (...words: readonly string[]) =>
      packer.bundle([...packing('4.17.5', ...words), '-o', place('dry'), '--dry-run']);
    const fresh = await dry(...forSites(['plant-a', 'plant-new']));
    expect(fresh.status, fresh.stderr).toBe(0);
    expect(fresh.stderr).toContain('no receipt of plant-new is here');
    expect(fresh.stdout).toContain('This is a whole bundle: nothing of it counts');
    const mistyped = await dry(...forSites(['plnat-a', 'plant-new']));
    expect(mistyped.status).toBe(21);
    expect(mistyped.stderr).toContain('no receipt of plant-new or plnat-a counts here');
    const without = ['--site', 'plant-a', '--site', 'plant-b'];
    const unbelieved = await dry(...without, '--trusted-key', place('plant-a.pub'));
    expect(unbelieved.status).toBe(21);
    expect(unbelieved.stderr).toContain('no receipt of plant-b counts here');
    for (const wrong of [
      ['--each'],
      [...forSites(['plant-a']), '--each', '--stop-after', '1', '--volume-size', '1M'],
    ]) {
      const ran = await dry(...wrong);
      expect([wrong, ran.status]).toEqual([wrong, 2]);
    }
    for (const other of [
      ['--since-last', 'plant-a'],
      ['--baseline', receipts.get('plant-a')!],
    ]) {
      const mixed = await dry(...forSites(['plant-b']), ...other);
      expect(mixed.status).toBe(2);
      expect(mixed.stderr).toContain('--site and --');
    }
  });
});
