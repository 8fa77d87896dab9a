import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logout } from '../../../src/workflows/login.ts';
import { contextIn } from '../../support/context.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-login-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** What `logout` takes a word for. */
async function placeOf(word: string): Promise<string> {
  const authfile = join(folder, 'auth.json');
  const keys = ['corp.local', 'corp.local/path', 'quay.io/a/b/c/d', 'localhost:5000'];
  const auths = Object.fromEntries([...keys, 'localhost:5000/a'].map((key) => [key, {}]));
  await writeFile(authfile, JSON.stringify({ auths }));
  return (await logout({ place: word, authfile }, contextIn(folder))).place;
}

/** The rows by which containers/image tests the keys of auth files, in names of our own. */
describe('the registry of login and logout', () => {
  it.each([
    ['corp.local', 'corp.local'],
    ['corp.local/path', 'corp.local/path'],
    ['quay.io/a/b/c/d', 'quay.io/a/b/c/d'],
    ['localhost:5000', 'localhost:5000'],
    ['localhost:5000/a', 'localhost:5000/a'],
    // As people write it, and podman takes it.
    ['https://corp.local', 'corp.local'],
    ['docker://corp.local/path/', 'corp.local/path'],
  ])('%s is %s', async (word, expected) => {
    expect(await placeOf(word)).toBe(expected);
  });

  it.each([
    'host/a:tag',
    `host/a@sha256:${'0'.repeat(64)}`,
    'localhost:5000/a:tag',
    'localhost:5000/a@digest',
    'ftp://corp.local',
    '',
  ])('%s is refused', async (word) => {
    await expect(placeOf(word)).rejects.toMatchObject({ code: 'USAGE' });
  });
});
