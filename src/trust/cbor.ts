/** A limit: envelopes of signatures have a few levels. */
const MAX_DEPTH = 16;

/** What is read of CBOR (RFC 8949): where an item begins, what it is, and where its content is. */
interface Head {
  readonly major: number;
  /** The value of a number, the bytes of a string, the items of a list. */
  readonly value: number;
  readonly next: number;
}

/**
 * The payload of a COSE_Sign1 message (RFC 9052): a list of protected headers, other headers,
 * payload and signature, which a tag may stand before.
 * @returns `undefined` for anything else; nothing of indefinite length is read.
 */
export function coseSign1Payload(bytes: Uint8Array): Uint8Array | undefined {
  try {
    let list = headAt(bytes, 0);
    if (list.major === 6) list = headAt(bytes, list.next);
    if (list.major !== 4 || list.value !== 4) return undefined;
    const payloadAt = skip(bytes, skip(bytes, list.next, 0), 0);
    const payload = headAt(bytes, payloadAt);
    const end = payload.next + payload.value;
    if (payload.major !== 2 || end > bytes.length) return undefined;
    return skip(bytes, end, 0) === bytes.length ? bytes.subarray(payload.next, end) : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Where the item at `at` ends. @throws RangeError */
function skip(bytes: Uint8Array, at: number, depth: number): number {
  if (depth > MAX_DEPTH) throw new RangeError('nested too deep');
  const { major, value, next } = headAt(bytes, at);
  switch (major) {
    case 2:
    case 3:
      if (next + value > bytes.length) throw new RangeError('cut off');
      return next + value;
    case 4:
    case 5: {
      let end = next;
      for (let left = major === 4 ? value : 2 * value; left > 0; left -= 1)
        end = skip(bytes, end, depth + 1);
      return end;
    }
    case 6:
      return skip(bytes, next, depth + 1);
    default:
      return next;
  }
}

/** @throws RangeError */
function headAt(bytes: Uint8Array, at: number): Head {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint8(at);
  const major = first >> 5;
  const short = first & 0x1f;
  if (short < 24) return { major, value: short, next: at + 1 };
  const lengths: Readonly<Record<number, number>> = { 24: 1, 25: 2, 26: 4, 27: 8 };
  const length = lengths[short];
  if (length === undefined) throw new RangeError('of indefinite length');
  let value = 0;
  for (let index = 0; index < length; index += 1)
    value = value * 256 + view.getUint8(at + 1 + index);
  return { major, value, next: at + 1 + length };
}
