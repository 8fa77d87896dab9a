import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beforeEach, describe, expect, it } from 'vitest';

import {
  DOCKER_CONFIG,
  DOCKER_LIST,
  DOCKER_MANIFEST,
} from '../../../../../src/core/media-types.ts';
import { locateHeld } from '../../../../../src/kinds/release/held/locate.ts';
import { listed, releasesIn } from '../../../../../src/kinds/release/held/releases.ts';
import type { HeldContent } from '../../../../../src/stores/oc/held-content.ts';
import { openHeldPlace } from '../../../../../src/stores/oc/open.ts';
import { type Held, held, imageIndex, imageManifest } from '../../../../contract/content.ts';
import { writeOcFolder } from '../../../../support/peer-forms.ts';

const { signal } = new AbortController();

interface Image {
  readonly config: Held;
  readonly manifest: Held;
}

/** @param salt makes another image of the same facts. */
function image(version: unknown, architecture = 'amd64', salt = ''): Image {
  const labels = version === undefined ? {} : { 'io.openshift.release': version };
  const document = { architecture, os: 'linux', config: { Labels: labels }, salt };
  const config = held(DOCKER_CONFIG, JSON.stringify(document));
  return { config, manifest: imageManifest(DOCKER_MANIFEST, config, []) };
}

describe('the releases in a folder', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'held-'));
    return async () => rm(dir, { recursive: true, force: true });
  });

  const folderOf = async (
    images: readonly Image[],
    { indexes = [], tags = {} }: { indexes?: readonly Held[]; tags?: Record<string, Held> } = {},
  ): Promise<HeldContent> => {
    await writeOcFolder(dir, {
      blobs: images.map(({ config }) => config),
      manifests: [...images.map(({ manifest }) => manifest), ...indexes],
      tags: Object.fromEntries(
        Object.entries(tags).map(([tag, { descriptor }]) => [tag, descriptor]),
      ),
    });
    return openHeldPlace({ writer: 'file', folder: dir, digest: undefined });
  };
  const digestOf = ({ manifest }: Image): string => manifest.descriptor.digest;

  it('are told by their configs, the lowest version first', async () => {
    const [old, arm, amd] = [image('4.9.3'), image('4.17.3', 'arm64'), image('4.17.3')];
    const store = await folderOf([arm, amd, image(undefined), old]);
    expect(await releasesIn(store, signal)).toEqual([
      { version: '4.9.3', architecture: 'x86_64', digest: digestOf(old) },
      { version: '4.17.3', architecture: 'x86_64', digest: digestOf(amd) },
      { version: '4.17.3', architecture: 'aarch64', digest: digestOf(arm) },
    ]);
    expect(listed(await releasesIn(store, signal))).toContain('4.9.3 (x86_64), 4.17.3 (x86_64)');
  });

  it('are one for an index of release images, and these are none of their own', async () => {
    const [arm, amd] = [image('4.17.3', 'arm64'), image('4.17.3')];
    const index = imageIndex(DOCKER_LIST, [
      { manifest: arm.manifest, architecture: 'arm64' },
      { manifest: amd.manifest, architecture: 'amd64' },
    ]);
    const others = imageIndex(DOCKER_LIST, [
      { manifest: image(undefined).manifest, architecture: 'amd64' },
    ]);
    const store = await folderOf([arm, amd, image(undefined)], { indexes: [index, others] });
    const { digest } = index.descriptor;
    expect(await releasesIn(store, signal)).toEqual([
      { version: '4.17.3', architecture: 'multi', digest },
    ]);
  });

  it.each([[7], [''], ['4.17.3\u001b[2J'], ['../4.17.3'], ['x'.repeat(200)], [null]])(
    'are none whose version is %j',
    async (version) => {
      expect(await releasesIn(await folderOf([image(version)]), signal)).toEqual([]);
    },
  );

  it('are none of an architecture that has no releases, or without a config', async () => {
    const lost = image('4.17.3');
    const store = await folderOf([lost, image('4.17.3', 'riscv64')]);
    await rm(join(dir, 'v2/openshift/release/blobs', lost.config.descriptor.digest));
    expect(await releasesIn(store, signal)).toEqual([]);
    expect(listed([])).toContain('no release image');
  });

  it('are not told where a config is changed: 20, naming it', async () => {
    const one = image('4.17.3');
    const store = await folderOf([one]);
    const { digest, size } = one.config.descriptor;
    await writeFile(join(dir, 'v2/openshift/release/blobs', digest), ' '.repeat(size));
    await expect(releasesIn(store, signal)).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
      message: expect.stringContaining(digest) as string,
    });
  });

  const wanted = { version: '4.17.3', architecture: 'x86_64' } as const;

  it('are found by a tag first, as a registry has them or as OKD does', async () => {
    const [tagged, plain, other] = [
      image('4.17.3', 'amd64', 'a'),
      image('4.17.4'),
      image('4.17.3'),
    ];
    const tags = { '4.17.3-x86_64': tagged.manifest, '4.17.4': plain.manifest };
    const store = await folderOf([tagged, plain, other], { tags });
    expect(await locateHeld(wanted, store, signal)).toEqual(tagged.manifest.descriptor);
    const okd = { ...wanted, version: '4.17.4' };
    expect(await locateHeld(okd, store, signal)).toEqual(plain.manifest.descriptor);
  });

  it('are not chosen from where two call themselves the same', async () => {
    const two = [image('4.17.3', 'amd64', 'a'), image('4.17.3', 'amd64', 'b')];
    await expect(locateHeld(wanted, await folderOf(two), signal)).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      hint: expect.stringContaining(`--from file:${dir}@sha256:`) as string,
    });
  });

  it('are lacking where a tag names what is not there: 23, naming it', async () => {
    const lost = image('4.17.3');
    const tags = { '4.17.3-x86_64': lost.manifest };
    const store = await folderOf([lost, image('4.17.3', 'amd64', 'other')], { tags });
    for (const name of ['blobs', 'manifests'])
      await rm(join(dir, 'v2/openshift/release', name, digestOf(lost)));
    await expect(locateHeld(wanted, store, signal)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(digestOf(lost)) as string,
    });
  });
});
