import { mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beforeEach, describe, expect, it } from 'vitest';

import type { Digest } from '../../../../src/core/digest.ts';
import { HeldContent } from '../../../../src/stores/oc/held-content.ts';
import { readMirrorArchives } from '../../../../src/stores/oc/mirror-archives.ts';
import { readVerified } from '../../../../src/transfer/verified.ts';
import { sample } from '../../../contract/content.ts';
import { readOnlyStoreContract } from '../../../contract/store.ts';
import {
  peerRelease,
  peerTar,
  putArchive,
  storageEntries,
  tarOf,
  type TarEntries,
} from '../../../support/peer-forms.ts';

const temporaryFolder = async (): Promise<string> => mkdtemp(join(tmpdir(), 'oc-mirror-'));
const open = async (dir: string): Promise<HeldContent> =>
  new HeldContent(await readMirrorArchives(dir));

readOnlyStoreContract('archives of oc-mirror', async (content) => {
  const dir = await temporaryFolder();
  const entries = storageEntries(content);
  for (let number = 1; number <= 3; number += 1) {
    const share = entries.filter((_, at) => at % 3 === number - 1);
    await putArchive(dir, await tarOf(share), number);
  }
  return {
    store: await open(dir),
    close: async () => rm(dir, { recursive: true, force: true }),
  };
});

