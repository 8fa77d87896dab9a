import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Extract } from 'tar-stream';
import { DecompressStream } from 'zstd-napi';
import type { ByteStream } from '../../../core/bytes.ts';
import { BundleError } from '../../../core/errors.ts';
import { WholeSource } from './whole-source.ts';

/** A header and, read as a stream, its content. */
export type TarEntry = Extract extends AsyncIterable<infer Entry> ? Entry : never;

/** The content of an entry. */
export async function* chunksOf(entry: TarEntry): AsyncGenerator<Uint8Array> {
  for await (const chunk of entry) {
    if (chunk instanceof Uint8Array) yield chunk;
  }
}

/** How much may be unpacked; counted down while it is. */
export interface UnpackBudget {
  bytes: number;
  /** Whose layers these are, for a message; a release image's unless told. */
  readonly of?: string;
}

/**
 * zstd-napi unpacks whatever it is given at once: out of 1 KiB can come 32 MiB (blocks of 128 KiB
 * that repeat one byte take 4 bytes), out of a usual chunk some GiB.
 */
const ZSTD_CHUNK_BYTES = 1024;
/** Bytes that Node's gunzip reads at once; it unpacks no further than its reader wants. */
const CHUNK_BYTES = 64 * 1024;

/** 2^27 bytes: what `zstd -d` allows too without being asked. */
const ZSTD_MAX_WINDOW_LOG = 27;

/**
 * Reads a layer (gzip, zstd or bare tar, told apart by its first bytes), handing its entries to
 * `visit` one after the other; what `visit` leaves unread is passed over. Whatever happens,
 * `content` is read to its end first.
 * @throws BundleError what `content` or `visit` throws; UNSUPPORTED_CONTENT for bytes that are no
 * layer, or too many.
 */
export async function forEachTarEntry(
  content: ByteStream,
  budget: UnpackBudget,
  visit: (entry: TarEntry) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const source = new WholeSource(content);
  const tar = extract();
  const outcomes = await Promise.allSettled([
    visitAll(tar, visit),
    feed(source, tar, budget, signal),
  ]);
  await source.settled();
  signal?.throwIfAborted();
  source.throwFailure();
  const failures = outcomes.flatMap((outcome): unknown[] =>
    outcome.status === 'rejected' ? [outcome.reason] : [],
  );
  if (failures.length > 0)
    throw failures.find((failure) => failure instanceof BundleError) ?? notALayer(failures[0]);
}

async function visitAll(tar: Extract, visit: (entry: TarEntry) => Promise<void>): Promise<void> {
  for await (const entry of tar) {
    await visit(entry);
    entry.resume();
  }
}

async function feed(
  source: WholeSource,
  tar: Extract,
  budget: UnpackBudget,
  signal: AbortSignal | undefined,
): Promise<void> {
  let chunkBytes = ZSTD_CHUNK_BYTES;
  const chunks = source.chunks(() => chunkBytes);
  const options = signal ? { signal } : {};
  const first = await headOf(chunks).catch((error: unknown) => {
    tar.destroy(); // there is no pipeline yet that would tell the other side
    throw error;
  });
  const input = followedBy(first, chunks);
  const count = (unpacked: AsyncIterable<Buffer>): AsyncGenerator<Buffer> =>
    counted(unpacked, budget);
  const decompressor = decompressorFor(first);
  if (!(decompressor instanceof DecompressStream)) chunkBytes = CHUNK_BYTES;
  if (decompressor === undefined) {
    await pipeline(input, count, tar, options);
    return;
  }
  const checkEnd = (): void => {
    // Node's gunzip ends at bytes that are no gzip and never takes another chunk: without this the
    // pipeline would wait for ever.
    const taken = 'bytesWritten' in decompressor ? decompressor.bytesWritten : source.bytes;
    if (!source.ended || taken !== source.bytes) throw notALayer('it continues after its end');
  };
  const whole = async function* (unpacked: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    yield* count(unpacked);
    checkEnd();
  };
  await pipeline(input, decompressor, whole, tar, options);
}

/** At least the four bytes that tell compressions apart, where there are as many. */
async function headOf(chunks: AsyncGenerator<Buffer>): Promise<Buffer> {
  let head = Buffer.alloc(0);
  while (head.length < 4) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}

async function* followedBy(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

/** RFC 1952 section 2.3.1; RFC 8878 section 3.1.1. */
function decompressorFor(
  head: Buffer,
): (Transform & { readonly bytesWritten?: number }) | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip();
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528)
    return new DecompressStream({ windowLogMax: ZSTD_MAX_WINDOW_LOG });
  return undefined;
}

async function* counted(
  unpacked: AsyncIterable<Buffer>,
  budget: UnpackBudget,
): AsyncGenerator<Buffer> {
  for await (const chunk of unpacked) {
    budget.bytes -= chunk.length;
    if (budget.bytes < 0) {
      throw new BundleError(
        'UNSUPPORTED_CONTENT',
        `it unpacks to more bytes than any ${budget.of ?? 'release image'}`,
        { hint: 'Check that this is an OpenShift release: its publisher makes no such layers.' },
      );
    }
    yield chunk;
  }
}

function notALayer(cause: unknown): BundleError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new BundleError('UNSUPPORTED_CONTENT', `it cannot be read as an image layer: ${why}`, {
    hint: 'Layers are tar, bare or compressed with gzip or zstd.',
    cause,
  });
}
