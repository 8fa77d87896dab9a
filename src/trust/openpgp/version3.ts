import { createHash, createPublicKey, verify } from 'node:crypto';
import { byteAt, malformed, slice, uint16 } from './packets.ts';
import type { SignedMessage } from './signed-message.ts';

/**
 * RSA, to encrypt and sign or to sign only (RFC 4880 section 9.1): what version 3 signatures were
 * made with.
 */
const RSA_ALGORITHMS: readonly number[] = [1, 3];

/** The public numbers of an RSA key, big-endian. */
export interface RsaNumbers {
  readonly n: Uint8Array;
  readonly e: Uint8Array;
}

/**
 * When a version 3 signature says it was made (RFC 4880 section 5.2.2).
 * @throws BundleError SIGNATURE_INVALID when the packet is too short.
 */
export function createdOfVersion3({ signature }: SignedMessage): Date {
  return new Date(Buffer.from(slice(signature, 3, 4)).readUInt32BE() * 1000);
}

/**
 * Checks a version 3 signature (RFC 4880 section 5.2.2), which openpgp drops without a word. What
 * is hashed is the content, then the type byte and the time of the packet.
 * @param hash the name that node:crypto has for the message's hash algorithm.
 * @throws BundleError SIGNATURE_INVALID for a packet that does not have the shape, and keys that
 * are not RSA.
 */
export function verifyVersion3(message: SignedMessage, hash: string, key: RsaNumbers): boolean {
  const { signature } = message;
  if (byteAt(signature, 1) !== 5) throw malformed('it does not hash five bytes of its own packet');
  if (!RSA_ALGORITHMS.includes(message.publicKeyAlgorithm))
    throw malformed('version 3 signatures are supported with RSA only');
  const leftBits = slice(signature, 17, 2);
  const number = readNumber(signature, 19);
  const hashed = Buffer.concat([
    message.type === 'text' ? canonicalText(message.content) : message.content,
    slice(signature, 2, 5),
  ]);
  const digest = createHash(hash).update(hashed).digest();
  if (!digest.subarray(0, 2).equals(leftBits)) return false;
  return verify(hash, hashed, rsaKey(key), padded(number, key.n.length));
}

/** The one multiprecision integer that ends an RSA signature (RFC 4880 section 3.2). */
function readNumber(signature: Uint8Array, at: number): Uint8Array {
  const bits = uint16(signature, at);
  const bytes = slice(signature, at + 2, Math.ceil(bits / 8));
  if (at + 2 + bytes.length !== signature.length)
    throw malformed('its signature packet has the wrong length');
  if (bits === 0 || 32 - Math.clz32(bytes[0]!) !== ((bits - 1) % 8) + 1)
    throw malformed('its number does not have the length it says');
  return bytes;
}

/**
 * The number without its leading zeros, as long as the modulus: what PKCS #1 takes (RFC 8017
 * section 8.2.2).
 */
function padded(number: Uint8Array, length: number): Uint8Array {
  if (number.length >= length) return number;
  return Buffer.concat([Buffer.alloc(length - number.length), number]);
}

function rsaKey({ n, e }: RsaNumbers): ReturnType<typeof createPublicKey> {
  const [modulus, exponent] = [n, e].map((number) => Buffer.from(number).toString('base64url'));
  return createPublicKey({ key: { kty: 'RSA', n: modulus!, e: exponent! }, format: 'jwk' });
}

/** Every line end as CR LF: what a text signature is made over (RFC 4880 section 5.2.1). */
function canonicalText(content: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(content).toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
}
