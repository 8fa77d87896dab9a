import { spawnSync } from 'node:child_process';
import { chmod, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startBundle } from '../support/bundle-process.ts';
import { type OddRegistry, startOddRegistry } from '../support/odd-registry.ts';
import { temporaryFolder } from '../support/user.ts';

describe('a credential helper that does not answer', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let registry: OddRegistry;
  beforeAll(async () => {
    temporary = await temporaryFolder('helper-left');
    registry = await startOddRegistry(() => ({
      ...{ status: 401, headers: { 'www-authenticate': 'Basic realm="here"' } },
    }));
  });
  afterAll(async () => {
    await Promise.all([temporary.remove(), registry.stop()]);
  });

  it('does not outlive the program', async () => {
    const at = (name: string): string => join(temporary.path, name);
    await mkdir(at('bin'));
    expect(spawnSync('mkfifo', [at('held')]).status).toBe(0);
    const program = at('bin/docker-credential-silent');
    await writeFile(program, `#!/bin/sh\nexec sleep 1000 >'${at('held')}'\n`);
    await chmod(program, 0o755);
    await writeFile(at('auth.json'), '{"credsStore":"silent"}');
    const env = { PATH: `${at('bin')}:${process.env['PATH'] ?? ''}` };
    const asked = ['check-registry', `${registry.host}/ocp4`, '--authfile', at('auth.json')];
    const { child, ended } = await startBundle(asked, { folder: temporary.path, env });
    // It is open as soon as the helper runs, and at its end when that has ended.
    const held = await open(at('held'));
    child.kill('SIGINT');
    child.kill('SIGTERM');
    expect([130, 143]).toContain((await ended).status);
    expect(await held.readFile('utf8')).toBe('');
    await held.close();
  });
});
