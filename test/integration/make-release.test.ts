import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRelease, type MakeReleaseOptions } from '../../scripts/lib/make-release.ts';
import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { hexOf } from '../../src/core/digest.ts';
import { type ImageManifest, parseManifest, successors } from '../../src/core/manifest.ts';
import { DOCKER_LIST, isIndexType, isManifestType, OCI_INDEX } from '../../src/core/media-types.ts';
import type { ReadOnlyStore } from '../../src/core/store.ts';
import { readVerified } from '../../src/transfer/verified.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';
import { MemoryStore } from '../../src/stores/memory.ts';
import { readReleaseKeys } from '../../src/trust/release-keys.ts';
import { verifyReleaseSignature } from '../../src/trust/release-signature.ts';

const LIMIT = 64 << 20;
const small = { components: 5, scale: 0.0001 } as const;

describe('makeRelease', () => {
  let dir: string;
  let made: MadeRelease;
  let store: ReadOnlyStore;
  const make = async (name: string, options: Partial<MakeReleaseOptions>): Promise<MadeRelease> =>
    makeRelease({ ...small, ...options, out: join(dir, name) });
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'make-release-'));
    made = await make('first', { cosign: true });
    store = await ImageLayout.open(made.layout!);
  });
  afterAll(async () => rm(dir, { recursive: true, force: true }));

  it('makes the same images of the same seed, and others of another', async () => {
    const again = await make('again', { cosign: true });
    expect(again.release).toEqual(made.release);
    expect(again.signatureImages).toEqual(made.signatureImages);
    const other = await make('other', { cosign: true, seed: '2' });
    expect(other.release.digest).not.toBe(made.release.digest);
    expect(
      other.components.every(({ digest }) => !made.components.some((old) => old.digest === digest)),
    ).toBe(true);
  });

  it('holds everything that its manifests name, as they name it', async () => {
    const roots = [made.release, ...made.components, ...made.signatureImages];
    const found = await walk(store, roots);
    expect(found.size).toBe(made.blobs);
    expect([...found.values()].reduce((sum, { size }) => sum + size, 0)).toBe(made.bytes);
  });

  it('has images of both kinds, and a component that is another one too', () => {
    expect(new Set(made.components.map(({ mediaType }) => mediaType)).size).toBe(2);
    expect(new Set(made.components.map(({ digest }) => digest)).size).toBe(4);
  });

  it('names the release and the signature images by tag', async () => {
    expect((await store.resolve('4.17.3-x86_64')).digest).toBe(made.release.digest);
    for (const { tag, subject, digest } of made.signatureImages) {
      expect(tag).toBe(`sha256-${hexOf(subject)}.sig`);
      expect((await store.resolve(tag)).digest).toBe(digest);
    }
    expect(made.signatureImages.map(({ subject }) => subject)).toContain(made.release.digest);
    expect(await store.tags()).toHaveLength(1 + made.signatureImages.length);
  });

  it('has layers that tar can read, and that their configs know', async () => {
    const image = await imageOf(store, made.components[0]!);
    const config = JSON.parse(Buffer.from(await contentOf(store, image.config)).toString()) as {
      rootfs: { diff_ids: string[] };
    };
    for (const [index, layer] of image.layers.entries()) {
      const tar = gunzipSync(await contentOf(store, layer));
      expect(`sha256:${createHash('sha256').update(tar).digest('hex')}`).toBe(
        config.rootfs.diff_ids[index],
      );
      expect(execFileSync('tar', ['-tf', '-'], { input: tar }).toString()).toMatch(/^usr\//);
    }
  });

  it('has the payload of a real release, which names its own components', async () => {
    const top = (await imageOf(store, made.release)).layers.at(-1)!;
    const file = join(dir, 'top.tar.gz');
    await writeFile(file, await contentOf(store, top));
    const tar = (...args: string[]): string =>
      execFileSync('tar', args, { maxBuffer: LIMIT }).toString();
    expect(tar('-tzf', file).trim().split('\n')).toHaveLength(647);
    const references = JSON.parse(tar('-xzOf', file, 'release-manifests/image-references')) as {
      metadata: { name: string };
      spec: { tags: { name: string; from: { name: string } }[] };
    };
    expect(references.metadata.name).toBe('4.17.3');
    expect(references.spec.tags.map(({ name, from }) => ({ name, reference: from.name }))).toEqual(
      made.components.map(({ name, reference }) => ({ name, reference })),
    );
    for (const { reference, digest } of made.components)
      expect(reference).toMatch(new RegExp(`ocp-v4.0-art-dev@${digest}$`));
    expect(JSON.parse(tar('-xzOf', file, 'release-manifests/release-metadata'))).toMatchObject({
      version: '4.17.3',
    });
  });

  it('is signed with the key that lies beside it', async () => {
    const signature = join(
      made.signatureStore,
      `sha256=${hexOf(made.release.digest)}`,
      'signature-1',
    );
    const keys = await readReleaseKeys([
      { name: made.releaseKey, content: await readFile(made.releaseKey) },
    ]);
    const { dockerReference } = await verifyReleaseSignature(
      await readFile(signature),
      made.release.digest,
      keys,
      new Date(),
    );
    expect(dockerReference).toBe('quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64');
  });

  it('makes indexes of both kinds for several architectures, with one payload', async () => {
    const multi = await make('multi', { architecture: 'multi', cosign: true, components: 8 });
    const layout = await ImageLayout.open(multi.layout!);
    expect(
      (await walk(layout, [multi.release, ...multi.components, ...multi.signatureImages])).size,
    ).toBe(multi.blobs);
    expect(multi.release.mediaType).toBe(DOCKER_LIST);
    expect(new Set(multi.components.map(({ mediaType }) => mediaType))).toEqual(
      new Set([DOCKER_LIST, OCI_INDEX]),
    );
    const index = parseManifest(await contentOf(layout, multi.release));
    const children = index.kind === 'index' ? index.manifests : [];
    expect(children.map(({ platform }) => platform?.architecture)).toEqual(['amd64', 'arm64']);
    const payloads = await Promise.all(
      children.map(async (child) => (await imageOf(layout, child)).layers.at(-1)!.digest),
    );
    expect(new Set(payloads).size).toBe(1);
    const roots = new Set([multi.release, ...multi.components].map(({ digest }) => digest));
    expect(multi.signatureImages.some(({ subject }) => !roots.has(subject))).toBe(true);
  });

  it('gives each of two repositories all that its images need', async () => {
    const destination = {
      registry: 'localhost:5000',
      releases: new MemoryStore('releases'),
      components: new MemoryStore('components'),
    };
    const pushed = await make('pushed', { destination, cosign: true });
    expect(pushed.release).toEqual(made.release);
    expect(pushed).toMatchObject({ registry: 'localhost:5000', blobs: made.blobs });
    expect(pushed.layout).toBeUndefined();
    await walk(destination.releases, [pushed.release]);
    await walk(destination.components, pushed.components);
    expect(await destination.releases.tags()).toEqual([
      '4.17.3-x86_64',
      `sha256-${hexOf(made.release.digest)}.sig`,
    ]);
    expect(await destination.components.tags()).not.toContain('4.17.3-x86_64');
  });

  it('makes up names for components beyond the real ones', async () => {
    const { components } = await make('many', {
      components: 185,
      shape: { base: [1000], own: () => 1000 },
    });
    expect(components.length).toBe(185);
    expect(new Set(components.map(({ name }) => name)).size).toBe(185);
  });

  it('has client programs where they are asked for, and is the same otherwise', async () => {
    const all = await make('programs', { programs: true });
    const added = all.components.slice(small.components).map(({ name }) => name);
    expect(added).toEqual(expect.arrayContaining(['cli', 'cli-artifacts', 'installer-artifacts']));
    const plain = all.components.slice(0, small.components);
    expect(plain.map(({ digest }) => digest)).toEqual(made.components.map(({ digest }) => digest));
    const one = await make('one-program', { programs: ['cli'] });
    expect(one.components.map(({ name }) => name)).toEqual([
      ...made.components.map(({ name }) => name),
      'cli',
    ]);
  });

  it('makes no part of a component', async () => {
    await expect(make('many', { components: 2.5 })).rejects.toThrow(RangeError);
  });
});

async function walk(
  store: ReadOnlyStore,
  roots: readonly Descriptor[],
): Promise<Map<string, Descriptor>> {
  const found = new Map<string, Descriptor>();
  const queue = [...roots];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (found.has(next.digest)) continue;
    found.set(next.digest, next);
    const bytes = await contentOf(store, next);
    if (isManifestType(next.mediaType))
      queue.push(...successors(parseManifest(bytes, next.mediaType)));
  }
  return found;
}

async function contentOf(store: ReadOnlyStore, descriptor: Descriptor): Promise<Uint8Array> {
  return readVerified(store.fetch(descriptor), descriptor, LIMIT);
}

async function imageOf(store: ReadOnlyStore, descriptor: Descriptor): Promise<ImageManifest> {
  expect(isIndexType(descriptor.mediaType)).toBe(false);
  const manifest = parseManifest(await contentOf(store, descriptor), descriptor.mediaType);
  if (manifest.kind === 'index') throw new Error('an index where an image was meant');
  return manifest;
}
