import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { SigningKey } from '../../../src/trust/keys.ts';
import {
  firstKey,
  loadSigningKey,
  ownKeyPath,
  saveKeyPair,
  type Signing,
} from '../../../src/packing/signing-key.ts';
import { contextIn } from '../../support/context.ts';

const ROUNDS = 50;
const source = { passphrase: async () => undefined };

/** The first run of somebody whose keys are in a folder. */
function firstKeyIn(configFolder: string, dryRun = false): Promise<Signing> {
  return firstKey(source, dryRun, contextIn(configFolder));
}

describe('a key of their own', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-signing-key-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('is whole for whoever finds it while it is being made', async () => {
    /** Looks again at every turn of the event loop: as often as another process would. */
    const findIn = async (configFolder: string): Promise<SigningKey> => {
      const path = ownKeyPath(configFolder);
      while (!existsSync(path)) await nextTurn();
      return SigningKey.parse(readFileSync(path, 'utf8'), path);
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      const configFolder = join(folder, String(round));
      const [made, found] = await Promise.all([firstKeyIn(configFolder), findIn(configFolder)]);
      expect(made.made).toBe('now');
      expect(found.public.id).toBe(made.key.public.id);
    }
  });

  it('is never written over, not even by others who make theirs at once, and nothing is left of the attempts', async () => {
    const attempts = await Promise.all(Array.from({ length: 4 }, () => firstKeyIn(folder)));
    expect(attempts.filter(({ made }) => made === 'now')).toHaveLength(1);
    const ids = new Set(attempts.map(({ key }) => key.public.id));
    expect(ids.size).toBe(1);
    await expect(
      saveKeyPair(SigningKey.generate('ed25519'), ownKeyPath(folder), undefined),
    ).rejects.toMatchObject({
      ...{ code: 'USAGE', message: `${ownKeyPath(folder)} exists already` },
      hint: expect.stringContaining('--out FILE') as string,
    });
    expect((await loadSigningKey(source, folder))?.public.id).toBe([...ids][0]);
    expect((await readdir(folder)).toSorted()).toEqual(['signing-key.pem', 'signing-key.pub']);
  });

  it('is never waited for: a pipe in its place is refused, one that is named is read', async () => {
    await promisify(execFile)('mkfifo', [ownKeyPath(folder)]);
    await expect(loadSigningKey(source, folder)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: `${ownKeyPath(folder)} is no file`,
    });
    const named = { ...source, keyFile: ownKeyPath(folder) };
    const key = SigningKey.generate('ed25519');
    const [loaded] = await Promise.all([
      loadSigningKey(named, folder),
      writeFile(ownKeyPath(folder), key.pem(undefined)),
    ]);
    expect(loaded?.public.id).toBe(key.public.id);
  });

  it('is not made where a link leads nowhere, and the link is named', async () => {
    await symlink(join(folder, 'unmounted.pem'), ownKeyPath(folder));
    const error = {
      code: 'CONFIGURATION',
      message: `${ownKeyPath(folder)} is a link that leads nowhere`,
    };
    await expect(loadSigningKey(source, folder)).rejects.toMatchObject(error);
    await expect(
      saveKeyPair(SigningKey.generate('ed25519'), ownKeyPath(folder), undefined),
    ).rejects.toMatchObject(error);
    expect(await readdir(folder)).toEqual(['signing-key.pem']);
  });

  it('is not made beside the public key of an older one, whose private key is gone', async () => {
    await firstKeyIn(folder);
    await rm(ownKeyPath(folder));
    const publicPath = join(folder, 'signing-key.pub');
    const before = readFileSync(publicPath, 'utf8');
    const key = SigningKey.generate('ed25519');
    for (const attempt of [
      () => firstKeyIn(folder),
      () => firstKeyIn(folder, true),
      () => saveKeyPair(key, ownKeyPath(folder), undefined),
    ]) {
      await expect(attempt()).rejects.toMatchObject({
        ...{ code: 'USAGE', exitStatus: 2 },
        message: expect.stringContaining(publicPath) as string,
        hint: expect.stringMatching(
          /Put .*signing-key\.pem back.*move .*signing-key\.pub/,
        ) as string,
      });
      expect(await readdir(folder)).toEqual(['signing-key.pub']);
    }
    expect(readFileSync(publicPath, 'utf8')).toBe(before);
  });

  it('is missed with the variable that names it', async () => {
    const keyFile = join(folder, 'a b.pem');
    const named = { ...source, keyFile, variable: 'BUNDLE_KEY' };
    await expect(loadSigningKey(named, folder)).rejects.toMatchObject({
      ...{ code: 'NOT_FOUND', message: expect.stringMatching(/; \$BUNDLE_KEY names/) as string },
      hint: `Correct $BUNDLE_KEY or unset it, or make the file with bundle keygen --out '${keyFile}'.`,
    });
  });

  it('is only planned with on a dry run', async () => {
    expect((await firstKeyIn(folder, true)).made).toBe('planned');
    expect(await readdir(folder)).toEqual([]);
  });
});
