import {
  constants,
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { deflateRawSync, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  parseSignedMessage,
  type SignedMessage,
} from '../../../src/trust/openpgp/signed-message.ts';
import { createdOfVersion3, verifyVersion3 } from '../../../src/trust/openpgp/version3.ts';

const KEY_ID = '0123456789ABCDEF';
const CREATED = 1_650_000_000;
const invalid = expect.objectContaining({ code: 'SIGNATURE_INVALID' }) as unknown as Error;
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const numbers = rsaNumbers(privateKey);

/** A packet with a header of the new format and a length of five bytes. */
function packet(tag: number, body: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([Buffer.from([0xc0 | tag, 0xff]), length, body]);
}

function onePass(type = 0, last = 1): Buffer {
  return packet(
    4,
    Buffer.concat([Buffer.from([3, type, 8, 1]), Buffer.from(KEY_ID, 'hex'), Buffer.from([last])]),
  );
}

function literal(content: Uint8Array): Buffer {
  return packet(11, Buffer.concat([Buffer.from('b\0'), Buffer.alloc(4), content]));
}

/** A version 3 signature over what is to be hashed before the trailer (RFC 4880 section 5.2.2). */
function version3(hashed: Uint8Array, type = 0): Buffer {
  const trailer = Buffer.from([type, 0, 0, 0, 0]);
  trailer.writeUInt32BE(CREATED, 1);
  const input = Buffer.concat([hashed, trailer]);
  const number = sign('sha256', input, { key: privateKey, padding: constants.RSA_PKCS1_PADDING });
  const start = number.findIndex((byte) => byte !== 0);
  const bits = (number.length - start) * 8 - Math.clz32(number[start]!) + 24;
  return Buffer.concat([
    Buffer.from([3, 5]),
    trailer,
    Buffer.from(KEY_ID, 'hex'),
    Buffer.from([1, 8]),
    createHash('sha256').update(input).digest().subarray(0, 2),
    Buffer.from([bits >> 8, bits & 0xff]),
    number.subarray(start),
  ]);
}

function message(content: string, type = 0, hashed = content): Buffer {
  return Buffer.concat([
    onePass(type),
    literal(Buffer.from(content)),
    packet(2, version3(Buffer.from(hashed), type)),
  ]);
}

function rsaNumbers(key: KeyObject): { n: Buffer; e: Buffer } {
  const { n, e } = createPrivateKey(key.export({ type: 'pkcs8', format: 'pem' })).export({
    format: 'jwk',
  });
  return { n: Buffer.from(n!, 'base64url'), e: Buffer.from(e!, 'base64url') };
}

function compressed(algorithm: number, data: Uint8Array): Buffer {
  return packet(8, Buffer.concat([Buffer.from([algorithm]), data]));
}

describe('parseSignedMessage', () => {
  const plain = message('content');
  const expected: Partial<SignedMessage> = {
    version: 3,
    keyId: KEY_ID,
    type: 'binary',
    publicKeyAlgorithm: 1,
    hashAlgorithm: 8,
  };

  it.each([
    ['bare', plain],
    ['in ZIP', compressed(1, deflateRawSync(plain))],
    ['in ZLIB', compressed(2, deflateSync(plain))],
    ['compressed twice', compressed(1, deflateRawSync(compressed(2, deflateSync(plain))))],
    [
      'in a packet of indeterminate length',
      Buffer.concat([Buffer.from([0xa3, 1]), deflateRawSync(plain)]),
    ],
  ])('takes a message apart: %s', (_, bytes) => {
    const parsed = parseSignedMessage(bytes);
    expect(parsed).toMatchObject(expected);
    expect(Buffer.from(parsed.content).toString()).toBe('content');
  });

  it('puts partial lengths together', () => {
    const body = Buffer.concat([Buffer.from('b\0'), Buffer.alloc(4), Buffer.from('content')]);
    const parts = Buffer.concat([
      Buffer.from([0xcb, 0xe3]),
      body.subarray(0, 8),
      Buffer.from([0xe1]),
      body.subarray(8, 10),
      Buffer.from([3]),
      body.subarray(10),
    ]);
    const parsed = parseSignedMessage(
      Buffer.concat([onePass(), parts, packet(2, version3(Buffer.from('content')))]),
    );
    expect(Buffer.from(parsed.content).toString()).toBe('content');
  });

  const signature = packet(2, version3(Buffer.from('content')));
  const data = literal(Buffer.from('content'));
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('no packets')],
    ['armor', Buffer.from('-----BEGIN PGP MESSAGE-----\n\nowGb\n-----END PGP MESSAGE-----\n')],
    ['a detached signature', signature],
    ['a signature in front, as PGP 2 had it', Buffer.concat([signature, data])],
    ['no signature', Buffer.concat([onePass(), data])],
    ['two signatures', Buffer.concat([onePass(0, 0), onePass(), data, signature, signature])],
    ['a nested one-pass header', Buffer.concat([onePass(0, 0), data, signature])],
    ['a second document', Buffer.concat([onePass(), data, data, signature])],
    ['a marker packet', Buffer.concat([packet(10, Buffer.from('PGP')), plain])],
    ['something behind it', Buffer.concat([plain, Buffer.from([0])])],
    [
      'something behind the compressed packet',
      Buffer.concat([compressed(1, deflateRawSync(plain)), plain]),
    ],
    [
      'something behind the deflated data',
      compressed(1, Buffer.concat([deflateRawSync(plain), Buffer.from('x')])),
    ],
    ['headers that disagree', Buffer.concat([onePass(1), data, signature])],
    ['bzip2', compressed(3, Buffer.from('BZh9'))],
    ['compression that is none', compressed(0, plain)],
    ['broken compression', compressed(1, Buffer.from('xxxx'))],
    ['a key', packet(6, Buffer.from('key'))],
    [
      'a signature over a key',
      Buffer.concat([onePass(0x10), data, packet(2, version3(Buffer.from('content'), 0x10))]),
    ],
    [
      'a signature of version 6',
      Buffer.concat([
        onePass(),
        data,
        packet(2, Buffer.concat([Buffer.from([6]), version3(Buffer.alloc(0))])),
      ]),
    ],
    [
      'a signature with partial lengths',
      Buffer.concat([onePass(), data, Buffer.from([0xc2, 0xe0, 3, 0])]),
    ],
    [
      'a length beyond the end',
      Buffer.concat([Buffer.from([0xc4, 0xff, 0xff, 0xff, 0xff, 0xff]), Buffer.alloc(20)]),
    ],
    [
      'literal data of an unknown format',
      Buffer.concat([onePass(), packet(11, Buffer.from('x\0\0\0\0\0content')), signature]),
    ],
    [
      'a file name beyond the end',
      Buffer.concat([onePass(), packet(11, Buffer.from([0x62, 200, 1, 2, 3])), signature]),
    ],
    ['a bomb', compressed(1, deflateRawSync(Buffer.alloc(20_000_000)))],
    [
      'compression eight deep',
      Array.from({ length: 8 }).reduce<Buffer>(
        (inner) => compressed(1, deflateRawSync(inner)),
        plain,
      ),
    ],
    ['more than the ceiling', Buffer.concat([onePass(), literal(Buffer.alloc(60_000)), signature])],
  ])('refuses %s', (_, bytes) => {
    expect(() => parseSignedMessage(bytes)).toThrow(invalid);
  });
});

