import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';

import { BundleError } from '../core/errors.ts';
import { hasEd25519, isEd25519, isPrivateEd25519, notAvailable } from './ed25519.ts';
import type { KeyType } from './key-types.ts';

const MIN_RSA_BITS = 2048;
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'ECDSA P-256',
  secp384r1: 'ECDSA P-384',
};
/**
 * Lengths of DER signatures vary with their numbers; these give base64 of one length, so that sizes
 * can be planned.
 */
const PLANNED_DER_BYTES: Readonly<Record<string, readonly number[]>> = {
  prime256v1: [70, 71, 72],
  secp384r1: [103, 104],
};

/** Who signs bundles: a public key, known by the SHA-256 of its canonical DER. */
export class SignerKey {
  /** 64 hex digits. */
  readonly id: string;
  /** `ECDSA P-256`, `RSA 3072`, … */
  readonly algorithm: string;
  readonly #der: Buffer;
  /** `undefined` for an Ed25519 key on a host that cannot use it. */
  readonly #key: KeyObject | undefined;

  private constructor(key: KeyObject | undefined, algorithm: string, der: Buffer) {
    this.#key = key;
    this.#der = der;
    this.algorithm = algorithm;
    this.id = createHash('sha256').update(der).digest('hex');
  }

  /**
   * Reads a PEM SubjectPublicKeyInfo.
   * @throws BundleError CONFIGURATION naming `what`, for anything but ECDSA P-256/P-384, RSA
   * (PKCS#1 v1.5, 2,048 bits or more) and Ed25519, and for an encoding of such a key that is not
   * the canonical one.
   */
  static parse(pem: string | Uint8Array, what: string): SignerKey {
    const text = typeof pem === 'string' ? pem : Buffer.from(pem).toString('latin1');
    const body =
      /^-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END PUBLIC KEY-----\s*$/.exec(
        text,
      )?.[1];
    if (body === undefined) throw notPublicKey(what, text);
    const der = Buffer.from(body, 'base64');
    let key: KeyObject;
    try {
      key = createPublicKey(text);
    } catch (cause) {
      // Such a key can be known and listed all the same.
      if (isEd25519(der) && !hasEd25519()) return new SignerKey(undefined, 'Ed25519', der);
      throw unusableKey(what, 'it cannot be read', { cause });
    }
    const signer = SignerKey.of(key, what);
    if (!signer.#der.equals(der)) {
      throw unusableKey(
        what,
        'it is not in the canonical encoding (named curve, uncompressed point)',
      );
    }
    return signer;
  }

  /** @throws BundleError CONFIGURATION for a key of a kind that is not used for bundles. */
  static of(key: KeyObject, what: string): SignerKey {
    const algorithm = algorithmOf(key, what);
    const canonical = inCanonicalEncoding(key);
    return new SignerKey(canonical, algorithm, canonical.export({ type: 'spki', format: 'der' }));
  }

  /** First 16 hex digits of the id: what files are named after. */
  get shortId(): string {
    return this.id.slice(0, 16);
  }

  /** PEM SubjectPublicKeyInfo. */
  get pem(): string {
    const lines = this.#der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
    return `-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----\n`;
  }

  /**
   * @throws BundleError SIGNATURE_INVALID; CONFIGURATION where this host cannot check signatures of
   * this kind at all.
   */
  verify(message: Uint8Array, signature: Uint8Array): void {
    let good: boolean;
    try {
      good = this.#key !== undefined && verify(hashFor(this.#key), message, this.#key, signature);
    } catch (cause) {
      this.#refuseUnavailable(cause);
      throw new BundleError('SIGNATURE_INVALID', 'the signature of the bundle cannot be checked', {
        cause,
      });
    }
    if (!good) {
      this.#refuseUnavailable();
      throw new BundleError(
        'SIGNATURE_INVALID',
        'the signature of the bundle was not made with the key that the bundle names',
        {
          hint: 'The listing or its signature was changed after signing: do not use this bundle.',
        },
      );
    }
  }

