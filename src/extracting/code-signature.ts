import { createHash } from 'node:crypto';

import type { ByteStream } from '../core/bytes.ts';

/** Mach-O, 64 bits, little-endian (Apple's mach-o/loader.h). */
const MACH_O_64 = 0xfeedfacf;
const MACH_HEADER_BYTES = 32;
const LC_CODE_SIGNATURE = 0x1d;
/** Of the load commands and of the signature: a program of 1 GiB has 8 MiB of hashes. */
const MAX_COMMANDS_BYTES = 1024 * 1024;
const MAX_SIGNATURE_BYTES = 64 * 1024 * 1024;
/** Blobs of a signature, big-endian (xnu, osfmk/kern/cs_blobs.h). */
const EMBEDDED_SIGNATURE = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
const CMS_SLOT = 0x10000;
const CMS_HEADER_BYTES = 8;
const SHA256 = 2;
const SHA256_BYTES = 32;
const PAGE_BITS = 12;
const PAGE = 1 << PAGE_BITS;

/** What became of the code signature of a program. */
export interface SignatureState {
  /** `broken`: it was changed, and only who signed it can sign it again. */
  outcome: 'none' | 'kept' | 'renewed' | 'broken';
}

interface Place {
  readonly start: number;
  readonly end: number;
}

/**
 * A program that was changed, with the hashes of its changed pages put right in its code signature:
 * macOS ends a program at once whose pages do not have the hashes in its signature. Only a
 * signature without a certificate (`adhoc`), which linkers make, can be put right by somebody else.
 * Whatever is no Mach-O program of 64 bits passes through as it is.
 * @param state is set when the stream has ended.
 */
