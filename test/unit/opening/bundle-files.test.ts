import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type Choose, findBundleFiles } from '../../../src/opening/bundle-files.ts';

const all: Choose = (bundles) => Promise.resolve(bundles);

describe('findBundleFiles', () => {
  let folder: string;
  const at = (name: string): string => join(folder, name);
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-files-'));
    // What is called like a bundle, and is none.
    expect(spawnSync('mkfifo', [at('a.tar.zst')]).status).toBe(0);
    await mkdir(at('b.tar.zst'));
    await symlink(at('nowhere'), at('c.tar.zst'));
    await symlink(at('d.tar.zst'), at('d.tar.zst'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('takes files alone for bundles, and links to files', async () => {
    await writeFile(at('kept'), '');
    await symlink(at('kept'), at('z.tar.zst'));
    const found = await findBundleFiles([folder], all);
    expect(found).toMatchObject({ path: at('z.tar.zst'), files: [at('z.tar.zst')] });
  });

  it('takes files alone for volumes of a set', async () => {
    await writeFile(at('set.tar.zst.001'), '');
    await mkdir(at('set.tar.zst.002'));
    const { files } = await findBundleFiles([at('set.tar.zst.001')], all);
    expect(files).toEqual([at('set.tar.zst.001')]);
  });

  it('takes nothing for a bundle that a system has left there', async () => {
    for (const name of ['._z.tar.zst', '.z.tar.zst', '._z.tar.zst.partial', '._set.tar.zst.001'])
      await writeFile(at(name), '');
    await expect(findBundleFiles([folder], all)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: expect.not.stringContaining('._z') as string,
    });
    await writeFile(at('z.tar.zst'), '');
    expect((await findBundleFiles([folder], all)).files).toEqual([at('z.tar.zst')]);
  });

  it('asks which of several bundles is meant, and takes the patches for that one', async () => {
    for (const name of ['one', 'two', 'one.0a1b2c3d.patch', 'two.0a1b2c3d.patch'])
      await writeFile(at(`${name}.tar.zst`), '');
    await expect(findBundleFiles([folder], all)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(findBundleFiles([folder], () => Promise.resolve([]))).rejects.toMatchObject({
      code: 'NOT_THE_EXPECTED_BUNDLE',
      exitStatus: 21,
    });
    const second: Choose = (bundles) =>
      Promise.resolve(bundles.filter(({ path }) => path === at('two.tar.zst')));
    expect(await findBundleFiles([folder], second)).toMatchObject({
      path: at('two.tar.zst'),
      patches: [{ path: at('two.0a1b2c3d.patch.tar.zst') }],
    });
  });

  it('finds no bundle where there is no file', async () => {
    await expect(findBundleFiles([folder], all)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
