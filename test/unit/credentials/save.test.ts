import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Credentials } from '../../../src/core/credentials.ts';
import type { TransferEvent } from '../../../src/core/events.ts';
import { parseReference } from '../../../src/core/reference.ts';
import { openAuthFiles } from '../../../src/credentials/auth-file.ts';
import {
  type KeepOptions,
  removeCredentials,
  saveCredentials,
} from '../../../src/credentials/save.ts';
import { describeWhere } from '../../support/needs.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'bundle-save-'));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

let told: TransferEvent[];
beforeEach(() => {
  told = [];
});

const options = (env: Record<string, string> = {}, authfile?: string): KeepOptions => ({
  signal: new AbortController().signal,
  observe: (event) => void told.push(event),
  authfile,
  environment: {
    env: {
      XDG_RUNTIME_DIR: join(root, 'run'),
      PATH: `${root}:${process.env['PATH'] ?? ''}`,
      ...env,
    },
    home: root,
    uid: 0,
  },
});
const credentials = new Credentials('packer', 'correct: horse');

describe('several runs at once', () => {
  it('lose no entry: each adds its own, or takes its own away', async () => {
    const file = join(root, 'shared.json');
    const keys = Array.from({ length: 8 }, (_, index) => `a.io/p${index}`);
    const where = options({}, file);
    await Promise.all(keys.map((key) => saveCredentials(key, credentials, where)));
    const entries = async (): Promise<string[]> =>
      Object.keys((JSON.parse(await readFile(file, 'utf8')) as { auths: object }).auths).toSorted();
    expect(await entries()).toEqual(keys);
    expect(
      await Promise.all(keys.slice(1).map((key) => removeCredentials(key, where))),
    ).toMatchObject(keys.slice(1).map(() => ({ found: true })));
    expect(await entries()).toEqual(keys.slice(0, 1));
    expect(await readdir(root)).toEqual(['shared.json']);
  });
});

describe('a pipe in place of the auth file', () => {
  it('is neither waited for nor replaced', async () => {
    const file = join(root, 'pipe.json');
    await promisify(execFile)('mkfifo', [file]);
    const where = options({}, file);
    for (const work of [
      () => saveCredentials('a.io', credentials, where),
      () => removeCredentials('a.io', where),
    ])
      await expect(work()).rejects.toMatchObject({
        code: 'CONFIGURATION',
        message: `the auth file ${file} is no file`,
      });
    expect((await lstat(file)).isFIFO()).toBe(true);
  });

  it('is not waited for either where nobody has named it', async () => {
    await mkdir(join(root, 'run/containers'), { recursive: true });
    await promisify(execFile)('mkfifo', [join(root, 'run/containers/auth.json')]);
    const source = await openAuthFiles(options());
    await expect(source.lookup(parseReference('a.io/x'))).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
  });
});

