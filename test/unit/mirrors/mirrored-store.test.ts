import { describe, expect, it } from 'vitest';
import { readAll } from '../../../src/core/bytes.ts';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { BundleError } from '../../../src/core/errors.ts';
import type { TransferEvent } from '../../../src/core/events.ts';
import { signatureTagOf } from '../../../src/core/manifest.ts';
import type { FetchOptions, ReadOnlyStore } from '../../../src/core/store.ts';
import { readVerified, verified } from '../../../src/transfer/verified.ts';
import { MirroredStore } from '../../../src/mirrors/mirrored-store.ts';
import type { PullPlace } from '../../../src/mirrors/rules.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { sample, type StoreContent } from '../../contract/content.ts';
import { fill, readOnlyStoreContract } from '../../contract/store.ts';

const { large, small, oci } = sample;
const NOTHING: StoreContent = { blobs: [], manifests: [], tags: {} };
const LIMIT = 2 * large.bytes.length;

async function memory(content: StoreContent): Promise<MemoryStore> {
  const store = new MemoryStore();
  await fill(store, content);
  return store;
}

/** A store whose methods fail, or give something else, where `change` says so. */
function changed(store: ReadOnlyStore, change: Partial<ReadOnlyStore>): ReadOnlyStore {
  return {
    name: store.name,
    fetch: (descriptor, options) => store.fetch(descriptor, options),
    exists: async (descriptor, options) => store.exists(descriptor, options),
    resolve: async (reference, options) => store.resolve(reference, options),
    tags: async (options) => store.tags(options),
    referrers: async (subject, options) => store.referrers(subject, options),
    ...change,
  };
}

interface Setup {
  readonly store: MirroredStore;
  readonly events: TransferEvent[];
  readonly opened: string[];
}

/** The last of `stores` is the source; `undefined` is one that is blocked. */
function over(...stores: (ReadOnlyStore | undefined)[]): Setup {
  const events: TransferEvent[] = [];
  const opened: string[] = [];
  const places = stores.map((store, index): PullPlace => {
    const name = {
      registry: index === stores.length - 1 ? 'source.io' : `mirror-${index}.io`,
      repository: 'a',
    };
    return { name, insecure: false, blockedBy: store === undefined ? 'the test' : undefined };
  });
  const store = new MirroredStore({
    name: { registry: 'source.io', repository: 'a' },
    placesFor: () => places,
    open: (place) => {
      opened.push(place.name.registry);
      return stores[places.indexOf(place)]!;
    },
    observe: (event) => events.push(event),
    unreachable: new Map(),
  });
  return { store, events, opened };
}

const failing = (code: 'NETWORK' | 'REGISTRY' | 'NOT_ALLOWED'): Partial<ReadOnlyStore> => {
  const fail = (): never => {
    throw new BundleError(code, `${code} at the mirror`);
  };
  return {
    // eslint-disable-next-line require-yield -- it fails before
    async *fetch() {
      fail();
    },
    exists: async () => fail(),
    resolve: async () => fail(),
    tags: async () => fail(),
    referrers: async () => fail(),
  };
};

readOnlyStoreContract('a store with half of its content at a mirror', async (content) => {
  const half: StoreContent = {
    ...NOTHING,
    blobs: content.blobs.filter((_, index) => index % 2 === 0),
  };
  return { store: over(await memory(half), await memory(content)).store };
});

readOnlyStoreContract(
  'a store whose mirror has all and whose source is blocked',
  async (content) => {
    return { store: over(await memory(content), undefined).store };
  },
);

