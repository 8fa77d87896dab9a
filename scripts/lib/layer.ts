import { gzipSync } from 'node:zlib';
import type { ByteStream } from '../../src/core/bytes.ts';
import { type Digest, Digester, digestOf } from '../../src/core/digest.ts';
import { CREATED_SECONDS } from './created.ts';
import { SeededBytes } from './seeded-bytes.ts';
import { storedGzip } from './stored-gzip.ts';
import { type TarEntry, tarOf, tarSize } from './tar.ts';

/** A layer that has been measured, and can be made again as often as its bytes are needed. */
export interface Layer {
  readonly digest: Digest;
  readonly size: number;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  readonly content: () => ByteStream;
}

const CHUNK_BYTES = 4 * 0xffff;

/**
 * A gzip-compressed tar of a few files below `folder`, of about `bytes` bytes, that depends on
 * `seed` alone. The files cannot be compressed, as most of what real layers hold after compression.
 */
export async function randomLayer(seed: string, folder: string, bytes: number): Promise<Layer> {
  const source = new SeededBytes(`shape of ${seed}`);
  const files = bytes < 20_000 ? 1 : 2 + Math.floor(source.fraction() * 4);
  const shares = Array.from({ length: files }, () => 0.2 + source.fraction());
  const total = shares.reduce((sum, share) => sum + share, 0);
  const room = Math.max(files, bytes - tarSize(new Array<number>(files).fill(0)));
  const sizes = shares.map((share) => Math.max(1, Math.round((room * share) / total)));
  const tar = (): Generator<Uint8Array> =>
    tarOf(sizes.map((size, at) => randomFile(seed, `${folder}/data-${at}.bin`, size)));
  const unpacked = new Digester();
  const packed = new Digester();
  for (const chunk of storedGzip(tapped(tar(), unpacked))) {
    packed.update(chunk);
    await turn();
  }
  const { size } = packed;
  return {
    digest: packed.digest(),
    size,
    diffId: unpacked.digest(),
    content: () => streamed(storedGzip(tar())),
  };
}

/** A compressed layer of files that are in memory. */
export function textLayer(entries: Iterable<TarEntry>): Layer {
  const tar = Buffer.concat([...tarOf(entries)]);
  const bytes = gzipSync(tar, { level: 9 });
  return {
    digest: digestOf(bytes),
    size: bytes.length,
    diffId: digestOf(tar),
    content: () => streamed([bytes]),
  };
}

function randomFile(seed: string, name: string, size: number): TarEntry {
  const content = function* (): Generator<Uint8Array> {
    const source = new SeededBytes(`${name} of ${seed}`);
    for (let left = size; left > 0; left -= CHUNK_BYTES)
      yield source.take(Math.min(left, CHUNK_BYTES));
  };
  return { name, type: 'file', size, mode: 0o644, mtime: CREATED_SECONDS, content: content() };
}

function* tapped(content: Iterable<Uint8Array>, digester: Digester): Generator<Uint8Array> {
  for (const chunk of content) {
    digester.update(chunk);
    yield chunk;
  }
}

async function* streamed(content: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const chunk of content) {
    yield chunk;
    await turn();
  }
}

/** Lets sockets and files have their turn: making bytes is all computation. */
async function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
