import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';

import { readAll } from '../../../src/core/bytes.ts';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { OCI_LAYER_GZIP } from '../../../src/core/media-types.ts';
import { findFiles } from '../../../src/extracting/image-files.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';

type Entry = Parameters<ReturnType<typeof pack>['entry']>[0] & { readonly content?: string };

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of entries) tar.entry(header, content ?? '');
  tar.finalize();
  return Buffer.from(await readAll(tar as AsyncIterable<Uint8Array>, 2 ** 26, 'a tar'));
}

/** An image of layers, base layer first, and a place that has them. */
class Image {
  readonly store = new MemoryStore();
  readonly layers: Descriptor[] = [];
  fetched: Descriptor[] = [];

  async add(entries: readonly Entry[]): Promise<this> {
    return this.addBytes(gzipSync(await tarOf(entries)));
  }

  async addBytes(bytes: Uint8Array, answer = bytes): Promise<this> {
    const layer = { mediaType: OCI_LAYER_GZIP, digest: digestOf(bytes), size: bytes.length };
    this.#answers.set(layer.digest, answer);
    this.layers.push(layer);
    return this;
  }

  readonly #answers = new Map<string, Uint8Array>();

  /** What is found at some paths. */
  async find(
    paths: readonly string[],
    maxUnpackedBytes?: number,
  ): Promise<Readonly<Record<string, string>>> {
    const contents = new Map<string, string>();
    const fetch = async function* (this: Image, layer: Descriptor): AsyncGenerator<Uint8Array> {
      this.fetched.push(layer);
      const bytes = this.#answers.get(layer.digest)!;
      for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
    };
    const store = Object.assign(Object.create(this.store) as MemoryStore, {
      fetch: fetch.bind(this),
    });
    const found = await findFiles(
      { called: 'image test', layers: this.layers, store },
      paths,
      async (path, { content }) => {
        contents.set(path, Buffer.from(await readAll(content, 2 ** 26, path)).toString());
      },
      {
        signal: new AbortController().signal,
        observe: () => undefined,
        ...(maxUnpackedBytes !== undefined && { maxUnpackedBytes }),
      },
    );
    return Object.fromEntries(
      paths.flatMap((path) => (found.has(path) ? [[path, contents.get(path)!] as const] : [])),
    );
  }
}

const OC = 'usr/bin/oc';

