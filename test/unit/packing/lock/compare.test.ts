import { describe, expect, it } from 'vitest';

import { type Digest, digestOf } from '../../../../src/core/digest.ts';
import type { LockedBundle, LockedCatalog } from '../../../../src/kinds/lock/catalog.ts';
import { compareLocks } from '../../../../src/packing/lock/compare.ts';
import { formatLock } from '../../../../src/packing/lock/format.ts';
import type { Lock } from '../../../../src/packing/lock/lock.ts';
import { parseLock } from '../../../../src/packing/lock/read.ts';

const EMPTY: Lock = {
  ...{ signatures: true, referrers: false, parts: [], releases: [], graph: [], catalogs: [] },
  ...{ charts: [], images: [], contents: [], files: [], blobs: [] },
};

function image(reference: string, digest: Digest) {
  const [, path = '', tag = ''] = /^[^/]*\/(.*):(.*)$/.exec(reference) ?? [];
  return { reference, digest, path, tag };
}

function content(name: string, subject?: Digest) {
  const attached = subject === undefined ? {} : ({ attached: 'tag', subject } as const);
  return {
    name,
    role: 'any',
    source: `quay.io/a/${name}@${digestOf(name)}`,
    bytes: 1,
    ...attached,
  };
}

function bundle(name: string, version: string, seed = version): LockedBundle {
  return {
    ...{ package: name, name: `${name}.v${version}`, version, channels: ['stable'] },
    ...{ image: `quay.io/ops/${name}`, digest: digestOf(`${name} ${seed}`), reasons: ['in range'] },
  };
}

interface Operator {
  readonly versions: readonly LockedBundle[];
  readonly heads: Readonly<Record<string, string>>;
  readonly defaultChannel?: string;
}

function catalog(tag: string, operators: Readonly<Record<string, Operator>>): LockedCatalog {
  const reference = `quay.io/ops/index:${tag}`;
  return {
    ...{ reference, from: digestOf(tag), digest: digestOf(`made of ${tag}`) },
    ...{ path: 'ops/index', tag, platforms: {} },
    asked: { catalog: { catalog: reference, full: false, packages: [] }, mode: 'strict' },
    pinned: {},
    packages: Object.entries(operators).map(([name, { heads, defaultChannel = 'stable' }]) => ({
      ...{ name, defaultChannel, heads },
    })),
    bundles: Object.values(operators).flatMap(({ versions }) => versions),
  };
}

describe('versions that no update leads on from', () => {
  const at = (version: string, updates: LockedBundle['updates']): LockedBundle => ({
    ...bundle('foo', version),
    ...(updates !== undefined && { updates, channels: Object.keys(updates) }),
  });
  const old = [at('1.0.0', { stable: {} }), at('1.1.0', { stable: { replaces: 'foo.v1.0.0' } })];
  const deadAfter = (now: readonly LockedBundle[]): unknown => {
    const lock = (versions: readonly LockedBundle[]): Lock => ({
      ...EMPTY,
      catalogs: [catalog('v1', { foo: { versions, heads: { stable: versions.at(-1)!.name } } })],
    });
    const [change] = compareLocks(lock(old), lock(now)).catalogs;
    return change?.operators[0]?.deadEnds;
  };
  const dead = (version: string, channels = ['stable']) => ({
    ...{ version, channels, minVersion: version },
  });

  it.each<[string, LockedBundle[], unknown]>([
    ['replaced', [at('1.2.0', { stable: { replaces: 'foo.v1.1.0' } })], [dead('1.0.0')]],
    [
      'skipped',
      [at('1.2.0', { stable: { replaces: 'foo.v1.1.0', skips: ['foo.v1.0.0'] } })],
      undefined,
    ],
    ['in a range', [at('1.2.0', { stable: { skipRange: '>=1.0.0 <1.2.0' } })], undefined],
    [
      'out of the range',
      [at('1.2.0', { stable: { skipRange: '>=1.1.0 <1.2.0' } })],
      [dead('1.0.0')],
    ],
    [
      'kept',
      [at('1.1.0', { stable: {} }), at('1.0.0', { stable: {} }), at('1.2.0', { stable: {} })],
      undefined,
    ],
    [
      'in another channel alone',
      [at('1.2.0', { stable: {}, fast: { skipRange: '<1.2.0' } })],
      [dead('1.0.0'), dead('1.1.0')],
    ],
    [
      'led on by the channel that is left',
      [at('1.2.0', { fast: { skipRange: '<1.2.0' } })],
      undefined,
    ],
    ['not told of', [bundle('foo', '1.2.0')], undefined],
  ])('are those that are not %s', (_, now, expected) => {
    expect(deadAfter(now)).toEqual(expected);
  });
});

