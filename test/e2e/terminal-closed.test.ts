import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { runBundle } from '../support/bundle-process.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry } from '../support/registry.ts';
import { serve } from '../support/served.ts';
import { type OnTerminal, type Position, startOnTerminal } from '../support/terminal.ts';

const NAME = 'ocp-4.17.3-x86_64.tar.zst';
const GRAPH = {
  version: 1,
  nodes: [
    {
      version: '4.17.3',
      payload: `quay.io/openshift-release-dev/ocp-release@sha256:${'1'.repeat(64)}`,
      metadata: { 'io.openshift.upgrades.graph.release.channels': 'stable-4.17' },
    },
  ],
  edges: [],
  conditionalEdges: [],
};

describeWith(['docker-registry', 'python3'], 'a terminal that is closed', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-closed-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const start = (args: readonly string[], position: Position): OnTerminal => {
    const env = { HOME: join(folder, 'home'), PATH: process.env['PATH'] ?? '', TERM: 'xterm' };
    return startOnTerminal(args, position, { env, cwd: folder });
  };

  it('ends a pack as SIGHUP does, leaves no lock, and the medium can be continued', async () => {
    const source = await startRegistry();
    const made = await makeReleaseIn(source, join(folder, 'release'), {
      components: 6,
      scale: 0.001,
    });
    let begun: () => void;
    const stalled = new Promise<void>((resolve) => (begun = resolve));
    let layers = 0;
    const proxy = await startFaultProxy(source.url, ({ method, url }) => {
      if (method !== 'GET' || !url.includes('/blobs/') || (layers += 1) < 8) return undefined;
      begun();
      return { kind: 'stall', after: 0 };
    });
    const pack = (host: string): string[] => [
      ...['pack', made.version, '-o', join(folder, 'out'), '--mirror', `quay.io=${host}`],
      ...['--signature-store', made.signatureStore, '--release-key', made.releaseKey],
    ];
    try {
      const run = start(pack(proxy.host), 'leading');
      await stalled;
      await run.close();
      expect(await run.ended).toBe(129);
      expect(await readdir(join(folder, 'out'))).toEqual([`${NAME}.partial`]);
      expect((await runBundle(pack(source.host), { folder })).status).toBe(0);
    } finally {
      await proxy.stop();
      await source.stop();
    }
  });

  it.each([
    { position: 'leading', status: 129 },
    { position: 'aside', status: 0 },
  ] as const)(
    'ends a run with status $status, where the run is $position',
    async ({ position, status }) => {
      let asked: () => void;
      const isAsked = new Promise<void>((resolve) => (asked = resolve));
      let letGo: () => void;
      const isLetGo = new Promise<void>((resolve) => (letGo = resolve));
      const service = await serve(
        createServer((_request, response) => {
          asked();
          void isLetGo.then(() => response.end(JSON.stringify(GRAPH)));
        }),
      );
      try {
        const args = ['releases', '--channel', 'stable-4.17', '--graph-url', service.url];
        const run = start(args, position);
        await isAsked;
        await run.close();
        if (position === 'aside') letGo!();
        expect(await run.ended).toBe(status);
      } finally {
        await service.stop();
      }
    },
  );

  it.each(['leading', 'aside'] as const)(
    'ends a question for a password as SIGHUP does, where the run is %s',
    async (position) => {
      const registry = await serve(
        createServer((_request, response) => {
          const headers = { 'www-authenticate': 'Basic realm="here"' };
          response.writeHead(401, headers).end();
        }),
      );
      try {
        const run = start(['login', registry.host, '--username', 'packer'], position);
        await run.shown('assword');
        await run.close();
        expect(await run.ended).toBe(129);
      } finally {
        await registry.stop();
      }
    },
  );
});
