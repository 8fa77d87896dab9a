import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Credentials } from '../../../src/core/credentials.ts';

describe('Credentials', () => {
  const credentials = new Credentials('packer', 'hunter2', 'refresh-me');

  it.each([
    ['JSON', JSON.stringify({ credentials })],
    ['inspect', inspect({ credentials }, { depth: 9, showHidden: true })],
    ['format', format('%s %o %j', credentials, credentials, credentials)],
    ['string', String(credentials)],
    ['copy', JSON.stringify(Object.assign({}, credentials))],
  ])('keep their secrets from %s', (_, text) => {
    expect(text).not.toMatch(/packer|hunter2|refresh-me/);
  });

  it('give them when asked', () => {
    expect([credentials.username, credentials.password, credentials.identityToken]).toEqual([
      'packer',
      'hunter2',
      'refresh-me',
    ]);
  });
});
