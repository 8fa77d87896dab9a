import type { ChildProcess } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';

import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { type Ended, runBundle, type Running, startBundle } from '../support/bundle-process.ts';
import { type Decide, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { wholeTags } from '../support/killed-runs.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder } from '../support/user.ts';

const VERSIONS = ['4.17.3', '4.17.4', '4.17.5'] as const;
const [OLD, MIDDLE, NEW] = VERSIONS;
const RELEASES = 'ocp4/openshift/release-images';
const LOCK = ':bundle-prune-';

vi.setConfig({ testTimeout: 180_000 });

/** Processes that meet at one registry, each of them held where another one shall find it. */
describeWith(['docker-registry'], 'a prune and somebody else', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let target: TestRegistry;
  let proxy: FaultProxy;
  let trust: readonly string[];
  /** What the proxy tells of each request. */
  let onRequest: (line: string) => ReturnType<Decide>;

  const path = (...parts: readonly string[]): string => join(temporary.path, ...parts);
  const to = (): readonly string[] => ['--to', `${proxy.host}/ocp4`, ...trust];
  const bundle = (args: readonly string[]): Promise<Ended> =>
    runBundle(args, { folder: temporary.path });
  const start = (args: readonly string[]): Promise<Running> =>
    startBundle(args, { folder: temporary.path });
  const medium = (version: string): string => path('media', version);
  const unpacking = (version: string, resources = version): readonly string[] => [
    ...['unpack', medium(version), ...to(), '--resources-dir', path('resources', resources)],
  ];
  const pruning = (keep: string, ...versions: readonly string[]): readonly string[] => [
    ...['prune', ...versions.map(medium), ...to(), '--keep', keep, '--yes'],
  ];
  const expectWhole = async (...versions: readonly string[]): Promise<void> => {
    for (const version of versions) {
      const ran = await bundle([
        'verify',
        medium(version),
        '--at',
        `${target.host}/ocp4`,
        ...trust,
      ]);
      expect(ran, ran.stderr).toMatchObject({ status: 0 });
    }
  };
  const tags = async (): Promise<readonly string[]> => [...(await wholeTags(target)).keys()];
  /** Starts a run, and stops the process where it sends a request, until it shall go on. */
  const heldAt = async (
    request: RegExp,
    args: readonly string[],
  ): Promise<Running & { readonly goOn: () => Promise<Ended> }> => {
    const begun: { child?: ChildProcess } = {};
    let isHeld = false;
    const held = new Promise<void>((resolve) => {
      onRequest = (line) => {
        if (isHeld || !request.test(line)) return undefined;
        isHeld = true;
        begun.child!.kill('SIGSTOP');
        resolve();
        return undefined;
      };
    });
    const running = await start(args);
    const { child, ended } = running;
    begun.child = child;
    await Promise.race([held, ended]);
    const goOn = async (): Promise<Ended> => {
      child.kill('SIGCONT');
      return ended;
    };
    return { ...running, goOn };
  };

  beforeAll(async () => {
    temporary = await temporaryFolder('prune-together');
    source = await startRegistry();
    const signer = await makeReleaseSigner();
    const key = ['--key', path('packer.pem')];
    await bundle(['keygen', '--type', 'ed25519', '-o', path('packer.pem')]);
    for (const [index, version] of VERSIONS.entries()) {
      const options = { version, components: 2 + index, scale: 0.0001, cosign: true } as const;
      const made = await makeReleaseIn(source, path(version), { ...options, signer });
      trust = ['--release-key', made.releaseKey];
      const packed = await bundle([
        ...['pack', version, '-o', medium(version), '--mirror', `quay.io=${source.host}`, ...key],
        ...['--signature-store', made.signatureStore, ...trust],
      ]);
      expect(packed, packed.stderr).toMatchObject({ status: 0 });
    }
    trust = [...trust, '--trusted-key', path('packer.pub')];
  });
  afterAll(async () => {
    await source.stop();
    await temporary.remove();
  });
  beforeEach(async () => {
    target = await startRegistry();
    onRequest = () => undefined;
    proxy = await startFaultProxy(target.url, ({ method, url }) => onRequest(`${method} ${url}`));
    for (const version of [OLD, MIDDLE])
      expect(await bundle(unpacking(version))).toMatchObject({ status: 0 });
  });
  afterEach(() => Promise.all([proxy.stop(), target.stop()]));

  const FIRST_REMOVAL = `DELETE /v2/${RELEASES}/manifests/`;

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('gives its lock back when %s ends it, and goes on later', async (name, status) => {
    const begun: { child?: ChildProcess } = {};
    onRequest = (line) => {
      if (!line.startsWith(FIRST_REMOVAL)) return undefined;
      begun.child!.kill(name);
      return { kind: 'stall', after: 0 };
    };
    const running = await start(pruning(MIDDLE, OLD, MIDDLE));
    begun.child = running.child;
    const ended = await running.ended;
    expect(ended, ended.stderr).toMatchObject({ status, stdout: '' });
    expect(ended.stderr).toContain('same command');
    expect((await tags()).filter((tag) => tag.includes(LOCK))).toEqual([]);
    await expectWhole(MIDDLE);
    onRequest = () => undefined;
    const again = await bundle(pruning(MIDDLE, OLD, MIDDLE));
    expect(again, again.stderr).toMatchObject({ status: 0 });
    expect(await tags()).not.toContain(`${RELEASES}:${OLD}-x86_64`);
    await expectWhole(MIDDLE);
  });

  it('keeps out another prune and an unpack, which change nothing', async () => {
    const first = await heldAt(new RegExp(FIRST_REMOVAL), pruning(MIDDLE, OLD, MIDDLE));
    const before = await tags();
    for (const args of [pruning(OLD, OLD, MIDDLE), unpacking(NEW)]) {
      const ran = await bundle(args);
      expect(ran, ran.stderr).toMatchObject({ status: 27 });
      expect(ran.stderr).toContain('removes parts from');
      expect(await tags()).toEqual(before);
    }
    const ended = await first.goOn();
    expect(ended, ended.stderr).toMatchObject({ status: 0 });
    await expectWhole(MIDDLE);
    expect(await bundle(unpacking(NEW))).toMatchObject({ status: 0 });
    await expectWhole(MIDDLE, NEW);
  });

  it('that are two prunes at once: both never go on, and what both keep is whole', async () => {
    const runs = await Promise.all([
      bundle(pruning(MIDDLE, OLD, MIDDLE)),
      bundle(pruning(MIDDLE, OLD, MIDDLE)),
    ]);
    for (const { status, stderr } of runs) expect([0, 27], stderr).toContain(status);
    await expectWhole(MIDDLE);
    const last = await bundle(pruning(MIDDLE, OLD, MIDDLE));
    expect(last, last.stderr).toMatchObject({ status: 0 });
    await expectWhole(MIDDLE);
    expect((await tags()).filter((tag) => tag.includes(LOCK))).toEqual([]);
  });

  it.each([
    ['question', /^GET .*\/tags\/list/],
    ['upload', /^POST .*\/blobs\/uploads\//],
    ['manifest', /^PUT .*\/manifests\//],
  ])('stops an unpack that was at its first %s, and can be run again', async (first, request) => {
    const unpack = await heldAt(request, unpacking(NEW, first));
    const ran = await bundle(pruning(OLD, OLD, MIDDLE));
    expect(ran, ran.stderr).toMatchObject({ status: 0 });
    expect(await tags()).not.toContain(`${RELEASES}:${MIDDLE}-x86_64`);
    const ended = await unpack.goOn();
    expect(ended, ended.stderr).toMatchObject({ status: 27 });
    expect(ended.stderr).toContain('run the same command again');
    const made = await readdir(path('resources', first), { recursive: true, withFileTypes: true });
    expect(made.filter((entry) => entry.isFile())).toEqual([]);
    await expectWhole(OLD);
    const again = await bundle(unpacking(NEW, 'again'));
    expect(again, again.stderr).toMatchObject({ status: 0 });
    await expectWhole(OLD, NEW);
  });
});
