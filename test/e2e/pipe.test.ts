import { createReadStream } from 'node:fs';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { type Ended, runBundle, startBundle } from '../support/bundle-process.ts';
import { type Decide, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { type PackableRelease, packableRelease } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

const MiB = 1024 * 1024;
const RELEASE = 'ocp4/openshift/release-images';
const TAG = '4.17.3-x86_64';

describeWith(['docker-registry'], 'a bundle in a pipe', () => {
  let release: PackableRelease;
  let folder: string;
  let trust: readonly string[];
  let packing: readonly string[];
  let file: string;

  const bundle = (args: readonly string[], input?: Readable): Promise<Ended> =>
    runBundle(args, { folder, input });
  const sent = (end?: number): Readable =>
    createReadStream(file, end === undefined ? {} : { end: end - 1 });
  const unpacking = (host: string): string[] => [
    'unpack',
    '-',
    '--to',
    `${host}/ocp4`,
    '--output',
    'json',
    ...trust,
  ];
  const hasTag = async ({ url }: TestRegistry): Promise<boolean> =>
    (await fetch(`${url}/v2/${RELEASE}/manifests/${TAG}`, { method: 'HEAD' })).status === 200;
  const withTarget = async (
    decide: Decide,
    work: (host: string, target: TestRegistry) => Promise<void>,
  ): Promise<void> => {
    const target = await startRegistry();
    const proxy = await startFaultProxy(target.url, decide);
    try {
      await work(proxy.host, target);
    } finally {
      await Promise.all([proxy.stop(), target.stop()]);
    }
  };

  beforeAll(async () => {
    // One layer of 80 MB, more than the window.
    release = await packableRelease('pipe', { components: 3, scale: 1, cosign: true });
    ({ folder, trust } = release);
    packing = release.packing();
    expect(await bundle([...packing, '-o', join(folder, 'out')])).toMatchObject({ status: 0 });
    file = join(folder, 'out', `ocp-${TAG}.tar.zst`);
    largest = await largestLayer();
  });
  afterAll(() => release.remove());

  it('is the bundle that a file would be, with the result on stderr', async () => {
    const chunks: Buffer[] = [];
    const take = (stdout: Readable): unknown =>
      stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    const args = [
      ...packing,
      '-o',
      '-',
      '--output',
      'json',
      '--progress',
      'none',
      '--log-level',
      'error',
    ];
    const { ended } = await startBundle(args, { folder, output: take });
    const { status, stderr } = await ended;
    expect(status).toBe(0);
    expect(Buffer.concat(chunks).equals(await readFile(file))).toBe(true);
    expect(JSON.parse(stderr)).toMatchObject({ size: (await stat(file)).size });
  });

  it('goes from one end to the other, and is verified and inspected on the way', async () => {
    await withTarget(
      () => undefined,
      async (host, target) => {
        const { child, ended } = await startBundle([...packing, '-o', '-'], {
          folder,
          output: () => undefined,
        });
        const unpacked = await bundle(unpacking(host), child.stdout!);
        expect((await ended).status).toBe(0);
        expect(unpacked.status).toBe(0);
        expect(await hasTag(target)).toBe(true);
        const again = JSON.parse((await bundle([...unpacking(host).with(1, file)])).stdout) as {
          delivery: { copied: object };
        };
        expect(again.delivery.copied).toMatchObject({
          blobs: { pushed: 0 },
          manifests: { pushed: 0 },
          tags: { set: 0 },
          left: [],
        });
      },
    );
    for (const command of ['verify', 'inspect'])
      expect((await bundle([command, '-', ...trust], sent())).status).toBe(0);
  });

  it('of volumes that were joined is read like one piece, and not without the last of them', async () => {
    const out = join(folder, 'volumes');
    // The layer of 80 MB is cut in the second of its frames.
    expect(await bundle([...packing, '-o', out, '--volume-size', '120M'])).toMatchObject({
      status: 0,
    });
    const paths = (await readdir(out))
      .filter((name) => name.includes('.tar.zst.'))
      .toSorted()
      .map((name) => join(out, name));
    expect(paths).toHaveLength(2);
    const joined = (count: number): Readable =>
      Readable.from(oneAfterTheOther(paths.slice(0, count)), { objectMode: false });
    for (const command of ['verify', 'inspect'])
      expect((await bundle([command, '-', ...trust], joined(paths.length))).status).toBe(0);
    await withTarget(
      () => undefined,
      async (host, target) => {
        expect(await bundle(unpacking(host), joined(paths.length - 1))).toMatchObject({
          status: 22,
        });
        expect(await hasTag(target)).toBe(false);
        expect(await bundle(unpacking(host), joined(paths.length))).toMatchObject({ status: 0 });
        expect(await hasTag(target)).toBe(true);
      },
    );
    await rm(out, { recursive: true });
  });

  it('that is cut off anywhere ends with 22 and without the release’s tag; sent again, it goes on', async () => {
    const { size } = await stat(file);
    await withTarget(
      () => undefined,
      async (host, target) => {
        for (const end of [300, Math.floor(size * 0.6), size - 1]) {
          expect(await bundle(unpacking(host), sent(end))).toMatchObject({ status: 22 });
          expect(await hasTag(target)).toBe(false);
        }
        const { status, stdout } = await bundle(unpacking(host), sent());
        expect(status).toBe(0);
        expect(
          (JSON.parse(stdout) as { delivery: { copied: object } }).delivery.copied,
        ).toMatchObject({ blobs: { pushed: 0 } });
        expect(await hasTag(target)).toBe(true);
      },
    );
    expect(await bundle(['verify', '-', ...trust], sent(size - 1))).toMatchObject({ status: 22 });
  });

  it('with a wrong byte in a layer ends with 20, and neither that image nor the release gets a tag', async () => {
    const bytes = await readFile(file);
    bytes[Math.floor(bytes.length * 0.6)]! ^= 1;
    const wrong = join(folder, 'wrong');
    await writeFile(wrong, bytes);
    await withTarget(
      () => undefined,
      async (host, target) => {
        expect(await bundle(unpacking(host), createReadStream(wrong))).toMatchObject({
          status: 20,
        });
        expect(await hasTag(target)).toBe(false);
      },
    );
    expect(await bundle(['verify', '-', ...trust], createReadStream(wrong))).toMatchObject({
      status: 20,
    });
  });

  let largest: string;
  /** The first upload of the largest layer. */
  const firstOfLargest = (): ((request: Parameters<Decide>[0]) => boolean) => {
    let isFirst = true;
    return ({ method, url }) => {
      if (method !== 'PUT' || !url.includes(largest) || !isFirst) return false;
      isFirst = false;
      return true;
    };
  };
  it('is continued where an upload broke within what is kept', async () => {
    const breaks = firstOfLargest();
    await withTarget(
      (request) => (breaks(request) ? { kind: 'keep-request', bytes: 20 * MiB } : undefined),
      async (host, target) => {
        const { status, stdout } = await bundle(unpacking(host), sent());
        expect({ status, stdout }).toEqual({ status: 0, stdout });
        expect(await hasTag(target)).toBe(true);
      },
    );
  });

  it('whose upload broke and cannot be read again ends with 30, with everything else in place', async () => {
    const breaks = firstOfLargest();
    await withTarget(
      (request) => (breaks(request) ? { kind: 'cut-request', after: 60 * MiB } : undefined),
      async (host, target) => {
        const { status, stdout } = await bundle(unpacking(host), sent());
        expect(status).toBe(30);
        const { left } = (
          JSON.parse(stdout) as { delivery: { copied: { left: readonly string[] } } }
        ).delivery.copied;
        expect(left.length).toBeGreaterThan(0);
        expect(await hasTag(target)).toBe(false);
        expect((await bundle(unpacking(host), sent())).status).toBe(0);
        expect(await hasTag(target)).toBe(true);
      },
    );
  });

  it('that nobody reads any more ends a pack with 26', async () => {
    const { child, ended } = await startBundle([...packing, '-o', '-'], {
      folder,
      output: () => undefined,
    });
    child.stdout!.once('data', () => child.stdout!.destroy());
    expect(await ended).toMatchObject({ status: 26, signal: null });
  });

  it('leaves no file behind at either end', async () => {
    expect((await readdir(join(folder, 'out'))).toSorted()).toEqual([
      `ocp-${TAG}.pub`,
      `ocp-${TAG}.sha256`,
      `ocp-${TAG}.tar.zst`,
    ]);
    expect((await readdir(folder)).filter((name) => /zst|partial/.test(name))).toEqual([]);
  });

  it('is for itself: nothing can be asked of it that files are for', async () => {
    for (const more of [['--dry-run'], ['--restart'], ['--volume-size', '1G']]) {
      expect(await bundle([...packing, '-o', '-', ...more])).toMatchObject({
        status: 2,
        stdout: '',
      });
    }
    expect(await bundle(['verify', '-', file])).toMatchObject({ status: 2 });
  });

  /** Its digest, without `sha256:`. */
  const largestLayer = async (): Promise<string> => {
    const digests: { digest: string; size: number }[] = [];
    for (const { digest, mediaType } of release.made.components) {
      const url = `${release.source.url}/v2/openshift-release-dev/ocp-v4.0-art-dev/manifests/${digest}`;
      const { layers } = (await (await fetch(url, { headers: { accept: mediaType } })).json()) as {
        layers: typeof digests;
      };
      digests.push(...layers);
    }
    return digests.toSorted((a, b) => b.size - a.size)[0]!.digest.slice('sha256:'.length);
  };
});

async function* oneAfterTheOther(paths: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const path of paths) yield* createReadStream(path) as AsyncIterable<Uint8Array>;
}
