import { inflateRawSync } from 'node:zlib';
import {
  enums,
  generateKey,
  reformatKey,
  revokeKey,
  sign,
  createMessage,
  type PrivateKey,
  type PublicKey,
} from 'openpgp';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  makeReleaseSigner,
  releaseStatement,
  type ReleaseSigner,
} from '../../../scripts/lib/release-signer.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { BundleError } from '../../../src/core/errors.ts';
import { PINNED_RELEASE_KEYS } from '../../../src/trust/pinned-release-keys.ts';
import { type ReleaseKeys, readReleaseKeys } from '../../../src/trust/release-keys.ts';
import {
  type ReleaseSignature,
  verifyReleaseSignature,
  verifyReleaseSignatures,
} from '../../../src/trust/release-signature.ts';
import {
  CI_4_0,
  keyFile,
  keysOf,
  OCP_4_15,
  OCP_4_16,
  type RealSignature,
  RHEL_7,
} from '../../support/release-signatures.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const RED_HAT = '567E347AD0044ADE55BA8A5F199E2F91FD431D51';
const DAY = 86_400_000;

let redHat: ReleaseKeys;
let ci: ReleaseKeys;
beforeAll(async () => {
  redHat = await readReleaseKeys(PINNED_RELEASE_KEYS);
  ci = await readReleaseKeys([keyFile('verifier-public-key-openshift-ci')]);
});

/** What a changed message still says, or the code it is refused with. */
async function outcome(message: Uint8Array, { digest }: RealSignature): Promise<string> {
  try {
    return facts(await verifyReleaseSignature(message, digest, redHat, NOW));
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    return error.code;
  }
}

function facts({ fingerprint, dockerReference, created }: ReleaseSignature): string {
  return `${fingerprint} ${dockerReference} ${created.toISOString()}`;
}

