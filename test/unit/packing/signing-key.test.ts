import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { SigningKey } from '../../../src/trust/keys.ts';
import {
  loadSigningKey,
  makeOwnKey,
  ownKeyPath,
  saveKeyPair,
} from '../../../src/packing/signing-key.ts';

const ROUNDS = 50;
const source = { passphrase: async () => undefined };

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
      const [made, found] = await Promise.all([makeOwnKey(configFolder), findIn(configFolder)]);
      expect(found.public.id).toBe(made.public.id);
    }
  });

  it('is never written over, not even by others who make theirs at once, and nothing is left of the attempts', async () => {
    const attempts = await Promise.allSettled(Array.from({ length: 4 }, () => makeOwnKey(folder)));
    const made = attempts.flatMap((attempt) =>
      attempt.status === 'fulfilled' ? [attempt.value.public.id] : [],
    );
    expect(made).toHaveLength(1);
    await expect(
      saveKeyPair(SigningKey.generate('ed25519'), ownKeyPath(folder), undefined),
    ).rejects.toMatchObject({ code: 'USAGE' });
    expect((await loadSigningKey(source, folder))?.public.id).toBe(made[0]);
    expect((await readdir(folder)).toSorted()).toEqual(['signing-key.pem', 'signing-key.pub']);
  });
});
