import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { projectPath } from '../../../../scripts/lib/project-root.ts';
import {
  looksLikeTar,
  readGraphDataFolder,
  readGraphDataTar,
} from '../../../../src/updates/graph-data/files.ts';

const unsupported = expect.objectContaining({ code: 'UNSUPPORTED_CONTENT' }) as Error;

async function tarOf(
  files: readonly (readonly [string, string])[],
  link?: Pick<Header, 'name'> & Partial<Header>,
): Promise<Buffer> {
  const tar = pack();
  if (link !== undefined) tar.entry(link);
  for (const [name, text] of files) tar.entry({ name }, text);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('the files of graph data', () => {
  const WANTED = [
    ['version', '1.1.0'],
    ['channels/stable-4.17.yaml', 'name: stable-4.17'],
    ['blocked-edges/4.17.3-A.yaml', 'to: 4.17.3'],
    ['raw/metadata.json', '{}'],
    ['LICENSE', 'Apache'],
  ] as const;
  const OTHERS = [
    ['README.md', 'no'],
    ['channels/OWNERS', 'no'],
    ['build-suggestions/4.17.yaml', 'no'],
    ['blocked-edges/4.17.3.yml', 'no'],
    ['channels/deep/er.yaml', 'no'],
  ] as const;
  const SORTED = [...WANTED.map(([path]) => path)].sort();
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-graph-data-'));
    for (const [path, text] of [...WANTED, ...OTHERS]) {
      await mkdir(join(folder, path, '..'), { recursive: true });
      await writeFile(join(folder, path), text);
    }
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('are those that a service reads, in one order, from a folder and from a tarball', async () => {
    const read = await readGraphDataFolder(folder);
    expect([...read.keys()]).toEqual(SORTED);
    for (const tar of [
      await tarOf([...WANTED, ...OTHERS]),
      gzipSync(await tarOf([...OTHERS, ...WANTED].map(([path, text]) => [`./${path}`, text]))),
      await tarOf([...WANTED, ...OTHERS].map(([path, text]) => [`data-main/${path}`, text])),
    ]) {
      expect(looksLikeTar(tar)).toBe(true);
      expect(await readGraphDataTar(tar, 'it')).toEqual(read);
    }
  });

  it('are told from the answer of a service', async () => {
    expect(looksLikeTar(await readFile(projectPath('fixtures/graphs/amd64-stable-4.9.json')))).toBe(
      false,
    );
  });

  it.each([
    ['without channels', [['version', '1.1.0']]],
    ['without a version', [['channels/a.yaml', '']]],
    ['with one name twice', [...WANTED, ['version', '1.2.0']]],
  ] as const)('are refused %s', async (_, files) => {
    await expect(readGraphDataTar(await tarOf(files), 'it')).rejects.toThrow(unsupported);
  });

  it('are refused from a tarball that was cut anywhere, and from what is none', async () => {
    const archive = await readFile(projectPath('fixtures/graphs/graph-data-731d0424.tar.gz'));
    const bare = gunzipSync(archive);
    for (const cut of [
      archive.subarray(0, archive.length - 1),
      archive.subarray(0, 50_000),
      bare.subarray(0, bare.length - 512 * 40),
      bare.subarray(0, 512 * 100),
      Buffer.alloc(0),
      Buffer.from('{"nodes": []}'),
    ]) {
      await expect(readGraphDataTar(cut, 'it')).rejects.toThrow(unsupported);
    }
  });

  describe('that are links', () => {
    const SECRET = 'of nobody else';
    let place: string;

    beforeEach(async () => {
      place = await mkdtemp(join(tmpdir(), 'bundle-graph-links-'));
      await mkdir(join(place, 'outside'));
      for (const name of ['outside/secret', 'outside/a.yaml', 'outside/metadata.json'])
        await writeFile(join(place, name), SECRET);
      for (const [path, text] of WANTED) {
        await mkdir(join(place, 'data', path, '..'), { recursive: true });
        await writeFile(join(place, 'data', path), text);
      }
    });
    afterEach(() => rm(place, { recursive: true }));

    it.each([
      ['LICENSE', '../outside/secret'],
      ['version', '../outside/secret'],
      ['raw/metadata.json', '../../outside/secret'],
      ['channels/stable-4.17.yaml', '../../outside/secret'],
      ['blocked-edges/4.17.3-A.yaml', '/etc/hostname'],
      ['channels', '../outside'],
      ['raw', '../outside'],
      ['LICENSE', 'nowhere'],
    ])('out of the folder are refused: %s to %s', async (path, target) => {
      await rm(join(place, 'data', path), { recursive: true });
      await symlink(target, join(place, 'data', path));
      await expect(readGraphDataFolder(join(place, 'data'))).rejects.toThrow(
        expect.objectContaining({
          code: 'UNSUPPORTED_CONTENT',
          message: expect.stringContaining(join('data', path)) as string,
        }) as Error,
      );
    });

    it('within it are followed, as is one to the whole folder', async () => {
      const plain = await readGraphDataFolder(join(place, 'data'));
      await rename(join(place, 'data/LICENSE'), join(place, 'data/LICENSE.txt'));
      await symlink('LICENSE.txt', join(place, 'data/LICENSE'));
      await rename(join(place, 'data/channels'), join(place, 'data/all'));
      await symlink('all', join(place, 'data/channels'));
      await symlink('data', join(place, 'link'));
      expect(await readGraphDataFolder(join(place, 'link'))).toEqual(plain);
    });

    it.each(['symlink', 'link'] as const)('are not lost out of a tarball: %s', async (type) => {
      for (const name of ['channels/fast-4.17.yaml', 'raw', 'LICENSE', 'blocked-edges/b.yaml']) {
        const tar = await tarOf(WANTED, { name: `data-main/${name}`, type, linkname: 'version' });
        await expect(readGraphDataTar(tar, 'it')).resolves.toBeInstanceOf(Map);
        const inside = await tarOf(WANTED, { name, type, linkname: 'version' });
        await expect(readGraphDataTar(inside, 'it')).rejects.toThrow(
          expect.objectContaining({
            code: 'UNSUPPORTED_CONTENT',
            message: `it holds ${name} as a link`,
          }) as Error,
        );
      }
    });
  });

  it('are refused from a folder of something else', async () => {
    await expect(readGraphDataFolder(join(folder, 'channels'))).rejects.toThrow(unsupported);
    await expect(readGraphDataFolder(join(folder, 'nowhere'))).rejects.toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }) as Error,
    );
  });
});
