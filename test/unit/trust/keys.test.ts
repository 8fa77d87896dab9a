import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

import { execa } from 'execa';
import { describe, expect, it } from 'vitest';

import { BundleError } from '../../../src/core/errors.ts';
import { KEY_TYPES } from '../../../src/trust/key-types.ts';
import { SignerKey, SigningKey } from '../../../src/trust/keys.ts';
import { describeWith } from '../../support/needs.ts';

const ALGORITHMS = {
  'ecdsa-p256': 'ECDSA P-256',
  'ecdsa-p384': 'ECDSA P-384',
  'rsa-3072': 'RSA 3072',
  'rsa-4096': 'RSA 4096',
  ed25519: 'Ed25519',
};
const message = Buffer.from('what is signed\n');

function publicPem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Both halves of a key that Node's own generators make: their types differ from call to call. */
function pairOf({
  publicKey,
  privateKey,
}: {
  publicKey: KeyObject;
  privateKey: KeyObject;
}): [KeyObject, KeyObject] {
  return [publicKey, privateKey];
}

function errorOf(action: () => unknown): Partial<BundleError> {
  try {
    action();
    return {};
  } catch (error) {
    if (error instanceof BundleError) return error;
    throw error;
  }
}

function codeOf(action: () => unknown): string | undefined {
  return errorOf(action).code;
}

describe.each(KEY_TYPES)('a key of type %s', (type) => {
  const key = SigningKey.generate(type);
  const signature = key.sign(message);

  it('is named by what it is', () => {
    expect(key.public.algorithm).toBe(ALGORITHMS[type]);
    expect(key.public.id).toMatch(/^[0-9a-f]{64}$/);
    expect(key.public.shortId).toBe(key.public.id.slice(0, 16));
  });

  it('is the same key after it was written and read', () => {
    expect(SignerKey.parse(key.public.pem, 'key').id).toBe(key.public.id);
    expect(SignerKey.parse(Buffer.from(key.public.pem), 'key').pem).toBe(key.public.pem);
    expect(SigningKey.parse(key.pem(), 'key').public.id).toBe(key.public.id);
  });

  it('is encrypted where a passphrase is given', () => {
    const pem = key.pem('correct horse');
    expect(SigningKey.isEncrypted(pem)).toBe(true);
    expect(SigningKey.isEncrypted(key.pem())).toBe(false);
    expect(SigningKey.parse(pem, 'key', 'correct horse').public.id).toBe(key.public.id);
    expect(codeOf(() => SigningKey.parse(pem, 'key', 'wrong'))).toBe('CONFIGURATION');
    expect(codeOf(() => SigningKey.parse(pem, 'key'))).toBe('CONFIGURATION');
  });

  it('verifies what it signed, and nothing else', () => {
    key.public.verify(message, signature);
    expect(
      codeOf(() => {
        key.public.verify(Buffer.from('what was not signed\n'), signature);
      }),
    ).toBe('SIGNATURE_INVALID');
    expect(
      codeOf(() => {
        key.public.verify(message, SigningKey.generate('ed25519').sign(message));
      }),
    ).toBe('SIGNATURE_INVALID');
  });

  it('refuses a signature with any byte changed, cut or added', () => {
    for (let at = 0; at < signature.length; at += 1) {
      const changed = Uint8Array.from(signature);
      changed[at]! ^= 1 << (at % 8);
      expect(
        codeOf(() => {
          key.public.verify(message, changed);
        }),
        `byte ${at}`,
      ).toBe('SIGNATURE_INVALID');
    }
    for (const changed of [
      signature.subarray(1),
      signature.subarray(0, -1),
      Buffer.concat([signature, Buffer.alloc(1)]),
      new Uint8Array(0),
    ]) {
      expect(
        codeOf(() => {
          key.public.verify(message, changed);
        }),
      ).toBe('SIGNATURE_INVALID');
    }
  });

  it('makes signatures that take as many characters as the placeholder', () => {
    const base64 = (bytes: Uint8Array): number => Buffer.from(bytes).toString('base64').length;
    for (let run = 0; run < 20; run += 1)
      expect(base64(key.sign(message))).toBe(base64(key.placeholder));
  });
});

