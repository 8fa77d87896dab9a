import { config as openpgpDefaults, type Key, type PublicKey, readKeys, unarmor } from 'openpgp';
import { BundleError } from '../core/errors.ts';
import { MAX_KEY_BYTES } from '../core/limits.ts';
import { readPacket } from './openpgp/packets.ts';

/** A file of OpenPGP public keys, armored or binary, as it was read. */
export interface ReleaseKeyFile {
  /** How messages call it: its path. */
  readonly name: string;
  readonly content: Uint8Array;
}

/** A public key that releases may be signed with. */
export interface ReleaseKey {
  /** Its first user id. */
  readonly name: string;
  /** Of the primary key: 40 upper-case hex digits. */
  readonly fingerprint: string;
  readonly publicKey: PublicKey;
}

/**
 * The keys that release signatures are checked against: the pinned ones and those of the operator.
 */
export type ReleaseKeys = readonly ReleaseKey[];

const PUBLIC_KEY_PACKET = 6;
const ARMORED_BLOCK =
  /^-----BEGIN PGP PUBLIC KEY BLOCK-----\r?$[^]*?^-----END PGP PUBLIC KEY BLOCK-----\r?$/gm;

/**
 * How openpgp is asked to judge keys. Their flags are honoured where there are any, as `oc` does. A
 * key whose self-signature was renewed after a release was signed still counts for that release;
 * that the key is good today is checked apart.
 */
export const OPENPGP_CONFIG = {
  ...openpgpDefaults,
  allowMissingKeyFlags: true,
  allowInsecureVerificationWithReformattedKeys: true,
};

/**
 * Reads every public key of every file. There may be several in one, as armored blocks or one
 * behind the other. Keys that have expired or were revoked are read too: they are refused when
 * something is checked with them.
 * @throws BundleError CONFIGURATION for a file without a key, or with anything that is not a whole,
 * self-signed public key.
 */
export async function readReleaseKeys(files: readonly ReleaseKeyFile[]): Promise<ReleaseKeys> {
  const keys: ReleaseKey[] = [];
  for (const file of files) keys.push(...(await readKeyFile(file)));
  return keys;
}

async function readKeyFile(file: ReleaseKeyFile): Promise<ReleaseKey[]> {
  if (file.content.length > MAX_KEY_BYTES)
    throw unusable(file, `it is larger than ${MAX_KEY_BYTES} bytes`);
  const keys: ReleaseKey[] = [];
  for (const keyring of await keyringsOf(file)) {
    for (const key of await parseKeyring(file, keyring)) keys.push(await checkedKey(file, key));
  }
  if (keys.length === 0) throw unusable(file, 'it holds no OpenPGP public key');
  return keys;
}

async function keyringsOf(file: ReleaseKeyFile): Promise<Uint8Array[]> {
  const text = Buffer.from(file.content).toString('latin1');
  const begun = text.match(/-----BEGIN /g)?.length ?? 0;
  if (begun === 0) return file.content.length === 0 ? [] : [file.content];
  const blocks = text.match(ARMORED_BLOCK) ?? [];
  if (blocks.length === 0 && text.startsWith('-----BEGIN PUBLIC KEY-----'))
    throw unusable(file, 'it is a bundle key, which signs bundles', { hint: BUNDLE_KEY });
  if (blocks.length !== begun)
    throw unusable(file, 'it holds something else than whole armored public keys');
  const keyrings: Uint8Array[] = [];
  for (const block of blocks) {
    try {
      const data: unknown = (await unarmor(block, OPENPGP_CONFIG)).data;
      if (!(data instanceof Uint8Array)) throw new TypeError('armored text came out as a stream');
      keyrings.push(data);
    } catch (cause) {
      throw unusable(file, 'its armor cannot be decoded', { cause });
    }
  }
  return keyrings;
}

async function parseKeyring(file: ReleaseKeyFile, keyring: Uint8Array): Promise<Key[]> {
  let keys: Key[];
  let inside = 0;
  try {
    for (let at = 0; at < keyring.length;) {
      const packet = readPacket(keyring, at);
      if (packet.tag === PUBLIC_KEY_PACKET) inside += 1;
      at = packet.end;
    }
    keys = await readKeys({ binaryKeys: keyring, config: OPENPGP_CONFIG });
  } catch (cause) {
    throw unusable(file, 'it is broken, or no OpenPGP key', { cause });
  }
  // openpgp passes over key packets of versions it does not know; private keys are no public key
  // packets.
  if (keys.length !== inside || keys.some((key) => key.isPrivate())) {
    throw unusable(file, 'it holds a key of an unsupported version, or a private key');
  }
  return keys;
}

async function checkedKey(file: ReleaseKeyFile, key: Key): Promise<ReleaseKey> {
  const fingerprint = key.getFingerprint().toUpperCase();
  if ((await key.getExpirationTime(undefined, OPENPGP_CONFIG)) === null) {
    throw unusable(file, `the key ${fingerprint} has no valid signature of its own`);
  }
  return { name: key.getUserIDs()[0] ?? fingerprint, fingerprint, publicKey: key.toPublic() };
}

const OPENPGP_KEYS = 'Give a file of OpenPGP public keys, as gpg --export (--armor) writes it.';

const BUNDLE_KEY =
  'Give it with --trusted-key, or to bundle trust add. A release key is an OpenPGP key.';

function unusable(
  file: ReleaseKeyFile,
  why: string,
  { cause, hint = OPENPGP_KEYS }: { readonly cause?: unknown; readonly hint?: string } = {},
): BundleError {
  return new BundleError('CONFIGURATION', `${file.name} cannot be used as a release key: ${why}`, {
    ...{ cause, hint },
  });
}