describe('files of an image', () => {
  it('are those of the topmost layer that has them, and no layer below is read', async () => {
    const image = await new Image().add([{ name: OC, content: 'old' }]);
    await image.add([{ name: './usr/bin/oc', content: 'new' }]);
    expect(await image.find([OC])).toEqual({ [OC]: 'new' });
    expect(image.fetched).toEqual([image.layers[1]]);
  });

  it.each([
    ['its own whiteout', 'usr/bin/.wh.oc'],
    ['the whiteout of a folder', 'usr/.wh.bin'],
    ['a folder that begins anew', 'usr/.wh..wh..opq'],
    ['an image that begins anew', '.wh..wh..opq'],
  ])('are not there behind %s', async (_, whiteout) => {
    const image = await new Image().add([{ name: OC, content: 'old' }]);
    await image.add([{ name: whiteout }]);
    expect(await image.find([OC])).toEqual({});
  });

  it('are there in the layer that hides older ones', async () => {
    const image = await new Image().add([{ name: OC, content: 'old' }]);
    await image.add([{ name: 'usr/.wh..wh..opq' }, { name: OC, content: 'new' }]);
    expect(await image.find([OC])).toEqual({ [OC]: 'new' });
  });

  it.each<readonly [string, Entry]>([
    ['a folder', { name: OC, type: 'directory' }],
    ['a device', { name: OC, type: 'character-device' }],
    ['a pipe', { name: OC, type: 'fifo' }],
    ['a link to nothing', { name: OC, type: 'symlink', linkname: 'nothing' }],
    ['a link to itself', { name: OC, type: 'symlink', linkname: 'oc' }],
    ['a link without a target', { name: OC, type: 'symlink' }],
    ['a hard link without a target', { name: OC, type: 'link' }],
    ['a hard link to nothing', { name: OC, type: 'link', linkname: 'usr/bin/nothing' }],
    ['a hard link to itself', { name: OC, type: 'link', linkname: OC }],
    ['a hard link out of the image', { name: OC, type: 'link', linkname: '../../etc/passwd' }],
    ['a file in place of a folder', { name: 'usr/bin', content: 'no folder' }],
  ])('are not there behind %s', async (_, entry) => {
    const image = await new Image().add([{ name: OC, content: 'old' }]);
    await image.add([entry]);
    expect(await image.find([OC])).toEqual({});
  });

  it.each<readonly [string, string]>([
    ['absolute', '/usr/bin/oc'],
    ['upwards', '../usr/bin/oc'],
    ['upwards and back', 'usr/../usr/bin/oc'],
  ])('are none whose names lead elsewhere: %s', async (_, name) => {
    const image = await new Image().add([{ name, content: 'hostile' }]);
    expect(await image.find([OC])).toEqual({});
  });

  it.each<readonly [string, readonly Entry[]]>([
    ['beside it', [{ name: OC, type: 'symlink', linkname: 'oc.rhel9' }]],
    ['from the root', [{ name: OC, type: 'symlink', linkname: '/usr/bin/oc.rhel9' }]],
    ['above the root', [{ name: OC, type: 'symlink', linkname: '../../../../usr/bin/oc.rhel9' }]],
    ['of another name', [{ name: OC, type: 'link', linkname: 'usr/bin/oc.rhel9' }]],
    [
      'over links',
      [
        { name: OC, type: 'symlink', linkname: '../lib/first' },
        { name: 'usr/lib', type: 'symlink', linkname: 'lib64' },
        { name: 'usr/lib64/first', type: 'symlink', linkname: '../bin/oc.rhel9' },
      ],
    ],
  ])('are found through links: %s', async (_, entries) => {
    const target: Entry = { name: 'usr/bin/oc.rhel9', content: 'nine' };
    const below = await new Image().add([target]);
    await below.add(entries);
    expect(await below.find([OC])).toEqual({ [OC]: 'nine' });
    const same = await new Image().add([target, ...entries]);
    expect(await same.find([OC, 'usr/bin/oc.rhel9'])).toEqual({
      [OC]: 'nine',
      'usr/bin/oc.rhel9': 'nine',
    });
  });

  it('are found where a link in a lower layer leads to a file that a higher one replaced', async () => {
    const image = await new Image().add([
      { name: 'usr/bin', type: 'symlink', linkname: 'local' },
      { name: 'usr/local/oc', content: 'old' },
    ]);
    await image.add([{ name: 'usr/local/oc', content: 'new' }]);
    expect(await image.find([OC])).toEqual({ [OC]: 'new' });
  });

  it('are refused twice in one layer', async () => {
    const image = await new Image().add([
      { name: OC, content: 'one' },
      { name: './usr/bin//oc', content: 'two' },
    ]);
    await expect(image.find([OC])).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });

  it('are refused of a layer with other bytes, that ends early, or that is none', async () => {
    const tar = gzipSync(await tarOf([{ name: OC, content: 'x'.repeat(5000) }]));
    const other = gzipSync(await tarOf([{ name: OC, content: 'y'.repeat(5000) }]));
    const wrong = await new Image().addBytes(tar, other);
    await expect(wrong.find([OC])).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    const cut = await new Image().addBytes(tar, tar.subarray(0, tar.length - 20));
    await expect(cut.find([OC])).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    for (const bytes of [tar.subarray(0, tar.length - 20), Buffer.from('no layer at all')]) {
      const signed = await new Image().addBytes(bytes);
      await expect(signed.find([OC])).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
    }
    const half = (await tarOf([{ name: OC, content: 'x'.repeat(5000) }])).subarray(0, 3000);
    const ended = await new Image().addBytes(gzipSync(half));
    await expect(ended.find([OC])).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });

  it('are asked for once more where a store gave other bytes', async () => {
    const bytes = gzipSync(await tarOf([{ name: OC, content: 'good' }]));
    const image = await new Image().addBytes(bytes, Buffer.from(bytes));
    const answer = Buffer.from(bytes);
    answer[answer.length - 10]! ^= 1;
    let isFirst = true;
    const layer = image.layers[0]!;
    const taken: string[] = [];
    const found = await findFiles(
      {
        called: 'image test',
        layers: [layer],
        store: Object.assign(Object.create(image.store) as MemoryStore, {
          isSteady: false,
          async *fetch(): AsyncGenerator<Uint8Array> {
            const given = isFirst ? answer : bytes;
            isFirst = false;
            yield given;
          },
        }),
      },
      [OC],
      async (_, { content }) => {
        taken.push(Buffer.from(await readAll(content, 1000, OC)).toString());
      },
      { signal: new AbortController().signal, observe: () => undefined },
    );
    expect(found.has(OC)).toBe(true);
    expect(taken.at(-1)).toBe('good');
  });

  it('are refused of layers that unpack to too much', async () => {
    const image = await new Image().add([{ name: OC, content: '0'.repeat(1_000_000) }]);
    await expect(image.find([OC], 100_000)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });

  it('are refused of a layer whose names would take too much memory', async () => {
    const deep = `${'d/'.repeat(100_000)}f`;
    const image = await new Image().add([{ name: deep, content: 'deep' }]);
    await expect(image.find([OC])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      message: expect.stringContaining('names of its files') as string,
    });
  });

  it('hand on the failure of what takes them', async () => {
    const image = await new Image().add([{ name: OC, content: 'x'.repeat(100_000) }]);
    const failure = new RangeError('full');
    await expect(
      findFiles(
        {
          called: 'image test',
          layers: image.layers,
          store: Object.assign(Object.create(image.store) as MemoryStore, {
            async *fetch(): AsyncGenerator<Uint8Array> {
              yield gzipSync(await tarOf([{ name: OC, content: 'x'.repeat(100_000) }]));
            },
          }),
        },
        [OC],
        async () => {
          throw failure;
        },
        { signal: new AbortController().signal, observe: () => undefined },
      ),
    ).rejects.toMatchObject({ cause: failure });
  });
});
