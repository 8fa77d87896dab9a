import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { Readable } from 'node:stream';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { startBundle } from '../support/bundle-process.ts';
import { describeWith } from '../support/needs.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder } from '../support/user.ts';

/** The built program, run by nobody in particular: root can read every file. */
const SOMEBODY =
  getuid?.() === 0
    ? ['setpriv', '--reuid', '65534', '--clear-groups', process.execPath]
    : [process.execPath];

describeWith(['docker-registry'], 'places that nobody named and that cannot be read', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let registry: TestRegistry;
  let certificates: string;
  beforeAll(async () => {
    temporary = await temporaryFolder('auth-places');
    registry = await startRegistry();
    await mkdir(join(temporary.path, 'home/.docker'), { recursive: true });
    await mkdir(join(temporary.path, 'run/containers'), { recursive: true });
    for (const path of ['home/.docker/config.json', 'run/containers/auth.json'])
      await writeFile(join(temporary.path, path), '{}');
    certificates = join(temporary.path, 'home/.config/containers/certs.d', registry.host);
    await mkdir(certificates, { recursive: true });
    await chmod(certificates, 0);
    await chmod(temporary.path, 0o755);
    await chmod(join(temporary.path, 'home/.docker/config.json'), 0);
    await chmod(join(temporary.path, 'run/containers'), 0);
  });
  afterAll(async () => {
    for (const path of [certificates, join(temporary.path, 'run/containers')])
      await chmod(path, 0o700);
    await Promise.all([temporary.remove(), registry.stop()]);
  });

  const run = async (...args: readonly string[]): Promise<{ status: unknown; stderr: string }> => {
    const env = { XDG_RUNTIME_DIR: join(temporary.path, 'run') };
    const input = Readable.from(['p']);
    const { ended } = await startBundle(args, { folder: temporary.path, env, input }, SOMEBODY);
    return ended;
  };

  it('is told, and anonymous work goes on', async () => {
    const { status, stderr } = await run('check-registry', `${registry.host}/ocp4`);
    expect(stderr).toContain('continuing without the auth file');
    expect(stderr).toContain('.docker/config.json: this user has no permission (EACCES)');
    expect(stderr).toContain('run/containers/auth.json: this user has no permission (EACCES)');
    expect(status).toBe(0);
  });

  it('is no place to log in to, and the message names --authfile', async () => {
    const login = ['login', registry.host, '--username', 'u', '--password-stdin'];
    for (const args of [login, ['logout', registry.host]]) {
      const { status, stderr } = await run(...args);
      expect({ status, stderr }).toEqual({ status: 26, stderr });
      expect(stderr).toContain('--authfile');
    }
  });

  it('ends the run where it was named', async () => {
    const named = join(temporary.path, 'home/.docker/config.json');
    const { status } = await run('check-registry', `${registry.host}/ocp4`, '-a', named);
    expect(status).toBe(26);
  });
});
