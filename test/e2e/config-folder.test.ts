import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { makeRelease } from '../../scripts/lib/make-release.ts';
import { startBundle } from '../support/bundle-process.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

describe('keys are kept', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    temporary = await temporaryFolder('config');
  });
  afterAll(() => temporary.remove());

  const keygen = async (
    name: string,
    env: Readonly<Record<string, string>>,
  ): Promise<{ path: string; user: User }> => {
    const user = await User.new(join(temporary.path, name));
    const { privatePath } = (await user.json(['keygen'], { env })) as { privatePath: string };
    return { path: privatePath, user };
  };

  it.each(['', 'config', './config'])(
    'in the home folder where XDG_CONFIG_HOME is "%s", never in the working folder',
    async (value) => {
      const { path, user } = await keygen(`unset-${value.length}`, { XDG_CONFIG_HOME: value });
      expect(path).toBe(user.signingKey);
      expect(await readdir(user.folder)).toEqual(['home']);
    },
  );

  it('where an absolute XDG_CONFIG_HOME says', async () => {
    const folder = join(temporary.path, 'xdg');
    expect((await keygen('absolute', { XDG_CONFIG_HOME: folder })).path).toBe(
      join(folder, 'bundle/signing-key.pem'),
    );
  });

  it.each(['', '.', './'])('never where the command runs, for HOME="%s"', async (value) => {
    const user = await User.new(join(temporary.path, `here-${value.length}`));
    const folder = join(user.folder, '.config/bundle/trusted-keys');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'planted.pub'), 'no key, which would be an error');
    const env = { HOME: value };
    const { stdout, stderr } = await user.bundle(['trust', 'list', '--output', 'json'], { env });
    expect(JSON.parse(stdout)).not.toHaveProperty('error');
    expect(stderr).toBe('');
  });

  it('nowhere, with status 26, where a home folder cannot be made', async () => {
    const user = await User.new(join(temporary.path, 'homeless'));
    expect((await user.bundle(['keygen'], { env: { HOME: '/proc/none' } })).status).toBe(26);
    expect(
      (await user.bundle(['trust', 'add', user.publicKey], { env: { HOME: '/proc/none' } })).status,
    ).toBe(23);
  });

  it('is told how to do without a home folder: each message names its option', async () => {
    const user = await User.new(join(temporary.path, 'roaming'));
    const env = { HOME: '/proc/none', XDG_RUNTIME_DIR: '/proc/none' };
    const says = async (args: readonly string[], option: string, cwd?: string): Promise<void> => {
      const { status, stderr } = await user.bundle(args, { env, ...(cwd && { cwd }) });
      expect({ status, stderr }).toEqual({ status: 26, stderr });
      expect(stderr).toContain(option);
    };
    await says(['keygen'], '--out');
    const folder = join(temporary.path, 'made');
    const made = await makeRelease({ out: folder, components: 1, scale: 0.0001 });
    const { layout = '', signatureStore, releaseKey, version } = made;
    const trust = ['--release-key', releaseKey];
    const from = ['--from', `oci:${layout}`, '--signature-store', signatureStore, ...trust];
    const packing = ['pack', version, ...from, '-o', join(temporary.path, 'homeless-bundle')];
    await says(packing, '--key');
    const key = join(temporary.path, 'given.pem');
    expect((await user.bundle(['keygen', '--out', key], { env })).status).toBe(0);
    expect((await user.bundle([...packing, '--key', key], { env })).status).toBe(0);
  });

  describeWith(['docker-registry'], 'by registries', () => {
    it('are told of --authfile and --resources-dir', async () => {
      const target = await startRegistry();
      try {
        const user = await User.new(join(temporary.path, 'resourceless'));
        const folder = join(temporary.path, 'for-resources');
        const made = await makeRelease({ out: folder, components: 1, scale: 0.0001 });
        const trust = ['--release-key', made.releaseKey];
        const from = ['--from', `oci:${made.layout!}`, '--signature-store', made.signatureStore];
        const bundle = join(folder, 'medium');
        await user.json(['pack', made.version, '-o', bundle, ...from, ...trust]);
        const unpacking = ['unpack', bundle, '--to', `${target.host}/ocp4`, ...trust];
        const refused = await user.bundle(unpacking, { cwd: '/proc' });
        expect(refused.status).toBe(26);
        expect(refused.stderr).toContain('--resources-dir');
        const env = { XDG_RUNTIME_DIR: '/proc/none' };
        const login = ['login', target.host, '--username', 'u', '--password-stdin'];
        const { status, stderr } = await user.bundle(login, { env, input: 'p' });
        expect({ status, stderr }).toEqual({ status: 26, stderr });
        expect(stderr).toContain('--authfile');
      } finally {
        await target.stop();
      }
    });
  });

  describeWith(['docker-registry'], 'by packs', () => {
    it('that need the first one at once, and make one for all', async () => {
      const source = await startRegistry();
      try {
        const user = await User.new(join(temporary.path, 'packer'));
        const made = await makeReleaseIn(source, join(temporary.path, 'release'), {
          components: 2,
          scale: 0.0001,
        });
        const fetching = [
          '--mirror',
          `quay.io=${source.host}`,
          '--signature-store',
          made.signatureStore,
          '--release-key',
          made.releaseKey,
        ];
        const packs = ['one', 'two', 'three'].map((name) =>
          user.json(['pack', made.version, '-o', join(temporary.path, name), ...fetching]),
        ) as Promise<{ signer: { id: string } }>[];
        const signers = (await Promise.all(packs)).map(({ signer }) => signer.id);
        expect(new Set(signers).size).toBe(1);
        expect((await readdir(dirname(user.signingKey))).toSorted()).toEqual([
          'signing-key.pem',
          'signing-key.pub',
        ]);
      } finally {
        await source.stop();
      }
    });
  });

  describeWith(['strace'], 'without hard links', () => {
    it('all the same, and never written over', async () => {
      const folder = join(temporary.path, 'without-links');
      const program = [
        'strace',
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-e',
        'inject=link,linkat:error=EPERM',
        process.execPath,
      ];
      const run = async (): Promise<number | null> =>
        (await (await startBundle(['keygen'], { folder }, program)).ended).status;
      expect(await run()).toBe(0);
      const user = await User.new(folder);
      const key = await readFile(user.signingKey, 'utf8');
      expect(key).toContain('PRIVATE KEY');
      expect(await run()).toBe(2);
      expect(await readFile(user.signingKey, 'utf8')).toBe(key);
      expect((await readdir(dirname(user.signingKey))).toSorted()).toEqual([
        'signing-key.pem',
        'signing-key.pub',
      ]);
    });
  });
});
