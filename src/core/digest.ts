import { createHash, type Hash } from 'node:crypto';
import { BundleError } from './errors.ts';

declare const brand: unique symbol;

/**
 * `sha256:<64 lower-case hex digits>`. Only {@link parseDigest} and the hashing functions here make
 * one.
 */
export type Digest = string & { readonly [brand]: 'Digest' };

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * @throws BundleError UNSUPPORTED_CONTENT for anything but a canonical SHA-256 digest (OCI
 * image-spec, descriptor.md).
 */
export function parseDigest(text: unknown): Digest {
  if (typeof text === 'string' && DIGEST.test(text)) return text as Digest;
  throw new BundleError('UNSUPPORTED_CONTENT', `not a SHA-256 digest: ${shown(text)}`, {
    hint: 'Write a digest as sha256: and 64 lower-case hex digits.',
  });
}

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** The digest of bytes that are in memory. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** The 64 hex digits of a digest: what file names and SHA256SUMS use. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

export function digestFromHex(hex: string): Digest {
  return parseDigest(`sha256:${hex}`);
}

/** Counts and hashes bytes that stream by. */
export class Digester {
  readonly #hash: Hash;
  #size: number;

  constructor(hash: Hash = createHash('sha256'), size = 0) {
    this.#hash = hash;
    this.#size = size;
  }

  /** Bytes seen so far. */
  get size(): number {
    return this.#size;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#size += bytes.length;
  }

  /** One that has seen the same, and goes its own way from here. */
  copy(): Digester {
    return new Digester(this.#hash.copy(), this.#size);
  }

  /** The digest of everything seen; the digester cannot be used afterwards. */
  digest(): Digest {
    return `sha256:${this.#hash.digest('hex')}` as Digest;
  }
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : typeof value;
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
