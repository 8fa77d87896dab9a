import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { BundleError } from '../../../src/core/errors.ts';
import {
  type BundleFiles,
  type Chooser,
  type Chosen,
  findBundleFiles,
} from '../../../src/opening/bundle-files.ts';

const choosing = (choose: (bundles: readonly BundleFiles[]) => Partial<Chosen>): Chooser => ({
  asked: '--expect 4.17.3',
  choose: (bundles) =>
    Promise.resolve({
      ...{ meant: bundles, earlier: [], areEnds: false, unreadable: [] },
      ...choose(bundles),
    }),
  apart: (alike) => Promise.resolve([alike]),
});
const all = choosing(() => ({}));
const ending = (name: string): Chooser =>
  choosing((bundles) => {
    const [meant, earlier] = [true, false].map((isMeant) =>
      bundles.filter(({ path }) => path.endsWith(`/${name}`) === isMeant),
    );
    return { meant: meant!, earlier: earlier!, areEnds: true };
  });

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
    const none = findBundleFiles(
      [folder],
      choosing(() => ({ meant: [] })),
    );
    await expect(none).rejects.toMatchObject({ code: 'NOT_THE_EXPECTED_BUNDLE', exitStatus: 21 });
    expect(await findBundleFiles([folder], ending('two.tar.zst'))).toMatchObject({
      path: at('two.tar.zst'),
      patches: [{ path: at('two.0a1b2c3d.patch.tar.zst') }],
    });
  });

  it('takes patches that were named for the bundle that is meant', async () => {
    for (const name of ['one', 'two', 'two.0a1b2c3d.patch', 'renamed.patch'])
      await writeFile(at(`${name}.tar.zst`), '');
    const paths = [at('one.tar.zst'), at('two.tar.zst'), at('renamed.patch.tar.zst')];
    expect(await findBundleFiles(paths, ending('two.tar.zst'))).toMatchObject({
      path: at('two.tar.zst'),
      patches: [{ path: at('renamed.patch.tar.zst') }],
    });
  });

  it('chooses among the bundles of all folders together', async () => {
    for (const name of ['base', 'first', 'next/second']) {
      await mkdir(at('next'), { recursive: true });
      await writeFile(at(`${name}.tar.zst`), '');
    }
    const found = await findBundleFiles([folder, at('next')], ending('second.tar.zst'));
    expect(found.path).toBe(at('next/second.tar.zst'));
    expect(found.earlier.map(({ path }) => path)).toEqual([
      at('base.tar.zst'),
      at('first.tar.zst'),
    ]);
  });

  it('lists what could be the last one, and what was named', async () => {
    for (const name of ['base', 'left', 'right']) await writeFile(at(`${name}.tar.zst`), '');
    const ends = choosing((bundles) => ({ meant: bundles.slice(1), areEnds: true }));
    await expect(findBundleFiles([folder], ends)).rejects.toMatchObject({
      ...{ code: 'USAGE', exitStatus: 2 },
      message: '2 of 3 bundles could be the last one: no other requires them',
      details: [{ items: [at('left.tar.zst'), at('right.tar.zst')] }],
      hint: expect.stringContaining('Run it for each of these') as string,
    });
    await expect(findBundleFiles([folder], all)).rejects.toMatchObject({
      message: `${folder} holds 3 bundles: name one`,
    });
    const some = choosing((bundles) => ({ meant: bundles.slice(1) }));
    await expect(findBundleFiles([folder], some)).rejects.toMatchObject({
      message: `${folder} holds, for --expect 4.17.3, 2 bundles: name one`,
    });
    const named = [at('base.tar.zst'), at('left.tar.zst')];
    await expect(findBundleFiles(named, all)).rejects.toMatchObject({
      message: 'the command line names 2 bundles: name one',
    });
  });

  it('says which of them cannot be read, and fails for that where it was named', async () => {
    for (const name of ['base', 'next']) await writeFile(at(`${name}.tar.zst`), '');
    const error = new BundleError('BUNDLE_UNUSABLE', 'it is cut off');
    const broken = choosing((bundles) => ({ unreadable: [{ ...bundles[1]!, error }] }));
    const items = [at('next.tar.zst')];
    await expect(
      findBundleFiles([at('base.tar.zst'), at('next.tar.zst')], broken),
    ).rejects.toMatchObject({
      ...{ code: 'BUNDLE_UNUSABLE', message: 'it is cut off' },
      details: [{ label: 'bundle', items }],
    });
    await expect(findBundleFiles([folder], broken)).rejects.toMatchObject({
      code: 'USAGE',
      details: expect.arrayContaining([
        { label: 'cannot be read', items: [`${at('next.tar.zst')}: it is cut off`] },
      ]) as object,
    });
  });

  it('finds no bundle where there is no file', async () => {
    await expect(findBundleFiles([folder], all)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
