import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseReference } from '../../../src/core/reference.ts';
import { openAuthFiles } from '../../../src/credentials/auth-file.ts';
import { getFromHelper } from '../../../src/credentials/helper.ts';
import { projectPath } from '../../../scripts/lib/project-root.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'bundle-helper-'));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

const environment = (): Record<string, string> => ({
  PATH: `${root}:${projectPath('fixtures/auth/bin')}:${process.env['PATH'] ?? ''}`,
});

const observe = (): void => undefined;

async function helper(name: string, script: string): Promise<void> {
  const path = join(root, `docker-credential-${name}`);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}

describe('getFromHelper', () => {
  it.each([
    ['registry-a.com', { username: 'foo', password: 'bar', identityToken: undefined }],
    ['registry-b.com', { username: '', password: '', identityToken: 'fizzbuzz' }],
    ['registry-no-creds.com', undefined],
    ['unknown.com', undefined],
  ])('for %s', async (server, expected) => {
    const found = await getFromHelper({ helper: 'helper-registry', server }, environment());
    expect(
      found && {
        username: found.username,
        password: found.password,
        identityToken: found.identityToken,
      },
    ).toEqual(expected);
  });

  it.each([
    ['is not installed', undefined],
    ['fails', 'echo "the keyring is locked"; exit 1'],
    ['fails with a secret', `echo '{"Username":"u","Secret":"hunter2"}'; exit 1`],
    ['says nothing', 'exit 0'],
    ['says no JSON', 'echo hunter2'],
    ['says something else', `echo '["hunter2"]'`],
    ['says a number', `echo '{"Username":"hunter2","Secret":1}'`],
    ['says a user name with a colon', `echo '{"Username":"hunter2:u","Secret":"hunter2"}'`],
    ['says too much', 'head -c 2000000 /dev/zero'],
    ['says too much through a program of its own, without an end', 'cat /dev/zero; wait'],
    ['is killed', 'kill -9 $$'],
  ])('that %s is a failure of the configuration, without its secret', async (_, script) => {
    if (script !== undefined) await helper('broken', script);
    const thrown: unknown = await getFromHelper(
      { helper: 'broken', server: 'a.io' },
      environment(),
    ).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'CONFIGURATION', subject: 'docker-credential-broken' });
    expect(`${String(thrown)} ${JSON.stringify(thrown)}`).not.toContain('hunter2');
  });

  it('leaves no timer behind a helper that cannot be started', async () => {
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length;
    const before = timers();
    const asked = getFromHelper({ helper: 'absent', server: 'a.io' }, environment());
    await expect(asked).rejects.toMatchObject({ code: 'CONFIGURATION' });
    expect(timers()).toBe(before);
  });

  it('gives the name as input, not as a word of a command', async () => {
    await helper('echo', `read server; printf '{"Username":"%s","Secret":"%s"}' "$*" "$server"`);
    const found = await getFromHelper({ helper: 'echo', server: '$(touch x);a.io' }, environment());
    expect([found?.username, found?.password]).toEqual(['get', '$(touch x);a.io']);
  });
});

describe('a source with helpers', () => {
  const lookup = async (
    document: object,
    reference: string,
    helpers?: readonly string[],
  ): Promise<string | undefined> => {
    await writeFile(join(root, '.dockercfg'), '{}');
    await writeFile(join(root, 'config.json'), JSON.stringify(document));
    const env = {
      ...environment(),
      XDG_RUNTIME_DIR: root,
      XDG_CONFIG_HOME: root,
      DOCKER_CONFIG: root,
    };
    const source = await openAuthFiles({
      helpers,
      observe,
      environment: { env, home: root, uid: 0 },
    });
    const found = await source.lookup(parseReference(reference));
    return `${found?.username ?? 'nobody'}, after ${source.places.slice(4).join(' ')}`;
  };

  it('runs one for the registry that is asked for, once', async () => {
    await helper(
      'once',
      `test -e "${root}/ran" && exit 1; touch "${root}/ran"; echo '{"Username":"u","Secret":"s"}'`,
    );
    const document = { credHelpers: { 'a.io': 'once', 'b.io': 'not-installed' } };
    await writeFile(join(root, 'config.json'), JSON.stringify(document));
    const env = {
      ...environment(),
      XDG_RUNTIME_DIR: root,
      XDG_CONFIG_HOME: root,
      DOCKER_CONFIG: root,
    };
    const source = await openAuthFiles({ observe, environment: { env, home: root, uid: 0 } });
    const found = await Promise.all(
      ['a.io/x', 'a.io/y', 'c.io/x'].map(async (name) => source.lookup(parseReference(name))),
    );
    expect(found.map((credentials) => credentials?.username)).toEqual(['u', 'u', undefined]);
    await expect(source.lookup(parseReference('b.io/x'))).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
  });

  it('runs it once more for what is refused, for all who are refused at once', async () => {
    await helper(
      'hourly',
      `echo x >> "${root}/ran"; echo "{\\"Username\\":\\"u\\",\\"Secret\\":\\"$(wc -l < "${root}/ran")\\"}"`,
    );
    const document = { credHelpers: { 'a.io': 'hourly' } };
    await writeFile(join(root, 'config.json'), JSON.stringify(document));
    const env = { ...environment(), XDG_RUNTIME_DIR: root, DOCKER_CONFIG: root };
    const source = await openAuthFiles({ observe, environment: { env, home: root, uid: 0 } });
    const name = parseReference('a.io/x');
    const first = await source.lookup(name);
    const again = await Promise.all([1, 2, 3].map(async () => source.lookup(name, first)));
    expect(again.map((found) => found?.password.trim())).toEqual(['2', '2', '2']);
    expect((await source.lookup(name))?.password.trim()).toBe('2');
  });

  it('goes on without a store for all registries that does not work, and tells', async () => {
    expect(await lookup({ credsStore: 'not-installed' }, 'a.io/x')).toBe(
      'nobody, after docker-credential-not-installed (which failed)',
    );
    expect(await lookup({ credsStore: 'helper-registry' }, 'registry-a.com/x')).toBe(
      'foo, after docker-credential-helper-registry',
    );
  });

  it('asks those that registries.conf names, in its order', async () => {
    const auths = { 'registry-a.com': { auth: Buffer.from('file:x').toString('base64') } };
    expect(await lookup({ auths }, 'registry-a.com/x')).toBe('file, after ');
    expect(await lookup({ auths }, 'registry-a.com/x', ['helper-registry'])).toBe(
      'foo, after docker-credential-helper-registry',
    );
    expect(
      await lookup({ auths }, 'registry-a.com/x', ['containers-auth.json', 'helper-registry']),
    ).toBe('file, after ');
    expect(
      await lookup({ auths }, 'registry-a.com/x', ['not-installed', 'containers-auth.json']),
    ).toContain('file, after');
    await expect(
      lookup({ auths }, 'b.io/x', ['not-installed', 'containers-auth.json']),
    ).rejects.toMatchObject({ code: 'CONFIGURATION' });
    // An entry that is broken, too, ends the search in the files alone.
    const broken = { auths: { 'registry-a.com': { auth: '?' }, 'b.io': { auth: '?' } } };
    const both = ['containers-auth.json', 'helper-registry'];
    expect(await lookup(broken, 'registry-a.com/x', both)).toContain('foo, after');
    await expect(lookup(broken, 'b.io/x', both)).rejects.toMatchObject({ code: 'CONFIGURATION' });
  });
});
