import { createPublicKey, verify } from 'node:crypto';

import { BundleError } from '../core/errors.ts';

/** What stands before the 32 bytes of a public key (RFC 8410). */
const PUBLIC_START = Buffer.from('302a300506032b6570032100', 'hex');
const PUBLIC_BYTES = PUBLIC_START.length + 32;

/** What stands before the 32 bytes of a private key. */
const PRIVATE_START = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A key, and its signature of nothing: the first test of RFC 8032, section 7.1. */
const KNOWN_KEY = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const KNOWN_SIGNATURE =
  'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155' +
  '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b';

/** Whether these are the bytes of an Ed25519 key (SubjectPublicKeyInfo), in their one encoding. */
export function isEd25519(der: Buffer): boolean {
  return der.length === PUBLIC_BYTES && der.subarray(0, PUBLIC_START.length).equals(PUBLIC_START);
}

/** Whether these are the bytes of a private Ed25519 key (PKCS #8). */
export function isPrivateEd25519(der: Buffer): boolean {
  return der.subarray(0, PRIVATE_START.length).equals(PRIVATE_START);
}

/**
 * Whether this host can check Ed25519: OpenSSL in FIPS mode mostly cannot, and says so in different
 * ways. A signature that is known to be good tells.
 */
export function hasEd25519(): boolean {
  try {
    const der = Buffer.concat([PUBLIC_START, Buffer.from(KNOWN_KEY, 'hex')]);
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return verify(null, new Uint8Array(0), key, Buffer.from(KNOWN_SIGNATURE, 'hex'));
  } catch {
    return false;
  }
}

/** @param failed in the passive: `the signature of the bundle cannot be checked`. */
export function notAvailable(failed: string, cause?: unknown): BundleError {
  return new BundleError('CONFIGURATION', `${failed}: Ed25519 is not available on this host`, {
    cause,
    expected: 'cryptography with Ed25519',
    got: 'none: FIPS mode is the usual cause',
    hint:
      'This says nothing about the signature. Check it on a host that is not in FIPS mode, ' +
      'or have the bundle signed by an ECDSA key (bundle keygen makes one).',
  });
}
