import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

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

  it('nowhere, with status 26, where a home folder cannot be made', async () => {
    const user = await User.new(join(temporary.path, 'homeless'));
    expect((await user.bundle(['keygen'], { env: { HOME: '/proc/none' } })).status).toBe(26);
    expect(
      (await user.bundle(['trust', 'add', user.publicKey], { env: { HOME: '/proc/none' } })).status,
    ).toBe(23);
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
