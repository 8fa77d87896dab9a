import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { SigningKey } from '../../../src/trust/keys.ts';
import { TrustedKeys } from '../../../src/trust/trusted-keys.ts';

describe('the keys that are trusted', () => {
  let root: string;
  let trusted: TrustedKeys;
  const [alice, bob] = [
    SigningKey.generate('ed25519').public,
    SigningKey.generate('ecdsa-p256').public,
  ];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'bundle-trusted-'));
    trusted = new TrustedKeys(join(root, 'config', 'trusted-keys'));
  });
  afterEach(() => rm(root, { recursive: true }));

  const ids = async (): Promise<readonly string[]> => (await trusted.list()).map(({ id }) => id);

  it('are none where there is no folder, which is not made by looking', async () => {
    expect(await ids()).toEqual([]);
    expect(await readdir(root)).toEqual([]);
  });

  it('are those that were added, sorted by id', async () => {
    await trusted.add(alice);
    await trusted.add(bob);
    expect(await ids()).toEqual([alice.id, bob.id].sort());
    expect(await readFile(join(trusted.folder, `${alice.id}.pub`), 'utf8')).toBe(alice.pem);
  });

  it('stay one where a key is added twice', async () => {
    await trusted.add(alice);
    await trusted.add(alice);
    expect(await ids()).toEqual([alice.id]);
  });

  it('are in a folder that nobody else can write to', async () => {
    await trusted.add(alice);
    expect((await stat(trusted.folder)).mode & 0o022).toBe(0);
  });

  it('can be put there by hand, under any name', async () => {
    await mkdir(trusted.folder, { recursive: true });
    await writeFile(join(trusted.folder, 'alice.pub'), alice.pem);
    expect(await ids()).toEqual([alice.id]);
  });

  it.each([
    ['a file that is no key', 'hello\n'],
    ['an empty file', ''],
    ['a private key', SigningKey.generate('ed25519').pem()],
    ['a key with another behind it', alice.pem + bob.pem],
  ])('are an error, never fewer, beside %s', async (_, content) => {
    await trusted.add(alice);
    await writeFile(join(trusted.folder, 'zzz.pub'), content);
    await expect(trusted.list()).rejects.toMatchObject({ code: 'CONFIGURATION' });
  });

  it('may be put there by an editor that begins files with a byte order mark', async () => {
    await mkdir(trusted.folder, { recursive: true });
    await writeFile(join(trusted.folder, 'alice.pub'), `\uFEFF${alice.pem}`);
    expect(await ids()).toEqual([alice.id]);
  });

  it('are an error, never fewer, where one cannot be read', async () => {
    await trusted.add(alice);
    await mkdir(join(trusted.folder, 'folder.pub'));
    await expect(trusted.list()).rejects.toMatchObject({ code: 'DISK' });
    await rm(join(trusted.folder, 'folder.pub'), { recursive: true });
    await symlink('nowhere', join(trusted.folder, 'dangling.pub'));
    await expect(trusted.list()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('do not come from what a Mac leaves beside each of them, but from any other name', async () => {
    await trusted.add(alice);
    const left = Buffer.concat([Buffer.from('0005160700020000', 'hex'), Buffer.alloc(4088)]);
    await writeFile(join(trusted.folder, `._${alice.id}.pub`), left);
    await writeFile(join(trusted.folder, '.hidden.pub'), bob.pem);
    expect(new Set(await ids())).toEqual(new Set([alice.id, bob.id]));
    await writeFile(join(trusted.folder, '._other.pub'), 'no key');
    await expect(trusted.list()).rejects.toMatchObject({ code: 'CONFIGURATION' });
  });

  it('are an error, never none, where the folder is a file', async () => {
    await mkdir(join(root, 'config'));
    await writeFile(trusted.folder, '');
    await expect(trusted.list()).rejects.toMatchObject({ code: 'DISK' });
  });

  it('do not come from files of another kind', async () => {
    await trusted.add(alice);
    await writeFile(join(trusted.folder, 'notes.txt'), 'hello\n');
    expect(await ids()).toEqual([alice.id]);
  });

  describe('are removed', () => {
    beforeEach(async () => {
      await trusted.add(alice);
      await trusted.add(bob);
    });

    it.each([
      ['the whole id', (id: string) => id],
      ['its beginning', (id: string) => id.slice(0, 8)],
      ['capital letters', (id: string) => id.toUpperCase()],
      ['its kind before it', (id: string) => `sha256:${id}`],
    ])('by %s', async (_, form) => {
      expect((await trusted.remove(form(alice.id))).id).toBe(alice.id);
      expect(await ids()).toEqual([bob.id]);
    });

    it.each(['', 'abc', '0123456', 'not-an-id', '../../x', '*', '0'.repeat(65)])(
      'never by what is no id: "%s"',
      async (id) => {
        await expect(trusted.remove(id)).rejects.toMatchObject({ code: 'USAGE' });
        expect(await ids()).toHaveLength(2);
      },
    );

    it('never where nobody is called so', async () => {
      await expect(trusted.remove('00000000')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      expect(await ids()).toHaveLength(2);
    });
  });
});