describe('keys that are refused', () => {
  const elliptic = (namedCurve: string): [KeyObject, KeyObject] =>
    pairOf(generateKeyPairSync('ec', { namedCurve }));
  const refused: [string, [KeyObject, KeyObject]][] = [
    ['RSA of 1,024 bits', pairOf(generateKeyPairSync('rsa', { modulusLength: 1024 }))],
    ['RSA of 2,047 bits', pairOf(generateKeyPairSync('rsa', { modulusLength: 2047 }))],
    ['RSA-PSS', pairOf(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }))],
    ['DSA', pairOf(generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 }))],
    ['P-521', elliptic('secp521r1')],
    ['secp256k1', elliptic('secp256k1')],
    ['P-224', elliptic('secp224r1')],
    ['Ed448', pairOf(generateKeyPairSync('ed448'))],
    ['X25519', pairOf(generateKeyPairSync('x25519'))],
  ];

  it.each(refused)('are of a kind that is not used: %s', (_, [publicKey, privateKey]) => {
    expect(codeOf(() => SignerKey.parse(publicPem(publicKey), 'key'))).toBe('CONFIGURATION');
    expect(codeOf(() => SigningKey.parse(privatePem(privateKey), 'key'))).toBe('CONFIGURATION');
  });

  it('takes RSA of 2,048 bits', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(SignerKey.parse(publicPem(publicKey), 'key').algorithm).toBe('RSA 2048');
  });

  const pem = SigningKey.generate('ecdsa-p256').public.pem;
  it.each([
    ['nothing', ''],
    ['no PEM', 'hello\n'],
    ['a private key', SigningKey.generate('ed25519').pem()],
    ['two keys', pem + pem],
    ['text before the key', `hello\n${pem}`],
    ['text after the key', `${pem}hello\n`],
    ['a certificate', pem.replaceAll('PUBLIC KEY', 'CERTIFICATE')],
    [
      'a key in the form of PKCS#1',
      generateKeyPairSync('rsa', { modulusLength: 2048 })
        .publicKey.export({ type: 'pkcs1', format: 'pem' })
        .toString(),
    ],
    ['base64 that is cut', pem.replace(/....\n-----END/, '\n-----END')],
    ['bytes after the key', pem.replace(/(=*)\n-----END/, 'AAAA\n-----END')],
  ])('are not one public key in PEM: %s', (_, text) => {
    expect(codeOf(() => SignerKey.parse(text, 'key'))).toBe('CONFIGURATION');
  });

  it.each([
    ['a private key', SigningKey.generate('ed25519').pem(), /private key.*\.pub/s],
    ['an OpenPGP key', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n', /OpenPGP key.*--release-key/s],
    ['a certificate', '-----BEGIN CERTIFICATE-----\n', /certificate.*--ca-file/s],
    ['an SSH key', 'ssh-ed25519 AAAA somebody\n', /SSH key.*\.pub/s],
  ])('are told from the right one, with what to give: %s', (_, text, told) => {
    const error = errorOf(() => SignerKey.parse(text, 'key'));
    expect(`${error.message ?? ''}\n${error.hint ?? ''}`).toMatch(told);
  });

  it('are told from the right one where the public key was given to sign with', () => {
    const { message, hint } = errorOf(() => SigningKey.parse(pem, 'key.pub'));
    expect(message).toBe(
      'key.pub cannot be used as a bundle key: it is a public key, and a private one signs',
    );
    expect(hint).toContain('Give the private key that it belongs to');
  });

  it.each([
    ['nothing', ''],
    ['a public key', pem],
    [
      'cut',
      SigningKey.generate('ed25519')
        .pem()
        .replace(/....\n-----END/, '\n-----END'),
    ],
  ])('are no private key: %s', (_, text) => {
    expect(codeOf(() => SigningKey.parse(text, 'key'))).toBe('CONFIGURATION');
  });
});

describeWith(['openssl'], 'other encodings of a good key', () => {
  const encodings: [string, string[]][] = [
    ['a compressed point', ['-conv_form', 'compressed']],
    ['a hybrid point', ['-conv_form', 'hybrid']],
    ['curve parameters written out', ['-param_enc', 'explicit']],
  ];

  it.each(encodings)('are refused, since they would be other key ids: %s', async (_, options) => {
    const input = SigningKey.generate('ecdsa-p256').pem();
    const { stdout } = await execa('openssl', ['ec', '-pubout', ...options], { input });
    expect(createPublicKey(stdout).asymmetricKeyType).toBe('ec');
    expect(codeOf(() => SignerKey.parse(`${stdout}\n`, 'key'))).toBe('CONFIGURATION');
  });

  it.each(encodings)(
    'of a private key lead to the same key id, or are refused: %s',
    async (_, options) => {
      const key = SigningKey.generate('ecdsa-p256');
      const { stdout } = await execa('openssl', ['ec', ...options], { input: key.pem() });
      let id: string;
      try {
        ({ id } = SigningKey.parse(`${stdout}\n`, 'key').public);
      } catch (error) {
        expect(error).toMatchObject({ code: 'CONFIGURATION' });
        return;
      }
      expect(id).toBe(key.public.id);
    },
  );
});
