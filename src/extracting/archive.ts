import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

import { ZipFile } from 'yazl';

import {
  hardLinkHeader,
  paddingLength,
  programHeader,
  TAR_END_BYTES,
  tarHeader,
} from '../bundle/format/tar.ts';
import type { ByteStream } from '../core/bytes.ts';

/** A program, and what goes into its archive with it. */
export interface Packed {
  /** Its name in the archive. */
  readonly name: string;
  /** A second name for it; of a tar only. */
  readonly alias?: string | undefined;
  readonly readme: string;
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly content: ByteStream;
}

export type Write = (chunk: Uint8Array) => Promise<void>;

const README = 'README.md';
/** Programs compress hardly better at higher levels, which take several times as long. */
const LEVEL = 3;

/** A gzipped tar. The same program gives the same bytes. */
export async function writeTarGz(packed: Packed, write: Write, signal: AbortSignal): Promise<void> {
  await pipeline(tarOf(packed), createGzip({ level: LEVEL }), writing(write), { signal });
}

async function* tarOf(packed: Packed): AsyncGenerator<Uint8Array> {
  const { name, alias, size, mtime, content } = packed;
  const readme = Buffer.from(packed.readme);
  yield tarHeader(README, readme.length, mtime);
  yield readme;
  yield Buffer.alloc(paddingLength(readme.length));
  yield programHeader(name, size, mtime);
  yield* content;
  yield Buffer.alloc(paddingLength(size));
  if (alias !== undefined) yield hardLinkHeader(alias, name, mtime);
  yield Buffer.alloc(TAR_END_BYTES);
}

/** A zip. The same program gives the same bytes, whatever the time zone. */
export async function writeZip(packed: Packed, write: Write, signal: AbortSignal): Promise<void> {
  const { name, size, mtime, content } = packed;
  const zip = new ZipFile();
  const output = new PassThrough(); // one that can be ended from here
  zip.outputStream.pipe(output);
  const input = Readable.from(content, { objectMode: false });
  const fail = (error: Error): void => void output.destroy(error);
  input.on('error', fail);
  zip.on('error', fail);
  // Times in a zip have no zone: yazl writes that of this host.
  const date = new Date(mtime * 1000);
  const shown = new Date(date.getTime() + date.getTimezoneOffset() * 60_000);
  const options = { mtime: shown, forceDosTimestamp: true, compressionLevel: LEVEL };
  zip.addBuffer(Buffer.from(packed.readme), README, { ...options, mode: 0o100644 });
  zip.addReadStream(input, name, { ...options, size, mode: 0o100755 });
  zip.end();
  try {
    await pipeline(output, writing(write), { signal });
  } finally {
    input.destroy();
  }
}

function writing(write: Write): (chunks: AsyncIterable<Uint8Array>) => Promise<void> {
  return async (chunks) => {
    for await (const chunk of chunks) await write(chunk);
  };
}