describe('real release signatures', () => {
  it.each([
    [
      '4.15.0',
      OCP_4_15,
      'quay.io/openshift-release-dev/ocp-release:4.15.0-x86_64',
      '2024-02-26T16:00:12.000Z',
    ],
    [
      '4.16.0',
      OCP_4_16,
      'quay.io/openshift-release-dev/ocp-release:4.16.0-x86_64',
      '2024-06-26T03:34:02.000Z',
    ],
    ['version 3', RHEL_7, 'registry.access.redhat.com/rhel7:7.6', '2019-04-09T18:14:24.000Z'],
  ])('are good: %s', async (_, { message, digest }, dockerReference, created) => {
    expect(await verifyReleaseSignature(message, digest, redHat, NOW)).toEqual({
      message,
      digest: digestOf(message),
      keyId: RED_HAT.slice(-16),
      fingerprint: RED_HAT,
      keyName: 'Red Hat, Inc. (release key 2) <security@redhat.com>',
      dockerReference,
      created: new Date(created),
    });
  });

  it.each([OCP_4_15, OCP_4_16, RHEL_7])(
    'are good for one digest only: $digest',
    async ({ message, digest }) => {
      const other = digestOf('another release');
      await expect(verifyReleaseSignature(message, other, redHat, NOW)).rejects.toMatchObject({
        code: 'SIGNATURE_INVALID',
        expected: other,
        got: digest,
      });
    },
  );

  it.each([OCP_4_15, RHEL_7])(
    'say the same or nothing when any bit of the file is changed: $digest',
    async (real) => {
      const genuine = await outcome(real.message, real);
      for (const { altered } of flips(real.message)) {
        expect([genuine, 'SIGNATURE_INVALID', 'SIGNER_UNKNOWN']).toContain(
          await outcome(altered, real),
        );
      }
    },
  );

  // The file is compressed; here the packets lie open, and it can be said to the bit what OpenPGP
  // leaves unsigned.
  it.each([
    ['version 3', RHEL_7],
    ['version 4', OCP_4_15],
  ])(
    'have no unsigned bits but in file name and date, and in the unhashed subpackets: %s',
    async (version, real) => {
      const open = inflateRawSync(real.message.subarray(2));
      const genuine = await outcome(open, real);
      // Behind the one-pass header: tag, two bytes of length, format, length of the name, name,
      // date.
      const literal = 15;
      const name = literal + 5;
      const date = name + open[name - 1]!;
      const allowed = new Set(
        range(name, date + 4).flatMap((at) => range(0, 8).map((bit) => `${at}.${bit}`)),
      );
      if (version === 'version 4') {
        // The one unhashed subpacket names the issuer: 9 bytes of type 16. openpgp does not mind
        // when it is marked critical, nor when it begins inside the area but ends behind it.
        const issuer = open.indexOf(Buffer.from([0, 10, 9, 16, 0x19, 0x9e]));
        for (const bit of [`${issuer + 1}.1`, `${issuer + 1}.3`, `${issuer + 3}.7`])
          allowed.add(bit);
      }
      const ignored = new Set<string>();
      for (const { altered, at, bit } of flips(open)) {
        if ((await outcome(altered, real)) === genuine) ignored.add(`${at}.${bit}`);
      }
      expect(ignored).toEqual(allowed);
    },
  );

  it('are refused cut or with something behind them', async () => {
    for (const real of [OCP_4_15, RHEL_7]) {
      for (const open of [real.message, inflateRawSync(real.message.subarray(2))]) {
        for (let length = 0; length < open.length; length += 1) {
          expect(await outcome(open.subarray(0, length), real)).toBe('SIGNATURE_INVALID');
        }
        expect(await outcome(Buffer.concat([open, Buffer.alloc(1)]), real)).toBe(
          'SIGNATURE_INVALID',
        );
        expect(await outcome(Buffer.concat([open, open]), real)).toBe('SIGNATURE_INVALID');
      }
    }
  });

  it('count for nothing when their key has expired since', async () => {
    const { message, digest } = CI_4_0;
    await expect(verifyReleaseSignature(message, digest, ci, NOW)).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
    });
    const then = new Date('2021-04-20T00:00:00Z');
    await expect(verifyReleaseSignature(message, digest, ci, then)).resolves.toMatchObject({
      keyName: 'openshift-ci',
    });
  });

  it('are refused when their key is not given', async () => {
    await expect(
      verifyReleaseSignature(OCP_4_15.message, OCP_4_15.digest, ci, NOW),
    ).rejects.toMatchObject({
      code: 'SIGNER_UNKNOWN',
      got: RED_HAT.slice(-16),
    });
    await expect(
      verifyReleaseSignature(OCP_4_15.message, OCP_4_15.digest, [], NOW),
    ).rejects.toMatchObject({ code: 'SIGNER_UNKNOWN' });
  });

  it.each([OCP_4_15, RHEL_7])(
    'are refused by a clock that is more than a day behind them: $digest',
    async ({ message, digest }) => {
      const { created } = await verifyReleaseSignature(message, digest, redHat, NOW);
      const at = (ms: number): Promise<unknown> =>
        verifyReleaseSignature(message, digest, redHat, new Date(created.getTime() + ms));
      await expect(at(-DAY)).resolves.toMatchObject({ created });
      await expect(at(-DAY - 1000)).rejects.toMatchObject({
        code: 'SIGNATURE_INVALID',
        hint: 'Set the clock of this host.',
      });
      await expect(
        verifyReleaseSignature(message, digest, redHat, new Date(0)),
      ).rejects.toMatchObject({
        hint: 'Set the clock of this host.',
      });
    },
  );
});

