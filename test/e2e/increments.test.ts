import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { type Digest, hexOf } from '../../src/core/digest.ts';
import { KINDS } from '../../src/kinds/all.ts';
import { leadingBlobs } from '../../src/kinds/closure.ts';
import { formatSigned, parseSigned, signReceipt } from '../../src/receipts/signed.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import { contextIn } from '../support/context.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { bundleIn, listingOf, openedBundle } from '../support/opened-bundle.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { temporaryFolder, User } from '../support/user.ts';

const VERSIONS = ['4.17.3', '4.17.4', '4.17.5'] as const;

interface Increment {
  readonly size: number;
  readonly bundleDigest: string;
  readonly increment?: {
    readonly leftOut: { readonly blobs: number; readonly bytes: number };
    readonly bundles: readonly { readonly digest: string; readonly assumed: boolean }[];
  };
}

/** Three releases in a row that share most of their content, and a site that gets one after another. */
describeWith(['docker-registry', 'python3'], 'increments', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  const targets: TestRegistry[] = [];
  let packer: User;
  let operator: User;
  let fetching: readonly string[];
  let trust: readonly string[];
  let siteKey: readonly string[];
  /** The receipts of the site that has all three, oldest first. */
  const receipts: string[] = [];

  const place = (name: string): string => join(temporary.path, name);
  const fileIn = async (folder: string): Promise<string> => bundleIn(place(folder));
  const packed = async (version: string, out: string, ...more: readonly string[]) =>
    (await packer.json([
      ...['pack', version, '-o', place(out), ...fetching, ...more],
    ])) as Increment;
  const opening = (path: string) => ({
    ...{ paths: [path], kinds: KINDS, trustedKeyFiles: [place('packer.pub')] },
    releaseKeyFiles: [trust[1]!],
  });
  const newTarget = async (): Promise<TestRegistry> => {
    const target = await startRegistry();
    targets.push(target);
    return target;
  };
  const repositories = async ({ url }: TestRegistry): Promise<readonly string[]> => {
    const answer = await fetch(`${url}/v2/_catalog`);
    return ((await answer.json()) as { repositories: readonly string[] }).repositories;
  };
  const unpacking = (target: TestRegistry, ...files: readonly string[]): readonly string[] => [
    ...['unpack', ...files, '--to', `${target.host}/ocp4`, ...trust],
    ...['--resources-dir', place('resources')],
  ];
  const wholeAt = async (target: TestRegistry, version: string): Promise<void> => {
    const at = ['verify', await fileIn(`whole-${version}`), '--at', `${target.host}/ocp4`];
    const ran = await operator.bundle([...at, '--deep', ...trust]);
    expect(ran.status, ran.stdout + ran.stderr).toBe(0);
  };

  beforeAll(async () => {
    temporary = await temporaryFolder('increments');
    source = await startRegistry();
    packer = await User.new(place('connected'));
    operator = await User.new(place('closed'));
    const signer = await makeReleaseSigner();
    const store: string[] = [];
    for (const [at, version] of VERSIONS.entries()) {
      const made = await makeReleaseIn(source, place(`release-${version}`), {
        ...{ version, signer, components: at < 2 ? 6 : 7, scale: 0.0002 },
        // What was built again for the second is in the third, too, and that has one image more.
        ...(at > 0 && { rebuild: { name: 'again', share: at === 1 ? 0.5 : 0.2 } }),
      });
      store.push('--signature-store', made.signatureStore);
      trust = ['--release-key', made.releaseKey];
    }
    await packer.bundle(['keygen', '--type', 'ed25519', '-o', place('packer.pem')]);
    await operator.bundle(['keygen', '--type', 'ed25519', '-o', place('site.pem')]);
    const keys = ['--key', place('packer.pem'), '--trusted-key', place('packer.pub')];
    siteKey = ['--trusted-key', place('site.pub')];
    fetching = ['--mirror', `quay.io=${source.host}`, ...store, ...trust, ...keys.slice(0, 2)];
    trust = [...trust, ...keys.slice(2)];
    for (const version of VERSIONS) await packed(version, `whole-${version}`);

    // The site gets one after another, and each time its receipt comes back before the next pack.
    const target = await newTarget();
    for (const [at, version] of VERSIONS.entries()) {
      const since = at === 0 ? [] : ['--since-last', 'plant-a', ...siteKey];
      await packed(version, `inc-${version}`, ...since);
      await operator.json([
        ...unpacking(target, place(`inc-${version}`)),
        ...['--receipt', place('receipts'), '--receipt-key', place('site.pem')],
        ...['--site', 'plant-a'],
      ]);
      const { receipt } = await newest();
      receipts.push(receipt);
      await packer.json(['history', 'import', receipt, ...siteKey]);
    }
    for (const version of VERSIONS) await wholeAt(target, version);
  });
  const newest = async (): Promise<{ receipt: string }> => {
    const names = (await readdir(place('receipts'))).sort();
    return { receipt: join(place('receipts'), names.at(-1)!) };
  };
  afterAll(async () => {
    for (const target of targets) await target.stop();
    await source.stop();
    await temporary.remove();
  });

  it('carry exactly what is new, to the byte, and what they lead with', async () => {
    const had = new Set<Digest>();
    for (const version of VERSIONS) {
      const { requires = [], blobs } = await listingOf(await fileIn(`inc-${version}`));
      const whole = await openedBundle(opening(await fileIn(`whole-${version}`)), contextIn('/'));
      const { content } = whole.closure;
      const leading = leadingBlobs(whole.closure);
      const isNew = ({ digest }: { digest: Digest }): boolean =>
        !had.has(digest) || leading.has(digest);
      const own = content.blobs.map(({ descriptor }) => descriptor).filter(isNew);
      const heads = content.manifests.map(({ descriptor }) => descriptor);
      const plain = [...heads, ...own].map(({ digest, size }) => ({ digest, size }));
      expect(blobs).toEqual(plain);
      const left = content.blobs.filter(({ descriptor }) => !isNew(descriptor));
      expect(new Set(requires.flatMap((row) => row.blobs.map(({ digest }) => digest)))).toEqual(
        new Set(left.map(({ descriptor }) => descriptor.digest)),
      );
      for (const { descriptor } of content.blobs) had.add(descriptor.digest);
    }
    const { requires = [] } = await listingOf(await fileIn('inc-4.17.5'));
    expect(requires.map(({ name }) => name)).toEqual([
      'ocp-4.17.3-x86_64',
      'ocp-4.17.4-x86_64-increment',
    ]);
    expect(requires.every(({ assumed }) => assumed === undefined)).toBe(true);
  });

  it('are planned by a dry run, and reported with what is saved', async () => {
    const since = ['--since-last', 'plant-a', ...siteKey];
    const dry = await packed('4.17.5', 'dry', ...since, '--dry-run');
    const { requires = [] } = await listingOf(await fileIn('inc-4.17.5'));
    expect(dry.increment!.leftOut.blobs).toBeGreaterThanOrEqual(
      requires.reduce((sum, { blobs }) => sum + blobs.length, 0),
    );
    const text = await packer.bundle([
      ...['pack', '4.17.5', '-o', place('dry'), '--dry-run', ...fetching, ...since],
    ]);
    expect(text.stdout).toContain('An increment: it leaves out');
    expect(text.stdout).toContain('plant-a');
  });

  it('are read by the second reader, and say alone what they do not prove', async () => {
    const file = await fileIn('inc-4.17.5');
    expect(await secondVerdict([...trust.slice(0, 2), ...trust.slice(2), file])).toEqual({
      ...{ status: 0, message: '' },
    });
    const alone = await operator.bundle(['verify', file, ...trust]);
    expect(alone.status, alone.stderr).toBe(0);
    expect(alone.stdout).toContain('NOT CHECKED');
    const all = [await fileIn('inc-4.17.4'), file, await fileIn('inc-4.17.3')];
    const beside = await operator.bundle(['verify', ...all, ...trust]);
    expect(beside.status, beside.stderr).toBe(0);
    expect(beside.stdout).not.toContain('NOT CHECKED');
    expect(beside.stdout).toContain('were read from');
    const chain = await operator.bundle(['inspect', file, ...trust]);
    expect(chain.stdout).toMatch(
      /leaves out +\d+ configs? (?:or|and) layers?, .* of ocp-4\.17\.3-x86_64 /,
    );
  });

  it('push nothing where the target lacks what they leave out, and say what that is', async () => {
    const target = await newTarget();
    const file = await fileIn('inc-4.17.5');
    const ran = await operator.bundle(unpacking(target, file));
    expect(ran.status, ran.stdout).toBe(22);
    expect(ran.stderr).toContain('nothing was pushed');
    expect(ran.stderr).toMatch(/ocp-4\.17\.3-x86_64 \([0-9a-f]{64}\) has \d+/);
    expect(await repositories(target)).toEqual([]);
    const dry = await operator.bundle([...unpacking(target, file), '--dry-run']);
    expect(dry.status).toBe(22);
  });

  it('cannot be skipped, and stand in for each other in any order', async () => {
    const [base, first, second] = await Promise.all(
      VERSIONS.map(async (version) => fileIn(`inc-${version}`)),
    );
    const target = await newTarget();
    await operator.json(unpacking(target, base!));
    const skipped = await operator.bundle(unpacking(target, second!));
    expect(skipped.status, skipped.stdout).toBe(22);
    expect(skipped.stderr).toMatch(/ocp-4\.17\.4-x86_64-increment \([0-9a-f]{64}\) has \d+/);
    expect(skipped.stderr).not.toMatch(/ocp-4\.17\.3-x86_64 \(/);
    const together = await newTarget();
    const ran = await operator.bundle(unpacking(together, second!, base!, first!));
    expect(ran.status, ran.stderr).toBe(0);
    await wholeAt(together, '4.17.5');
    // Two of them on one medium, which has no last one of its own.
    const medium = place('kept');
    await mkdir(medium);
    for (const file of [base!, first!]) await copyFile(file, join(medium, basename(file)));
    const carried = await newTarget();
    const last = await operator.bundle(unpacking(carried, dirname(second!), medium));
    expect(last.status, last.stderr).toBe(0);
    await wholeAt(carried, '4.17.5');
  });

  it('are named as what they are where their listing is damaged, beside others', async () => {
    const [base, next] = await Promise.all(['inc-4.17.3', 'inc-4.17.4'].map(fileIn));
    const damaged = join(place('damaged'), basename(next!));
    await mkdir(place('damaged'));
    const bytes = await readFile(next!);
    for (const content of [bytes.fill(0xff, 3000, 3004), Buffer.alloc(0)]) {
      await writeFile(damaged, content);
      const ran = await operator.bundle(['verify', damaged, base!, ...trust]);
      expect(ran.status, ran.stderr).toBe(22);
      expect(ran.stderr).toContain(damaged);
    }
  });

  it('ask once for each blob that they leave out, where all are in place', async () => {
    const target = await newTarget();
    await operator.json(unpacking(target, await fileIn('inc-4.17.3')));
    const proxy = await startFaultProxy(target.url);
    try {
      await operator.json(unpacking({ ...target, host: proxy.host }, await fileIn('inc-4.17.4')));
      const { requires = [] } = await listingOf(await fileIn('inc-4.17.4'));
      // What a cache may answer is not asked: it is the last byte that is.
      const asked = proxy.seen(/^(?:GET|HEAD) .*\/blobs\//);
      for (const { digest } of requires.flatMap(({ blobs }) => blobs))
        expect([digest, asked.filter((line) => line.endsWith(digest)).length]).toEqual([digest, 1]);
    } finally {
      await proxy.stop();
    }
  });

  it('cost exactly one medium when one is lost', async () => {
    const target = await newTarget();
    await operator.json(unpacking(target, await fileIn('inc-4.17.3')));
    // The second never arrived: the next is packed from the last receipt.
    const again = await packed('4.17.5', 'again', '--baseline', receipts[0]!, ...siteKey);
    expect(again.increment!.bundles).toHaveLength(1);
    const ran = await operator.bundle(unpacking(target, await fileIn('again')));
    expect(ran.status, ran.stderr).toBe(0);
    await wholeAt(target, '4.17.5');
  });

  it('notice before the first upload that a registry has lost something', async () => {
    const target = await newTarget();
    await operator.json(unpacking(target, await fileIn('inc-4.17.3')));
    const { requires = [] } = await listingOf(await fileIn('inc-4.17.4'));
    const lost = requires[0]!.blobs[0]!.digest;
    const storage = join(target.root, 'storage/docker/registry/v2');
    const hex = hexOf(lost);
    await rm(join(storage, 'blobs/sha256', hex.slice(0, 2), hex), { recursive: true });
    const before = await repositories(target);
    const ran = await operator.bundle(unpacking(target, await fileIn('inc-4.17.4')));
    expect(ran.status, ran.stdout).toBe(22);
    expect(ran.stderr).toContain('lacks 1 config or layer');
    expect(await repositories(target)).toEqual(before);
    const both = [await fileIn('inc-4.17.3'), await fileIn('inc-4.17.4')];
    const healed = await operator.bundle(unpacking(target, ...both));
    expect(healed.status, healed.stderr).toBe(0);
    await wholeAt(target, '4.17.4');
  });

  it('rest on no receipt that is forged, of another site, replaced, or of an unknown bundle', async () => {
    const pack = (...more: readonly string[]) =>
      packer.bundle(['pack', '4.17.5', '-o', place('bad'), '--dry-run', ...fetching, ...more]);
    const text = await readFile(receipts[0]!, 'utf8');
    const write = async (name: string, content: string | Uint8Array): Promise<string> => {
      await writeFile(place(name), content);
      return place(name);
    };
    const edited = await write('receipt-edited.json', text.replace('plant-a', 'plant-b'));
    expect(await pack('--baseline', edited, ...siteKey)).toMatchObject({ status: 21 });
    expect(await pack('--baseline', receipts[0]!)).toMatchObject({ status: 21 });

    const key = SigningKey.parse(await readFile(place('site.pem'), 'utf8'), 'a key');
    const { receipt } = parseSigned(Buffer.from(text), 'a receipt');
    const signed = (more: Partial<typeof receipt>): Uint8Array =>
      formatSigned(signReceipt({ ...receipt, ...more }, key));
    const other = await write('receipt-b.json', signed({ site: 'plant-b' }));
    const ofTwo = await pack('--baseline', receipts[1]!, '--baseline', other, ...siteKey);
    expect(ofTwo.status).toBe(21);
    expect(ofTwo.stderr).toContain('different sites');

    const row = { ...receipt.bundles[0]!, digest: `sha256:${'1'.repeat(64)}` as Digest };
    const strange = await write('receipt-strange.json', signed({ bundles: [row] }));
    const unknown = await pack('--baseline', strange, ...siteKey);
    expect(unknown.status).toBe(21);
    expect(unknown.stderr).toContain('Nothing is known here');
    // Where another baseline proves enough, it is only told.
    const enough = await pack('--baseline', strange, '--baseline', receipts[0]!, ...siteKey);
    expect(enough.status, enough.stderr).toBe(0);
    expect(enough.stderr).toContain('nothing is known of');

    const later = { time: '2099-01-01T00:00:00Z', replaces: true };
    const pruned = await write('receipt-pruned.json', signed(later));
    const user = await User.new(place('pruned'));
    await user.json(['history', 'import', pruned, ...siteKey]);
    const old = await user.bundle([
      ...['pack', '4.17.5', '-o', place('bad'), '--dry-run', ...fetching],
      ...['--baseline', receipts[1]!, ...siteKey],
    ]);
    expect(old.status).toBe(21);
    expect(old.stderr).toContain('does not hold any more');

    // The key of another site is trusted, too, and speaks for that site alone.
    const otherKey = SigningKey.generate('ecdsa-p256');
    const otherPub = await write('plant-b.pub', otherKey.public.pem);
    const foreign = await write(
      'receipt-foreign.json',
      formatSigned(signReceipt(receipt, otherKey)),
    );
    const both = ['--baseline', foreign, '--trusted-key', otherPub, ...siteKey];
    const ofOther = await user.bundle([
      ...['pack', '4.17.5', '-o', place('bad'), '--dry-run', ...fetching, ...both],
    ]);
    expect(ofOther.status).toBe(21);
    expect(ofOther.stderr).toContain('is signed with another key than before');
  });

  it('count on a bundle without a receipt only where that is said', async () => {
    const user = await User.new(place('assuming'));
    const base = await fileIn('whole-4.17.3');
    const packing = (...more: readonly string[]) =>
      user.bundle(['pack', '4.17.4', '-o', place('assumed'), ...fetching, ...more]);
    const keys = ['--trusted-key', place('packer.pub')];
    const refused = await packing('--baseline', base, ...keys);
    expect(refused.status).toBe(21);
    expect(refused.stderr).toContain('--assume-delivered');
    const ran = await packing('--assume-delivered', base, ...keys);
    expect(ran.status, ran.stderr).toBe(0);
    expect(ran.stdout).toContain('NOT PROVEN');
    const { requires } = await listingOf(await fileIn('assumed'));
    expect(requires).toMatchObject([{ assumed: true }]);
    const file = await fileIn('assumed');
    expect(await secondVerdict([...trust, file])).toEqual({ status: 0, message: '' });
    const inspected = await operator.bundle(['inspect', file, ...trust]);
    expect(inspected.stdout).toContain('ASSUMED to have arrived');
  });
});
