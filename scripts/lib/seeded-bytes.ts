import { createCipheriv, createHash } from 'node:crypto';

const ZEROS = Buffer.alloc(256 * 1024);

/**
 * An endless stream of bytes that look random and depend on `seed` alone: the keystream of AES-128
 * in counter mode.
 */
export class SeededBytes {
  readonly #cipher;

  constructor(seed: string) {
    const key = createHash('sha256').update(seed).digest();
    this.#cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16));
  }

  /** The next `length` bytes. */
  take(length: number): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let left = length; left > 0; left -= ZEROS.length) {
      parts.push(this.#cipher.update(left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS));
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
  }

  /** A number in [0, 1) with 48 random bits. */
  fraction(): number {
    return Buffer.from(this.take(6)).readUIntBE(0, 6) / 2 ** 48;
  }
}

/** `length` bytes that look random and depend on `seed` alone. */
export function seededBytes(seed: string, length: number): Uint8Array {
  return new SeededBytes(seed).take(length);
}
