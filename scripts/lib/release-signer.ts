import { createMessage, generateKey, readKey, sign } from 'openpgp';
import type { Digest } from '../../src/core/digest.ts';

/** A release key made on the spot, for releases that are no real ones. */
export interface ReleaseSigner {
  readonly publicKeyArmored: string;
  /** 40 upper-case hex digits. */
  readonly fingerprint: string;
  /**
   * The binary signed message that says: this digest is the release that `dockerReference` names.
   */
  sign(digest: Digest, dockerReference: string, options?: SigningOptions): Promise<Uint8Array>;
  /** A binary signed message over anything. */
  signContent(content: Uint8Array, options?: SigningOptions): Promise<Uint8Array>;
}

export interface SigningOptions {
  /** When the signature says it was made; now, if left out. */
  readonly date?: Date;
}

export interface ReleaseSignerOptions {
  readonly type?: 'rsa' | 'ed25519';
  readonly name?: string;
  /** When the key says it was made; now, if left out. */
  readonly date?: Date;
  /** How many seconds the key is good for; for ever, if left out. */
  readonly lifetime?: number;
}

/** What Red Hat's signer writes, field by field. */
export function releaseStatement(digest: Digest, dockerReference: string): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      critical: {
        image: { 'docker-manifest-digest': digest },
        type: 'atomic container signature',
        identity: { 'docker-reference': dockerReference },
      },
      optional: { creator: 'bundle test signer' },
    }),
  );
}

/** Makes a key and a signer that uses it; the private part never leaves this function. */
export async function makeReleaseSigner(
  options: ReleaseSignerOptions = {},
): Promise<ReleaseSigner> {
  const { privateKey, publicKey } = await generateKey({
    ...(options.type === 'rsa'
      ? { type: 'rsa', rsaBits: 2048 }
      : { type: 'ecc', curve: 'ed25519Legacy' }),
    userIDs: [{ name: options.name ?? 'Test release key', email: 'release@example.com' }],
    // Keys and signatures made within one second would differ in whole seconds only by chance.
    date: options.date ?? new Date(Date.now() - 60_000),
    ...(options.lifetime !== undefined && { keyExpirationTime: options.lifetime }),
    format: 'object',
  });
  const signContent = async (
    content: Uint8Array,
    { date }: SigningOptions = {},
  ): Promise<Uint8Array> => {
    const signed: unknown = await sign({
      message: await createMessage({ binary: content }),
      signingKeys: privateKey,
      format: 'binary',
      ...(date && { date }),
      config: { nonDeterministicSignaturesViaNotation: false },
    });
    if (!(signed instanceof Uint8Array))
      throw new TypeError('openpgp signed bytes, but returned none');
    return signed;
  };
  const publicKeyArmored = publicKey.armor();
  return {
    publicKeyArmored,
    fingerprint: (await readKey({ armoredKey: publicKeyArmored })).getFingerprint().toUpperCase(),
    sign: (digest, dockerReference, signing) =>
      signContent(releaseStatement(digest, dockerReference), signing),
    signContent,
  };
}
