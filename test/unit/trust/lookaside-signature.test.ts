import { beforeAll, describe, expect, it } from 'vitest';

import { makeReleaseSigner, type ReleaseSigner } from '../../../scripts/lib/release-signer.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { PINNED_RELEASE_KEYS } from '../../../src/trust/pinned-release-keys.ts';
import { readReleaseKeys } from '../../../src/trust/release-keys.ts';
import { judgeLookaside, readLookasideSignature } from '../../../src/trust/lookaside-signature.ts';
import { keysOf, RHEL_7 } from '../../support/release-signatures.ts';

const DIGEST = digestOf('an image');
const CRITICAL = {
  type: 'atomic container signature',
  image: { 'docker-manifest-digest': DIGEST },
  identity: { 'docker-reference': 'quay.io/team/tool:1' },
};
const NOW = new Date('2026-06-01T00:00:00Z');

describe('a signature that is kept beside an image', () => {
  let signer: ReleaseSigner;
  beforeAll(async () => {
    signer = await makeReleaseSigner({ name: 'Somebody', date: new Date('2026-01-01T00:00:00Z') });
  });
  const statement = (more: object = {}): object => ({
    critical: CRITICAL,
    optional: {},
    ...more,
  });
  const signed = (content: object): Promise<Uint8Array> =>
    signer.signContent(Buffer.from(JSON.stringify(content)), { date: new Date('2026-02-01') });

  it('is read as Red Hat writes it, and known by its key', async () => {
    const { digest, dockerReference } = readLookasideSignature(RHEL_7.message);
    expect(digest).toBe(RHEL_7.digest);
    expect(dockerReference).toMatch(/rhel7/);
    const keys = await readReleaseKeys(PINNED_RELEASE_KEYS);
    const verdict = await judgeLookaside(RHEL_7.message, keys, NOW);
    expect(verdict.signer).toMatch(/Red Hat/);
    expect(verdict.why).toBeUndefined();
  });

  it('may say more than a release signature, and an unknown key is no failure', async () => {
    const message = await signed(statement({ optional: { 'org.example.build': [1] } }));
    expect(readLookasideSignature(message).digest).toBe(DIGEST);
    expect(await judgeLookaside(message, [], NOW)).toMatchObject({
      why: 'its key is not known here',
    });
    const known = await judgeLookaside(message, await keysOf(signer.publicKeyArmored), NOW);
    expect(known.signer).toBe('Somebody <release@example.com>');
  });

  it('proves nothing once it was changed, though its key is known', async () => {
    const message = Buffer.from(await signed(statement()));
    message[message.indexOf('team/tool')] = 'T'.charCodeAt(0);
    const verdict = await judgeLookaside(message, await keysOf(signer.publicKeyArmored), NOW);
    expect(verdict.signer).toBeUndefined();
    expect(verdict.why).toContain('does not match its content');
  });

  it.each([
    ['another type', { critical: { ...CRITICAL, type: 'other' } }],
    ['no optional', { optional: undefined }],
    ['a key more', { other: 1 }],
  ])('is refused with %s', async (_, more) => {
    const message = await signed(statement(more));
    expect(() => readLookasideSignature(message)).toThrow(
      expect.objectContaining({ code: 'SIGNATURE_INVALID' }) as Error,
    );
  });

  it.each([
    ['text', Buffer.from('{}')],
    ['too long', Buffer.alloc(60 * 1024, 0xa3)],
    ['nothing', Buffer.alloc(0)],
  ])('is refused where it is %s', (_, message) => {
    expect(() => readLookasideSignature(message)).toThrow(
      expect.objectContaining({ code: 'SIGNATURE_INVALID' }) as Error,
    );
  });
});
