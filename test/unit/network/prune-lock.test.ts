import { describe, expect, it } from 'vitest';

import { BundleError } from '../../../src/core/errors.ts';
import {
  LOCK_TAG,
  pruneOwner,
  requireRemoval,
  takePruneLock,
  watchPrunes,
  withLockGivenBack,
} from '../../../src/network/prune-lock.ts';
import { MemoryRepository } from '../../support/removable-repository.ts';

const ANNA = { who: 'anna at a', time: '2026-11-28T23:05:00Z' };
const BERT = { who: 'bert at b', time: '2026-11-28T23:06:00Z' };
const { signal } = new AbortController();
const MINE = { takesOver: false, id: 'aaaaaaaaaaaa', signal };
const THEIRS = { takesOver: false, id: 'bbbbbbbbbbbb', signal };
const CONFLICT = { code: 'TAG_CONFLICT', exitStatus: 27 };

describe('the lock of a prune', () => {
  it('is had by one alone, and given back', async () => {
    const place = new MemoryRepository();
    const lock = await takePruneLock(place, ANNA, MINE);
    expect(await pruneOwner(place)).toMatchObject(ANNA);
    await expect(takePruneLock(place, BERT, THEIRS)).rejects.toMatchObject({
      ...CONFLICT,
      message: expect.stringContaining('anna at a') as string,
    });
    await lock.release();
    expect(await pruneOwner(place)).toBeUndefined();
    // That something was removed stays to be seen, by one small manifest.
    expect(await place.tags()).toEqual([LOCK_TAG]);
    expect(place.manifests.size).toBe(1);
    await (await takePruneLock(place, BERT, THEIRS)).release();
    expect(place.manifests.size).toBe(1);
  });

  it('is had by none of two that claim it at once, and the next one gets it', async () => {
    const place = new MemoryRepository();
    const rival = new MemoryRepository();
    await takePruneLock(rival, BERT, THEIRS);
    const [tag, digest] = [...rival.tagged].find(([name]) => name !== LOCK_TAG)!;
    // It comes between the look and the claim.
    place.onChange = (what) => {
      if (!what.startsWith('put')) return;
      place.manifests.set(digest, rival.manifests.get(digest)!);
      place.tagged.set(tag, digest);
      place.onChange = () => undefined;
    };
    await expect(takePruneLock(place, ANNA, MINE)).rejects.toMatchObject({
      ...CONFLICT,
      message: expect.stringContaining('bert at b') as string,
    });
    expect(await place.tags()).toEqual([tag]);
  });

  it('is not left by a run that is interrupted while it takes it', async () => {
    const place = new MemoryRepository();
    const stopped = new AbortController();
    place.onChange = () => {
      stopped.abort(new Error('interrupted'));
    };
    const taking = takePruneLock(place, ANNA, { ...MINE, signal: stopped.signal });
    await expect(taking).rejects.toThrow('interrupted');
    expect(await place.tags()).toEqual([]);
    expect(place.manifests.size).toBe(0);
  });

  it('is left where the registry fails, and that is said', async () => {
    const failing = new MemoryRepository({ failsAfter: 0 });
    const left = {
      code: 'REGISTRY',
      message: 'status 500',
      hint: expect.stringMatching(/lock of this prune is still .+ --take-over/) as string,
    };
    await expect(takePruneLock(failing, ANNA, MINE)).rejects.toMatchObject(left);
    expect(await failing.tags()).toContain('bundle-prune-aaaaaaaaaaaa');
    const failure = new BundleError('NETWORK', 'gone', { hint: 'Look.' });
    const released = await withLockGivenBack(failure, async () => undefined);
    expect(released).toBe(failure);
    const kept = await withLockGivenBack(failure, async () => Promise.reject(failure));
    expect(kept).toMatchObject({
      code: 'NETWORK',
      hint: expect.stringMatching(/^Look\. The lock .+ --take-over/) as string,
    });
  });

  it('is taken over where somebody was killed', async () => {
    const place = new MemoryRepository();
    await takePruneLock(place, ANNA, MINE);
    const lock = await takePruneLock(place, BERT, { ...THEIRS, takesOver: true });
    expect(await pruneOwner(place)).toMatchObject(BERT);
    await lock.release();
    expect(await place.tags()).toEqual([LOCK_TAG]);
  });

  it('finds out whether a tag can go alone', async () => {
    const canRemove = async (tags: 'unsupported' | 'alone' | 'with-manifest'): Promise<boolean> => {
      const place = new MemoryRepository({ tags });
      const lock = await takePruneLock(place, ANNA, MINE);
      expect(await pruneOwner(place)).toMatchObject(ANNA);
      await lock.release();
      expect(await place.tags()).toEqual([LOCK_TAG]);
      return lock.canRemoveTags;
    };
    expect(await canRemove('alone')).toBe(true);
    expect(await canRemove('unsupported')).toBe(false);
    expect(await canRemove('with-manifest')).toBe(false);
  });

  it('is not needed to learn that a registry removes nothing', async () => {
    const place = new MemoryRepository({ isReadOnly: true });
    const refused = { code: 'REGISTRY', exitStatus: 25 };
    await expect(requireRemoval(place)).rejects.toMatchObject(refused);
    await requireRemoval(new MemoryRepository());
    expect(place.manifests.size).toBe(0);
  });
});

describe('a delivery', () => {
  it('does not begin where something is being removed', async () => {
    const place = new MemoryRepository();
    const lock = await takePruneLock(place, ANNA, MINE);
    await expect(watchPrunes(place)).rejects.toMatchObject(CONFLICT);
    await lock.release();
    await (await watchPrunes(place)).end();
  });

  it.each([false, true])(
    'is told if something was removed meanwhile (again: %s)',
    async (again) => {
      const place = new MemoryRepository();
      if (again) await (await takePruneLock(place, ANNA, MINE)).release();
      const watch = await watchPrunes(place);
      await (await takePruneLock(place, BERT, THEIRS)).release();
      await expect(watch.end()).rejects.toMatchObject(CONFLICT);
    },
  );
});
