import { execFile } from 'node:child_process';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { buffer as collect } from 'node:stream/consumers';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type Digest, digestOf, hexOf } from '../../../../src/core/digest.ts';
import type { Notice, Observe } from '../../../../src/core/events.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../../../src/core/media-types.ts';
import { KeepingStore } from '../../../../src/stores/kept/keeping-store.ts';
import { clearKept, KeptManifests } from '../../../../src/stores/kept/kept-manifests.ts';
import { MemoryStore } from '../../../../src/stores/memory.ts';

/** A manifest that differs from others by its name, of one character. */
const textOf = (name = 'a'): string =>
  JSON.stringify({
    ...{ schemaVersion: 2, mediaType: OCI_MANIFEST },
    config: { mediaType: OCI_CONFIG, size: 2, digest: digestOf('{}') },
    layers: [],
    annotations: { name },
  });
const FILE_BYTES = OCI_MANIFEST.length + 1 + textOf().length;

describe('manifests that are kept', () => {
  let folder: string;
  let notices: Notice[];
  let asked: string[];
  let origin: MemoryStore;

  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'bundle-kept-')), 'manifests');
    notices = [];
    asked = [];
    origin = new MemoryStore('registry.example/app');
  });
  afterEach(() => rm(join(folder, '..'), { recursive: true }));

  const observe: Observe = (event) => {
    if (event.type === 'noticed') notices.push(event);
  };
  const kept = (limit?: number): KeptManifests => new KeptManifests(folder, observe, limit);

  /** A run, which asks the registry only for what is not kept. */
  const run = (cache = kept()): KeepingStore => {
    const watched = Object.create(origin, {
      fetch: {
        value: (...args: Parameters<MemoryStore['fetch']>) => (
          asked.push('fetch'),
          origin.fetch(...args)
        ),
      },
      resolve: {
        value: (...args: Parameters<MemoryStore['resolve']>) => (
          asked.push('resolve'),
          origin.resolve(...args)
        ),
      },
    }) as MemoryStore;
    return new KeepingStore(watched, cache);
  };
  const put = async (name = 'a') => {
    const bytes = Buffer.from(textOf(name));
    const descriptor = { mediaType: OCI_MANIFEST, size: bytes.length, digest: digestOf(bytes) };
    await origin.push(
      descriptor,
      (async function* () {
        yield bytes;
      })(),
    );
    return descriptor;
  };
  const place = (digest: Digest): string => join(folder, hexOf(digest).slice(0, 2), hexOf(digest));

  it('are fetched once, whatever runs ask for them', async () => {
    const descriptor = await put();
    for (let runs = 0; runs < 3; runs += 1)
      expect(Buffer.from(await collect(run().fetch(descriptor))).toString()).toBe(textOf());
    expect(await run().resolve(descriptor.digest)).toEqual(descriptor);
    expect(asked).toEqual(['fetch']);
  });

  it('are not believed: what was changed is fetched again, and replaced', async () => {
    const descriptor = await put();
    await collect(run().fetch(descriptor));
    for (const content of [
      '',
      textOf(),
      `${OCI_MANIFEST}\n${textOf('b')}`,
      `text/html\n${textOf()}`,
      `${OCI_INDEX}\n${textOf()}`,
      'x'.repeat(300),
    ]) {
      await writeFile(place(descriptor.digest), content);
      asked = [];
      expect(Buffer.from(await collect(run().fetch(descriptor))).toString()).toBe(textOf());
      expect(asked).toEqual(['fetch']);
      expect(await readFile(place(descriptor.digest), 'utf8')).toBe(`${OCI_MANIFEST}\n${textOf()}`);
    }
  });

  it('are not kept where they are not what their digest says', async () => {
    const descriptor = await put();
    const wrong = { ...descriptor, digest: digestOf('other') };
    const lying = Object.create(origin, {
      fetch: { value: () => origin.fetch(descriptor) },
    }) as MemoryStore;
    await collect(new KeepingStore(lying, kept()).fetch(wrong));
    await collect(
      new KeepingStore(origin, kept()).fetch(descriptor, { range: { start: 0, end: 1 } }),
    );
    expect(await readdir(folder).catch(() => [])).toEqual([]);
  });

  it('never go through a link, and a folder that cannot be used is reported once', async () => {
    const descriptor = await put();
    const outside = join(folder, '../outside');
    await writeFile(outside, 'precious');
    await mkdir(join(place(descriptor.digest), '..'), { recursive: true });
    await symlink(outside, place(descriptor.digest));
    await collect(run().fetch(descriptor));
    expect(await readFile(outside, 'utf8')).toBe('precious');
    // Nor where the folder of some digests is the link.
    const elsewhere = join(folder, '../elsewhere');
    const group = dirname(place(descriptor.digest));
    await mkdir(elsewhere);
    await rm(group, { recursive: true });
    await symlink(elsewhere, group);
    await writeFile(join(elsewhere, basename(place(descriptor.digest))), 'precious');
    await collect(run().fetch(descriptor));
    expect(await clearKept(folder)).toEqual({ files: 0, bytes: 0 });
    expect(await readFile(place(descriptor.digest), 'utf8')).toBe('precious');
    await rm(folder, { recursive: true });
    await writeFile(folder, 'a file');
    notices = [];
    const one = run();
    await collect(one.fetch(descriptor));
    await collect(one.fetch(await put('b')));
    expect(notices).toMatchObject([{ code: 'cache-unusable', folder }]);
  });

  it('make room for new ones, the oldest first, and can all be removed', async () => {
    const cache = kept(4 * FILE_BYTES + 1);
    const manifests = await Promise.all([1, 2, 3, 4, 5].map((n) => put(`${n}`)));
    for (const [at, manifest] of manifests.entries()) {
      await collect(run(cache).fetch(manifest));
      await utimes(place(manifest.digest), at + 1, at + 1);
    }
    await writeFile(join(folder, 'not-ours'), 'x');
    await cache.close();
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.length > 60);
    expect(names.map((name) => name.slice(3)).sort()).toEqual(
      manifests
        .slice(1)
        .map(({ digest }) => hexOf(digest))
        .sort(),
    );
    expect((await clearKept(folder)).files).toBe(4);
    expect(await clearKept(folder)).toEqual({ files: 0, bytes: 0 });
    expect(await readFile(join(folder, 'not-ours'), 'utf8')).toBe('x');
  });

  it('are not said to be removed where no folder of them is', async () => {
    const [file, pipe] = [join(folder, 'file'), join(folder, 'pipe')];
    await mkdir(folder, { recursive: true });
    await writeFile(file, 'x');
    await promisify(execFile)('mkfifo', [pipe]);
    await expect(clearKept(file)).rejects.toMatchObject({ exitStatus: 26, got: 'a file' });
    await expect(clearKept(pipe)).rejects.toMatchObject({ exitStatus: 26 });
    expect(await clearKept(join(folder, 'nothing'))).toEqual({ files: 0, bytes: 0 });
  });
});
