import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { startNginx } from '../support/nginx.ts';
import { startRegistry, type TestRegistry, USER } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

interface Report {
  readonly ready: boolean;
  readonly product?: string;
  readonly repositories: readonly string[];
  readonly checks: readonly {
    check: string;
    subject: string;
    verdict: string;
    fact: string;
    code?: string;
    hint?: string;
  }[];
}

describeWith(['docker-registry'], 'bundle check-registry', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let user: User;
  let open: TestRegistry;
  let locked: TestRegistry;
  const cleanUp: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    folder = await temporaryFolder('check-registry');
    user = await User.new(folder.path);
    open = await startRegistry();
    locked = await startRegistry({ htpasswd: true });
  });
  afterEach(async () => {
    for (const task of cleanUp.splice(0).reverse()) await task();
  });
  afterAll(async () => {
    await open.stop();
    await locked.stop();
    await folder.remove();
  });

  async function check(
    ...args: readonly string[]
  ): Promise<{ status: number | null; report: Report }> {
    const { status, stdout } = await user.bundle([
      'check-registry',
      ...args,
      '--output',
      'json',
      '--progress',
      'none',
    ]);
    return { status, report: JSON.parse(stdout) as Report };
  }

  const verdicts = ({ checks }: Report): Record<string, string> =>
    Object.fromEntries(
      checks.map((found) => [
        `${found.check} ${found.subject.replace(/^[^/]*\/?/, '')}`.trim(),
        found.verdict,
      ]),
    );

  async function authfile(name: string, host: string, password: string): Promise<string> {
    const file = join(folder.path, name);
    const auth = Buffer.from(`${USER.username}:${password}`).toString('base64');
    await writeFile(file, JSON.stringify({ auths: { [host]: { auth } } }));
    return file;
  }

  /** Files of blobs and manifests, and upload sessions. */
  async function kept({ root }: TestRegistry): Promise<readonly string[]> {
    const all = await readdir(join(root, 'storage'), { recursive: true }).catch(() => []);
    return all.filter(
      (path) => path.endsWith('/data') || path.endsWith('/link') || path.endsWith('/startedat'),
    );
  }

  it('finds everything good at an open registry, and leaves nothing there', async () => {
    const { status, report } = await check(`${open.host}/ocp4`);
    expect(status).toBe(0);
    expect(report.ready).toBe(true);
    expect(verdicts(report)).toEqual({
      reachable: 'good',
      TLS: 'lacking',
      'credentials ocp4/openshift/release-images': 'good',
      'credentials ocp4/openshift/release': 'good',
      'pull ocp4/openshift/release-images': 'good',
      'pull ocp4/openshift/release': 'good',
      'push ocp4/openshift/release-images': 'good',
      'push ocp4/openshift/release': 'good',
      'pull ocp4/openshift/graph-image': 'good',
      'push ocp4/openshift/graph-image': 'good',
      'mount ocp4/openshift/release': 'good',
      'largest request ocp4/openshift/release-images': 'good',
      'chunks ocp4/openshift/release-images': 'good',
      'manifests ocp4/openshift/release-images': 'good',
      'referrers ocp4/openshift/release-images': 'lacking',
    });
    expect(await kept(open)).toEqual([]);
  });

  it('says it for people too', async () => {
    const { status, stdout } = await user.bundle([
      'check-registry',
      `${open.host}/ocp4`,
      '--release-images-repository',
      'ocp4/openshift/release',
    ]);
    expect(status).toBe(0);
    expect(stdout.split('\n').filter((line) => line.startsWith('  ok '))).toHaveLength(10);
  });

  it('tells that a push is not allowed, and names both repositories', async () => {
    const { status, report } = await check(`${locked.host}/ocp4`);
    expect(status).toBe(24);
    expect(report.ready).toBe(false);
    const refused = report.checks.filter(({ verdict }) => verdict === 'bad');
    expect(refused.map(({ check: name, code }) => `${name} ${code ?? ''}`)).toEqual(
      ['pull', 'pull', 'push', 'push'].map((name) => `${name} NOT_ALLOWED`),
    );
    const [releaseImages, components] = report.repositories;
    for (const { hint } of refused)
      for (const repository of [releaseImages, components]) expect(hint).toContain(repository);
  });

  it('tells what is wrong with the repository for graph images as what some bundles need', async () => {
    const proxy = await startFaultProxy(open.url, ({ method, url }) =>
      method === 'POST' && url.includes('graph') ? { kind: 'answer', status: 403 } : undefined,
    );
    cleanUp.push(proxy.stop);
    const { status, report } = await check(`${proxy.host}/ocp4`);
    expect([status, report.ready]).toEqual([0, true]);
    expect(verdicts(report)['push ocp4/openshift/graph-image']).toBe('lacking');
    const named = await check(`${proxy.host}/ocp4`, '--graph-repository', 'ocp4/graph');
    expect(named.status).toBe(24);
    expect(verdicts(named.report)['push ocp4/graph']).toBe('bad');
    const releases = ['--graph-repository', 'ocp4/openshift/release-images'];
    const shared = await user.bundle(['check-registry', `${proxy.host}/ocp4`, ...releases]);
    expect([shared.status, shared.stderr]).toEqual([2, expect.stringContaining('one repository')]);
  });

  it('tells what has to be made first where it knows the kind of registry', async () => {
    const headers = { 'www-authenticate': 'Basic realm="harbor",service="harbor-registry"' };
    const proxy = await startFaultProxy(open.url, ({ method, url }) => {
      if (url === '/v2/') return { kind: 'answer', status: 401, headers };
      return method === 'POST' ? { kind: 'answer', status: 404 } : undefined;
    });
    cleanUp.push(proxy.stop);
    const { status, report } = await check(`${proxy.host}/ocp4`);
    expect(status).toBe(23);
    expect(report.product).toBe('Harbor');
    expect(
      report.checks
        .filter(({ check: name, verdict }) => name === 'push' && verdict === 'bad')
        .map(({ hint }) => hint),
    ).toEqual([
      expect.stringContaining('project') as unknown,
      expect.stringContaining('project') as unknown,
    ]);
  });

  it('ends with 25 where nobody answers', async () => {
    const gone = await startFaultProxy(open.url);
    await gone.stop();
    const { status, report } = await check(`${gone.host}/ocp4`);
    expect(status).toBe(25);
    expect(verdicts(report)).toEqual({ reachable: 'bad' });
  });

  it('refuses a pull secret that can write, and takes one that can only read', async () => {
    const writer = await authfile('writer.json', locked.host, USER.password);
    const writing = await check(
      `${locked.host}/ocp4`,
      '--authfile',
      writer,
      '--cluster-authfile',
      writer,
    );
    expect(writing.status).toBe(2);
    expect(
      writing.report.checks
        .filter(({ verdict }) => verdict === 'bad')
        .map(({ check: name, code }) => [name, code]),
    ).toEqual([
      ['cluster', 'CONFIGURATION'],
      ['cluster', 'CONFIGURATION'],
      ['cluster', 'CONFIGURATION'],
    ]);
    // The reader gets through to GET alone, as a registry with roles lets it.
    const reader = await authfile('reader.json', locked.host, USER.password);
    const proxy = await startFaultProxy(open.url, ({ method }) =>
      method === 'POST' ? { kind: 'answer', status: 403 } : undefined,
    );
    cleanUp.push(proxy.stop);
    const reading = await check(
      `${proxy.host}/ocp4`,
      '--authfile',
      writer,
      '--cluster-authfile',
      reader,
    );
    expect(
      reading.report.checks
        .filter(({ check: name }) => name === 'cluster')
        .map(({ verdict }) => verdict),
    ).toEqual(['good', 'good', 'good']);
    expect(await kept(locked)).toEqual([]);
  });

  it('says of a registry that asks nobody who they are that anybody can write there', async () => {
    const secret = await authfile('secret.json', locked.host, USER.password);
    const { status, report } = await check(`${open.host}/ocp4`, '--cluster-authfile', secret);
    expect(status).toBe(2);
    const facts = report.checks.filter(({ check: name }) => name === 'cluster');
    expect(facts.map(({ fact }) => fact)).toEqual(
      ['release-images', 'release', 'graph-image'].map(
        (name) => `anybody can write to ${open.host}/ocp4/openshift/${name}`,
      ),
    );
  });

  it('refuses a pull secret that cannot read', async () => {
    const writer = await authfile('writer.json', locked.host, USER.password);
    const stranger = await authfile('stranger.json', locked.host, 'wrong');
    const { status, report } = await check(
      `${locked.host}/ocp4`,
      '--authfile',
      writer,
      '--cluster-authfile',
      stranger,
    );
    expect(status).toBe(24);
    expect(
      report.checks.filter(({ verdict }) => verdict === 'bad').map(({ check: name }) => name),
    ).toEqual(['cluster', 'cluster']);
  });

  it.each([
    ['http://registry/ocp4', 2],
    ['registry/UPPER', 2],
  ])('asks for a registry, not %s', async (target, expected) => {
    expect((await user.bundle(['check-registry', target])).status).toBe(expected);
  });

  describeWith(['nginx'], 'behind nginx', () => {
    it.each([
      ['5m', /^4\.19 MB accepted.*413/],
      ['100k', /^65\.5 kB accepted.*413/],
    ])('tells the largest request that passes below %s', async (limit, fact) => {
      const nginx = await startNginx(open.url, limit);
      cleanUp.push(nginx.stop);
      const { status, report } = await check(`${nginx.host}/ocp4`);
      expect(status).toBe(0);
      expect(report.checks.find(({ check: name }) => name === 'largest request')?.fact).toMatch(
        fact,
      );
      expect(report.checks.find(({ check: name }) => name === 'chunks')?.verdict).toBe('good');
      expect(await kept(open)).toEqual([]);
    });
  });
});