describe('verifyVersion3', () => {
  const check = (bytes: Uint8Array): boolean =>
    verifyVersion3(parseSignedMessage(bytes), 'sha256', numbers);

  it('accepts what was signed with the key, and knows when', () => {
    const bytes = message('content');
    expect(check(bytes)).toBe(true);
    expect(createdOfVersion3(parseSignedMessage(bytes))).toEqual(new Date(CREATED * 1000));
  });

  it('hashes text with line ends CR LF, and binary data as it is', () => {
    expect(check(message('a\nb\r\nc', 1, 'a\r\nb\r\nc'))).toBe(true);
    expect(check(message('a\nb\r\nc', 1))).toBe(false);
    expect(check(message('a\nb', 0))).toBe(true);
    expect(check(message('a\nb', 0, 'a\r\nb'))).toBe(false);
  });

  it('says no to other content and other keys', () => {
    expect(check(message('content', 0, 'other content'))).toBe(false);
    const other = rsaNumbers(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
    expect(verifyVersion3(parseSignedMessage(message('content')), 'sha256', other)).toBe(false);
  });

  it('accepts numbers that begin with zeros, as one signature in 256 does', () => {
    const shorter = Array.from({ length: 3000 }, (_, index) => `content ${index}`).find(
      (content) => {
        return parseSignedMessage(message(content)).signature.length < 19 + 2 + 256;
      },
    );
    expect(check(message(shorter!))).toBe(true);
  });

  it.each([
    ['another number of hashed bytes', 1, 6],
    ['an algorithm that is not RSA', 15, 17],
  ])('refuses %s', (_, at, value) => {
    const parsed = parseSignedMessage(message('content'));
    const signature = Buffer.from(parsed.signature);
    signature[at] = value;
    expect(() =>
      verifyVersion3(
        { ...parsed, signature, publicKeyAlgorithm: signature[15]! },
        'sha256',
        numbers,
      ),
    ).toThrow(invalid);
  });
});