  /** A signature that cannot be checked is not a bad one. */
  #refuseUnavailable(cause?: unknown): void {
    if (this.algorithm === 'Ed25519' && !hasEd25519())
      throw notAvailable('the signature of the bundle cannot be checked', cause);
  }
}

const publicKeyEncoding = { type: 'spki', format: 'pem' } as const;
const privateKeyEncoding = { type: 'pkcs8', format: 'pem' } as const;

/**
 * A new key: PEM PKCS#8. Node 20 hangs, and hears no signal, if it collects garbage while it exports
 * the key object of a generation: that ends the generation, which waits for its key.
 */
function generatedText(type: KeyType): string {
  if (type === 'ed25519')
    return generateKeyPairSync('ed25519', { publicKeyEncoding, privateKeyEncoding }).privateKey;
  if (type.startsWith('rsa-')) {
    const modulusLength = Number(type.slice('rsa-'.length));
    return generateKeyPairSync('rsa', { modulusLength, publicKeyEncoding, privateKeyEncoding })
      .privateKey;
  }
  const namedCurve = type === 'ecdsa-p256' ? 'prime256v1' : 'secp384r1';
  return generateKeyPairSync('ec', { namedCurve, publicKeyEncoding, privateKeyEncoding })
    .privateKey;
}

/** A private bundle key. */
export class SigningKey {
  readonly public: SignerKey;
  readonly #key: KeyObject;

  private constructor(key: KeyObject, what: string) {
    this.#key = key;
    this.public = SignerKey.of(createPublicKey(key), what);
  }

  /** Whether the PEM is an encrypted PKCS#8 key, for which a passphrase has to be asked. */
  static isEncrypted(pem: string): boolean {
    return pem.includes('ENCRYPTED');
  }