describe('two locks', () => {
  it('have no difference where they are the same', () => {
    const lock = { ...EMPTY, catalogs: [catalog('v1', { a: { versions: [], heads: {} } })] };
    expect(compareLocks(lock, lock)).toMatchObject({
      catalogs: [],
      releases: { added: [], removed: [], changed: [] },
      contents: { added: 0, removed: 0 },
      bytes: { added: 0, removed: 0 },
    });
  });

  it('differ in the name of the bundle alone', () => {
    const { settings, images } = compareLocks(
      { ...EMPTY, name: 'november' },
      { ...EMPTY, name: 'december' },
    );
    expect(settings).toEqual([{ name: 'name', was: 'november', is: 'december' }]);
    expect(images).toEqual({ added: [], removed: [], changed: [] });
  });

  it('differ in images by reference and digest', () => {
    const [one, two, three] = ['q.io/a:1', 'q.io/b:1', 'q.io/c:1'] as const;
    const before = { ...EMPTY, images: [image(one, digestOf('1')), image(two, digestOf('2'))] };
    const after = { ...EMPTY, images: [image(one, digestOf('x')), image(three, digestOf('3'))] };
    expect(compareLocks(before, after).images).toEqual({
      ...{ added: [three], removed: [two] },
      changed: [{ name: one, was: digestOf('1'), is: digestOf('x') }],
    });
  });

  it('differ in operators: versions, heads, default channels, images that were built again', () => {
    const old = {
      foo: {
        versions: [bundle('foo', '1.0'), bundle('foo', '1.1')],
        heads: { stable: 'foo.v1.1' },
      },
      gone: { versions: [bundle('gone', '3.0')], heads: { stable: 'gone.v3.0' } },
      same: { versions: [bundle('same', '1.0')], heads: { stable: 'same.v1.0' } },
    };
    const now = {
      foo: {
        versions: [bundle('foo', '1.1', 'again'), bundle('foo', '1.2')],
        heads: { fast: 'foo.v1.2', stable: 'foo.v1.2' },
        defaultChannel: 'fast',
      },
      fresh: { versions: [bundle('fresh', '0.1')], heads: { stable: 'fresh.v0.1' } },
      same: old.same,
    };
    // The index of the next minor version is the successor of this one.
    const before = { ...EMPTY, catalogs: [catalog('v4.17', old)] };
    const after = { ...EMPTY, catalogs: [catalog('v4.18', now)] };
    const empty = { added: [], removed: [], rebuilt: [], heads: [] };
    expect(compareLocks(before, after).catalogs).toEqual([
      {
        ...{ reference: 'quay.io/ops/index:v4.18', before: 'quay.io/ops/index:v4.17' },
        ...{ isGone: false, moved: [] },
        from: { was: digestOf('v4.17'), is: digestOf('v4.18') },
        operators: [
          {
            ...{
              name: 'foo',
              state: 'changed',
              added: ['1.2'],
              removed: ['1.0'],
              rebuilt: ['1.1'],
            },
            heads: [
              { name: 'fast', was: '', is: '1.2' },
              { name: 'stable', was: '1.1', is: '1.2' },
            ],
            defaultChannel: { was: 'stable', is: 'fast' },
          },
          { ...empty, name: 'fresh', state: 'new', added: ['0.1'] },
          { ...empty, name: 'gone', state: 'gone', removed: ['3.0'] },
        ],
      },
    ]);
  });

  it('differ in an image that an operator names by a tag, though catalog and versions are the same', () => {
    const tool = 'quay.io/ops/foo-operator:v1';
    const lockWith = (seed: string): Lock => {
      const operators = { foo: { versions: [bundle('foo', '1.0')], heads: {} } };
      const named = { ...content(tool), source: `quay.io/ops/foo-operator@${digestOf(seed)}` };
      return {
        ...{ ...EMPTY, contents: [content('a'), named] },
        catalogs: [{ ...catalog('v1', operators), pinned: { [tool]: digestOf(seed) } }],
      };
    };
    const { catalogs, newImages, goneImages } = compareLocks(lockWith('old'), lockWith('new'));
    expect(catalogs).toEqual([
      {
        ...{ reference: 'quay.io/ops/index:v1', before: 'quay.io/ops/index:v1', isGone: false },
        moved: [{ name: tool, was: digestOf('old'), is: digestOf('new') }],
        operators: [],
      },
    ]);
    expect(newImages).toEqual([{ name: tool, digest: digestOf('new') }]);
    expect(goneImages).toEqual([{ name: tool, digest: digestOf('old') }]);
  });

  it('tell a catalog that only one of them has', () => {
    const one = catalog('v1', { a: { versions: [bundle('a', '1.0')], heads: {} } });
    const gone = compareLocks({ ...EMPTY, catalogs: [one] }, EMPTY).catalogs;
    expect(gone).toMatchObject([{ isGone: true, operators: [{ name: 'a', state: 'gone' }] }]);
    const fresh = compareLocks(EMPTY, { ...EMPTY, catalogs: [one] }).catalogs;
    expect(fresh).toMatchObject([{ isGone: false, operators: [{ name: 'a', state: 'new' }] }]);
    expect(fresh[0]).not.toHaveProperty('before');
  });

  it('count images and signatures by digest, and bytes of what is new once', () => {
    const blob = (name: string, size: number) => ({ digest: digestOf(name), size });
    const before = {
      ...EMPTY,
      contents: [content('a'), content('b'), content('sig', digestOf('a'))],
      blobs: [blob('shared', 100), blob('old', 7)],
    };
    const after = {
      ...EMPTY,
      contents: [content('a'), content('c'), content('c'), content('sig2', digestOf('c'))],
      blobs: [blob('shared', 100), blob('new', 30), blob('newer', 5)],
    };
    const { contents, attached, bytes } = compareLocks(before, after);
    expect(contents).toEqual({ was: 2, is: 2, added: 1, removed: 1 });
    expect(attached).toEqual({ was: 1, is: 1, added: 1, removed: 1 });
    expect(bytes).toEqual({ was: 107, is: 135, added: 35, removed: 7 });
  });

  it('are refused where an image has no digest', () => {
    const odd = { ...EMPTY, contents: [{ ...content('a'), source: 'quay.io/a/b:1' }] };
    expect(() => compareLocks(EMPTY, odd)).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION' }) as Error,
    );
  });
});

