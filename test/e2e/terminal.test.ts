import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { type DamageTrial, prepareTrial } from '../../scripts/lib/damage.ts';
import { describeWith } from '../support/needs.ts';
import { runOnTerminal, showOnTerminal } from '../support/terminal.ts';

describeWith(['python3'], 'on a terminal', () => {
  let folder: string;
  let trial: DamageTrial;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-terminal-'));
    trial = await prepareTrial(folder);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('that has no columns a run ends, and has not said much', async () => {
    const args = ['verify', trial.path, '--release-key', trial.made.releaseKey];
    const { status, bytes } = await runOnTerminal(args, 'open', folder);
    expect(status).toBe(0);
    expect(bytes).toBeGreaterThan(100);
  });

  it.each(['verify', 'inspect'])('that has one column a run ends: %s', async (command) => {
    const args = [command, trial.path, '--release-key', trial.made.releaseKey];
    expect(await runOnTerminal(args, 'narrow', folder)).toMatchObject({ status: 0 });
  });

  it('nobody is asked for a password before the registry was met', async () => {
    const server = createServer((_, answer) => answer.end('<html>')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const env = { HOME: folder, PATH: process.env['PATH'] ?? '', TERM: 'xterm' };
    const answer = { after: 'password of', text: 'secret\n' };
    try {
      const options = { columns: 80, env, cwd: folder, answer };
      const args = ['login', `127.0.0.1:${port}`, '--username', 'me'];
      const { status, written } = await showOnTerminal(args, options);
      expect(status).toBe(25);
      expect(written).not.toContain('password of');
    } finally {
      server.close();
    }
  });

  it('that takes nothing a run still hears a signal', async () => {
    expect(await runOnTerminal(['verify', '-'], 'stopped', folder)).toMatchObject({ status: 129 });
  });
});
