import { execFileSync } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { drain, streamOf } from '../../../../src/core/bytes.ts';
import type { BundleError } from '../../../../src/core/errors.ts';
import { hexOf } from '../../../../src/core/digest.ts';
import { referrersTagOf } from '../../../../src/core/manifest.ts';
import { OCI_INDEX, OCTET_STREAM } from '../../../../src/core/media-types.ts';
import { readVerified } from '../../../../src/transfer/verified.ts';
import { ImageLayout } from '../../../../src/stores/layout/layout.ts';
import { type Held, held, sample } from '../../../contract/content.ts';
import { fill, storeContract } from '../../../contract/store.ts';

const temporaryFolder = async (): Promise<string> => mkdtemp(join(tmpdir(), 'layout-'));
const remove = async (dir: string): Promise<void> => rm(dir, { recursive: true, force: true });

storeContract('ImageLayout', async () => {
  const dir = await temporaryFolder();
  return { store: await ImageLayout.create(dir), close: async () => remove(dir) };
});

describe('ImageLayout', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await temporaryFolder();
    return async () => remove(dir);
  });

  describe('with lists of referrers under fallback tags, as regclient writes them', () => {
    const { oci, docker, sbom, signature } = sample;
    /** The layout with the blobs of referrers that index.json does not list. */
    const withTag = async (under: Held, list: Held): Promise<ImageLayout> => {
      const layout = await ImageLayout.create(dir);
      await fill(layout, { ...sample, manifests: [oci, docker], tags: {} });
      for (const { descriptor, bytes } of [sbom, signature])
        await writeFile(pathOf({ descriptor }), bytes);
      await fill(layout, { blobs: [], manifests: [list], tags: {} });
      await layout.tag(list.descriptor, referrersTagOf(under.descriptor.digest));
      return layout;
    };
    const indexOf = (mediaType: string, held_: readonly Held[] | null): Held => {
      const manifests = held_?.map(({ descriptor }) => ({ ...descriptor, artifactType: 'a/b' }));
      return held(
        mediaType,
        JSON.stringify({ schemaVersion: 2, mediaType, manifests: manifests ?? null }),
      );
    };
    const found = async (layout: ImageLayout, { descriptor }: Held): Promise<string[]> =>
      (await layout.referrers(descriptor.digest)).map(({ digest }) => digest);

    it('finds them, each once, for their subject alone', async () => {
      const layout = await withTag(oci, indexOf(OCI_INDEX, [sbom, signature]));
      const expected = [sbom, signature].map(({ descriptor }) => descriptor.digest);
      expect(await found(layout, oci)).toEqual(expected);
      expect(await found(layout, docker)).toEqual([]);
      await fill(layout, { blobs: [], manifests: [sbom], tags: {} });
      expect((await found(layout, oci)).toSorted()).toEqual(expected.toSorted());
    });

    it('finds none in a list that is empty, the image itself, or another image', async () => {
      expect(await found(await withTag(oci, indexOf(OCI_INDEX, null)), oci)).toEqual([]);
      const layout = await ImageLayout.open(dir);
      for (const image of [oci, docker]) {
        await layout.tag(image.descriptor, referrersTagOf(oci.descriptor.digest));
        expect(await found(layout, oci)).toEqual([]);
      }
      const list = indexOf(OCI_INDEX, [oci]);
      await fill(layout, { blobs: [], manifests: [list], tags: {} });
      await layout.tag(list.descriptor, referrersTagOf(list.descriptor.digest));
      expect(await found(layout, list)).toEqual([]);
    });
  });
  const pathOf = ({ descriptor }: Pick<Held, 'descriptor'>): string =>
    join(dir, 'blobs', 'sha256', hexOf(descriptor.digest));

  it('is made in a folder that does not exist yet, and read again', async () => {
    const inner = join(dir, 'a', 'b');
    await fill(await ImageLayout.create(inner), sample);
    const again = await ImageLayout.open(inner);
    expect(again.name).toBe(`oci:${inner}`);
    expect(await again.resolve('4.17.3-x86_64')).toEqual(sample.oci.descriptor);
    expect(JSON.parse(await readFile(join(inner, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
  });

  it('is refused before it is made with the same words as when it is made', async () => {
    await mkdir(join(dir, 'letters'));
    await writeFile(join(dir, 'letters/letter.txt'), 'dear');
    const refusal = (work: Promise<unknown>): Promise<unknown> =>
      work.then(
        () => 'none',
        (error: unknown) => {
          const { code, message, hint } = error as BundleError;
          return { code, message, hint };
        },
      );
    for (const [path, code] of [
      ['letters', 'USAGE'],
      ['letters/letter.txt', 'DISK'],
      ['letters/letter.txt/below', 'DISK'],
      ['/dev/null', 'DISK'],
    ] as const) {
      const found = await refusal(ImageLayout.find(resolve(dir, path)));
      expect(found).toMatchObject({ code });
      expect(found).toEqual(await refusal(ImageLayout.create(resolve(dir, path))));
    }
  });

  it('is looked for without being made', async () => {
    await mkdir(join(dir, 'empty'));
    for (const path of ['empty', 'none/yet'])
      expect(await ImageLayout.find(join(dir, path))).toBeUndefined();
    expect(await readdir(dir)).toEqual(['empty']);
    await fill(await ImageLayout.create(join(dir, 'empty')), sample);
    expect(await (await ImageLayout.find(join(dir, 'empty')))?.resolve('multi')).toEqual(
      sample.ociIndex.descriptor,
    );
  });

  it('keeps what is there when it is made again', async () => {
    await fill(await ImageLayout.create(dir), sample);
    expect(await (await ImageLayout.create(dir)).resolve('multi')).toEqual(
      sample.ociIndex.descriptor,
    );
  });

  it('is not made in a folder of something else', async () => {
    await writeFile(join(dir, 'letter.txt'), 'dear');
    await expect(ImageLayout.create(dir)).rejects.toMatchObject({ code: 'USAGE' });
    expect(await readdir(dir)).toEqual(['letter.txt']);
  });

  it('is not opened where there is none', async () => {
    await expect(ImageLayout.open(join(dir, 'absent'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(ImageLayout.open(dir)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
    await writeFile(join(dir, 'file'), '');
    await expect(ImageLayout.open(join(dir, 'file'))).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it.each([
    ['another version', '{"imageLayoutVersion":"2.0.0"}', '{"schemaVersion":2,"manifests":[]}'],
    ['no index', '{"imageLayoutVersion":"1.0.0"}', undefined],
    ['an index that is no JSON', '{"imageLayoutVersion":"1.0.0"}', 'nonsense'],
    [
      'a digest that leads elsewhere',
      '{"imageLayoutVersion":"1.0.0"}',
      '{"manifests":[{"mediaType":"x","size":1,"digest":"sha256:../../x"}]}',
    ],
  ])('is not opened with %s', async (_, marker, index) => {
    await writeFile(join(dir, 'oci-layout'), marker);
    if (index !== undefined) await writeFile(join(dir, 'index.json'), index);
    await expect(ImageLayout.open(dir)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });

  it('leaves no temporary file behind a push that failed', async () => {
    const layout = await ImageLayout.create(dir);
    await expect(
      layout.push(sample.large.descriptor, streamOf(sample.small.bytes)),
    ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    expect(await readdir(join(dir, 'ingest'))).toEqual([]);
  });

  it('does not wait for a pipe in the place of a blob', async () => {
    const layout = await ImageLayout.create(dir);
    await layout.push(sample.small.descriptor, streamOf(sample.small.bytes));
    await rm(pathOf(sample.small));
    execFileSync('mkfifo', [pathOf(sample.small)]);
    await expect(drain(layout.fetch(sample.small.descriptor))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('writes blobs that cannot be changed by accident', async () => {
    await (
      await ImageLayout.create(dir)
    ).push(sample.small.descriptor, streamOf(sample.small.bytes));
    expect((await stat(pathOf(sample.small))).mode & 0o777).toBe(0o444);
  });

  it('is not disturbed by what a killed run has left, and removes it when it is old', async () => {
    await ImageLayout.create(dir);
    const old = join(dir, 'ingest', 'old');
    await writeFile(old, 'half a blob');
    await writeFile(join(dir, 'ingest', 'fresh'), 'half a blob');
    await utimes(old, new Date(0), new Date(0));
    await fill(await ImageLayout.create(dir), sample);
    expect(await readdir(join(dir, 'ingest'))).toEqual(['fresh']);
  });

  it('replaces a blob of another size', async () => {
    const layout = await ImageLayout.create(dir);
    await fill(layout, sample);
    await chmod(pathOf(sample.large), 0o600);
    await truncate(pathOf(sample.large), 1000);
    expect(await layout.exists(sample.large.descriptor)).toBe(false);
    await layout.push(sample.large.descriptor, streamOf(sample.large.bytes));
    expect(
      await readVerified(layout.fetch(sample.large.descriptor), sample.large.descriptor, 4 << 20),
    ).toHaveLength(sample.large.bytes.length);
  });

  it('does not tag a manifest that was altered on disk', async () => {
    const layout = await ImageLayout.create(dir);
    await fill(layout, { ...sample, tags: {} });
    await chmod(pathOf(sample.oci), 0o600);
    await writeFile(pathOf(sample.oci), Buffer.from(sample.oci.bytes).fill(32, 0, 1));
    await expect(layout.tag(sample.oci.descriptor, 'x')).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
  });

  it('keeps the entries and fields that other programs wrote', async () => {
    const layout = await ImageLayout.create(dir);
    await fill(layout, { ...sample, tags: {} });
    const foreign = {
      ...sample.docker.descriptor,
      platform: { os: 'linux', architecture: 'arm64' },
      annotations: { who: 'another' },
    };
    await writeFile(
      join(dir, 'index.json'),
      JSON.stringify({ schemaVersion: 2, annotations: { a: 'b' }, manifests: [foreign] }),
    );
    await layout.tag(sample.oci.descriptor, 'mine');
    const index: unknown = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8'));
    expect(index).toMatchObject({
      annotations: { a: 'b' },
      manifests: [foreign, { digest: sample.oci.descriptor.digest }],
    });
  });

  it('resolves a digest that index.json does not list by its own bytes', async () => {
    const layout = await ImageLayout.create(dir);
    for (const { descriptor, bytes } of [sample.docker, sample.ociIndex]) {
      await layout.push({ ...descriptor, mediaType: OCTET_STREAM }, streamOf(bytes));
      expect(await layout.resolve(descriptor.digest)).toEqual(descriptor);
    }
    expect(await layout.tags()).toEqual([]);
  });

  it('does not choose between two manifests of one name', async () => {
    const layout = await ImageLayout.create(dir);
    const annotations = { 'org.opencontainers.image.ref.name': 'twice' };
    const manifests = [sample.oci, sample.docker].map(({ descriptor }) => ({
      ...descriptor,
      annotations,
    }));
    await writeFile(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
    await expect(layout.resolve('twice')).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });

  it('lists each manifest once, under all its names', async () => {
    const layout = await ImageLayout.create(dir);
    await fill(layout, { ...sample, tags: { a: sample.oci.descriptor, b: sample.oci.descriptor } });
    await layout.tag(sample.oci.descriptor, 'a');
    const { manifests } = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as {
      manifests: { digest: string }[];
    };
    expect(manifests.filter(({ digest }) => digest === sample.oci.descriptor.digest)).toHaveLength(
      2,
    );
    expect(manifests).toHaveLength(sample.manifests.length + 1);
  });

  it('waits for its turn when two are open on one folder', async () => {
    const [one, two] = [await ImageLayout.create(dir), await ImageLayout.create(dir)];
    await fill(one, { ...sample, tags: {} });
    const tags = Array.from({ length: 10 }, (_, index) => `t${index}`);
    await Promise.all(
      tags.map(async (tag, index) => (index % 2 === 0 ? one : two).tag(sample.oci.descriptor, tag)),
    );
    expect(new Set(await one.tags())).toEqual(new Set(tags));
  });

  it('tells a disk that cannot be written from content that is wrong', async () => {
    const layout = await ImageLayout.create(dir);
    await rm(join(dir, 'ingest'), { recursive: true });
    await writeFile(join(dir, 'ingest'), '');
    const blob = held(OCTET_STREAM, 'x');
    await expect(layout.push(blob.descriptor, streamOf(blob.bytes))).rejects.toMatchObject({
      code: 'DISK',
    });
    await rm(join(dir, 'ingest'));
    await mkdir(pathOf(blob), { recursive: true });
    await expect(
      layout.push({ ...blob.descriptor, size: 1 }, streamOf(blob.bytes)),
    ).rejects.toMatchObject({ code: 'DISK' });
  });
});
