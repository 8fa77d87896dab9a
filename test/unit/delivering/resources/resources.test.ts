import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { imageDigestMirrorSet } from '../../../../src/delivering/resources/mirror-sets.ts';
import {
  planResources,
  type PlannedResources,
  prepareResources,
  writeResources,
} from '../../../../src/delivering/resources/resources.ts';
import { closureOf } from '../../../../src/kinds/closure.ts';
import { parseTarget, planDestinations } from '../../../../src/kinds/destinations.ts';

const destinations = planDestinations({ to: parseTarget('r.example.com/ocp4') });
const IDMS = imageDigestMirrorSet(destinations.target, []).name;

describe('what is written for a cluster', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-resources-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const planned = (named?: string): PlannedResources =>
    planResources(closureOf([]), [], destinations, { folder: named, newer: [] });
  const pathsOf = ({ files, steps }: PlannedResources): readonly string[] =>
    [...files, steps].map(({ path }) => path);

  it('lies in the current folder, with the objects in one of their own, if none is named', () => {
    expect(pathsOf(planned())).toEqual(
      [`cluster-resources/${IDMS}`, 'install/image-digest-sources.yaml', 'next-steps.txt'].map(
        (path) => resolve(path),
      ),
    );
  });

  it('lies within the folder that is named, and nothing beside it', async () => {
    const named = join(folder, 'mine', 'resources');
    await mkdir(join(folder, 'mine'));
    const note = join(folder, 'mine', 'next-steps.txt');
    await writeFile(note, 'a note of mine\n');
    const plan = planned(named);
    await prepareResources(plan);
    const { files } = await writeResources(plan);
    expect(files).toEqual(pathsOf(plan));
    expect(await readdir(named)).toEqual([IDMS, 'install', 'next-steps.txt']);
    expect(await readdir(join(folder, 'mine'))).toEqual(['next-steps.txt', 'resources']);
    expect(await readFile(note, 'utf8')).toBe('a note of mine\n');
    await prepareResources(plan); // what it wrote itself is replaced
  });

  it.each([IDMS, 'install/image-digest-sources.yaml', 'next-steps.txt'])(
    'is refused beforehand where a folder is called %s',
    async (name) => {
      await mkdir(join(folder, name), { recursive: true });
      await expect(prepareResources(planned(folder))).rejects.toMatchObject({
        ...{ code: 'DISK', exitStatus: 26 },
        message: expect.stringContaining(join(folder, name)) as string,
      });
    },
  );

  it.each([IDMS, 'install/image-digest-sources.yaml', 'next-steps.txt', 'install'])(
    'is refused beforehand where %s is a link, and nothing lands where that leads',
    async (name) => {
      const [own, other] = [join(folder, 'own'), join(folder, 'other')];
      await mkdir(other);
      const path = join(own, name);
      await mkdir(dirname(path), { recursive: true });
      await symlink(other, path);
      await expect(prepareResources(planned(own))).rejects.toMatchObject({
        ...{ code: 'DISK', exitStatus: 26, got: 'a symbolic link' },
        message: expect.stringContaining(path) as string,
      });
      expect(await readdir(other)).toEqual([]);
    },
  );

  it('goes where a link leads that the user has named', async () => {
    const [own, other] = [join(folder, 'own'), join(folder, 'other')];
    await mkdir(other);
    await symlink(other, own);
    const plan = planned(own);
    await prepareResources(plan);
    await writeResources(plan);
    expect(await readdir(other)).toEqual([IDMS, 'install', 'next-steps.txt']);
  });

  it('is refused beforehand where somebody else has a next-steps.txt, which stays', async () => {
    const path = join(folder, 'next-steps.txt');
    await writeFile(path, 'call the site first\n');
    await expect(prepareResources(planned(folder))).rejects.toMatchObject({
      ...{ code: 'USAGE', exitStatus: 2 },
      message: expect.stringContaining(path) as string,
    });
    expect(await readFile(path, 'utf8')).toBe('call the site first\n');
  });
});