function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-mount-'));
  try {
    execFileSync('mount', ['--bind', folder, folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describeWhere(mayMount(), 'the right to mount', 'an auth file that is mounted by itself', () => {
  it('is written in place, longer and shorter, and that is told', async () => {
    const file = join(root, 'auth.json');
    await writeFile(file, '{"auths": {"b.io": {"auth": "dTpw"}}}', { mode: 0o600 });
    execFileSync('mount', ['--bind', file, file]);
    try {
      const where = options({}, file);
      const entries = async (): Promise<string[]> => {
        const text = await readFile(file, 'utf8');
        return Object.keys((JSON.parse(text) as { auths: object }).auths);
      };
      await saveCredentials('a.io', credentials, where);
      expect(told).toEqual([{ type: 'noticed', code: 'auth-file-in-place', path: file }]);
      expect(await entries()).toEqual(['b.io', 'a.io']);
      await removeCredentials('b.io', where);
      expect(await entries()).toEqual(['a.io']);
      expect(await readdir(root)).toEqual(['auth.json']);
    } finally {
      execFileSync('umount', [file]);
    }
  });
});

describe('saveCredentials', () => {
  it.each([
    ['podman in this session', options, 'run/containers/auth.json'],
    [
      '$REGISTRY_AUTH_FILE',
      () => options({ REGISTRY_AUTH_FILE: join(root, 'variable/auth.json') }),
      'variable/auth.json',
    ],
    [
      '--authfile',
      () => options({ REGISTRY_AUTH_FILE: '/nonexistent' }, join(root, 'named.json')),
      'named.json',
    ],
  ])('writes where %s would, for one reader', async (_, make, file) => {
    const where = make();
    expect(await saveCredentials('a.io:5000/team', credentials, where)).toEqual({
      file: join(root, file),
    });
    expect((await stat(join(root, file))).mode & 0o777).toBe(0o600);
    const source = await openAuthFiles(where);
    const found = await source.lookup(parseReference('a.io:5000/team/image'));
    expect([found?.username, found?.password]).toEqual(['packer', 'correct: horse']);
    expect(await source.lookup(parseReference('a.io:5000/other'))).toBeUndefined();
  });

  it('leaves all else in the file, its link, and nothing beside it', async () => {
    const before = {
      auths: { 'b.io': { auth: 'dTpw' }, 'a.io': { auth: 'dTpw' } },
      HttpHeaders: { 'User-Agent': 'x' },
      credHelpers: { 'c.io': 'c' },
    };
    await mkdir(join(root, 'real'));
    await writeFile(join(root, 'real/config.json'), JSON.stringify(before), { mode: 0o644 });
    await symlink('real/config.json', join(root, 'config.json'));
    const where = options({}, join(root, 'config.json'));
    await saveCredentials('a.io', credentials, where);
    expect((await lstat(join(root, 'config.json'))).isSymbolicLink()).toBe(true);
    const auth = Buffer.from('packer:correct: horse').toString('base64');
    const read = async (): Promise<unknown> =>
      JSON.parse(await readFile(join(root, 'real/config.json'), 'utf8'));
    expect(await read()).toEqual({ ...before, auths: { ...before.auths, 'a.io': { auth } } });
    expect(await removeCredentials('a.io', where)).toMatchObject({ found: true });
    expect(await read()).toEqual({ ...before, auths: { 'b.io': before.auths['b.io'] } });
    expect(await removeCredentials('a.io', where)).toMatchObject({ found: false });
    expect(await readdir(join(root, 'real'))).toEqual(['config.json']);
    expect((await stat(join(root, 'real/config.json'))).mode & 0o777).toBe(0o600);
  });

  it('hands them to the helper that the file names for the registry', async () => {
    await writeFile(
      join(root, 'docker-credential-kept'),
      `#!/bin/sh\necho "$1 $(cat)" >> "${root}/calls"\n`,
    );
    await chmod(join(root, 'docker-credential-kept'), 0o755);
    await writeFile(join(root, 'auth.json'), JSON.stringify({ credHelpers: { 'a.io': 'kept' } }));
    const where = options({}, join(root, 'auth.json'));
    expect(await saveCredentials('a.io', credentials, where)).toMatchObject({ helper: 'kept' });
    expect(await removeCredentials('a.io', where)).toMatchObject({ found: true, helper: 'kept' });
    expect(await readFile(join(root, 'calls'), 'utf8')).toBe(
      'store {"ServerURL":"a.io","Username":"packer","Secret":"correct: horse"}\nerase a.io\n',
    );
    expect(await readFile(join(root, 'auth.json'), 'utf8')).not.toContain('auths');
    await expect(saveCredentials('a.io/team', credentials, where)).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
  });

  it('takes away what is left in the file of a registry that a helper has', async () => {
    await writeFile(
      join(root, 'docker-credential-empty'),
      '#!/bin/sh\necho "credentials not found in native keychain"; exit 1\n',
    );
    await chmod(join(root, 'docker-credential-empty'), 0o755);
    const auths = { 'a.io': { auth: 'dTpw' }, 'a.io/team': { auth: 'dTpw' } };
    const file = join(root, 'auth.json');
    await writeFile(file, JSON.stringify({ credHelpers: { 'a.io': 'empty' }, auths }));
    const where = options({}, file);
    for (const key of ['a.io', 'a.io/team']) {
      expect(await removeCredentials(key, where)).toMatchObject({ found: true });
      expect(await removeCredentials(key, where)).toMatchObject({ found: false });
    }
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      credHelpers: { 'a.io': 'empty' },
      auths: {},
    });
  });

  it('adds to the entries whatever capitals the file calls them with', async () => {
    const file = join(root, 'auth.json');
    await writeFile(file, '{"Auths": {"b.io": {"auth": "dTpw"}}}');
    const where = options({}, file);
    await saveCredentials('a.io', credentials, where);
    await removeCredentials('b.io', where);
    const { Auths, ...others } = JSON.parse(await readFile(file, 'utf8')) as { Auths: object };
    expect([Object.keys(Auths), others]).toEqual([['a.io'], {}]);
  });

  it.each([
    [['quay.io']],
    [['quay.io/a/b/c/d/image']],
    [['quay.io/a/b/c', 'quay.io/a/b', 'quay.io/a', 'quay.io', 'corp.local', 'corp.local']],
    [
      [
        'docker.io',
        'docker.io/vendor/product',
        'docker.io/vendor',
        'docker.io/library/tool',
        'docker.io/library',
      ],
    ],
  ])('keeps each of %j apart, and takes each away alone', async (keys) => {
    const where = options({}, join(root, 'auth.json'));
    for (const [index, key] of keys.entries())
      await saveCredentials(key, new Credentials(`u${index}`, 'p'), where);
    const known = new Map(keys.map((key, index) => [key, `u${index}`]));
    const user = async (name: string): Promise<string | undefined> =>
      (await (await openAuthFiles(where)).lookup(parseReference(name)))?.username;
    for (const [key, expected] of known) expect(await user(`${key}/x`)).toBe(expected);
    expect(await removeCredentials(`${keys[0]!}/absent`, where)).toMatchObject({ found: false });
    for (const key of [...known.keys()]) {
      expect(await removeCredentials(key, where)).toMatchObject({ found: true });
      known.delete(key);
      for (const [other, expected] of known) expect(await user(`${other}/x`)).toBe(expected);
    }
  });

  it('changes no file that it does not understand', async () => {
    await writeFile(join(root, 'auth.json'), '{"auths": ');
    await expect(
      saveCredentials('a.io', credentials, options({}, join(root, 'auth.json'))),
    ).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
    expect(await readFile(join(root, 'auth.json'), 'utf8')).toBe('{"auths": ');
  });
});
