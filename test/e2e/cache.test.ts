import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { describeWith } from '../support/needs.ts';
import { type TwoSides, twoSides } from '../support/two-sides.ts';

describeWith(['docker-registry'], 'the cache of manifests', () => {
  let sides: TwoSides;
  let planning: readonly string[];
  let caches: string;

  beforeAll(async () => {
    sides = await twoSides('cache', { scale: 0.0001 });
    planning = ['pack', '4.17.3', '-o', sides.medium, '--dry-run', ...sides.fetching];
    caches = join(sides.packer.home, 'caches');
  });
  afterAll(() => sides.remove());

  const kept = async (): Promise<readonly string[]> =>
    (await readdir(join(caches, 'bundle/manifests'), { recursive: true }))
      .map((name) => name.slice(3))
      .filter((name) => /^[0-9a-f]{64}$/.test(name));
  const env = (): Record<string, string> => ({ XDG_CACHE_HOME: caches });

  it('keeps what a plan has read, makes the next one from it, and is cleared', async () => {
    const { packer } = sides;
    const first = await packer.bundle([...planning, '--output', 'json'], { env: env() });
    expect(first).toMatchObject({ status: 0 });
    const names = await kept();
    expect(names.length).toBeGreaterThan(50);
    const second = await packer.bundle([...planning, '--output', 'json'], { env: env() });
    const images = ({ stdout }: { stdout: string }): unknown =>
      (JSON.parse(stdout) as { images: unknown }).images;
    expect(images(second)).toEqual(images(first));
    expect(await kept()).toEqual(names);
    const cleared = await packer.bundle(['cache', 'clear', '--output', 'json'], { env: env() });
    expect(JSON.parse(cleared.stdout)).toMatchObject({
      ...{ folder: join(caches, 'bundle/manifests'), files: names.length },
    });
    expect(await kept()).toEqual([]);
  });

  it('is left out where it cannot be used', async () => {
    await rm(caches, { recursive: true });
    await mkdir(caches);
    await writeFile(join(caches, 'bundle'), 'a file');
    const { status, stderr } = await sides.packer.bundle(planning, { env: env() });
    expect(status).toBe(0);
    expect(stderr.match(/the cache of manifests cannot be used/g)).toHaveLength(1);
  });
});
