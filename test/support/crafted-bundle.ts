import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { compressedFrame, type FrameExtent, storedFrame } from '../../src/bundle/format/frames.ts';
import { frameCuts } from '../../src/bundle/format/layout.ts';
import { tarTime } from '../../src/bundle/format/manifest.ts';
import { type BundleContents, describeBundle } from '../../src/bundle/format/plan.ts';
import { SealedBundle } from '../../src/bundle/reading/sealed.ts';
import { blobPath } from '../../src/bundle/format/paths.ts';
import { formatTail, type Head, type VolumeRecord } from '../../src/bundle/format/tail.ts';
import { TAR_END_BYTES } from '../../src/bundle/format/tar.ts';
import { drain } from '../../src/core/bytes.ts';
import { type Digest, digestFromHex, digestOf, hexOf } from '../../src/core/digest.ts';
import { verified } from '../../src/transfer/verified.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import { tarEntry } from './crafted-tar.ts';
import { planned, sampleContents } from './sample-bundle.ts';

/** Everything that a bundle is made of, layers included. */
export interface Ingredients {
  readonly contents: BundleContents;
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
  readonly key: SigningKey;
}

export type SectionName = 'listing' | 'seal' | 'metadata' | `layer ${number}` | 'end';

export interface Frame {
  readonly bytes: Uint8Array;
  /** Bytes of tar that it holds. */
  readonly content: number;
}

/**
 * What is done differently from a genuine bundle. Whatever comes later is made to fit: digests,
 * signature, frames, record and seek table are those of the altered parts, so that nothing is wrong
 * but the deviation itself.
 */
export interface Deviation {
  readonly bundleJson?: (text: string) => string;
  /** The same where the bytes are to be no text. */
  readonly bundleJsonBytes?: (text: string) => Uint8Array;
  readonly sums?: (text: string) => string;
  /** What is signed in place of SHA256SUMS. */
  readonly signed?: (sums: Uint8Array) => Uint8Array;
  /** The text of SHA256SUMS.sig. */
  readonly signature?: (line: string) => string;
  /** The text of SHA256SUMS.pub. */
  readonly publicKey?: (pem: string) => string;
  /** The entries of a section, each with header and padding. */
  readonly tar?: (section: SectionName, entries: readonly Uint8Array[]) => readonly Uint8Array[];
  readonly frames?: (section: SectionName, frames: readonly Frame[]) => readonly Frame[];
  /** All frames of the file that hold tar, after those of each section are settled. */
  readonly order?: (frames: readonly Frame[]) => readonly Frame[];
  readonly record?: (record: VolumeRecord) => VolumeRecord;
  readonly headCopy?: (head: Head) => Head;
  readonly seekTable?: (extents: readonly FrameExtent[]) => readonly FrameExtent[];
  readonly file?: (bytes: Uint8Array) => Uint8Array;
}

/** The file of a bundle with a deviation; without one, of the genuine bundle. */
export function craft(
  { contents, blobs, key }: Ingredients,
  deviation: Deviation = {},
): Uint8Array {
  const { files, manifestBytes } = describeBundle(contents);
  const text = altered(manifestBytes, deviation.bundleJson);
  const manifest = Buffer.from(deviation.bundleJsonBytes?.(text.toString()) ?? text);
  const listed = [
    ...files,
    ...[...contents.manifests, ...contents.blobs].map(({ descriptor }) =>
      blobEntry(descriptor.digest, blobs),
    ),
  ];
  const lines = [
    { path: 'bundle.json', digest: digestOf(manifest) },
    ...listed.map(({ path, bytes }) => ({ path, digest: pathDigest(path, bytes) })),
  ];
  const sums = altered(
    lines.map(({ path, digest }) => `${hexOf(digest)}  ${path}\n`).join(''),
    deviation.sums,
  );
  const raw = Buffer.from(key.sign(deviation.signed?.(sums) ?? sums));
  const signature = altered(`${raw.toString('base64')}\n`, deviation.signature);
  const publicKey = altered(key.public.pem, deviation.publicKey);
  const mtime = tarTime(contents.parts);

  const sections: [SectionName, readonly { path: string; bytes: Uint8Array }[]][] = [
    ['listing', [{ path: 'SHA256SUMS', bytes: sums }]],
    [
      'seal',
      [
        { path: 'SHA256SUMS.sig', bytes: signature },
        { path: 'SHA256SUMS.pub', bytes: publicKey },
      ],
    ],
    [
      'metadata',
      [
        { path: 'bundle.json', bytes: manifest },
        ...listed.slice(0, listed.length - contents.blobs.length),
      ],
    ],
    ...contents.blobs.map(
      ({ descriptor: { digest } }, index): [SectionName, { path: string; bytes: Uint8Array }[]] => [
        `layer ${index}`,
        [blobEntry(digest, blobs)],
      ],
    ),
  ];
  const framed = (name: SectionName, entries: readonly Uint8Array[]): readonly Frame[] => {
    const tar = Buffer.concat(deviation.tar?.(name, entries) ?? entries);
    const frames = framesOf(tar, name === 'metadata' ? compressedFrame : storedFrame);
    return deviation.frames?.(name, frames) ?? frames;
  };
  const given = [
    ...sections.flatMap(([name, entries]) =>
      framed(
        name,
        entries.map(({ path, bytes }) => tarEntry(path, bytes, mtime)),
      ),
    ),
    ...framed('end', [Buffer.alloc(TAR_END_BYTES)]),
  ];

  const frames = deviation.order?.(given) ?? given;
  const head: Head = { sums, signature, publicKey, manifest };
  const record: VolumeRecord = {
    bundleDigest: Buffer.from(hexOf(digestOf(sums)), 'hex'),
    number: 1,
    count: 1,
    tarOffset: 0,
    tarLength: frames.reduce((total, { content }) => total + content, 0),
  };
  const extents = frames.map(({ bytes, content }) => ({ length: bytes.length, content }));
  const tail = formatTail(
    deviation.record?.(record) ?? record,
    deviation.headCopy?.(head) ?? head,
    deviation.seekTable?.(extents) ?? extents,
  );
  const file = Buffer.concat([...frames.map(({ bytes }) => bytes), tail]);
  return deviation.file?.(file) ?? file;
}