describe('the file of a lock', () => {
  const lock: Lock = {
    ...EMPTY,
    name: 'site',
    config: { operators: [{ catalog: 'x', packages: [{ name: 'a' }] }], charts: {} },
    offers: { channel: 'stable-4.17' },
    catalogs: [catalog('v1', { a: { versions: [bundle('a', '1.0')], heads: {} } })],
    images: [image('q.io/a:1', digestOf('1'))],
    contents: [content('a'), content('sig', digestOf('a'))],
    blobs: [{ digest: digestOf('a'), size: 7 }],
  };

  it('is read as it was written, and written the same', () => {
    const bytes = formatLock(lock);
    const read = parseLock(bytes, 'x.lock');
    expect(read).toEqual(lock);
    expect(Buffer.from(formatLock(read)).equals(bytes)).toBe(true);
  });

  it('has a thing on each line', () => {
    const lines = Buffer.from(formatLock(lock)).toString().split('\n');
    const about = (text: string): readonly string[] => lines.filter((line) => line.includes(text));
    expect(lines.slice(0, 3)).toEqual(['{', '  "kind": "bundle lock 1",', '  "name": "site",']);
    expect(about('"q.io/a:1"')).toHaveLength(1);
    expect(about('"a.v1.0"')).toHaveLength(1);
    expect(about(`{ "digest": "${digestOf('a')}", "size": 7 }`)).toHaveLength(1);
    expect(about('"releases": []')).toHaveLength(1);
  });
});
