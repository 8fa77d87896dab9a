import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, beforeEach, afterEach, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { type Ended, runBundle, type Running, startBundle } from '../support/bundle-process.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

const NAME = 'ocp-4.17.3-x86_64.tar.zst';

describeWith(['docker-registry'], 'a signal', () => {
  let folder: string;
  let source: TestRegistry;
  let made: MadeRelease;
  let proxy: FaultProxy;
  let lastLayer: string;
  let stalled: Promise<void>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-interrupt-'));
    source = await startRegistry();
    made = await makeReleaseIn(source, join(folder, 'release'), { components: 6, scale: 0.001 });
    const { digest, mediaType } = made.components.at(-1)!;
    const url = `${source.url}/v2/openshift-release-dev/ocp-v4.0-art-dev/manifests/${digest}`;
    const manifest = (await (await fetch(url, { headers: { accept: mediaType } })).json()) as {
      layers: { digest: string }[];
    };
    lastLayer = manifest.layers.at(-1)!.digest;
  });
  afterAll(async () => {
    await source.stop();
    await rm(folder, { recursive: true, force: true });
  });

  // All layers come but the last: the source falls silent, as a link does that goes down.
  beforeEach(async () => {
    let begun: () => void;
    stalled = new Promise((resolve) => (begun = resolve));
    proxy = await startFaultProxy(source.url, ({ method, url }) => {
      if (method !== 'GET' || !url.endsWith(lastLayer)) return undefined;
      begun();
      return { kind: 'stall', after: 0 };
    });
  });
  afterEach(() => proxy.stop());

  const packArgs = (host: string): string[] => [
    ...['pack', made.version, '-o', join(folder, 'out'), '--mirror', `quay.io=${host}`],
    ...['--signature-store', made.signatureStore, '--release-key', made.releaseKey],
  ];
  const startPack = (): Promise<Running> =>
    startBundle([...packArgs(proxy.host), '--progress', 'json'], { folder });
  const send = async (
    { child, ended, told }: Running,
    ...signals: readonly NodeJS.Signals[]
  ): Promise<Ended> => {
    await stalled;
    await told(/"type":"finished"/);
    for (const signal of signals) child.kill(signal);
    return ended;
  };

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    '%s ends a pack with its status, says how to go on, and leaves what can be continued',
    async (signal, status) => {
      await rm(join(folder, 'out'), { recursive: true, force: true });
      const ended = await send(await startPack(), signal);
      expect(ended).toMatchObject({ status, signal: null, stdout: '' });
      expect(ended.stderr).toContain('same command');
      expect(await readdir(join(folder, 'out'))).toEqual([`${NAME}.partial`]);
      const continued = await runBundle([...packArgs(source.host), '--output', 'json'], { folder });
      expect(continued.status).toBe(0);
      expect(
        (JSON.parse(continued.stdout) as { kept: { layers: number } }).kept.layers,
      ).toBeGreaterThan(0);
    },
  );

  it.each([
    { args: ['verify', '-'] },
    { args: ['unpack', '-', '--to', 'oci:nowhere'] },
    { args: ['login', 'registry.example.com', '--username', 'packer', '--password-stdin'] },
  ])('ends $args before anything has come from stdin', async ({ args }) => {
    const input = new PassThrough();
    const running = await startBundle([...args, '--output', 'json'], { folder, input });
    await untilItHears(running.child.pid!);
    running.child.kill('SIGHUP');
    const { status, stdout } = await running.ended;
    expect(status).toBe(129);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'INTERRUPTED' } });
  });

  it.each(['SIGHUP', 'SIGTERM'] as const)(
    'SIGHUP that comes along with %s lets the run wind up',
    async (signal) => {
      await rm(join(folder, 'out'), { recursive: true, force: true });
      const ended = await send(await startPack(), signal, 'SIGHUP');
      expect([129, 143]).toContain(ended.status); // the kernel may hand on SIGHUP first
      expect(await readdir(join(folder, 'out'))).toEqual([`${NAME}.partial`]);
    },
  );

  it('that comes a second time ends the run where it is', async () => {
    await rm(join(folder, 'out'), { recursive: true, force: true });
    const ended = await send(await startPack(), 'SIGINT', 'SIGTERM');
    expect([130, 143, 'SIGINT', 'SIGTERM']).toContain(ended.status ?? ended.signal);
    expect((await runBundle(packArgs(source.host), { folder })).status).toBe(0);
  });
});

/** Waits until a process catches SIGHUP, as the kernel says; Node alone catches the others. */
async function untilItHears(pid: number): Promise<void> {
  const caught = /^SigCgt:\t([0-9a-f]+)$/m;
  for (;;) {
    const mask = caught.exec(await readFile(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '0';
    if ((BigInt(`0x${mask}`) & 1n) !== 0n) return;
    await sleep(5);
  }
}