describe('verifyReleaseSignature', () => {
  const digest = digestOf('a release');
  const reference = 'quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64';
  let signer: ReleaseSigner;
  let keys: ReleaseKeys;
  beforeAll(async () => {
    signer = await makeReleaseSigner();
    keys = await keysOf(signer.publicKeyArmored);
  });

  it.each(['rsa', 'ed25519'] as const)('accepts a key of its own: %s', async (type) => {
    const own = await makeReleaseSigner({ type });
    await expect(
      verifyReleaseSignature(
        await own.sign(digest, reference),
        digest,
        await keysOf(own.publicKeyArmored),
        new Date(),
      ),
    ).resolves.toMatchObject({ fingerprint: own.fingerprint, dockerReference: reference });
  });

  it('finds the key among others', async () => {
    const message = await signer.sign(digest, reference);
    await expect(
      verifyReleaseSignature(message, digest, [...redHat, ...ci, ...keys], new Date()),
    ).resolves.toMatchObject({
      fingerprint: signer.fingerprint,
    });
  });

  it('refuses what was signed with a key that has run out', async () => {
    const made = new Date('2024-01-01T00:00:00Z');
    const short = await makeReleaseSigner({ date: made, lifetime: 30 * 86_400 });
    const shortKeys = await keysOf(short.publicKeyArmored);
    const message = await short.sign(digest, reference, { date: new Date('2024-01-10T00:00:00Z') });
    const at = (text: string): Promise<unknown> =>
      verifyReleaseSignature(message, digest, shortKeys, new Date(text));
    await expect(at('2024-01-20T00:00:00Z')).resolves.toMatchObject({
      keyId: short.fingerprint.slice(-16),
    });
    await expect(at('2024-01-31T00:00:00Z')).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });

  describe('with a key that changes', () => {
    let privateKey: PrivateKey;
    let message: Uint8Array;
    const verify = async (key: PublicKey): Promise<ReleaseSignature> =>
      verifyReleaseSignature(message, digest, await keysOf(key.armor()), NOW);

    beforeAll(async () => {
      ({ privateKey } = await generateKey({
        type: 'ecc',
        userIDs: { name: 'Test' },
        date: new Date('2024-01-01T00:00:00Z'),
        subkeys: [{ sign: true }],
        format: 'object',
      }));
      message = await signedBy(privateKey, new Date('2024-01-10T00:00:00Z'));
    });

    it('accepts a signing subkey', async () => {
      const { keyId, fingerprint } = await verify(privateKey.toPublic());
      expect(fingerprint).toBe(privateKey.getFingerprint().toUpperCase());
      expect(keyId).toBe(privateKey.subkeys[0]!.getKeyID().toHex().toUpperCase());
    });

    it('accepts what was signed before the key was certified anew', async () => {
      const date = new Date('2025-01-01T00:00:00Z');
      const { publicKey } = await reformatKey({
        privateKey,
        userIDs: { name: 'Test' },
        date,
        format: 'object',
      });
      await expect(verify(publicKey)).resolves.toMatchObject({ keyName: 'Test' });
    });

    it.each([
      ['compromised', enums.reasonForRevocation.keyCompromised],
      ['retired', enums.reasonForRevocation.keyRetired],
    ])('refuses a key that was revoked since: %s', async (_, flag) => {
      const date = new Date('2025-01-01T00:00:00Z');
      const { publicKey } = await revokeKey({
        key: privateKey,
        reasonForRevocation: { flag },
        date,
        format: 'object',
      });
      await expect(verify(publicKey)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    });

    it('accepts the renewed edition of a key beside the one that has run out', async () => {
      const edition = async (keyExpirationTime: number, date: string): Promise<ReleaseKeys> => {
        const options = {
          privateKey,
          userIDs: { name: 'Test' },
          keyExpirationTime,
          date: new Date(date),
          format: 'object',
        } as const;
        return keysOf((await reformatKey(options)).publicKey.armor());
      };
      const old = await edition(365 * 86_400, '2024-01-01T00:00:00Z');
      const renewed = await edition(0, '2025-01-01T00:00:00Z');
      await expect(verifyReleaseSignature(message, digest, old, NOW)).rejects.toMatchObject({
        code: 'SIGNATURE_INVALID',
      });
      await expect(
        verifyReleaseSignature(message, digest, [...old, ...renewed], NOW),
      ).resolves.toMatchObject({ keyName: 'Test' });
    });

    it('does not know a subkey that the given key does not hold', async () => {
      const key = privateKey.toPublic();
      key.subkeys.pop();
      await expect(verify(key)).rejects.toMatchObject({ code: 'SIGNER_UNKNOWN' });
    });
  });

  describe('demands the signed JSON to be', () => {
    const critical = {
      type: 'atomic container signature',
      image: { 'docker-manifest-digest': digest },
      identity: { 'docker-reference': reference },
    };
    const outcomeOf = async (statement: object | string): Promise<ReleaseSignature> => {
      const text = typeof statement === 'string' ? statement : JSON.stringify(statement);
      return verifyReleaseSignature(
        await signer.signContent(Buffer.from(text)),
        digest,
        keys,
        new Date(),
      );
    };

    it.each([
      ['without optional fields', { critical, optional: {} }],
      [
        'with both optional fields',
        { critical, optional: { creator: 'me', timestamp: 1_555_943_751 } },
      ],
    ])('as it is: %s', async (_, statement) => {
      await expect(outcomeOf(statement)).resolves.toMatchObject({ dockerReference: reference });
    });

    it.each([
      [
        'of another type',
        { critical: { ...critical, type: 'atomic container Signature' }, optional: {} },
      ],
      ['without optional', { critical }],
      ['without critical', { optional: {} }],
      ['without an identity', { critical: { ...critical, identity: undefined }, optional: {} }],
      [
        'with an empty reference',
        { critical: { ...critical, identity: { 'docker-reference': '' } }, optional: {} },
      ],
      [
        'with a reference that is no string',
        { critical: { ...critical, identity: { 'docker-reference': 1 } }, optional: {} },
      ],
      ['with an unknown field', { critical, optional: {}, more: 1 }],
      ['with an unknown critical field', { critical: { ...critical, more: 1 }, optional: {} }],
      [
        'with an unknown field of the image',
        { critical: { ...critical, image: { ...critical.image, more: 1 } }, optional: {} },
      ],
      [
        'with an unknown field of the identity',
        { critical: { ...critical, identity: { ...critical.identity, more: 1 } }, optional: {} },
      ],
      ['with an unknown optional field', { critical, optional: { more: 1 } }],
      ['with a creator that is no string', { critical, optional: { creator: 1 } }],
      [
        'with a digest of another kind',
        {
          critical: { ...critical, image: { 'docker-manifest-digest': `${digest}0` } },
          optional: {},
        },
      ],
      ['in other case', JSON.stringify({ critical, optional: {} }).replace('critical', 'Critical')],
      [
        'with a key twice',
        JSON.stringify({ critical, optional: {} }).replace('{', '{"optional":{},'),
      ],
      ['with something behind it', `${JSON.stringify({ critical, optional: {} })}{}`],
      ['an object', '[]'],
      ['JSON', 'critical'],
      ['anything at all', ''],
    ])('nothing else: %s', async (_, statement) => {
      await expect(outcomeOf(statement)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    });
  });

  it('keeps each good message once, in an order of its own, and says why the others are refused', async () => {
    const other = await makeReleaseSigner();
    const messages = [
      await signer.sign(digest, reference),
      await signer.sign(digest, `${reference}-again`),
      await signer.sign(digestOf('another release'), reference),
      await other.sign(digest, reference),
      Buffer.from('no signature'),
    ];
    const shown = async (given: readonly Uint8Array[]): Promise<unknown> => {
      const { good, refused } = await verifyReleaseSignatures(given, digest, keys, new Date());
      return {
        good: good.map((one) => one.digest),
        refused: refused.map(({ code }) => code).toSorted(),
      };
    };
    const expected = {
      good: [digestOf(messages[0]!), digestOf(messages[1]!)].toSorted(),
      refused: ['SIGNATURE_INVALID', 'SIGNATURE_INVALID', 'SIGNER_UNKNOWN'],
    };
    expect(await shown([...messages, ...messages])).toEqual(expected);
    expect(await shown(messages.toReversed())).toEqual(expected);
  });

  async function signedBy(key: PrivateKey, date: Date): Promise<Uint8Array> {
    const message = await createMessage({ binary: releaseStatement(digest, reference) });
    const signed: unknown = await sign({ message, signingKeys: key, date, format: 'binary' });
    if (!(signed instanceof Uint8Array)) throw new TypeError('no bytes');
    return signed;
  }
});

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}

/** The bytes with each of their bits changed in turn. */
function* flips(bytes: Uint8Array): Generator<{ altered: Buffer; at: number; bit: number }> {
  for (const at of range(0, bytes.length)) {
    for (const bit of range(0, 8)) {
      const altered = Buffer.from(bytes);
      altered[at]! ^= 1 << bit;
      yield { altered, at, bit };
    }
  }
}
