import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TransferEvent } from '../../../src/core/events.ts';
import { parseReference } from '../../../src/core/reference.ts';
import { openAuthFiles } from '../../../src/credentials/auth-file.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'bundle-auth-'));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

async function write(
  path: string,
  users: Readonly<Record<string, string>>,
  flat = false,
): Promise<string> {
  const auths = Object.fromEntries(
    Object.entries(users).map(([key, user]) => [
      key,
      { auth: Buffer.from(`${user}:x`).toString('base64') },
    ]),
  );
  const full = join(root, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, JSON.stringify(flat ? auths : { auths }));
  return full;
}

let told: TransferEvent[];
const observe = (event: TransferEvent): void => void told.push(event);
beforeEach(() => {
  told = [];
});

async function user(
  reference: string,
  env: Record<string, string> = {},
  authfile?: string,
): Promise<string | undefined> {
  const environment = { env, home: root, uid: 987654 };
  const source = await openAuthFiles({ authfile, environment, observe });
  return (await source.lookup(parseReference(reference)))?.username;
}

describe('openAuthFiles', () => {
  it('looks at every place in order, and an earlier one wins', async () => {
    const env = { XDG_RUNTIME_DIR: join(root, 'run') };
    expect(await user('a.io/b', env)).toBeUndefined();
    await write('.dockercfg', { 'a.io': 'dockercfg' }, true);
    expect(await user('a.io/b', env)).toBe('dockercfg');
    await write('.docker/config.json', { 'a.io': 'docker' });
    expect(await user('a.io/b', env)).toBe('docker');
    await write('.config/containers/auth.json', { 'a.io': 'user' });
    expect(await user('a.io/b', env)).toBe('user');
    await write('run/containers/auth.json', { 'a.io': 'session', 'other.io': 'other' });
    expect(await user('a.io/b', env)).toBe('session');
    expect(await user('a.io/b', {})).toBe('user');
  });

  it('looks where the variables say', async () => {
    await write('xdg/containers/auth.json', { 'a.io': 'xdg' });
    await write('docker/config.json', { 'a.io': 'docker', 'b.io': 'docker' });
    const env = { XDG_CONFIG_HOME: join(root, 'xdg'), DOCKER_CONFIG: join(root, 'docker') };
    expect(await user('a.io/b', env)).toBe('xdg');
    expect(await user('b.io/b', env)).toBe('docker');
  });

  it('names the places it looked at', async () => {
    const source = await openAuthFiles({
      environment: { env: {}, home: root, uid: 987654 },
      observe,
    });
    expect(source.places).toEqual([
      '/run/containers/987654/auth.json',
      join(root, '.config/containers/auth.json'),
      join(root, '.docker/config.json'),
      join(root, '.dockercfg'),
    ]);
  });

  it.each(['', 'run', '.'])('takes a folder "%s" of a variable for none', async (folder) => {
    const env = { XDG_RUNTIME_DIR: folder, XDG_CONFIG_HOME: folder };
    const source = await openAuthFiles({ environment: { env, home: root, uid: 987654 }, observe });
    expect(source.places.slice(0, 2)).toEqual([
      '/run/containers/987654/auth.json',
      join(root, '.config/containers/auth.json'),
    ]);
  });

  it('looks at a named file alone', async () => {
    await write('.docker/config.json', { 'a.io': 'docker' });
    const named = await write('named.json', { 'b.io': 'named' });
    const env = { REGISTRY_AUTH_FILE: await write('variable.json', { 'b.io': 'variable' }) };
    expect(await user('b.io/c', env, named)).toBe('named');
    expect(await user('a.io/c', env, named)).toBeUndefined();
    expect(await user('b.io/c', env)).toBe('variable');
    expect(await user('a.io/c', env)).toBeUndefined();
  });

  it('fails where a named file is missing', async () => {
    const missing = join(root, 'missing.json');
    const message = `cannot read the auth file ${missing}: no such file or folder`;
    await expect(user('a.io/b', {}, missing)).rejects.toMatchObject({ code: 'NOT_FOUND', message });
    await expect(user('a.io/b', { REGISTRY_AUTH_FILE: missing })).rejects.toMatchObject({
      ...{ code: 'NOT_FOUND', message: `${message}; $REGISTRY_AUTH_FILE names this file` },
      hint:
        'Correct $REGISTRY_AUTH_FILE or unset it, or make the file with ' +
        'bundle login REGISTRY.',
    });
    await expect(user('a.io/b', { REGISTRY_AUTH_FILE: root })).rejects.toMatchObject({
      ...{
        code: 'DISK',
        message: expect.stringContaining('; $REGISTRY_AUTH_FILE names') as string,
      },
    });
  });

  it('tells of a place that nobody named and that cannot be read, and looks further', async () => {
    await mkdir(join(root, '.config/containers/auth.json'), { recursive: true });
    await write('.docker/config.json', { 'a.io': 'docker' });
    expect(await user('a.io/b')).toBe('docker');
    const path = join(root, '.config/containers/auth.json');
    const cause = 'it is a folder; a file is needed (EISDIR)';
    expect(told).toEqual([{ type: 'noticed', code: 'auth-file-not-read', path, cause }]);
    await expect(user('a.io/b', {}, path)).rejects.toMatchObject({ code: 'DISK' });
    const environment = { env: {}, home: root, uid: 987654 };
    const { places } = await openAuthFiles({ environment, observe });
    expect(places).toContain(`${path} (which cannot be read: ${cause})`);
  });

  it('reads a file with a byte order mark, wherever it is', async () => {
    const marked = join(root, 'marked.json');
    const text = `\ufeff${JSON.stringify({ auths: { 'a.io': { auth: btoa('marked:x') } } })}`;
    await mkdir(join(root, '.docker'));
    for (const path of [marked, join(root, '.docker/config.json')]) await writeFile(path, text);
    expect(await user('a.io/b', {}, marked)).toBe('marked');
    expect(await user('a.io/b')).toBe('marked');
  });

  it.each([
    'run/containers/auth.json',
    '.config/containers/auth.json',
    '.docker/config.json',
    '.dockercfg',
  ])('fails where %s is malformed, unless an earlier place has the credentials', async (place) => {
    const env = { XDG_RUNTIME_DIR: join(root, 'run') };
    await mkdir(dirname(join(root, place)), { recursive: true });
    await writeFile(join(root, place), 'not JSON');
    await expect(user('a.io/b', env)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      subject: join(root, place),
    });
    if (place.startsWith('run')) return;
    await write('run/containers/auth.json', { 'a.io': 'session' });
    expect(await user('a.io/b', env)).toBe('session');
    await expect(user('b.io/b', env)).rejects.toMatchObject({ code: 'CONFIGURATION' });
  });

  it('fails at once where a named file is malformed', async () => {
    const named = join(root, 'named.json');
    await writeFile(named, 'not JSON');
    const environment = { env: {}, home: root, uid: 987654 };
    await expect(openAuthFiles({ authfile: named, environment, observe })).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
  });
});
