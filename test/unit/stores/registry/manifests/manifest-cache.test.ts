import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../../../src/core/digest.ts';
import { ManifestCache } from '../../../../../src/stores/registry/manifests/manifest-cache.ts';

describe('ManifestCache', () => {
  const bytes = (text: string): Uint8Array => Buffer.from(text.padEnd(10));
  const put = (cache: ManifestCache, text: string): void => {
    cache.set(digestOf(bytes(text)), bytes(text));
  };
  const has = (cache: ManifestCache, text: string): boolean =>
    cache.get(digestOf(bytes(text))) !== undefined;

  it('gives back what was put in', () => {
    const cache = new ManifestCache();
    put(cache, 'a');
    expect(cache.get(digestOf(bytes('a')))).toEqual(bytes('a'));
    expect(has(cache, 'b')).toBe(false);
  });

  it('drops what was not used for longest', () => {
    const cache = new ManifestCache(30);
    for (const text of ['a', 'b', 'c']) put(cache, text);
    expect(has(cache, 'a')).toBe(true);
    put(cache, 'd');
    expect(['a', 'b', 'c', 'd'].map((text) => has(cache, text))).toEqual([true, false, true, true]);
  });

  it('counts the same manifest once', () => {
    const cache = new ManifestCache(20);
    for (const text of ['a', 'b', 'b', 'b']) put(cache, text);
    expect(has(cache, 'a')).toBe(true);
  });

  it('keeps nothing that is larger than itself', () => {
    const cache = new ManifestCache(5);
    put(cache, 'a');
    expect(has(cache, 'a')).toBe(false);
  });
});
