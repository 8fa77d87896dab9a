import { inflateRawSync, inflateSync } from 'node:zlib';
import { MAX_SIGNATURE_BYTES } from '../../core/limits.ts';
import {
  byteAt,
  COMPRESSED_DATA,
  LITERAL_DATA,
  malformed,
  ONE_PASS_SIGNATURE,
  readPacket,
  SIGNATURE,
  slice,
} from './packets.ts';

/** A signed message taken apart; nothing of it has been verified. */
export interface SignedMessage {
  /** The content that was signed. */
  readonly content: Uint8Array;
  /**
   * Version of the signature packet: Red Hat's were of version 3 until at least 4.10.18 (June
   * 2022).
   */
  readonly version: 3 | 4;
  /** The signature packet with its header. */
  readonly signaturePacket: Uint8Array;
  /** The body of the signature packet. */
  readonly signature: Uint8Array;
  /** The issuer as the one-pass header names it: 16 upper-case hex digits. */
  readonly keyId: string;
  readonly type: SignatureType;
  /** Numbers of RFC 4880 sections 9.1 and 9.4. */
  readonly publicKeyAlgorithm: number;
  readonly hashAlgorithm: number;
}

/** Whether the content is hashed as it is, or with line ends CR LF (RFC 4880 section 5.2.1). */
export type SignatureType = 'binary' | 'text';

/** GnuPG and everything that signs releases compress once; the rest is for nothing but bombs. */
const MAX_COMPRESSION_DEPTH = 4;

/**
 * Takes a binary OpenPGP signed message apart: compressed packets around, in any number but few, a
 * one-pass header, the literal data and the signature (RFC 4880 section 11.3), and not a byte more.
 * @throws BundleError SIGNATURE_INVALID for anything else: armor, detached, nested or old-style
 * signatures, trailing bytes.
 */
export function parseSignedMessage(message: Uint8Array): SignedMessage {
  if (message.length > MAX_SIGNATURE_BYTES)
    throw malformed(`it is larger than ${MAX_SIGNATURE_BYTES} bytes`);
  if (
    Buffer.from(message.subarray(0, 16)).toString('latin1').trimStart().startsWith('-----BEGIN')
  ) {
    throw malformed(
      'it is armored text',
      'A release signature is a binary file; gpg --dearmor makes one out of armored text.',
    );
  }
  const bytes = decompress(message);
  const onePass = readPacket(bytes, 0);
  if (onePass.tag !== ONE_PASS_SIGNATURE) {
    throw malformed(
      'it does not begin as a signed message',
      'A release signature is a signed message, not a detached signature.',
    );
  }
  const literal = readPacket(bytes, onePass.end);
  if (literal.tag !== LITERAL_DATA) throw malformed('no literal data follows the one-pass header');
  const signature = readPacket(bytes, literal.end);
  if (signature.tag !== SIGNATURE) throw malformed('no signature follows the literal data');
  if (signature.end !== bytes.length) throw malformed('there is something behind the signature');
  return {
    content: literalContent(literal.body),
    ...agreeing(readOnePass(onePass.body), readSignatureHead(signature.body)),
    signaturePacket: bytes.subarray(literal.end),
    signature: signature.body,
  };
}

type Head = Pick<SignedMessage, 'keyId' | 'type' | 'publicKeyAlgorithm' | 'hashAlgorithm'>;

/** RFC 4880 section 5.4. The last byte says whether another one-pass header follows: 1 is no. */
function readOnePass(body: Uint8Array): Head {
  if (body.length !== 13 || body[0] !== 3 || body[12] !== 1)
    throw malformed('its one-pass header is not that of a single signature');
  return {
    type: signatureType(byteAt(body, 1)),
    hashAlgorithm: byteAt(body, 2),
    publicKeyAlgorithm: byteAt(body, 3),
    keyId: Buffer.from(body.subarray(4, 12)).toString('hex').toUpperCase(),
  };
}

/**
 * RFC 4880 sections 5.2.2 and 5.2.3. Version 4 names its issuer in a subpacket: openpgp reads that.
 */
function readSignatureHead(
  body: Uint8Array,
): Omit<Head, 'keyId'> & { version: 3 | 4; keyId?: string } {
  const version = byteAt(body, 0);
  if (version === 3) {
    return {
      version,
      type: signatureType(byteAt(body, 2)),
      keyId: Buffer.from(slice(body, 7, 8))
        .toString('hex')
        .toUpperCase(),
      publicKeyAlgorithm: byteAt(body, 15),
      hashAlgorithm: byteAt(body, 16),
    };
  }
  if (version !== 4) throw malformed(`signatures of version ${version} are not supported`);
  return {
    version,
    type: signatureType(byteAt(body, 1)),
    publicKeyAlgorithm: byteAt(body, 2),
    hashAlgorithm: byteAt(body, 3),
  };
}

function agreeing(
  onePass: Head,
  signature: ReturnType<typeof readSignatureHead>,
): Head & { version: 3 | 4 } {
  const fields = ['type', 'publicKeyAlgorithm', 'hashAlgorithm'] as const;
  const sameIssuer = signature.keyId === undefined || signature.keyId === onePass.keyId;
  if (!sameIssuer || fields.some((field) => onePass[field] !== signature[field])) {
    throw malformed('its one-pass header and its signature disagree');
  }
  return { ...onePass, version: signature.version };
}

function signatureType(value: number): SignatureType {
  if (value === 0x00) return 'binary';
  if (value === 0x01) return 'text';
  throw malformed(`it is a signature of type ${value}, which is not over a document`);
}

/**
 * RFC 4880 section 5.9: format, file name and date come before the data. None of the three is
 * signed.
 */
function literalContent(body: Uint8Array): Uint8Array {
  if (!['b', 't', 'u'].includes(String.fromCharCode(byteAt(body, 0))))
    throw malformed('its literal data is of an unknown format');
  const start = 2 + byteAt(body, 1) + 4;
  return slice(body, start, body.length - start);
}

function decompress(message: Uint8Array): Uint8Array {
  let bytes = message;
  for (let depth = 0; depth <= MAX_COMPRESSION_DEPTH; depth += 1) {
    const packet = readPacket(bytes, 0);
    if (packet.tag !== COMPRESSED_DATA) return bytes;
    if (packet.end !== bytes.length)
      throw malformed('there is something behind the compressed data');
    bytes = inflate(byteAt(packet.body, 0), packet.body.subarray(1));
  }
  throw malformed('it is compressed too many times');
}

/** Numbers of RFC 4880 section 9.3. The ceiling holds for what comes out too. */
function inflate(algorithm: number, data: Uint8Array): Uint8Array {
  const run = algorithm === 1 ? inflateRawSync : algorithm === 2 ? inflateSync : undefined;
  if (run === undefined)
    throw malformed(
      `compression algorithm ${algorithm} is not supported`,
      'Sign with ZIP or ZLIB compression, or none.',
    );
  let result: Inflated;
  try {
    result = run(data, { maxOutputLength: MAX_SIGNATURE_BYTES, info: true }) as unknown as Inflated;
  } catch {
    throw malformed('its compressed data is broken or too large');
  }
  if (result.engine.bytesWritten !== data.length)
    throw malformed('there is something behind the compressed data');
  return result.buffer;
}

/**
 * The value that node:zlib returns with `info`, which its types leave out; `bytesWritten` counts
 * the bytes that were taken in.
 */
interface Inflated {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}
