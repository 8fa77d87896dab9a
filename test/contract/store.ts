import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readAll, streamOf } from '../../src/core/bytes.ts';
import { digestOf } from '../../src/core/digest.ts';
import { OCI_LAYER_GZIP, OCI_MANIFEST } from '../../src/core/media-types.ts';
import type { ReadOnlyStore, Store } from '../../src/core/store.ts';
import { readVerified, verified } from '../../src/transfer/verified.ts';
import { seededBytes } from '../../scripts/lib/seeded-bytes.ts';
import {
  type Held,
  held,
  imageManifest,
  LARGE_BYTES,
  referrerManifest,
  sample,
  type StoreContent,
} from './content.ts';

export interface Opened<S> {
  readonly store: S;
  readonly close?: (() => Promise<void>) | undefined;
}

const LIMIT = 2 * LARGE_BYTES;
const NOWHERE = held(OCI_LAYER_GZIP, 'content that no store was given');
const NO_MANIFEST = held(OCI_MANIFEST, 'a manifest that no store was given');

/**
 * What every store promises to those who read from it. `make` opens one that holds `content`, and
 * nothing else.
 */
export function readOnlyStoreContract(
  name: string,
  make: (content: StoreContent) => Promise<Opened<ReadOnlyStore>>,
): void {
  describe(`${name} gives content`, () => {
    let opened: Opened<ReadOnlyStore>;
    let store: ReadOnlyStore;
    beforeAll(async () => {
      opened = await make(sample);
      store = opened.store;
    });
    afterAll(async () => opened.close?.());

    it('has a name', () => {
      expect(store.name).not.toBe('');
    });

    it.each([...sample.blobs, ...sample.manifests])(
      '$descriptor.mediaType of $descriptor.size bytes',
      async ({ descriptor, bytes }) => {
        expect(await store.exists(descriptor)).toBe(true);
        const got = await readVerified(store.fetch(descriptor), descriptor, LIMIT);
        expect(Buffer.compare(got, bytes)).toBe(0);
      },
    );

    it.each([
      ['from the start', 0, 10],
      ['in the middle', 1_000_000, 2_200_000],
      ['to the end', LARGE_BYTES - 70_000, LARGE_BYTES],
      ['of one byte', LARGE_BYTES - 1, LARGE_BYTES],
    ])('a range %s', async (_, start, end) => {
      const { descriptor, bytes } = sample.large;
      const got = await readAll(store.fetch(descriptor, { range: { start, end } }), LIMIT, 'range');
      expect(Buffer.compare(got, bytes.subarray(start, end))).toBe(0);
    });

    it('the same content to several readers at once', async () => {
      const { descriptor, bytes } = sample.large;
      const copies = await Promise.all(
        [1, 2, 3].map(async () => readVerified(store.fetch(descriptor), descriptor, LIMIT)),
      );
      for (const copy of copies) expect(Buffer.compare(copy, bytes)).toBe(0);
    });

    it('to a reader that stops early, and to the next one', async () => {
      const { descriptor, bytes } = sample.large;
      for await (const chunk of store.fetch(descriptor)) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      expect(
        Buffer.compare(await readVerified(store.fetch(descriptor), descriptor, LIMIT), bytes),
      ).toBe(0);
    });

    it('not to a reader who has given up', async () => {
      const stop = new AbortController();
      const reading = async (): Promise<void> => {
        for await (const chunk of store.fetch(sample.large.descriptor, { signal: stop.signal }))
          if (chunk.length > 0) stop.abort();
      };
      await expect(reading()).rejects.toThrow();
    });

    it('NOT_FOUND for what it does not hold', async () => {
      for (const { descriptor } of [NOWHERE, NO_MANIFEST]) {
        expect(await store.exists(descriptor)).toBe(false);
        await expect(readAll(store.fetch(descriptor), LIMIT, 'nothing')).rejects.toMatchObject({
          code: 'NOT_FOUND',
        });
      }
      await expect(store.resolve('no-such-tag')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(store.resolve(NO_MANIFEST.descriptor.digest)).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    });

    it.each(Object.entries(sample.tags))('by the tag %s', async (tag, descriptor) => {
      expect(await store.resolve(tag)).toEqual(descriptor);
    });

    it.each(sample.manifests)('by the digest of $descriptor.mediaType', async ({ descriptor }) => {
      expect(await store.resolve(descriptor.digest)).toEqual(descriptor);
    });

    it('what refers to a manifest, and to what refers to it', async () => {
      const listed = async ({ descriptor }: Held): Promise<string[]> =>
        (await store.referrers(descriptor.digest)).map(({ digest }) => digest).sort();
      expect(await listed(sample.oci)).toEqual(
        [sample.sbom, sample.signature].map(({ descriptor }) => descriptor.digest).sort(),
      );
      expect(await store.referrers(sample.sbom.descriptor.digest)).toEqual([
        expect.objectContaining(sample.overSbom.descriptor),
      ]);
      for (const bare of [sample.overSbom, sample.docker, sample.ociIndex, NO_MANIFEST])
        expect(await listed(bare)).toEqual([]);
    });

    it('all its tags', async () => {
      expect((await tagsOf(store)).sort()).toEqual(Object.keys(sample.tags).sort());
    });
  });
}

/** What every store promises to those who write to it. `make` opens one that is empty. */
export function storeContract(name: string, make: () => Promise<Opened<Store>>): void {
  readOnlyStoreContract(name, async (content) => {
    const opened = await make();
    await fill(opened.store, content);
    return opened;
  });

  describe(`${name} takes content`, () => {
    let opened: Opened<Store>;
    let store: Store;
    beforeEach(async () => {
      opened = await make();
      store = opened.store;
      return async () => opened.close?.();
    });

    const wrong: [string, (bytes: Uint8Array) => Uint8Array[]][] = [
      [
        'altered in its last byte',
        (bytes) => [bytes.subarray(0, -1), Buffer.of(bytes.at(-1)! ^ 1)],
      ],
      ['altered in its first byte', (bytes) => [Buffer.of(bytes[0]! ^ 0x80), bytes.subarray(1)]],
      ['short', (bytes) => [bytes.subarray(0, -1)]],
      ['long', (bytes) => [bytes, Buffer.of(0)]],
      ['absent', () => []],
    ];
    const kinds: [string, Held][] = [
      ['blob', sample.small],
      ['large blob', sample.large],
      ['manifest', sample.oci],
    ];
    it.each(
      kinds.flatMap(([kind, good]) =>
        wrong.map(([fault, alter]) => [kind, fault, good, alter] as const),
      ),
    )('but no %s that is %s', async (kind, _, { descriptor, bytes }, alter) => {
      if (kind === 'manifest') await fill(store, { ...sample, manifests: [], tags: {} });
      await expect(store.push(descriptor, streamOf(...alter(bytes)))).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
      expect(await store.exists(descriptor)).toBe(false);
      await store.push(descriptor, streamOf(bytes));
      expect(await store.exists(descriptor)).toBe(true);
    });

    it('but nothing in place of the empty blob', async () => {
      await expect(
        store.push(sample.empty.descriptor, streamOf(Buffer.of(0))),
      ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
      expect(await store.exists(sample.empty.descriptor)).toBe(false);
    });

    it('but not what its source could not give in full', async () => {
      const { descriptor, bytes } = sample.large;
      const broken = new Error('the source broke');
      const content = async function* (): AsyncGenerator<Uint8Array> {
        yield bytes.subarray(0, 1_500_000);
        throw broken;
      };
      await expect(store.push(descriptor, content())).rejects.toThrow();
      expect(await store.exists(descriptor)).toBe(false);
    });

    it('but not what was aborted half-way', async () => {
      const { descriptor, bytes } = sample.large;
      const stop = new AbortController();
      const content = async function* (): AsyncGenerator<Uint8Array> {
        yield bytes.subarray(0, 1_000_000);
        stop.abort();
        yield bytes.subarray(1_000_000);
      };
      await expect(store.push(descriptor, content(), { signal: stop.signal })).rejects.toThrow();
      expect(await store.exists(descriptor)).toBe(false);
      await store.push(descriptor, streamOf(bytes));
      expect(await store.exists(descriptor)).toBe(true);
    });

    it('twice, and keeps it', async () => {
      await fill(store, sample);
      await fill(store, sample);
      for (const { descriptor, bytes } of [...sample.blobs, ...sample.manifests]) {
        expect(
          Buffer.compare(await readVerified(store.fetch(descriptor), descriptor, LIMIT), bytes),
        ).toBe(0);
      }
      expect((await tagsOf(store)).sort()).toEqual(Object.keys(sample.tags).sort());
    });

    it('the same blob from several at once', async () => {
      const { descriptor, bytes } = sample.large;
      await Promise.all(
        [1, 2, 3, 4].map(async () =>
          store.push(descriptor, streamOf(bytes.subarray(0, 99_999), bytes.subarray(99_999))),
        ),
      );
      expect(
        Buffer.compare(await readVerified(store.fetch(descriptor), descriptor, LIMIT), bytes),
      ).toBe(0);
    });

    it('many blobs at once', async () => {
      const blobs = Array.from({ length: 12 }, (_, index) =>
        held(OCI_LAYER_GZIP, seededBytes(`blob ${index}`, 10_000 * index + 1)),
      );
      await Promise.all(
        blobs.map(async ({ descriptor, bytes }) => store.push(descriptor, streamOf(bytes))),
      );
      for (const { descriptor } of blobs)
        await readAll(verified(store.fetch(descriptor), descriptor), LIMIT, 'blob');
    });

    it('and leaves other content alone when a push fails', async () => {
      const { descriptor, bytes } = sample.small;
      await store.push(descriptor, streamOf(bytes));
      await expect(store.push(sample.large.descriptor, streamOf(bytes))).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
      expect(Buffer.compare(await readVerified(store.fetch(descriptor), descriptor), bytes)).toBe(
        0,
      );
    });

    it('and moves a tag to another manifest', async () => {
      await fill(store, {
        ...sample,
        tags: { stable: sample.oci.descriptor, other: sample.oci.descriptor },
      });
      await store.tag(sample.docker.descriptor, 'stable');
      expect(await store.resolve('stable')).toEqual(sample.docker.descriptor);
      expect(await store.resolve('other')).toEqual(sample.oci.descriptor);
      expect(await store.resolve(sample.oci.descriptor.digest)).toEqual(sample.oci.descriptor);
      expect((await tagsOf(store)).sort()).toEqual(['other', 'stable']);
    });

    it('and a manifest with a tag for it at once', async () => {
      await fill(store, { ...sample, tags: { stable: sample.oci.descriptor } });
      const { descriptor, bytes } = sample.docker;
      for (const tag of ['stable', 'new']) await store.push(descriptor, streamOf(bytes), { tag });
      for (const reference of ['stable', 'new', descriptor.digest])
        expect(await store.resolve(reference)).toEqual(descriptor);
      expect((await tagsOf(store)).sort()).toEqual(['new', 'stable']);
    });

    it('and many tags at once', async () => {
      await fill(store, { ...sample, tags: {} });
      const wanted = Array.from(
        { length: 20 },
        (_, index) => [`t${index}`, sample.manifests[index % 2]!.descriptor] as const,
      );
      await Promise.all(wanted.map(async ([tag, descriptor]) => store.tag(descriptor, tag)));
      for (const [tag, descriptor] of wanted) expect(await store.resolve(tag)).toEqual(descriptor);
      expect(new Set(await tagsOf(store))).toEqual(new Set(wanted.map(([tag]) => tag)));
    });

    it('and lists every referrer, though they come at once, and again', async () => {
      await fill(store, sample);
      const many = Array.from({ length: 12 }, (_, index) =>
        referrerManifest(sample.docker, `application/x-${index}`, []),
      );
      const push = async ({ descriptor, bytes }: Held): Promise<void> =>
        store.push(descriptor, streamOf(bytes));
      // Not the same one twice at once: docker-registry 2.8 writes a link in place, and finds it
      // empty then.
      for (let times = 0; times < 2; times++) await Promise.all(many.map(push));
      const listed = await store.referrers(sample.docker.descriptor.digest);
      expect(listed.map(({ digest }) => digest).sort()).toEqual(
        many.map(({ descriptor }) => descriptor.digest).sort(),
      );
    });

    it('and no tag for a manifest that is not there', async () => {
      const absent = imageManifest(OCI_MANIFEST, NOWHERE, []);
      expect(absent.descriptor.digest).toBe(digestOf(absent.bytes));
      await expect(store.tag(absent.descriptor, 'dangling')).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
      await expect(store.resolve('dangling')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });
}

/** The tags, without those that a place may have to keep lists of referrers under. */
async function tagsOf(store: ReadOnlyStore): Promise<string[]> {
  return (await store.tags()).filter((tag) => !/^sha256-[0-9a-f]{64}$/.test(tag));
}

/** Pushes content in the order that registries ask for: blobs, manifests, tags. */
export async function fill(store: Store, { blobs, manifests, tags }: StoreContent): Promise<void> {
  for (const { descriptor, bytes } of [...blobs, ...manifests])
    await store.push(descriptor, streamOf(bytes));
  for (const [tag, descriptor] of Object.entries(tags)) await store.tag(descriptor, tag);
}