describe('archives that oc-mirror has written', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await temporaryFolder();
    return async () => rm(dir, { recursive: true, force: true });
  });

  const digestsOf = async (version: string): Promise<readonly string[]> => {
    const { digest, components } = await peerRelease(version);
    return [digest, ...Object.values(components)];
  };
  const expectWhole = async (store: HeldContent, version: string): Promise<void> => {
    for (const digest of await digestsOf(version)) {
      const descriptor = await store.resolve(digest);
      const { manifest } = await store.manifest(descriptor.digest);
      if (manifest.kind === 'index') throw new Error('no index was mirrored');
      for (const blob of [manifest.config, ...manifest.layers])
        await readVerified(store.fetch(blob), blob);
    }
  };

  it('hold a release, and the tags of all that was mirrored', async () => {
    await putArchive(dir, await peerTar('oc-mirror-first'));
    const store = await open(dir);
    await expectWhole(store, '4.99.1');
    const { digest } = await peerRelease('4.99.1');
    expect(await store.tags()).toEqual(
      expect.arrayContaining([`sha256-${digest.slice(7)}`, 'v4.99', '1.4']),
    );
  });

  it('hold an increment only with the archives before it', async () => {
    await putArchive(join(dir, '2'), await peerTar('oc-mirror-second'));
    const alone = await open(dir);
    const { digest } = await peerRelease('4.99.2');
    expect(await alone.resolve(digest)).toMatchObject({ digest });
    const missing: string[] = [];
    for (const one of await digestsOf('4.99.2')) {
      const found = await alone.resolve(one).catch((error: unknown) => error);
      if (found instanceof Error) {
        expect(found).toMatchObject({ code: 'NOT_FOUND' });
        expect(found.message).toContain(one);
        missing.push(one);
      }
    }
    expect(missing.length).toBeGreaterThan(0);
    await putArchive(join(dir, '1'), await peerTar('oc-mirror-first'));
    const both = await open(dir);
    await expectWhole(both, '4.99.1');
    await expectWhole(both, '4.99.2');
  });

  const tagged = async (folder: string, run: string, digest: Digest): Promise<void> => {
    const entries = storageEntries({ blobs: [], manifests: [], tags: {} });
    const own = 'docker/registry/v2/repositories/a/b/_manifests/tags/latest/current/link';
    const all: TarEntries = [...entries, [own, digest], [`isc_${run}`, 'kind: x']];
    await putArchive(join(dir, folder), await tarOf(all));
  };

  it('of several runs give a tag to what the last of them gave it', async () => {
    const [older, newer] = [sample.oci.descriptor.digest, sample.docker.descriptor.digest];
    await tagged('a', '2026-11-28T05:08:15Z', newer);
    await tagged('b', '2026-10-28T05:08:15Z', older);
    expect((await open(dir)).named('latest')).toBe(newer);
  });

  it('give signatures of an image, of which each repository may have its own', async () => {
    const { oci, docker, ociIndex } = sample;
    const tag = `sha256-${ociIndex.descriptor.digest.slice(7)}.sig`;
    const blobs = { blobs: sample.blobs, manifests: sample.manifests };
    await putArchive(
      dir,
      await tarOf([
        ...storageEntries({ ...blobs, tags: { [tag]: oci.descriptor, own: oci.descriptor } }, 'a'),
        ...storageEntries(
          { ...blobs, tags: { [tag]: docker.descriptor, own: docker.descriptor } },
          'b',
        ),
      ]),
    );
    const store = await open(dir);
    expect(await store.resolve(tag)).toEqual(oci.descriptor);
    await expect(store.resolve('own')).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });

  it('of which one is missing between others are refused, naming it', async () => {
    for (const number of [1, 3]) await putArchive(dir, await tarOf([]), number);
    await expect(open(dir)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('mirror_000002.tar is missing') as string,
    });
  });

  it('are all looked at: one that is cut off, or empty, is refused', async () => {
    await putArchive(dir, await peerTar('oc-mirror-first'));
    const path = await putArchive(dir, await tarOf([['x', 'y']]), 2);
    for (const size of [1024, 512, 0]) {
      await truncate(path, size);
      await expect(open(dir)).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
        message: expect.stringContaining('mirror_000002.tar is cut off') as string,
      });
    }
  });

  it('are not what only begins or ends with such a name', async () => {
    await putArchive(dir, await peerTar('oc-mirror-first'));
    for (const name of ['mirror_000001.tar.sha256', 'my_mirror_000001.tar', 'mirror_1.tar'])
      await writeFile(join(dir, name), 'no tar');
    await expectWhole(await open(dir), '4.99.1');
  });

  it('are read through a link that stays inside, and no other', async () => {
    const path = await putArchive(dir, await peerTar('oc-mirror-first'));
    await rename(path, join(dir, 'archive'));
    await symlink('archive', path);
    await expectWhole(await open(dir), '4.99.1');
    const outside = await temporaryFolder();
    await rename(join(dir, 'archive'), join(outside, 'archive'));
    await rm(path);
    await symlink(join(outside, 'archive'), path);
    await expect(open(dir)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
    await rm(outside, { recursive: true });
  });

  it('mean nothing by names that oc-mirror does not write', async () => {
    const { digest } = sample.small.descriptor;
    const hex = digest.slice(7);
    const storage = 'docker/registry/v2';
    const tags = `${storage}/repositories/a/b/_manifests/tags`;
    await putArchive(
      dir,
      await tarOf([
        [`${storage}/blobs/sha256/ff/${hex}/data`, sample.small.bytes],
        [`${storage}/blobs/sha256/${hex.slice(0, 2)}/${hex}/data/../data2`, sample.small.bytes],
        [`../../${hex}`, sample.small.bytes],
        [`${tags}/../current/link`, digest],
        [`${tags}/a b/current/link`, digest],
        [`${tags}/long/current/link`, `${digest}\n`],
        [`${tags}/none/current/link`, 'x'.repeat(71)],
        [`${tags}/good/current/link`, digest],
      ]),
    );
    const store = await open(dir);
    expect(await store.exists(sample.small.descriptor)).toBe(false);
    expect(await store.tags()).toEqual(['good']);
  });

  it('have the signatures that oc-mirror has checked, by their digests', async () => {
    const { digest } = await peerRelease('4.99.1');
    const name = `working-dir/signatures/4.99.1-x86_64-sha256-${digest.slice(7)}`;
    const path = await putArchive(dir, await tarOf([[name, 'message']]));
    const store = await open(dir);
    const { found } = await store.signatures(digest);
    expect(found).toEqual([
      { place: expect.stringContaining(name) as string, messages: [Buffer.from('message')] },
    ]);
    expect(found[0]!.place).toContain(path);
    expect((await store.signatures(sample.oci.descriptor.digest)).found).toEqual([]);
  });

  it.each([
    ['there are none', [], 'mirror_000001.tar'],
    ['they are of version 1', ['mirror_seq1_000000.tar'], 'oc-mirror v1'],
  ])('are not found where %s', async (_, names, hint) => {
    for (const name of names) await writeFile(join(dir, name), '');
    await expect(open(dir)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: expect.stringContaining(hint) as string,
    });
    await mkdir(join(dir, 'v2'));
    if (names.length === 0)
      await expect(open(dir)).rejects.toMatchObject({
        hint: expect.stringContaining('--from file:') as string,
      });
  });
});
