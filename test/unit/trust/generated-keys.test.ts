import type * as crypto from 'node:crypto';
import { KeyObject } from 'node:crypto';

import { expect, it, vi } from 'vitest';

import { KEY_TYPES } from '../../../src/trust/key-types.ts';
import { SigningKey } from '../../../src/trust/keys.ts';

// Node may hang where the key object of a generation is exported.
vi.mock('node:crypto', async (original) => {
  const real = await original<typeof crypto>();
  const generateKeyPairSync = (...args: Parameters<typeof real.generateKeyPairSync>): unknown => {
    const made = real.generateKeyPairSync(...args);
    for (const half of Object.values(made) as unknown[]) {
      if (!(half instanceof KeyObject)) continue;
      half.export = () => {
        throw new Error('the key object of a generation is exported');
      };
    }
    return made;
  };
  return { ...real, generateKeyPairSync };
});

it.each(KEY_TYPES)('a new key (%s) is read from its text, which Node hands out', (type) => {
  const key = SigningKey.generate(type);
  expect(SigningKey.parse(key.pem(), 'key').public.id).toBe(key.public.id);
});
