import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { type Digest, digestOf, hexOf } from '../../src/core/digest.ts';
import { publishImage } from '../support/base-image.ts';
import { startBundle } from '../support/bundle-process.ts';
import { type Decide, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

type Files = ReadonlyMap<string, Digest>;

const SIZE = ['--volume-size', '100000'];
const BESIDE = 'set.restart.partial';
const OF_WEB = '/team/web/blobs/';

/** A bundle that is there already, and one of the same name that is to take its place. */
describeWith(['docker-registry'], 'a pack with --restart', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let proxy: FaultProxy;
  let decide: Decide;
  let packer: User;
  let output: string;
  let cases = 0;

  const place = (name: string): string => join(temporary.path, name);
  const both = ['--image', 'quay.io/team/tool:1.4', '--image', 'quay.io/team/web:2'];
  const packing = (...more: readonly string[]): readonly string[] => [
    ...['pack', '-o', output, '--name', 'set', '--key', place('packer.pem'), '--mirror'],
    ...[`quay.io=${proxy.host}`, '--concurrency', '1', ...more],
  ];
  const runs = async (status: number, ...args: readonly string[]): Promise<string> => {
    const ended = await packer.bundle(args);
    expect(ended.status, ended.stderr).toBe(status);
    return ended.stderr;
  };
  /** Names and digests; the lock of a run that was killed is not of the bundle. */
  const filesIn = async (folder: string): Promise<Files> => {
    const all = (await readdir(folder, { withFileTypes: true })).filter((one) => one.isFile());
    const names = all.map(({ name }) => name).filter((name) => !name.endsWith('.lock'));
    const read = names.map(
      async (name) => [name, digestOf(await readFile(join(folder, name)))] as const,
    );
    return new Map(await Promise.all(read));
  };
  /** What a pack that nothing disturbs writes into a folder of its own. */
  const undisturbed = async (...args: readonly string[]): Promise<Files> => {
    const own = output;
    output = `${own}-undisturbed`;
    await runs(0, ...packing(...args));
    output = own;
    return filesIn(`${own}-undisturbed`);
  };
  /** The old bundle, which is of one image, and what the new one is to look like. */
  const before = async (old: readonly string[], made: readonly string[]) => {
    await runs(0, ...packing(...both.slice(0, 2), ...old));
    return { old: await filesIn(output), made: await undisturbed(...both, ...made) };
  };
  /** Packs until a blob of the second image is asked for, which does not come, and ends that. */
  const killed = async (args: readonly string[], signal: NodeJS.Signals): Promise<string> => {
    let isAsked: () => void;
    const asked = new Promise<void>((resolve) => (isAsked = resolve));
    decide = ({ url, method }) => {
      if (method !== 'GET' || !url.includes(OF_WEB)) return undefined;
      isAsked();
      return { kind: 'stall', after: 0 };
    };
    const { child, ended } = await startBundle(args, { folder: packer.folder });
    await asked;
    child.kill(signal);
    const { stderr } = await ended;
    decide = () => undefined;
    return stderr;
  };

  /** Says, as a run does that is about to replace a bundle, that the new one is whole. */
  const noteWhole = async (made: Files, names: readonly string[]): Promise<void> => {
    const lines = names.map((name) => `${hexOf(made.get(name)!)}  ${name}\n`);
    await writeFile(join(output, BESIDE, 'set.whole'), lines.join(''));
  };
  /** An older bundle, and beside it a newer one that was about to take its place. */
  const cutOff = async () => {
    const { old, made } = await before([], []);
    await cp(`${output}-undisturbed`, join(output, BESIDE), { recursive: true });
    await noteWhole(made, ['set.tar.zst']);
    return { old, made };
  };

  beforeAll(async () => {
    temporary = await temporaryFolder('restart');
    source = await startRegistry();
    proxy = await startFaultProxy(source.url, (request) => decide(request));
    packer = await User.new(place('connected'));
    for (const [repository, tag] of [
      ['team/tool', '1.4'],
      ['team/web', '2'],
    ] as const)
      await publishImage(source.host, { registry: 'quay.io', repository, tag }, { seed: tag });
    await packer.bundle(['keygen', '--type', 'ed25519', '-o', place('packer.pem')]);
  });
  beforeEach(() => {
    decide = () => undefined;
    output = place(`case-${(cases += 1)}`);
  });
  afterAll(async () => {
    await proxy.stop();
    await source.stop();
    await temporary.remove();
  });

  it.each([
    { what: 'one file', old: [], made: [] },
    { what: 'volumes', old: SIZE, made: SIZE },
    { what: 'volumes by one file', old: SIZE, made: [] },
    { what: 'one file by volumes', old: [], made: SIZE },
  ])('replaces $what when the new one is whole: killed before, it goes on', async (one) => {
    const { old, made } = await before(one.old, one.made);
    const args = packing(...both, ...one.made);
    expect(await runs(2, ...args)).toContain('--restart');
    await killed([...args, '--restart'], 'SIGKILL');
    expect(await filesIn(output)).toEqual(old);
    expect(await readdir(output)).toContain(BESIDE);
    await runs(0, 'verify', output, '--trusted-key', place('packer.pub'));
    expect(await runs(0, ...args)).toContain('goes on with the restart');
    expect(await filesIn(output)).toEqual(made);
    expect((await readdir(output)).toSorted()).toEqual([...made.keys()].toSorted());
  });

  it('says how to go on when it is interrupted, and begins anew with --restart', async () => {
    const { old, made } = await before([], []);
    const args = packing(...both);
    const said = await killed([...args, '--restart'], 'SIGINT');
    expect(said).toContain('stays as it is until the new one is whole');
    expect(said).toContain('To continue, run the same command again without --restart.');
    expect(await filesIn(output)).toEqual(old);
    const asked = proxy.requests.length;
    await runs(0, ...args, '--restart');
    const again = proxy.requests.slice(asked).filter(({ method }) => method === 'GET');
    expect(again.some(({ url }) => url.includes('/team/tool/blobs/'))).toBe(true);
    expect(await filesIn(output)).toEqual(made);
    expect(await readdir(output)).not.toContain(BESIDE);
  });

  it('goes on wherever it was cut off while it put the new bundle in place', async () => {
    const { made } = await before(SIZE, SIZE);
    const older = `${output}-older`;
    await cp(output, older, { recursive: true });
    const volumes = [...made.keys()].filter((name) => /\.\d{3}$/.test(name)).toSorted();
    const steps = [...volumes, 'set.sha256', 'set.pub'];
    expect(volumes.length).toBeGreaterThan(1);
    for (let done = 0; done <= steps.length; done += 1) {
      await rm(output, { recursive: true });
      await cp(older, output, { recursive: true });
      await cp(`${output}-undisturbed`, join(output, BESIDE), { recursive: true });
      await noteWhole(made, volumes);
      for (const name of steps.slice(0, done))
        await rename(join(output, BESIDE, name), join(output, name));
      const asked = proxy.requests.length;
      await runs(0, ...packing(...both, ...SIZE));
      const fetched = proxy.requests.slice(asked).filter(({ url }) => url.includes('/blobs/'));
      expect(fetched.filter(({ method }) => method === 'GET')).toEqual([]);
      expect(await filesIn(output)).toEqual(made);
      expect(await readdir(output)).not.toContain(BESIDE);
    }
  });

  it('leaves alone what somebody has put there after it was cut off', async () => {
    const { old } = await cutOff();
    for (const name of ['set.tar.zst', 'set.pub', 'set.sha256']) {
      const own = await readFile(join(output, name));
      await writeFile(join(output, name), 'my thesis');
      expect(await runs(2, ...packing(...both))).toContain(`${name} exists already`);
      expect(await readFile(join(output, name), 'utf8')).toBe('my thesis');
      await writeFile(join(output, name), own);
    }
    const text = join(output, BESIDE, 'set.tar.zst');
    await writeFile(text, 'my thesis');
    const said = await runs(2, ...packing(...both));
    expect(said).toContain(`${BESIDE}/set.tar.zst exists already`);
    expect(await readFile(text, 'utf8')).toBe('my thesis');
    expect(await filesIn(output)).toEqual(old);
  });

  it('replaces nothing by a bundle that was damaged after it was cut off', async () => {
    const { old, made } = await cutOff();
    const path = join(output, BESIDE, 'set.tar.zst');
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(path, bytes);
    decide = ({ url }) => (url.includes('/blobs/') ? { kind: 'answer', status: 404 } : undefined);
    await packer.bundle(packing(...both));
    expect(await filesIn(output)).toEqual(old);
    decide = () => undefined;
    await runs(0, ...packing(...both));
    expect(await filesIn(output)).toEqual(made);
    expect(await readdir(output)).not.toContain(BESIDE);
  });

  it('says where a file is that no user has named, and how to keep the older bundle', async () => {
    const { old } = await before([], []);
    await cp(`${output}-undisturbed`, join(output, BESIDE), { recursive: true });
    const said = await runs(2, ...packing(...both.slice(0, 2)));
    expect(said).toContain(`${BESIDE}/set.tar.zst exists already`);
    expect(said).toContain(`rm -r ${join(output, BESIDE)}`);
    await rm(join(output, BESIDE), { recursive: true });
    await runs(0, ...packing(...both.slice(0, 2)));
    expect(await filesIn(output)).toEqual(old);
  });

  it('writes nothing where something else has the name of one of its folders', async () => {
    const { old } = await before([], []);
    await mkdir(join(output, BESIDE));
    for (const name of [`${BESIDE}/set.begun.partial`, 'set.begun.partial', BESIDE]) {
      await rm(join(output, name), { recursive: true, force: true });
      await writeFile(join(output, name), 'my thesis');
      for (const more of [[], ['--dry-run']]) {
        const said = await runs(26, ...packing(...both, '--restart', ...more));
        expect(said).toContain(`${join(output, name)} is no folder`);
      }
      expect(await readFile(join(output, name), 'utf8')).toBe('my thesis');
      if (name !== BESIDE) await rm(join(output, name));
    }
    await rm(join(output, BESIDE));
    expect(await filesIn(output)).toEqual(old);
  });

  it('keeps the old bundle while it leaves out what is missing', async () => {
    const { old } = await before([], []);
    let meanwhile: Promise<Files> | undefined;
    decide = ({ url }) => {
      if (!url.includes(OF_WEB)) return undefined;
      meanwhile ??= filesIn(output);
      return { kind: 'answer', status: 404 };
    };
    await runs(30, ...packing(...both, '--incomplete', '--restart'));
    const during = await meanwhile;
    expect([...old.keys()].map((name) => during?.get(name) === old.get(name))).not.toContain(false);
    const keys = ['--trusted-key', place('packer.pub')];
    const { stdout } = await packer.bundle(['inspect', output, ...keys, '--output', 'json']);
    expect(stdout).toContain('quay.io/team/web:2');
    expect((await readdir(output)).toSorted()).toEqual(['set.pub', 'set.sha256', 'set.tar.zst']);
  });

  it('is told before manifests are read that another bundle has the name', async () => {
    await before([], []);
    await packer.bundle(['cache', 'clear']);
    for (const more of [[], ['--dry-run']]) {
      const asked = proxy.requests.length;
      const said = await runs(2, ...packing(...both, ...more));
      expect(said).toContain('set.tar.zst exists already, and is a finished bundle');
      const read = proxy.requests.slice(asked).map(({ url }) => url);
      expect(read.filter((url) => /\/manifests\/sha256:(?!e3b0c442)/.test(url))).toEqual([]);
    }
    await runs(0, ...packing(...both, '--dry-run', '--restart'));
  });

  it('is told by --dry-run that the name is of a bundle with the same parts, and others beside', async () => {
    await runs(0, ...packing(...both));
    const more = packing(...both, '--no-signatures');
    for (const args of [more, [...more, '--dry-run']])
      expect(await runs(2, ...args)).toContain('is a finished bundle with other content');
  });
});