  /**
   * @throws BundleError CONFIGURATION naming `what`: not a key, a wrong passphrase, a kind that is
   * not used.
   */
  static parse(pem: string, what: string, passphrase?: string): SigningKey {
    let key: KeyObject;
    try {
      key = createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) });
    } catch (cause) {
      if (mayBeEd25519(pem, cause) && !hasEd25519())
        throw notAvailable(`${what} cannot be used as a bundle key`, cause);
      if (!SigningKey.isEncrypted(pem)) throw notPrivateKey(what, pem, cause);
      throw new BundleError(
        'CONFIGURATION',
        `${what} cannot be decrypted: the passphrase is ` +
          (passphrase === undefined ? 'missing' : 'wrong'),
        {
          cause,
          hint: 'Set BUNDLE_KEY_PASSPHRASE, or run it in a terminal, where it is asked for.',
        },
      );
    }
    return new SigningKey(key, what);
  }

  /** @throws BundleError CONFIGURATION where this host has no keys of the type. */
  static generate(type: KeyType): SigningKey {
    if (type === 'ed25519' && !hasEd25519()) throw notAvailable('no key can be made');
    return new SigningKey(createPrivateKey(generatedText(type)), 'new key');
  }

  /** PEM PKCS#8, encrypted (AES-256) where a passphrase is given. */
  pem(passphrase?: string): string {
    const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
    return this.#key.export({ type: 'pkcs8', format: 'pem', ...cipher }).toString();
  }

  /**
   * A raw signature: DER for ECDSA, always of the length that {@link placeholder} has.
   */
  sign(message: Uint8Array): Uint8Array {
    const planned = PLANNED_DER_BYTES[curveOf(this.#key) ?? ''];
    for (;;) {
      const signature = this.#signOnce(message);
      if (planned === undefined || planned.includes(signature.length)) return signature;
    }
  }

  #signOnce(message: Uint8Array): Uint8Array {
    try {
      return sign(hashFor(this.#key), message, this.#key);
    } catch (cause) {
      if (this.public.algorithm === 'Ed25519' && !hasEd25519())
        throw notAvailable('the bundle cannot be signed', cause);
      throw cause;
    }
  }

  /** Any signature of the right length: what a plan needs that will not be written. */
  get placeholder(): Uint8Array {
    return this.sign(new Uint8Array(0));
  }
}

function algorithmOf(key: KeyObject, what: string): string {
  const curve = curveOf(key);
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return 'Ed25519';
    case 'ec': {
      const name = CURVES[curve ?? ''];
      if (name === undefined)
        throw unusableKey(what, `the curve ${curve ?? '?'} is not used for bundles`);
      return name;
    }
    case 'rsa': {
      const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
      if (bits < MIN_RSA_BITS) throw unusableKey(what, `an RSA key of ${bits} bits is too short`);
      return `RSA ${bits}`;
    }
    default:
      throw unusableKey(
        what,
        `keys of type ${key.asymmetricKeyType ?? '?'} are not used for bundles`,
      );
  }
}

/**
 * OpenSSL keeps the encoding that an elliptic curve key came in; by way of its bare numbers it gets
 * ours.
 */
function inCanonicalEncoding(key: KeyObject): KeyObject {
  return key.asymmetricKeyType === 'ec'
    ? createPublicKey({ key: key.export({ format: 'jwk' }), format: 'jwk' })
    : key;
}

function curveOf(key: KeyObject): string | undefined {
  return key.asymmetricKeyDetails?.namedCurve;
}

/** Ed25519 hashes by itself (RFC 8032); everything else signs SHA-256. */
function hashFor(key: KeyObject): 'sha256' | null {
  return key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
}

/** Of an encrypted key that could be decrypted, only OpenSSL's word tells that it has no use for it. */
function mayBeEd25519(pem: string, cause: unknown): boolean {
  if (SigningKey.isEncrypted(pem))
    return cause instanceof Error && 'code' in cause && String(cause.code).includes('UNSUPPORTED');
  return isPrivateEd25519(Buffer.from(pem.replace(/-----[A-Z ]+-----/g, ''), 'base64'));
}

/** The public key is the file that lies beside the private one. */
function notPrivateKey(what: string, pem: string, cause: unknown): BundleError {
  return pem.startsWith('-----BEGIN PUBLIC KEY-----')
    ? unusableKey(what, 'it is a public key, and a private one signs', {
        cause,
        hint: 'Give the private key that it belongs to: keygen writes both beside each other.',
      })
    : unusableKey(what, 'it is not a PEM private key', { cause });
}

const KEY_FORMS =
  'Bundle keys are PEM: ECDSA P-256 or P-384, RSA of 2,048 bits or more, Ed25519. ' +
  'bundle keygen makes one.';

function unusableKey(
  what: string,
  why: string,
  { cause, hint = KEY_FORMS }: { readonly cause?: unknown; readonly hint?: string } = {},
): BundleError {
  return new BundleError('CONFIGURATION', `${what} cannot be used as a bundle key: ${why}`, {
    ...{ cause, hint },
  });
}

/** What somebody has taken for the public key of a packer, and what they meant. */
const MISTAKEN: readonly (readonly [RegExp, string, string])[] = [
  [
    /^-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/,
    'it is a private key, and a public one is needed',
    'Give the file that ends in .pub: pack and keygen write it. Keep the private key where it is, ' +
      'and give it to nobody.',
  ],
  [
    /^-----BEGIN PGP PUBLIC KEY BLOCK-----/,
    'it is an OpenPGP key, which signs releases',
    'Give it with --release-key. A bundle key is the .pub file of the packer.',
  ],
  [
    /^-----BEGIN CERTIFICATE-----/,
    'it is a certificate',
    'Give the certificate of a CA with --ca-file. A bundle key is the .pub file of the packer.',
  ],
  [
    /^(?:ssh-|ecdsa-)\S+ /,
    'it is an SSH key',
    'SSH keys sign no bundles. Give the .pub file of the packer, which is PEM.',
  ],
];

function notPublicKey(what: string, text: string): BundleError {
  const [, why, hint] = MISTAKEN.find(([pattern]) => pattern.test(text)) ?? [];
  return why === undefined
    ? unusableKey(what, 'it is not one PEM public key (BEGIN PUBLIC KEY)')
    : unusableKey(what, why, { hint: hint! });
}
