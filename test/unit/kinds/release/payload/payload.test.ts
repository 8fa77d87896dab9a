import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { compress } from 'zstd-napi';
import { readAll, streamOf } from '../../../../../src/core/bytes.ts';
import type { Descriptor } from '../../../../../src/core/descriptor.ts';
import { digestOf } from '../../../../../src/core/digest.ts';
import { MAX_PAYLOAD_FILE_BYTES } from '../../../../../src/core/limits.ts';
import { OCI_LAYER_GZIP } from '../../../../../src/core/media-types.ts';
import type { ReadOnlyStore } from '../../../../../src/core/store.ts';
import { parsePayload } from '../../../../../src/kinds/release/payload/image-references.ts';
import { readPayload } from '../../../../../src/kinds/release/payload/payload.ts';

type Entry = Parameters<ReturnType<typeof pack>['entry']>[0] & {
  readonly content?: string | Uint8Array;
};

const BOTH: readonly Entry[] = [
  { name: 'release-manifests/', type: 'directory' },
  { name: 'release-manifests/image-references', content: 'references' },
  { name: 'release-manifests/release-metadata', content: 'metadata' },
];

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of entries) {
    tar.entry(header, content === undefined ? '' : Buffer.from(content));
  }
  tar.finalize();
  return Buffer.from(await readAll(tar as AsyncIterable<Uint8Array>, 64 * 1024 * 1024, 'a tar'));
}

/**
 * A place that answers with what it was given, in chunks of a size, and notes what was asked of it.
 */
class Shelf implements ReadOnlyStore {
  readonly name = 'shelf';
  readonly fetched: Descriptor[] = [];
  chunkSize = 65_536;
  readonly #blobs = new Map<string, Uint8Array>();

  put(bytes: Uint8Array, answer: Uint8Array = bytes): Descriptor {
    const descriptor = { mediaType: OCI_LAYER_GZIP, digest: digestOf(bytes), size: bytes.length };
    this.#blobs.set(descriptor.digest, answer);
    return descriptor;
  }

  /** Reuses its buffer, as a ByteStream may. */
  async *fetch(descriptor: Descriptor): AsyncGenerator<Uint8Array> {
    this.fetched.push(descriptor);
    const bytes = this.#blobs.get(descriptor.digest)!;
    const buffer = new Uint8Array(this.chunkSize);
    for (let at = 0; at < bytes.length; at += buffer.length) {
      const chunk = bytes.subarray(at, at + buffer.length);
      buffer.set(chunk);
      yield buffer.subarray(0, chunk.length);
      buffer.fill(0xee);
    }
  }

  async exists(): Promise<boolean> {
    return true;
  }

  async resolve(): Promise<Descriptor> {
    throw new Error('not asked for');
  }

  async tags(): Promise<readonly string[]> {
    return [];
  }

  async referrers(): Promise<readonly Descriptor[]> {
    return [];
  }
}