export async function* resigned(
  content: ByteStream,
  state: SignatureState,
): AsyncGenerator<Uint8Array> {
  state.outcome = 'none';
  const pieces = content[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  const next = async (): Promise<Uint8Array | undefined> => {
    const result = await pieces.next();
    return result.done === true ? undefined : result.value;
  };
  try {
    for (let wanted = MACH_HEADER_BYTES; head.length < wanted; wanted = headBytes(head)) {
      const chunk = await next();
      if (chunk === undefined) break;
      head = Buffer.concat([head, chunk]);
    }
    const place = signatureIn(head);
    const pages = new PageHashes(place?.start ?? 0);
    const signature: Uint8Array[] = [];
    let at = 0;
    for (let chunk: Uint8Array | undefined = head; chunk !== undefined; chunk = await next()) {
      if (place === undefined) {
        if (chunk.length > 0) yield chunk;
        continue;
      }
      const cut = (from: number, to: number): Uint8Array =>
        chunk.subarray(Math.max(from - at, 0), Math.max(to - at, 0));
      const code = cut(at, place.start);
      pages.update(code);
      if (code.length > 0) yield code;
      const signed = cut(place.start, place.end);
      if (signed.length > 0) signature.push(Uint8Array.from(signed));
      const rest = cut(place.end, at + chunk.length);
      if (at + chunk.length >= place.end && signature.length > 0) {
        yield renewed(Buffer.concat(signature.splice(0)), pages.finish(), state);
      }
      if (rest.length > 0) yield rest;
      at += chunk.length;
    }
    if (signature.length > 0) {
      state.outcome = 'broken'; // the program is cut off
      yield Buffer.concat(signature);
    }
  } finally {
    await pieces.return?.();
  }
}

/** Bytes of the head that have to be there to find the signature. */
function headBytes(head: Buffer): number {
  if (head.length < MACH_HEADER_BYTES) return MACH_HEADER_BYTES;
  if (head.readUInt32LE(0) !== MACH_O_64) return 0;
  const commands = head.readUInt32LE(20);
  return commands > MAX_COMMANDS_BYTES ? 0 : MACH_HEADER_BYTES + commands;
}

function signatureIn(head: Buffer): Place | undefined {
  const end = headBytes(head);
  if (end === 0 || head.length < end) return undefined;
  const commands = head.readUInt32LE(16);
  for (let at = MACH_HEADER_BYTES, number = 0; number < commands; number += 1) {
    if (at + 8 > end) return undefined;
    const size = head.readUInt32LE(at + 4);
    if (size < 8 || at + size > end) return undefined;
    if (head.readUInt32LE(at) === LC_CODE_SIGNATURE && size >= 16) {
      const start = head.readUInt32LE(at + 8);
      const bytes = head.readUInt32LE(at + 12);
      const isUsable = start >= end && bytes > 0 && bytes <= MAX_SIGNATURE_BYTES;
      return isUsable ? { start, end: start + bytes } : undefined;
    }
    at += size;
  }
  return undefined;
}

/** The hashes of the pages of a program, up to its signature. */
class PageHashes {
  readonly #hashes: Buffer;
  #count = 0;
  #hash = createHash('sha256');
  #filled = 0;

  constructor(bytes: number) {
    this.#hashes = Buffer.alloc(Math.ceil(bytes / PAGE) * SHA256_BYTES);
  }

  update(code: Uint8Array): void {
    for (let at = 0; at < code.length;) {
      const part = code.subarray(at, at + PAGE - this.#filled);
      this.#hash.update(part);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === PAGE) this.#turn();
    }
  }

  finish(): Buffer {
    if (this.#filled > 0) this.#turn();
    return this.#hashes.subarray(0, this.#count * SHA256_BYTES);
  }

  #turn(): void {
    this.#hash.digest().copy(this.#hashes, this.#count * SHA256_BYTES);
    this.#count += 1;
    this.#hash = createHash('sha256');
    this.#filled = 0;
  }
}

/** The signature with these hashes; as it is, where that cannot be done. */
function renewed(signature: Buffer, hashes: Buffer, state: SignatureState): Buffer {
  const slots = hashSlots(signature, hashes.length);
  if (slots?.equals(hashes)) {
    state.outcome = 'kept';
    return signature;
  }
  if (slots === undefined || isCertified(signature)) {
    state.outcome = 'broken';
    return signature;
  }
  hashes.copy(slots);
  state.outcome = 'renewed';
  return signature;
}

/** Where a signature has the hashes of all pages; `undefined` for one of another form. */
function hashSlots(signature: Buffer, bytes: number): Buffer | undefined {
  const directories = [...blobsOf(signature)].filter(({ magic }) => magic === CODE_DIRECTORY);
  const [directory] = directories;
  // A second directory has hashes of another kind, that would be wrong then.
  if (directory === undefined || directories.length > 1) return undefined;
  const { blob } = directory;
  if (blob.length < 44) return undefined;
  const isKnown =
    blob.readUInt8(36) === SHA256_BYTES &&
    blob.readUInt8(37) === SHA256 &&
    blob.readUInt8(39) === PAGE_BITS;
  const count = blob.readUInt32BE(28);
  if (!isKnown || count * SHA256_BYTES !== bytes) return undefined;
  const start = blob.readUInt32BE(16);
  return start + bytes <= blob.length ? blob.subarray(start, start + bytes) : undefined;
}

/** Whether somebody signed the directory with a certificate. */
function isCertified(signature: Buffer): boolean {
  return [...blobsOf(signature)].some(
    ({ type, blob }) => type === CMS_SLOT && blob.length > CMS_HEADER_BYTES,
  );
}

function* blobsOf(
  signature: Buffer,
): Generator<{ readonly type: number; readonly magic: number; readonly blob: Buffer }> {
  if (signature.length < 12 || signature.readUInt32BE(0) !== EMBEDDED_SIGNATURE) return;
  const count = signature.readUInt32BE(8);
  for (let number = 0; number < count; number += 1) {
    const at = 12 + 8 * number;
    if (at + 8 > signature.length) return;
    const type = signature.readUInt32BE(at);
    const start = signature.readUInt32BE(at + 4);
    if (start + 8 > signature.length) return;
    const end = Math.min(start + signature.readUInt32BE(start + 4), signature.length);
    yield { type, magic: signature.readUInt32BE(start), blob: signature.subarray(start, end) };
  }
}