/** Writes what {@link craft} makes as `<folder>/<name>`. */
export async function writeCrafted(
  folder: string,
  ingredients: Ingredients,
  deviation?: Deviation,
  name = 'ocp-4.17.3-x86_64.tar.zst',
): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, craft(ingredients, deviation));
  return path;
}

/** A small bundle of one image with layers of the given sizes (bytes). */
export function sampleIngredients(
  sizes: readonly number[],
  key = SigningKey.generate('ed25519'),
): Ingredients {
  const { contents, layers } = sampleContents(sizes);
  const blobs = [...contents.manifests, ...layers].map(
    ({ descriptor, bytes }): [Digest, Uint8Array] => [descriptor.digest, bytes],
  );
  return { contents, blobs: new Map(blobs), key };
}

/** Takes a genuine bundle apart; who signed it does not matter. */
export async function partsOf(path: string): Promise<Omit<Ingredients, 'key'>> {
  const reader = await (await SealedBundle.open(path)).unseal();
  try {
    const { name, parts, images, files, blobs, repairs } = reader.manifest;
    const contentOf = new Map<Digest, Uint8Array>();
    for (const { digest, size } of blobs) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of reader.fetch({ mediaType: '', digest, size }))
        chunks.push(Uint8Array.from(chunk));
      contentOf.set(digest, Buffer.concat(chunks));
    }
    const metadata = new Set(reader.metadataDigests);
    const described = blobs.map(({ digest, size }) => ({ mediaType: '', digest, size }));
    return {
      blobs: contentOf,
      contents: {
        ...(repairs !== undefined && { repairs }),
        ...{ name, parts, images },
        files: files
          .filter(({ role }) => role !== 'layout')
          .map(({ path: at, role }) => ({ path: at, role, bytes: reader.files.get(at)! })),
        manifests: described
          .filter(({ digest }) => metadata.has(digest))
          .map((descriptor) => ({ descriptor, bytes: contentOf.get(descriptor.digest)! })),
        blobs: described.filter(({ digest }) => !metadata.has(digest)).map(planned),
      },
    };
  } finally {
    await reader.close();
  }
}

/**
 * Reads a whole bundle, of one file or several, as strictly as an audit does, but for the signer:
 * every layer is hashed.
 */
export async function readEveryByte(
  ...paths: readonly string[]
): Promise<Pick<Awaited<ReturnType<SealedBundle['unseal']>>, 'manifest' | 'files'>> {
  return readThrough(await SealedBundle.open(...paths));
}

/** The same of files that come through a pipe, one behind the other. */
export async function readEveryByteOfPipe(
  ...paths: readonly string[]
): ReturnType<typeof readEveryByte> {
  return readThrough(await SealedBundle.receive(Readable.from(chunksOf(paths)), 'pipe'));
}

async function* chunksOf(paths: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const path of paths)
    yield* createReadStream(path, { highWaterMark: 7000 }) as AsyncIterable<Uint8Array>;
}

async function readThrough(sealed: SealedBundle): ReturnType<typeof readEveryByte> {
  try {
    const reader = await sealed.unseal();
    reader.pass?.beginSettling();
    for (const { digest, size } of reader.manifest.blobs) {
      const descriptor = { mediaType: '', digest, size };
      await drain(verified(reader.fetch(descriptor), descriptor));
      reader.pass?.settle(digest);
    }
    await reader.pass?.finish();
    return reader;
  } finally {
    await sealed.close();
  }
}

function framesOf(tar: Uint8Array, encode: (bytes: Uint8Array) => Uint8Array): Frame[] {
  let at = 0;
  return frameCuts(tar.length).map((content) => ({
    bytes: encode(tar.subarray(at, (at += content))),
    content,
  }));
}

function altered(
  genuine: Uint8Array | string,
  alter: ((text: string) => string) | undefined,
): Buffer {
  return alter === undefined
    ? Buffer.from(genuine)
    : Buffer.from(alter(Buffer.from(genuine).toString()));
}

function blobEntry(
  digest: Digest,
  blobs: ReadonlyMap<Digest, Uint8Array>,
): { path: string; bytes: Uint8Array } {
  return { path: blobPath(digest), bytes: blobs.get(digest)! };
}

/** A blob is listed by the digest in its path, whatever its bytes are. */
function pathDigest(path: string, bytes: Uint8Array): Digest {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
  return hex === undefined ? digestOf(bytes) : digestFromHex(hex);
}