describe('readPayload', () => {
  let shelf: Shelf;
  beforeEach(() => {
    shelf = new Shelf();
  });

  const layer = async (...entries: readonly Entry[]): Promise<Descriptor> =>
    shelf.put(gzipSync(await tarOf(entries)));
  const text = async (...layers: readonly Descriptor[]): Promise<[string, string]> => {
    const payload = await readPayload(layers, shelf);
    return [
      Buffer.from(payload.imageReferences).toString(),
      Buffer.from(payload.releaseMetadata).toString(),
    ];
  };

  it('reads the real 4.12.0 release, and no layer below the top one', async () => {
    const name = '5b2ca04f694b70c8b41f1c2a40b7e95643181a1d037b115149ecc243324c513d';
    const top = shelf.put(
      await readFile(new URL(`../../../../../fixtures/release-4.12.0/${name}`, import.meta.url)),
    );
    const base = await layer(...BOTH);
    const { references, metadata } = parsePayload(await readPayload([base, top], shelf));
    expect(references.version).toBe('4.12.0');
    expect(references.components).toHaveLength(183);
    expect(references.created).toEqual(new Date('2023-01-12T18:29:52Z'));
    expect(metadata.previous).toHaveLength(21);
    expect(metadata.url).toBe('https://access.redhat.com/errata/RHSA-2022:7399');
    expect(shelf.fetched).toEqual([top]);
  });

  it.each([
    ['gzip', gzipSync],
    ['zstd', compress],
    ['a bare tar', (tar: Buffer): Buffer => tar],
    [
      'gzip in two members',
      (tar: Buffer): Buffer =>
        Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
    ],
  ])('reads %s', async (_, encode) => {
    const encoded = shelf.put(encode(await tarOf(BOTH)));
    for (const size of [1, 3, 1000, 65_536]) {
      shelf.chunkSize = size;
      expect(await text(encoded)).toEqual(['references', 'metadata']);
    }
  });

  it('takes each file from the topmost layer that has it', async () => {
    const base = await layer(...BOTH);
    const top = await layer({ name: './release-manifests/image-references', content: 'newer' });
    expect(await text(base, top)).toEqual(['newer', 'metadata']);
  });

  it.each([
    ['the file', 'release-manifests/.wh.image-references'],
    ['everything in the folder', 'release-manifests/.wh..wh..opq'],
    ['the folder', '.wh.release-manifests'],
    ['everything', '.wh..wh..opq'],
    ['the file, with ./ in front', './release-manifests/.wh.image-references'],
  ])('does not see what a higher layer deletes: %s', async (_, name) => {
    await expect(
      text(await layer(...BOTH), await layer({ name, content: '' })),
    ).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });

  it('lets a deletion hide lower layers only', async () => {
    const top = await layer({ name: 'release-manifests/.wh..wh..opq', content: '' }, ...BOTH);
    expect(await text(await layer({ ...BOTH[1]!, content: 'old' }), top)).toEqual([
      'references',
      'metadata',
    ]);
    const deleting = await layer({ name: 'release-manifests/.wh.image-references', content: '' });
    expect(await text(deleting, await layer(...BOTH))).toEqual(['references', 'metadata']);
  });

  it.each([
    {
      name: 'release-manifests/image-references',
      type: 'symlink' as const,
      linkname: '/etc/passwd',
    },
    { name: 'release-manifests/image-references', type: 'link' as const, linkname: 'elsewhere' },
    { name: 'release-manifests/image-references/', type: 'directory' as const },
    { name: 'release-manifests', type: 'symlink' as const, linkname: 'elsewhere' },
  ])('does not look through a $type in a higher layer', async (entry) => {
    await expect(text(await layer(...BOTH), await layer(entry))).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it.each([
    '/release-manifests/image-references',
    '../release-manifests/image-references',
    'release-manifests//image-references',
    'a/release-manifests/image-references',
    '././release-manifests/image-references',
  ])('takes %s for another file', async (name) => {
    expect(await text(await layer(...BOTH), await layer({ name, content: 'other' }))).toEqual([
      'references',
      'metadata',
    ]);
  });

  it('refuses a name that comes twice', async () => {
    await expect(
      text(await layer(...BOTH, { name: './release-manifests/image-references', content: 'x' })),
    ).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it('finds the boot images only where they are wanted, in lower layers as well', async () => {
    const name = 'release-manifests/0000_50_installer_coreos-bootimages.yaml';
    const lower = await layer({ name, content: 'boot images' });
    const top = await layer(...BOTH);
    const hiding = await layer({ name: name.replace('/', '/.wh.'), content: '' });
    const found = async (...layers: readonly Descriptor[]): Promise<string | undefined> => {
      const { bootImages } = await readPayload(layers, shelf, { withBootImages: true });
      return bootImages === undefined ? undefined : Buffer.from(bootImages).toString();
    };
    expect(await found(lower, top)).toBe('boot images');
    expect(await found(lower, hiding, top)).toBeUndefined();
    expect(await found(top)).toBeUndefined();
    const { bootImages } = await readPayload([await layer({ name, content: 'x' }, ...BOTH)], shelf);
    expect(bootImages).toBeUndefined();
  });

  it('refuses an image without the files', async () => {
    await expect(text(await layer({ name: 'etc/hosts', content: '' }))).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
    await expect(readPayload([], shelf)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });

  it('refuses a layer whose bytes are not those of its digest, wherever they differ', async () => {
    const bytes = gzipSync(
      await tarOf([...BOTH, { name: 'filler', content: Buffer.alloc(100_000, 'abc') }]),
    );
    for (let at = 0; at < bytes.length; at += 7) {
      const altered = Buffer.from(bytes);
      altered[at]! ^= 0x10;
      await expect(text(shelf.put(bytes, altered))).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
    }
  });

  it('refuses a layer that is longer or shorter than promised', async () => {
    const bytes = gzipSync(await tarOf(BOTH));
    await expect(text(shelf.put(bytes, bytes.subarray(0, -1)))).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
    await expect(
      text(shelf.put(bytes, Buffer.concat([bytes, Buffer.alloc(1)]))),
    ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
  });

  it.each([
    ['a cut gzip', (tar: Buffer): Buffer => gzipSync(tar).subarray(0, -9)],
    ['a cut zstd', (tar: Buffer): Buffer => compress(tar).subarray(0, -3)],
    ['a tar cut inside a file', (tar: Buffer): Buffer => tar.subarray(0, 512 * 3 + 100)],
    [
      'gzip with a tail',
      (tar: Buffer): Buffer => Buffer.concat([gzipSync(tar), Buffer.from('tail')]),
    ],
    [
      'gzip with a long tail',
      (tar: Buffer): Buffer => Buffer.concat([gzipSync(tar), Buffer.alloc(1_000_000, 7)]),
    ],
    [
      'zstd with a tail',
      (tar: Buffer): Buffer => Buffer.concat([compress(tar), Buffer.alloc(100_000, 7)]),
    ],
    ['no tar at all', (): Buffer => Buffer.alloc(10_000, 'no tar')],
  ])('refuses %s, though its digest is right', async (_, encode) => {
    await expect(text(shelf.put(encode(await tarOf(BOTH))))).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it('refuses a file over the ceiling', async () => {
    const huge = {
      name: 'release-manifests/image-references',
      content: Buffer.alloc(MAX_PAYLOAD_FILE_BYTES + 1),
    };
    await expect(text(await layer(huge))).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });

  it('stops at the ceiling for unpacked bytes, over all layers', async () => {
    const filler = (name: string): Promise<Descriptor> =>
      layer({ name, content: Buffer.alloc(600_000) });
    const layers = [await layer(...BOTH), await filler('a'), await filler('b')];
    await expect(readPayload(layers, shelf, { maxUnpackedBytes: 1_000_000 })).rejects.toMatchObject(
      { code: 'UNSUPPORTED_CONTENT' },
    );
    await expect(
      readPayload(layers, shelf, { maxUnpackedBytes: 2_000_000 }),
    ).resolves.toMatchObject({});
  });

  it('passes on what the store throws, and stops when told to', async () => {
    const descriptor = await layer(...BOTH);
    const stop = new AbortController();
    stop.abort();
    await expect(readPayload([descriptor], shelf, { signal: stop.signal })).rejects.toThrow(
      /abort/i,
    );
    const failing: ReadOnlyStore = {
      name: 'failing',
      exists: async () => true,
      resolve: async () => descriptor,
      tags: async () => [],
      referrers: async () => [],
      async *fetch() {
        yield* streamOf(gzipSync('begun').subarray(0, 12));
        throw new TypeError('the line went dead');
      },
    };
    await expect(readPayload([descriptor], failing)).rejects.toThrow(TypeError);
  });
});
