import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { describeWith } from '../support/needs.ts';
import { type Nginx, startNginx } from '../support/nginx.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { makePrivateCa, type PrivateCa } from '../support/private-ca.ts';
import { startRegistry, type TestRegistry, USER } from '../support/registry.ts';
import { IDENTITY_TOKEN, startTokenServer, type TokenServer } from '../support/token-server.ts';
import { type Ran, temporaryFolder, User } from '../support/user.ts';

const VERSION = '4.17.3';
const RELEASES = { username: 'release-reader', password: 'hunter2-releases' };
const COMPONENTS = { username: 'component-reader', password: 'hunter2-components' };

const encoded = ({ username, password }: { username: string; password: string }): string =>
  Buffer.from(`${username}:${password}`).toString('base64');

/**
 * A source that asks for other credentials in each repository (nginx before a real registry), a
 * target that asks for tokens, and a user who has all that in auth files.
 */
describeWith(['docker-registry', 'nginx', 'openssl'], 'registries that ask for credentials', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let open: TestRegistry;
  let source: Nginx;
  let target: TestRegistry;
  let locked: TestRegistry;
  let tokens: TokenServer;
  let ca: PrivateCa;
  let made: MadeRelease;
  let user: User;
  let fetching: readonly string[];
  const runs: Ran[] = [];

  const run = async (...args: readonly string[]): Promise<Ran> => {
    const ran = await user.bundle(args);
    runs.push(ran);
    return ran;
  };
  const authFile = async (name: string, auths: object, more: object = {}): Promise<string> => {
    await writeFile(join(temporary.path, name), JSON.stringify({ auths, ...more }));
    return join(temporary.path, name);
  };

  beforeAll(async () => {
    temporary = await temporaryFolder('registries');
    ca = await makePrivateCa();
    tokens = await startTokenServer(ca);
    [open, locked, target] = await Promise.all([
      startRegistry(),
      startRegistry({ htpasswd: true, tls: ca }),
      startRegistry({ token: { ...tokens, certificate: ca.certificate } }),
    ]);
    source = await startNginx(open.url, '1m', {
      '/v2/openshift-release-dev/ocp-release/': RELEASES,
      '/v2/openshift-release-dev/ocp-v4.0-art-dev/': COMPONENTS,
    });
    made = await makeReleaseIn(open, join(temporary.path, 'release'), {
      cosign: true,
      components: 3,
      scale: 0.0005,
    });
    user = await User.new(join(temporary.path, 'user'));
    fetching = ['--signature-store', made.signatureStore, '--release-key', made.releaseKey];
  });
  afterAll(async () => {
    await source.stop();
    await Promise.all([open.stop(), locked.stop(), target.stop(), tokens.stop()]);
    await Promise.all([temporary.remove(), ca.remove()]);
  });

  const scoped = async (): Promise<string> =>
    authFile('scoped.json', {
      [`${source.host}/openshift-release-dev/ocp-release`]: { auth: encoded(RELEASES) },
      [`${source.host}/openshift-release-dev`]: { auth: encoded(COMPONENTS) },
      [source.host]: { auth: encoded({ username: 'nobody', password: 'hunter2-nobody' }) },
    });
  const atTarget = async (): Promise<string> =>
    authFile('target.json', {
      [target.host]: {
        auth: Buffer.from(`${USER.username}:`).toString('base64'),
        identitytoken: IDENTITY_TOKEN,
      },
    });
  const debug = ['--log-level', 'debug', '--progress', 'json'];

  it('give to each repository its own', async () => {
    const args = [
      'pack',
      VERSION,
      '-o',
      join(temporary.path, 'scoped'),
      '--mirror',
      `quay.io=${source.host}`,
      ...fetching,
      ...debug,
    ];
    expect(await run(...args, '--authfile', await scoped())).toMatchObject({ status: 0 });
  });

  it('are told apart on the two sides of a mirror', async () => {
    const args = [
      'mirror',
      VERSION,
      '--to',
      `${target.host}/ocp4`,
      '--mirror',
      `quay.io=${source.host}`,
      ...fetching,
      ...debug,
      '--output',
      'json',
    ];
    const both = ['--src-authfile', await scoped(), '--dest-authfile', await atTarget()];
    expect(await run(...args, ...both)).toMatchObject({ status: 0 });
    const other = args.map((word) =>
      word === `${target.host}/ocp4` ? `${target.host}/other` : word,
    );
    expect(await run(...other, '--src-authfile', await scoped())).toMatchObject({ status: 24 });
    expect(await run(...other, '--dest-authfile', await atTarget())).toMatchObject({ status: 24 });
  });

  it('refuse wrong ones with status 24, and malformed files with status 2 that names the place', async () => {
    const args = [
      'pack',
      VERSION,
      '-o',
      join(temporary.path, 'wrong'),
      '--mirror',
      `quay.io=${source.host}`,
      ...fetching,
      '--output',
      'json',
    ];
    const wrong = {
      [source.host]: { auth: encoded({ username: 'x', password: 'hunter2-wrong' }) },
    };
    expect(await run(...args, '--authfile', await authFile('wrong.json', wrong))).toMatchObject({
      status: 24,
    });
    for (const [auths, place] of [
      [{ [source.host]: { auth: 'hunter2 in the clear' } }, `"auth" of "${source.host}"`],
      ['hunter2', '"auths"'],
    ] as const) {
      const ran = await run(
        ...args,
        '--authfile',
        await authFile('malformed.json', auths as object),
      );
      expect(ran).toMatchObject({ status: 2 });
      expect(ran.stderr).toContain(join(temporary.path, 'malformed.json'));
      expect(ran.stderr).toContain(place);
    }
  });

  it('are logged in to, and out of', async () => {
    const trusting = ['--ca-file', ca.caFile];
    const login = async (password: string, ...args: string[]): Promise<Ran> => {
      const words = [
        'login',
        locked.host,
        '--username',
        USER.username,
        '--password-stdin',
        ...trusting,
        ...args,
      ];
      const ran = await user.bundle(words, { input: password });
      runs.push(ran);
      return ran;
    };
    const file = join(user.folder, 'run/containers/auth.json');
    expect(await login('hunter2-wrong')).toMatchObject({ status: 24 });
    await expect(stat(file)).rejects.toThrow();
    expect(await login(`${USER.password}\n`)).toMatchObject({ status: 0 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      auths: { [locked.host]: { auth: encoded(USER) } },
    });
    const pushing = [
      'mirror',
      VERSION,
      '--to',
      `${locked.host}/ocp4`,
      '--mirror',
      `quay.io=${open.host}`,
      ...fetching,
      ...trusting,
    ];
    expect(await run(...pushing)).toMatchObject({ status: 0 });
    expect(await run('logout', locked.host)).toMatchObject({ status: 0 });
    expect(await run('logout', locked.host)).toMatchObject({ status: 23 });
    expect(await run(...pushing)).toMatchObject({ status: 24 });
    expect(
      await login(
        USER.password,
        '--output',
        'json',
        '--authfile',
        join(temporary.path, 'own.json'),
      ),
    ).toMatchObject({ status: 0 });
    expect(await run('login', locked.host, ...trusting)).toMatchObject({ status: 2 });
    const open1 = [
      'login',
      `${target.host}/ocp4`,
      '-u',
      USER.username,
      '--password-stdin',
      '--output',
      'json',
    ];
    const ran = await user.bundle(open1, { input: USER.password });
    runs.push(ran);
    expect(JSON.parse(ran.stdout)).toMatchObject({ place: `${target.host}/ocp4`, checked: true });
  });

  it('show them nowhere', () => {
    const secrets = [RELEASES, COMPONENTS, USER].flatMap((known) => [
      known.password,
      encoded(known),
    ]);
    const shown = runs.map(({ stdout, stderr }) => stdout + stderr).join('\n');
    expect(runs.length).toBeGreaterThan(10);
    expect(tokens.tokens.length).toBeGreaterThan(0);
    for (const secret of [...secrets, ...tokens.tokens, IDENTITY_TOKEN, 'hunter2'])
      expect(shown.includes(secret)).toBe(false);
  });

  it('serve a network that mirrors, by mirror sets and by registries.conf', async () => {
    const repository = (name: string): string => `${open.host}/openshift-release-dev/${name}`;
    const set = {
      kind: 'ImageDigestMirrorSet',
      spec: {
        imageDigestMirrors: ['ocp-release', 'ocp-v4.0-art-dev'].map((name) => ({
          source: `quay.io/openshift-release-dev/${name}`,
          mirrors: [`127.0.0.1:1/absent/${name}`, repository(name)],
          mirrorSourcePolicy: 'NeverContactSource',
        })),
      },
    };
    const sets = join(temporary.path, 'idms.yaml');
    await writeFile(sets, JSON.stringify(set));
    const conf = join(temporary.path, 'registries.conf');
    await writeFile(
      conf,
      `[[registry]]\nlocation = "quay.io/openshift-release-dev"\nblocked = true\n[[registry.mirror]]\nlocation = "${open.host}/openshift-release-dev"\n`,
    );
    const digest = `quay.io/openshift-release-dev/ocp-release@${made.release.digest}`;
    const folder = (name: string): string => join(temporary.path, name);
    await mkdir(folder('by'));
    const byDigest = await run(
      'pack',
      '--from',
      digest,
      '-o',
      folder('by/sets'),
      '--idms-file',
      sets,
      '--registries-conf',
      '/dev/null',
      ...fetching,
      '--output',
      'json',
    );
    expect(byDigest).toMatchObject({ status: 0 });
    expect(byDigest.stderr).toContain('127.0.0.1:1');
    const byTag = ['pack', VERSION, ...fetching];
    // A mirror of digests is not asked for tags, and the source is blocked.
    const blocked = await run(
      ...byTag,
      '-o',
      folder('by/tag'),
      '--idms-file',
      sets,
      '--registries-conf',
      '/dev/null',
      '--output',
      'json',
    );
    expect(JSON.parse(blocked.stdout)).toMatchObject({ error: { code: 'BLOCKED', status: 24 } });
    const byConf = await run(
      ...byTag,
      '-o',
      folder('by/conf'),
      '--registries-conf',
      conf,
      '--output',
      'json',
    );
    const digestOf = ({ stdout }: Ran): unknown =>
      (JSON.parse(stdout) as { bundleDigest: unknown }).bundleDigest;
    expect(digestOf(byConf)).toMatch(/^[0-9a-f:sha]{64,}$/);
    expect(digestOf(byDigest)).toBe(digestOf(byConf));
  });

  it('are not asked where a drop-in blocks them, whichever main file was named', async () => {
    const site = await User.new(join(temporary.path, 'site'));
    const dropIns = join(site.home, '.config/containers/registries.conf.d');
    await mkdir(dropIns, { recursive: true });
    await writeFile(
      join(dropIns, '50-site.conf'),
      `[[registry]]\nlocation = "${open.host}"\nblocked = true\ninsecure = true\n`,
    );
    const main = join(temporary.path, 'main.conf');
    await writeFile(main, `[[registry]]\nlocation = "${open.host}"\ninsecure = true\n`);
    const packing = [
      ...['pack', VERSION, ...fetching, '--output', 'json'],
      ...['--mirror', `quay.io=${open.host}`],
    ];
    for (const [env, options] of [
      [{}, ['--registries-conf', main]],
      [{}, ['--registries-conf', '/dev/null']],
      [{ CONTAINERS_REGISTRIES_CONF: main }, []],
    ] as const) {
      const out = join(temporary.path, 'by/drop-in');
      const ran = await site.bundle([...packing, '-o', out, ...options], { env });
      expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: 'BLOCKED', status: 24 } });
      expect(ran.stdout).toContain('50-site.conf');
    }
    const twice = join(temporary.path, 'twice.conf');
    await writeFile(
      twice,
      `[[registry]]\nlocation = "${open.host}"\n` +
        `[[registry]]\nlocation = "${open.host}"\nblocked = true\n`,
    );
    const ran = await user.bundle([
      ...[...packing, '-o', join(temporary.path, 'by/twice')],
      ...['--registries-conf', twice],
    ]);
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: 'CONFIGURATION', status: 2 } });
    expect(ran.stdout).toContain('blocked');
  });
});