describe('a mirror', () => {
  it.each(['NETWORK', 'REGISTRY', 'NOT_ALLOWED'] as const)(
    'that fails with %s is passed over, and told of',
    async (code) => {
      const { store, events } = over(
        changed(new MemoryStore(), failing(code)),
        await memory(sample),
      );
      expect(await store.resolve('multi')).toEqual(sample.ociIndex.descriptor);
      expect(await readVerified(store.fetch(oci.descriptor), oci.descriptor)).toEqual(oci.bytes);
      expect(await store.exists(small.descriptor)).toBe(true);
      expect((await store.tags()).length).toBe(4);
      expect(events.filter(({ type }) => type === 'passed-over').length).toBe(
        code === 'NETWORK' ? 1 : 4,
      );
      expect(events[0]).toMatchObject({ type: 'passed-over', place: 'mirror-0.io/a', code });
    },
  );

  it('that cannot be reached is not asked again', async () => {
    const { store, opened } = over(
      changed(new MemoryStore(), failing('NETWORK')),
      await memory(sample),
    );
    for (let times = 0; times < 3; times++) await store.resolve('multi');
    expect(opened.filter((registry) => registry === 'mirror-0.io')).toHaveLength(1);
  });

  it('that breaks in the middle is continued at the next', async () => {
    const held = await memory(sample);
    const asked: FetchOptions[] = [];
    const breaking = changed(held, {
      async *fetch(descriptor: Descriptor) {
        yield* held.fetch(descriptor, { range: { start: 0, end: 1_000_000 } });
        throw new BundleError('NETWORK', 'it broke', { temporary: true });
      },
    });
    const source = changed(held, {
      fetch: (descriptor, options = {}) => {
        asked.push(options);
        return held.fetch(descriptor, options);
      },
    });
    const { store } = over(breaking, source);
    expect(
      Buffer.compare(
        await readVerified(store.fetch(large.descriptor), large.descriptor, LIMIT),
        large.bytes,
      ),
    ).toBe(0);
    expect(asked).toEqual([{ range: { start: 1_000_000, end: large.bytes.length } }]);
  });

  it('that gives something else is not believed, and not asked for it again', async () => {
    const held = await memory(sample);
    const lying = changed(held, {
      async *fetch(descriptor: Descriptor) {
        for await (const chunk of held.fetch(descriptor)) yield chunk.map((byte) => byte ^ 1);
      },
    });
    const { store } = over(lying, held);
    // One chunk: nothing was handed out yet.
    expect(await readVerified(store.fetch(oci.descriptor), oci.descriptor)).toEqual(oci.bytes);
    const first: unknown = await readAll(
      verified(store.fetch(large.descriptor), large.descriptor),
      LIMIT,
      'large',
    ).catch((error: unknown) => error);
    expect(first).toMatchObject({ code: 'CONTENT_MISMATCH', temporary: true });
    expect(
      Buffer.compare(
        await readVerified(store.fetch(large.descriptor), large.descriptor, LIMIT),
        large.bytes,
      ),
    ).toBe(0);
  });

  it('that failed is told of where all others fail too, and the last decides', async () => {
    const { store } = over(changed(new MemoryStore(), failing('NOT_ALLOWED')), new MemoryStore());
    const thrown: unknown = await store.resolve('multi').catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'NOT_FOUND' });
    expect(String(thrown)).toContain('NOT_ALLOWED at the mirror');
    await expect(
      over(changed(new MemoryStore(), failing('REGISTRY')), undefined).store.resolve('multi'),
    ).rejects.toMatchObject({
      code: 'REGISTRY',
    });
  });

  it('is not asked after an abort', async () => {
    const { store, opened } = over(await memory(sample), await memory(sample));
    const reason = new BundleError('INTERRUPTED', 'enough');
    await expect(store.resolve('multi', { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(opened).toEqual(['mirror-0.io']);
  });
});

it('a source that is blocked is a failure of its own', async () => {
  const { store, opened } = over(undefined);
  for (const attempt of [
    async () => store.resolve('multi'),
    async () => store.exists(small.descriptor),
    async () => readVerified(store.fetch(small.descriptor), small.descriptor),
    async () => store.tags(),
  ]) {
    await expect(attempt()).rejects.toMatchObject({ code: 'BLOCKED', exitStatus: 24 });
  }
  expect(opened).toEqual([]);
});

describe('referrers', () => {
  const bare = {
    ...sample,
    manifests: sample.manifests.filter(({ descriptor }) => descriptor !== sample.sbom.descriptor),
  };
  const { digest } = oci.descriptor;

  it('are those of the first place that lists any', async () => {
    const { store } = over(
      await memory({ ...sample, manifests: [oci], tags: {} }),
      await memory({ ...bare, tags: {} }),
      await memory(sample),
    );
    expect(await store.referrers(digest)).toEqual([sample.signature.descriptor]);
    expect(await store.referrers(sample.overSbom.descriptor.digest)).toEqual([]);
  });

  it.each([
    ['cannot be reached', () => changed(new MemoryStore(), failing('NETWORK'))],
    ['is blocked', () => undefined],
  ])(
    'are none where no mirror has any and the source %s, and that is told once',
    async (_, source) => {
      const { store, events } = over(new MemoryStore(), source());
      for (let times = 0; times < 2; times++) expect(await store.referrers(digest)).toEqual([]);
      expect(events.filter(({ type }) => type === 'noticed')).toHaveLength(1);
    },
  );

  it('are not known where the source fails otherwise, or the mirror cannot be reached either', async () => {
    const refusing = over(new MemoryStore(), changed(new MemoryStore(), failing('NOT_ALLOWED')));
    await expect(refusing.store.referrers(digest)).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
    const silent = over(
      changed(new MemoryStore(), failing('NETWORK')),
      changed(new MemoryStore(), failing('NETWORK')),
    );
    await expect(silent.store.referrers(digest)).rejects.toMatchObject({ code: 'NETWORK' });
  });
});

describe('a cosign signature that a mirror does not have', () => {
  const tag = signatureTagOf(oci.descriptor.digest);

  it.each([
    ['cannot be reached', () => changed(new MemoryStore(), failing('NETWORK'))],
    ['is blocked', () => undefined],
  ])('is missing where the source %s, and that is told once', async (_, source) => {
    const { store, events } = over(await memory(sample), source());
    for (let times = 0; times < 2; times++)
      await expect(store.resolve(tag)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(events.filter(({ type }) => type === 'noticed')).toHaveLength(1);
  });

  it('is missing too where the mirror refuses it: so some answer for what is not there', async () => {
    const { store } = over(changed(new MemoryStore(), failing('NOT_ALLOWED')), undefined);
    await expect(store.resolve(tag)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(store.resolve('latest')).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
  });

  it('is not known where the source fails otherwise, or the mirror cannot be reached either', async () => {
    const refusing = over(await memory(sample), changed(new MemoryStore(), failing('NOT_ALLOWED')));
    await expect(refusing.store.resolve(tag)).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
    const silent = over(
      changed(new MemoryStore(), failing('NETWORK')),
      changed(new MemoryStore(), failing('NETWORK')),
    );
    await expect(silent.store.resolve(tag)).rejects.toMatchObject({ code: 'NETWORK' });
  });
});
