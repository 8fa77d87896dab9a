import {
  createMessage,
  type PublicKey,
  readSignature,
  SignaturePacket,
  type Subkey,
  verify,
} from 'openpgp';
import { type Digest, digestOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { malformed } from './openpgp/packets.ts';
import { parseSignedMessage, type SignedMessage } from './openpgp/signed-message.ts';
import { createdOfVersion3, verifyVersion3 } from './openpgp/version3.ts';
import { readSignedStatement } from './signed-statement.ts';
import { OPENPGP_CONFIG, type ReleaseKey, type ReleaseKeys } from './release-keys.ts';

/** A release signature that was found good. */
export interface ReleaseSignature {
  /** The signed message as it came: what clusters want in their config map. */
  readonly message: Uint8Array;
  /** Digest of the message. */
  readonly digest: Digest;
  /** Of the key or subkey that signed: 16 upper-case hex digits. */
  readonly keyId: string;
  /** Of the primary key: 40 upper-case hex digits. */
  readonly fingerprint: string;
  /** The key's first user id. */
  readonly keyName: string;
  /**
   * Where the signer says the release is published:
   * `quay.io/openshift-release-dev/ocp-release:4.15.0-x86_64`.
   */
  readonly dockerReference: string;
  /** When the signer says it was signed. */
  readonly created: Date;
}

const ONE_DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The hash algorithms that are trusted (numbers of RFC 9580 section 9.5), by their names in
 * node:crypto: no MD5, SHA-1, RIPEMD.
 */
const HASHES: ReadonlyMap<number, string> = new Map([
  [8, 'sha256'],
  [9, 'sha384'],
  [10, 'sha512'],
  [11, 'sha224'],
  [12, 'sha3-256'],
  [14, 'sha3-512'],
]);

/**
 * Checks that `message` is a binary OpenPGP signed message, made with one of `keys`, that says of
 * `digest` what a release signature says. The key must be good at `now`, not only on the day of
 * signing: a key that has run out or was revoked proves nothing any more.
 * @throws BundleError SIGNER_UNKNOWN when another key made it; SIGNATURE_INVALID for everything
 * else that is wrong.
 */
export async function verifyReleaseSignature(
  message: Uint8Array,
  digest: Digest,
  keys: ReleaseKeys,
  now: Date,
): Promise<ReleaseSignature> {
  const { signed, signer, created } = await verifySignedMessage(message, keys, now);
  const statement = readSignedStatement(signed.content);
  if (statement.digest !== digest) {
    throw new BundleError(
      'SIGNATURE_INVALID',
      `the release signature is for ${statement.digest}, not for ${digest}`,
      {
        expected: digest,
        got: statement.digest,
        hint: 'Fetch the signature of this release; each release image has its own.',
      },
    );
  }
  return {
    message,
    digest: digestOf(message),
    keyId: signed.keyId,
    fingerprint: signer.fingerprint,
    keyName: signer.name,
    dockerReference: statement.dockerReference,
    created,
  };
}

/**
 * Checks that `message` is a binary OpenPGP signed message, made with one of `keys` that is good at
 * `now`; what it says is not looked at.
 * @throws BundleError as {@link verifyReleaseSignature} does.
 */
export async function verifySignedMessage(
  message: Uint8Array,
  keys: ReleaseKeys,
  now: Date,
): Promise<Proof & { readonly signed: SignedMessage }> {
  const signed = parseSignedMessage(message);
  const hash = HASHES.get(signed.hashAlgorithm);
  if (hash === undefined) {
    throw refused(
      `its hash algorithm (number ${signed.hashAlgorithm}) is not trusted`,
      'Have it signed again with SHA-256 or better.',
    );
  }
  const key = keys.filter(({ publicKey }) =>
    publicKey.getKeyIDs().some((id) => hexId(id) === signed.keyId),
  );
  if (key.length === 0) throw unknownSigner(signed.keyId, keys);
  const proof = await firstSuccess(key, (candidate) => verifyWith(signed, hash, candidate, now));
  return { ...proof, signed };
}

/**
 * Checks several messages and keeps all that are good: each distinct one once, ordered by their
 * digest, so that the outcome does not depend on which store answered first. The others come back
 * with the reasons, in the order of the messages.
 */
export async function verifyReleaseSignatures(
  messages: readonly Uint8Array[],
  digest: Digest,
  keys: ReleaseKeys,
  now: Date,
): Promise<{
  readonly good: readonly ReleaseSignature[];
  readonly refused: readonly BundleError[];
}> {
  const distinct = new Map(messages.map((message) => [digestOf(message), message]));
  const good: ReleaseSignature[] = [];
  const refusals: BundleError[] = [];
  for (const message of distinct.values()) {
    try {
      good.push(await verifyReleaseSignature(message, digest, keys, now));
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      refusals.push(error);
    }
  }
  good.sort((a, b) => (a.digest < b.digest ? -1 : 1));
  return { good, refused: refusals };
}

interface Proof {
  readonly signer: ReleaseKey;
  readonly created: Date;
}

async function verifyWith(
  signed: SignedMessage,
  hash: string,
  signer: ReleaseKey,
  now: Date,
): Promise<Proof> {
  const key = await usableKey(signer, signed.keyId, now);
  const created =
    signed.version === 3
      ? checkVersion3(signed, hash, key)
      : await checkVersion4(signed, signer, now);
  refuseClockBefore(created, 'the release was signed', now);
  return { signer, created };
}

/**
 * The key or subkey with the given id, when it may sign and is neither revoked nor expired at
 * `now`.
 */
async function usableKey(
  { publicKey, name }: ReleaseKey,
  keyId: string,
  now: Date,
): Promise<PublicKey | Subkey> {
  refuseClockBefore(publicKey.getCreationTime(), 'the release key was made', now);
  const id = publicKey.getKeyIDs().find((candidate) => hexId(candidate) === keyId);
  const subkey = publicKey.subkeys.find((candidate) => hexId(candidate.getKeyID()) === keyId);
  const ends = [
    await publicKey.getExpirationTime(undefined, OPENPGP_CONFIG),
    await subkey?.getExpirationTime(now, OPENPGP_CONFIG),
  ];
  for (const end of ends) {
    if (!(end instanceof Date) || end > now) continue;
    throw refused(
      `the key ${keyId} (${name}) expired on ${day(end)}`,
      'If its owner has renewed the key, name the new one with --release-key.',
    );
  }
  if (await publicKey.isRevoked(undefined, undefined, now, OPENPGP_CONFIG)) {
    throw refused(
      `the key ${keyId} (${name}) was revoked`,
      'Have the release signed with another key, and name that key with --release-key.',
    );
  }
  try {
    return await publicKey.getSigningKey(id, now, undefined, OPENPGP_CONFIG);
  } catch (cause) {
    throw refused(
      `the key ${keyId} (${name}) cannot be used`,
      `openpgp says: ${messageOf(cause)}.`,
      cause,
    );
  }
}

function checkVersion3(signed: SignedMessage, hash: string, key: PublicKey | Subkey): Date {
  const { n, e } = { ...key.keyPacket.publicParams } as Readonly<Record<string, unknown>>;
  if (!(n instanceof Uint8Array && e instanceof Uint8Array))
    throw malformed('version 3 signatures are supported with RSA only');
  const created = createdOfVersion3(signed);
  if (!verifyVersion3(signed, hash, { n, e })) throw broken();
  return created;
}

async function checkVersion4(signed: SignedMessage, signer: ReleaseKey, now: Date): Promise<Date> {
  const packet = await readVersion4(signed);
  // A creation time ahead of the clock, and an expired signature, have messages of their own, once
  // it is known to be genuine.
  const ends = packet.getExpirationTime();
  const expired = ends instanceof Date && ends <= now;
  const date = expired || packet.created > now ? packet.created : now;
  try {
    const { signatures } = await verify({
      message: await createMessage({ binary: signed.content }),
      signature: await readSignature({
        binarySignature: signed.signaturePacket,
        config: OPENPGP_CONFIG,
      }),
      verificationKeys: signer.publicKey,
      date,
      format: 'binary',
      config: OPENPGP_CONFIG,
    });
    if (signatures.length !== 1)
      throw new TypeError(`openpgp finds ${signatures.length} signatures`);
    await signatures[0]!.verified;
  } catch (cause) {
    throw broken(cause);
  }
  if (expired)
    throw refused(`it expired on ${day(ends)}`, 'Fetch a newer signature of this release.');
  return packet.created;
}

async function readVersion4(
  signed: SignedMessage,
): Promise<SignaturePacket & { readonly created: Date }> {
  const { packets } = await readSignature({
    binarySignature: signed.signaturePacket,
    config: OPENPGP_CONFIG,
  }).catch((cause: unknown) => {
    throw broken(cause);
  });
  // openpgp returns a packet that it cannot read as one of another class.
  const packet: unknown = packets.length === 1 ? packets[0] : undefined;
  if (!(packet instanceof SignaturePacket) || !hasTime(packet))
    throw malformed('its signature packet cannot be read');
  if (hexId(packet.issuerKeyID) !== signed.keyId)
    throw malformed('its one-pass header and its signature disagree');
  return packet;
}

function hasTime(packet: SignaturePacket): packet is SignaturePacket & { readonly created: Date } {
  return packet.created !== null;
}

/**
 * A clock that is a day behind may be one in another time zone; one that is further behind makes
 * every other date worthless.
 */
function refuseClockBefore(event: Date, what: string, now: Date): void {
  if (event.getTime() - now.getTime() <= ONE_DAY_MS) return;
  throw new BundleError(
    'SIGNATURE_INVALID',
    `the clock of this host says ${now.toISOString()}, which is before ${what}`,
    {
      expected: `a time after ${event.toISOString()}`,
      got: now.toISOString(),
      hint: 'Set the clock of this host.',
    },
  );
}

/** The first result; when there is none, the first failure. */
async function firstSuccess<T, R>(
  items: readonly T[],
  attempt: (item: T) => Promise<R>,
): Promise<R> {
  let first: unknown;
  for (const item of items) {
    try {
      return await attempt(item);
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

function hexId(id: { toHex(): string }): string {
  return id.toHex().toUpperCase();
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function broken(cause?: unknown): BundleError {
  return refused(
    'it does not match its content',
    'It was changed or damaged: fetch it again, or from another signature store.',
    cause,
  );
}

function refused(why: string, hint: string, cause?: unknown): BundleError {
  return new BundleError('SIGNATURE_INVALID', `the release signature is not valid: ${why}`, {
    hint,
    cause,
  });
}

/** A signature names its key by these digits of the fingerprint, the last ones. */
const ID_DIGITS = 16;

function unknownSigner(keyId: string, keys: ReleaseKeys): BundleError {
  return new BundleError(
    'SIGNER_UNKNOWN',
    `the release signature was made with the key ${keyId}, which is not trusted`,
    {
      expected:
        keys
          .map(({ name, fingerprint }) => `${fingerprint.slice(-ID_DIGITS)} (${name})`)
          .join(', ') || 'no key at all',
      got: keyId,
      hint: 'If you trust that key, name its public key file with --release-key.',
    },
  );
}
