import { execFileSync } from 'node:child_process';
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beforeEach, describe, expect, it } from 'vitest';

import { readAll } from '../../../../src/core/bytes.ts';
import type { Digest } from '../../../../src/core/digest.ts';
import { readVerified } from '../../../../src/transfer/verified.ts';
import { HeldContent } from '../../../../src/stores/oc/held-content.ts';
import { readOcFolder } from '../../../../src/stores/oc/oc-folder.ts';
import { sample } from '../../../contract/content.ts';
import { readOnlyStoreContract } from '../../../contract/store.ts';
import { extractOcFolder, peerRelease, writeOcFolder } from '../../../support/peer-forms.ts';

const temporaryFolder = async (): Promise<string> => mkdtemp(join(tmpdir(), 'oc-folder-'));
const open = async (dir: string): Promise<HeldContent> => new HeldContent(await readOcFolder(dir));

readOnlyStoreContract('a folder of oc', async (content) => {
  const dir = await temporaryFolder();
  await writeOcFolder(dir, content);
  return {
    store: await open(dir),
    close: async () => rm(dir, { recursive: true, force: true }),
  };
});

describe('a folder that oc has written', () => {
  let dir: string;
  const repository = (): string => join(dir, 'v2/openshift/release');
  const manifests = (): string => join(repository(), 'manifests');
  const blobs = (): string => join(repository(), 'blobs');
  const tagsIn = async (): Promise<readonly string[]> =>
    (await readdir(manifests())).filter((name) => !name.startsWith('sha256:'));

  beforeEach(async () => {
    dir = await temporaryFolder();
    await extractOcFolder(dir);
    return async () => rm(dir, { recursive: true, force: true });
  });

  /** The release and its components can be resolved, by tags or digests, and read. */
  const expectWhole = async (place = dir): Promise<void> => {
    const store = await open(place);
    const { digest, components } = await peerRelease('4.99.1');
    expect(await store.resolve('4.99.1-x86_64')).toMatchObject({ digest, size: 1358 });
    for (const [name, own] of Object.entries(components)) {
      const descriptor = await store.resolve(`4.99.1-x86_64-${name}`);
      expect(descriptor.digest).toBe(own);
      expect(await store.resolve(own)).toEqual(descriptor);
      await readVerified(store.fetch(descriptor), descriptor);
    }
  };

  it('is read as it is', async () => {
    await expectWhole();
    expect((await (await open(dir)).tags()).toSorted()).toEqual((await tagsIn()).toSorted());
  });

  it.each([
    ['made files of the links', async (path: string) => readFile(join(manifests(), path))],
    ['made texts of the links', async (path: string) => readlink(join(manifests(), path))],
    [
      'made texts of the links, with an end of the line',
      async (path: string) => `./${await readlink(join(manifests(), path))}\n`,
    ],
  ])('is read from a copy that has %s', async (_, content) => {
    for (const tag of await tagsIn()) {
      const bytes = await content(tag);
      await rm(join(manifests(), tag));
      await writeFile(join(manifests(), tag), bytes);
    }
    await expectWhole();
  });

  it.each(['-', '_', '%3A', '\uf03a', '\uf022'])(
    'is read from a copy that has %j for each colon',
    async (instead) => {
      for (const folder of [manifests(), blobs()]) {
        for (const name of await readdir(folder)) {
          if (name.startsWith('sha256:'))
            await rename(join(folder, name), join(folder, name.replace(':', instead)));
        }
      }
      for (const tag of await tagsIn()) {
        if (tag.startsWith('sha256')) continue;
        const target = (await readlink(join(manifests(), tag))).replace(':', instead);
        await rm(join(manifests(), tag));
        await symlink(target, join(manifests(), tag));
      }
      await expectWhole();
    },
  );

  it('is read from a copy that has lost the hard links: manifests are blobs too', async () => {
    for (const name of await readdir(manifests()))
      if (name.startsWith('sha256:')) await rm(join(manifests(), name));
    await expectWhole();
  });

  it('has its manifests, told from their bytes, where the folder of them is lost', async () => {
    const named = (await readdir(manifests())).filter((name) => name.startsWith('sha256:'));
    await rm(manifests(), { recursive: true });
    const store = await open(dir);
    expect(await store.tags()).toEqual([]);
    const found: Digest[] = [];
    for await (const { descriptor } of store.manifests()) found.push(descriptor.digest);
    expect(found.toSorted()).toEqual(named.toSorted());
  });

  it('is read where a repository of it alone is named, or v2', async () => {
    await expectWhole(repository());
    await expectWhole(join(dir, 'v2'));
  });

  it('is read through links that stay inside, but not in circles', async () => {
    await rename(join(dir, 'v2/openshift'), join(dir, 'elsewhere'));
    await symlink('../elsewhere', join(dir, 'v2/openshift'));
    await symlink('..', join(dir, 'elsewhere/release/again'));
    await symlink('nowhere', join(dir, 'elsewhere/release/manifests/4.99.9-x86_64'));
    await expectWhole();
  });

  it.each(['v2', 'v2/openshift', 'v2/openshift/release/blobs', 'v2/openshift/release/manifests'])(
    'is refused where %s is a link that leads out of it',
    async (name) => {
      const outside = await temporaryFolder();
      await rename(join(dir, name), join(outside, 'moved'));
      await symlink(join(outside, 'moved'), join(dir, name));
      await expect(open(dir)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
      await rm(outside, { recursive: true });
    },
  );

  it('does not read a blob that is a link out of it', async () => {
    const outside = await temporaryFolder();
    const { digest } = await peerRelease('4.99.1');
    await copyFile(join(blobs(), digest), join(outside, 'blob'));
    for (const folder of [blobs(), manifests()]) {
      await rm(join(folder, digest));
      await symlink(join(outside, 'blob'), join(folder, digest));
    }
    const store = await open(dir);
    await expect(store.resolve('4.99.1-x86_64')).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      message: expect.stringContaining('symbolic link') as string,
    });
    await rm(outside, { recursive: true });
  });

  it('does not wait for a pipe in place of a blob, a tag or a config map', async () => {
    const { digest } = await peerRelease('4.99.1');
    await mkdir(join(dir, 'config'));
    const paths = [
      join(blobs(), digest),
      join(manifests(), digest),
      join(manifests(), '4.99.1-x86_64-cli'),
      join(dir, `config/signature-sha256-${digest.slice(7, 23)}.json`),
    ];
    for (const path of paths) {
      await rm(path, { force: true });
      execFileSync('mkfifo', [path]);
    }
    const store = await open(dir);
    expect(await store.tags()).not.toContain('4.99.1-x86_64-cli');
    await expect(store.resolve('4.99.1-x86_64')).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      got: 'a pipe or a device',
    });
  });

  it('gives changed bytes as they are, and nothing that it has not', async () => {
    const { digest, components } = await peerRelease('4.99.1');
    await writeFile(join(blobs(), digest), 'changed');
    await rm(join(blobs(), components['cli']!));
    await rm(join(manifests(), components['cli']!));
    const store = await open(dir);
    await expect(store.resolve(digest)).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    await expect(store.resolve('4.99.1-x86_64-cli')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(components['cli']!) as string,
    });
  });

  it('gives no tag to a file that oc has not finished', async () => {
    await symlink('sha256:00', join(manifests(), '4.99.2-x86_64.download'));
    await writeFile(join(blobs(), '.tmp-1'), 'x');
    expect(await (await open(dir)).tags()).not.toContain('4.99.2-x86_64.download');
  });

  it('gives a tag of two repositories where both mean one image, and refuses it otherwise', async () => {
    const oci = { ...sample, tags: { same: sample.oci.descriptor, other: sample.oci.descriptor } };
    const docker = {
      ...sample,
      tags: { same: sample.oci.descriptor, other: sample.docker.descriptor },
    };
    await writeOcFolder(dir, oci, 'a/one');
    await writeOcFolder(dir, docker, 'a/two');
    const store = await open(dir);
    expect(await store.resolve('same')).toEqual(sample.oci.descriptor);
    await expect(store.resolve('other')).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      message: expect.stringContaining('a/one and a/two') as string,
    });
  });

  it('has the signatures of its config maps, in their order, and tells of those it cannot read', async () => {
    const { digest } = await peerRelease('4.99.1');
    const hex = digest.slice(7);
    const messages = Array.from({ length: 11 }, (_, at) => `message ${at + 1}`);
    const name = `sha256-${hex}`;
    const data = messages.map(
      (text, at) => [`${name}-${at + 1}`, Buffer.from(text).toString('base64')] as const,
    );
    const configMap = {
      ...{ kind: 'ConfigMap', apiVersion: 'v1' },
      metadata: { name, namespace: 'openshift-config-managed', creationTimestamp: null },
      binaryData: Object.fromEntries(data.toReversed()),
    };
    await mkdir(join(dir, 'config'));
    const path = join(dir, `config/signature-sha256-${hex.slice(0, 16)}.json`);
    await writeFile(path, `${JSON.stringify(configMap)}\n`);
    const { found, failures } = await (await open(dir)).signatures(digest);
    expect(failures).toEqual([]);
    expect(found.map(({ place }) => place.endsWith(path))).toEqual([true]);
    expect(found[0]!.messages.map((bytes) => Buffer.from(bytes).toString())).toEqual(messages);

    await writeFile(path, JSON.stringify({ ...configMap, binaryData: 'none' }));
    const unreadable = await (await open(dir)).signatures(digest);
    expect(unreadable.found).toEqual([]);
    expect(unreadable.failures.map(({ message }) => message)[0]).toContain(path);

    await rm(path);
    execFileSync('mkfifo', [path]);
    const pipe = await (await open(dir)).signatures(digest);
    expect(pipe.failures).toMatchObject([
      { code: 'UNSUPPORTED_CONTENT', got: 'a pipe or a device' },
    ]);
  });

  it.each([
    ['nothing', [], 'v2/'],
    ['an image layout', ['oci-layout', 'blobs-of-it'], '--from oci:'],
    ['archives of oc-mirror', ['mirror_000001.tar'], '--from oc-mirror:'],
  ])('is told from %s', async (_, names, hint) => {
    const other = await temporaryFolder();
    for (const name of names) await writeFile(join(other, name), '');
    await expect(open(other)).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      hint: expect.stringContaining(hint) as string,
    });
    await rm(other, { recursive: true });
  });

  it('is not found where there is none', async () => {
    await expect(open(join(dir, 'none'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(open(join(blobs(), (await readdir(blobs()))[0]!))).rejects.toMatchObject({
      code: 'DISK',
    });
  });

  it('may change between two readings: then what is read is what is there', async () => {
    const store = await open(dir);
    const { digest } = await peerRelease('4.99.1');
    const descriptor = await store.resolve(digest);
    await rm(join(blobs(), digest));
    expect(await store.exists(descriptor)).toBe(false);
    await expect(readAll(store.fetch(descriptor), 1e6, 'it')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
