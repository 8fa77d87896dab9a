import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { makeRelease } from '../../scripts/lib/make-release.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { startUpdateService, type UpdateServer } from '../support/update-service.ts';
import { temporaryFolder, User } from '../support/user.ts';

const FILE = projectPath('fixtures/graphs/amd64-stable-4.13.json');

const GRAPH_DATA = projectPath('fixtures/graphs/graph-data-731d0424.tar.gz');

interface PathJson {
  channel?: string;
  path: string[];
  risks: { from: string; to: string; name: string; evaluable: boolean; accepted: boolean }[];
  controlPlaneOnly: string[];
  alternatives: { path: string[]; risks: string[] }[];
}

describe('the update graph', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let user: User;
  let service: UpdateServer;
  let url: string;

  beforeAll(async () => {
    temporary = await temporaryFolder('updates');
    user = await User.new(temporary.path);
    service = await startUpdateService(
      {
        'stable-4.13 amd64': await readFile(FILE, 'utf8'),
        'fast-4.8 amd64': await readFile(
          projectPath('fixtures/graphs/amd64-stable-4.9.json'),
          'utf8',
        ),
      },
      await readFile(GRAPH_DATA),
    );
    ({ url } = service);
  });
  afterAll(async () => {
    await service.stop();
    await temporary.remove();
  });

  const path = async (...args: readonly string[]) => user.bundle(['path', ...args]);

  it('is asked for the channel and the architecture, in the one media type that services take', async () => {
    service.asked.splice(0);
    const found = (await user.json([
      'path',
      ...['4.12.20', '4.13.43', '--graph-url', url],
    ])) as PathJson;
    expect(service.asked).toEqual([
      { url: '/graph?channel=stable-4.13&arch=amd64', accept: 'application/json' },
    ]);
    expect(found).toMatchObject({ channel: 'stable-4.13', risks: [], controlPlaneOnly: [] });
    expect(found.path[0]).toBe('4.12.20');
    expect(found.path.at(-1)).toBe('4.13.43');
  });

  it('is asked again where the service is busy', async () => {
    service.failures.push({ status: 503, body: '' });
    expect(await path('4.12.20', '4.13.43', '--graph-url', url)).toMatchObject({ status: 0 });
  });

  it('tells the risks of a path, and which a disconnected cluster cannot judge', async () => {
    const found = (await user.json([
      'path',
      ...['4.12.20', '4.13.36', '--graph', FILE, '--accept-risk', 'CephCapDropPanic'],
    ])) as PathJson;
    expect(found.path).toEqual(['4.12.20', '4.13.36']);
    const told = found.risks.map(({ name, evaluable, accepted }) => [name, evaluable, accepted]);
    expect(told).toEqual([
      ['AcceleratedNetworkingRace', false, false],
      ['CephCapDropPanic', false, true],
      ['HighNodeStatusReportFrequency', true, false],
    ]);
    const { stdout } = await path('4.12.20', '4.13.36', '--graph', FILE);
    expect(stdout).toMatch(/^4\.12\.20 to 4\.13\.36: 1 update, 3 risks\n/);
    expect(stdout).toContain(
      `bundle pack --from-version 4.12.20 --to-version 4.13.36 --graph ${FILE} -o FOLDER`,
    );
    expect(stdout).toContain('https://issues.redhat.com/browse/COS-2781');
    expect(stdout).toContain('--include-not-recommended');
  });

  it.each([
    ['svg', /^<svg [\s\S]*4\.13\.36[\s\S]*<\/svg>\n$/],
    ['dot', /^digraph updates \{[\s\S]*"4\.12\.20" -> "4\.13\.36" \[penwidth=3[\s\S]*\}\n$/],
    ['mermaid', /^flowchart TB\n[\s\S]*\["4\.13\.36"\]/],
  ])('draws a path as %s', async (format, pattern) => {
    const { status, stdout } = await path(
      ...['4.12.20', '4.13.36', '--graph', FILE, '--output', format],
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(pattern);
  });

  it('lists the releases of a channel, with the risks of getting there', async () => {
    const args = ['releases', '--channel', 'stable-4.13', '--graph-url', url];
    const { releases } = (await user.json(args)) as {
      releases: { version: string; risks: { name: string; from: string[] }[] }[];
    };
    expect(releases).toHaveLength(98);
    expect(releases.find(({ version }) => version === '4.13.41')!.risks).toMatchObject([
      { name: 'CephCapDropPanic', from: expect.arrayContaining(['4.13.0']) as string[] },
    ]);
    const { stdout } = await user.bundle(args);
    expect(stdout).toMatch(/^98 releases in stable-4\.13 for x86_64\n/);
    expect(stdout).toMatch(/4\.13\.41 +RHSA-2024:2047 +CephCapDropPanic\n/);
  });

  interface Listed {
    releases: {
      version: string;
      channels: string[];
      payload?: string;
      risks: { name: string; fromPattern?: string }[];
      blockedFrom: string[];
    }[];
  }

  it('lists the releases of all channels, out of the graph data of the service', async () => {
    service.asked.splice(0);
    const args = ['releases', '--graph-url', url];
    const { releases } = (await user.json(args)) as Listed;
    expect(service.asked).toEqual([{ url: '/graph-data', accept: undefined }]);
    expect(releases.length).toBeGreaterThan(1300);
    const old = releases.find(({ version }) => version === '4.9.6')!;
    expect(old.channels).toContain('stable-4.9');
    expect(old.blockedFrom).toEqual([String.raw`4\.8\..*`]);
    expect(old.payload).toBeUndefined();
    const { stdout } = await user.bundle(args);
    expect(stdout).toMatch(/^\d+ releases for x86_64\n/);
    expect(stdout).toMatch(/4\.9\.6 .*stable-4\.9[^\n]*\n +no update from [^\n]*4\.8/);
  });

  it('lists the releases of a channel out of graph data in a file', async () => {
    const args = ['releases', '--channel', 'stable-4.13', '--graph', GRAPH_DATA];
    const { releases } = (await user.json(args)) as Listed;
    const { risks } = releases.find(({ version }) => version === '4.13.33')!;
    expect(risks).toContainEqual(
      expect.objectContaining({ name: 'AcceleratedNetworkingRace', fromPattern: '4[.]12[.].*' }),
    );
    expect(await user.bundle([...args, '--channel', 'stable-9.9'])).toMatchObject({ status: 2 });
    const none = ['releases', '--channel', 'stable-9.9', '--graph', GRAPH_DATA];
    expect(await user.bundle(none)).toMatchObject({ status: 23, stdout: '' });
  });

  it('knows that files of 2020 have their architecture in the version', async () => {
    const data = join(temporary.path, 'graph-data-of-2020');
    for (const [path, text] of [
      ['version', '1.1.0'],
      ['channels/stable-4.2.yaml', 'name: stable-4.2\nversions: [4.2.13, 4.2.13-s390x]'],
      ['blocked-edges/4.2.13-s390x.yaml', 'to: 4.2.13-s390x\nfrom: .*'],
    ] as const) {
      await mkdir(join(data, path, '..'), { recursive: true });
      await writeFile(join(data, path), text);
    }
    const listed = async (architecture: string) => {
      const args = ['releases', '--channel', 'stable-4.2', '--arch', architecture];
      const { releases } = (await user.json([...args, '--graph', data])) as Listed;
      return releases.map(({ version, blockedFrom }) => [version, ...blockedFrom]);
    };
    expect(await listed('s390x')).toEqual([
      ['4.2.13-s390x', '.*'],
      ['4.2.13', '.*'],
    ]);
    expect(await listed('x86_64')).toEqual([['4.2.13']]);
  });

  it('out of graph data needs the release images for a path, and says so', async () => {
    const layout = join(temporary.path, 'releases');
    const signer = await makeReleaseSigner();
    for (const [version, ...previous] of [
      ['4.13.40'],
      ['4.13.41', '4.13.40'],
      ['4.13.42', '4.13.41', '4.13.39'],
      ['4.13.43', '4.13.40', '4.13.42'],
    ] as const) {
      const out = join(temporary.path, `made-${version}`);
      await makeRelease({ out, layout, version, previous, signer, components: 1, scale: 0.0001 });
    }
    const from = ['--graph', GRAPH_DATA, '--from', `oci:${layout}`];
    const found = (await user.json(['path', '4.13.41', '4.13.43', ...from])) as PathJson;
    expect(found).toMatchObject({ channel: 'stable-4.13' });
    expect(found.path).toEqual(['4.13.41', '4.13.42', '4.13.43']);
    const { stdout } = await path('4.13.41', '4.13.43', ...from);
    expect(stdout).toContain(`--graph ${GRAPH_DATA} --from oci:${layout} -o FOLDER`);
    const { stdout: listed } = await user.bundle([
      ...['releases', '--channel', 'stable-4.13', ...from],
    ]);
    expect(listed).toMatch(/^4 releases in stable-4\.13 for x86_64\n/);
    expect(listed).toMatch(/4\.13\.43 +\d{4}-\d\d-\d\d /);

    const absent = await path('4.13.39', '4.13.43', ...from);
    expect(absent).toMatchObject({ status: 23, stdout: '' });
    expect(absent.stderr).toMatch(/has no release image of 4\.13\.39[\s\S]*--from/);
    const unknown = await path('4.13.40', '4.13.999', ...from);
    expect(unknown).toMatchObject({ status: 23, stdout: '' });
    expect(unknown.stderr).toContain('stable-4.13 has no release 4.13.999');
    const elsewhere = await path('4.12.1', '4.13.43', '--channel', 'stable-4.18', ...from);
    expect(elsewhere.stderr).toMatch(/These channels have it: .*stable-4\.12/);
  });

  it.each([
    {
      what: 'a release that another channel has',
      args: ['4.8.2', '4.9.33', '--channel', 'stable-4.13'],
      status: 23,
      says: /has no release 4\.8\.2[\s\S]*channels have it: .*stable-4\.9/,
    },
    {
      what: 'a release that nobody has',
      args: ['4.12.20', '4.13.999'],
      status: 23,
      says: /4\.13\.43[\s\S]*--channel/,
    },
    {
      what: 'a channel that nobody has',
      args: ['4.12.20', '4.13.36', '--channel', 'stable-9.9'],
      status: 23,
      says: /stable-9\.9[\s\S]*called like/,
    },
    {
      what: 'the way back',
      args: ['4.13.36', '4.12.20', '--channel', 'stable-4.13'],
      status: 23,
      says: /never leads to an older release/,
    },
    {
      what: 'a release that nothing leads to',
      args: ['4.13.42', '4.13.43', '--channel', 'stable-4.13', '--accept-risk', 'Moon'],
      status: 2,
      says: /--accept-risk Moon[\s\S]*CephCapDropPanic/,
    },
    {
      what: 'an architecture that is none',
      args: ['4.13.42', '4.13.43', '--arch', 'vax'],
      status: 2,
      says: /vax/,
    },
  ])('refuses $what', async ({ args, status, says }) => {
    const ended = await path(...args, '--graph-url', url);
    expect(ended.stderr).toMatch(says);
    expect(ended).toMatchObject({ status, stdout: '' });
  });

  it('may be in a file with a byte order mark', async () => {
    const file = join(temporary.path, 'marked.json');
    await writeFile(file, `\ufeff${await readFile(FILE, 'utf8')}`);
    expect(await path('4.12.20', '4.13.36', '--graph', file)).toMatchObject({ status: 0 });
  });

  it('is asked of the same service by the command that is printed, without its secrets', async () => {
    const ends = ['4.12.20', '4.13.43'];
    const plain = await path(...ends, '--graph-url', url);
    const pack = 'bundle pack --from-version 4.12.20 --to-version 4.13.43 --arch x86_64';
    expect(plain.stdout).toContain(`${pack} --graph-url ${url} -o FOLDER`);
    const secret = `${url.replace('://', '://user:SECRET@')}?sig=SECRET`;
    const hidden = await path(...ends, '--graph-url', secret);
    expect(hidden.status).toBe(0);
    expect(hidden.stdout).toContain(`${url.replace('://', '://USER:PASSWORD@')}?QUERY`);
    expect(hidden.stdout + hidden.stderr).not.toContain('SECRET');
  });

  it('comes from a file or from a service, not from both', async () => {
    const both = ['--graph', FILE, '--graph-url', url];
    for (const command of [
      ['path', '4.12.20', '4.13.43'],
      ['releases', '--channel', 'stable-4.13'],
      ['pack', '--from-version', '4.12.20', '--to-version', '4.13.43', '-o', temporary.path],
    ])
      expect(await user.bundle([...command, ...both])).toMatchObject({ status: 2, stdout: '' });
  });

  it('says where the only way goes over an update to an older release', async () => {
    const payload = 'quay.io/r@sha256:'.padEnd(81, 'a');
    const file = join(temporary.path, 'down.json');
    const risks = [
      { name: 'R', url: 'https://x', message: 'm', matchingRules: [{ type: 'Always' }] },
    ];
    const graph = {
      nodes: ['4.13.2', '4.13.4', '4.13.3'].map((version) => ({ version, payload })),
      edges: [[0, 1]],
      conditionalEdges: [{ edges: [{ from: '4.13.4', to: '4.13.3' }], risks }],
    };
    for (const edges of [[[0, 1]], graph.edges.concat([[1, 2]])]) {
      await writeFile(file, JSON.stringify({ ...graph, edges }));
      const ended = await path('4.13.2', '4.13.3', '--graph', file);
      expect(ended).toMatchObject({ status: 23, stdout: '' });
      expect(ended.stderr).toContain(
        'over the update from 4.13.4 to 4.13.3, and an update never leads to an older release',
      );
      expect((await path('4.13.4', '4.13.3', '--graph', file)).status).toBe(23);
    }
  });

  it('says which update a path lacks because no cluster can judge its risk', async () => {
    const payload = 'quay.io/r@sha256:'.padEnd(81, 'a');
    const metadata = { 'io.openshift.upgrades.graph.release.channels': 'stable-4.13' };
    const risk = {
      name: 'Phase',
      url: 'https://x',
      message: 'm',
      matchingRules: [{ type: 'Moon' }],
    };
    const file = join(temporary.path, 'withheld.json');
    const graph = {
      nodes: ['4.13.1', '4.13.2', '4.13.3', '4.13.4'].map((version) => ({
        ...{ version, payload, metadata },
      })),
      edges: [
        [0, 1],
        [2, 3],
      ],
      conditionalEdges: [{ edges: [{ from: '4.13.2', to: '4.13.3' }], risks: [risk] }],
    };
    await writeFile(file, JSON.stringify(graph));
    for (const more of [[], ['--channel', 'stable-4.13']]) {
      const ended = await path('4.13.1', '4.13.4', '--graph', file, ...more);
      expect(ended).toMatchObject({ status: 23, stdout: '' });
      expect(ended.stderr).toContain(
        'clusters are not offered the update from 4.13.2 to 4.13.3, since the rules of its risk ' +
          'Phase are of types that are not known: Moon',
      );
    }
    expect(await path('4.13.1', '4.13.2', '--graph', file)).toMatchObject({ status: 0 });
  });

  it.each(['', '@', 'quay.io/r:4.13.2', 'quay.io/r@sha256:abc'])(
    'is no ground to pack on where it has a release image without a digest: %j',
    async (payload) => {
      const file = join(temporary.path, 'no-digest.json');
      const nodes = ['4.13.1', '4.13.2'].map((version) => ({ version, payload }));
      await writeFile(file, JSON.stringify({ nodes, edges: [[0, 1]] }));
      const ended = await user.bundle([
        ...['pack', '--from-version', '4.13.1', '--to-version', '4.13.2', '--graph', file],
        ...['-o', join(temporary.path, 'out')],
      ]);
      expect(ended).toMatchObject({ status: 20, stdout: '' });
      expect(ended.stderr).toContain(
        'the update graph has no digest for the release image of 4.13.2',
      );
      expect(ended.stderr).toContain(payload === '' ? 'nothing' : payload);
    },
  );

  it('that nobody serves ends with 25, and the way out', async () => {
    const nobody = 'http://updates.invalid/graph';
    const ended = await path('4.12.20', '4.13.36', '--graph-url', nobody);
    expect(ended).toMatchObject({ status: 25, stdout: '' });
    expect(ended.stderr).toContain('--graph');
    expect(await path('4.12.20', '4.13.36', '--graph-url', 'ftp://x')).toMatchObject({ status: 2 });
  });

  it.each([
    [404, '', 25],
    [406, '{"kind":"invalid_content_type"}', 25],
    [200, '<html>log in</html>', 20],
    [200, '{"nodes":[{"version":"1","payload":"x"},{"version":"1","payload":"y"}],"edges":[]}', 20],
  ])('is refused where the service answers %d %j', async (status, body, expected) => {
    service.failures.push({ status, body });
    const ended = await path('4.12.20', '4.13.36', '--graph-url', url);
    expect(ended).toMatchObject({ status: expected, stdout: '' });
    expect(ended.stderr).toContain(service.host);
  });

  it('may come from a file of more than the channel that is asked for', async () => {
    const file = join(temporary.path, 'some.json');
    const releases = { 'io.openshift.upgrades.graph.release.channels': 'stable-4.13' };
    const nodes = ['4.13.1', '4.13.2', '4.13.3'].map((version, index) => ({
      ...{ version, payload: `r@sha256:${String(index).repeat(64)}` },
      metadata:
        index < 2
          ? releases
          : { ...releases, 'io.openshift.upgrades.graph.release.channels': 'fast-4.13' },
    }));
    await writeFile(
      file,
      JSON.stringify({
        nodes,
        edges: [
          [0, 1],
          [1, 2],
        ],
      }),
    );
    const args = ['4.13.1', '4.13.3', '--graph', file];
    expect(await path(...args)).toMatchObject({ status: 0 });
    expect(await path(...args, '--channel', 'stable-4.13')).toMatchObject({ status: 23 });
  });
});

describeWith(['docker-registry'], 'a pack of an update', () => {
  const versions = ['4.17.3', '4.17.4', '4.17.5'] as const;
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let user: User;
  let registry: TestRegistry;
  let service: UpdateServer;
  let options: readonly string[];
  let releaseKey: readonly string[];
  const digests = new Map<string, string>();

  beforeAll(async () => {
    temporary = await temporaryFolder('update-path');
    user = await User.new(temporary.path);
    registry = await startRegistry();
    const signer = await makeReleaseSigner();
    const keys = [];
    for (const version of versions) {
      const made = await makeReleaseIn(registry, join(temporary.path, version), {
        ...{ version, signer, components: 2, scale: 0.0001 },
      });
      digests.set(version, made.release.digest);
      keys.push('--release-key', made.releaseKey, '--signature-store', made.signatureStore);
    }
    const graph = (more: Readonly<Record<string, string>> = {}): string => {
      const all = ['4.17.2', ...versions];
      const nodes = all.map((version) => ({
        version,
        payload: `quay.io/r@${more[version] ?? digests.get(version) ?? `sha256:${'0'.repeat(64)}`}`,
      }));
      const risks = [{ name: 'Bad', message: 'm', url: 'u', matchingRules: [{ type: 'Always' }] }];
      return JSON.stringify({
        nodes,
        edges: [
          [0, 1],
          [1, 3],
        ],
        conditionalEdges: [{ edges: [{ from: '4.17.2', to: '4.17.5' }], risks }],
      });
    };
    service = await startUpdateService({
      'stable-4.17 amd64': graph(),
      'fast-4.17 amd64': graph({ '4.17.5': `sha256:${'1'.repeat(64)}` }),
      'candidate-4.17 amd64': graph({ '4.17.5': '' }).replaceAll('r@"', 'r"'),
    });
    releaseKey = keys.slice(0, 2);
    const mirror = ['--mirror', `quay.io=${registry.host}`];
    options = [...mirror, ...releaseKey, ...stores(keys), '--graph-url', service.url];
  });
  afterAll(async () => {
    await Promise.all([registry.stop(), service.stop()]);
    await temporary.remove();
  });

  const stores = (keys: readonly string[]): readonly string[] =>
    keys.flatMap((word, index) => (word === '--signature-store' ? [word, keys[index + 1]!] : []));
  const update = ['--from-version', '4.17.2', '--to-version', '4.17.5'];
  const packed = async (output: string, ...more: readonly string[]) =>
    user.bundle(['pack', ...update, '-o', join(temporary.path, output), ...options, ...more]);

  it('holds the releases of the path, without the one that the cluster runs', async () => {
    const { status, stderr } = await packed('path');
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('4.17.2 > 4.17.3 > 4.17.5, no risk');
    const file = join(temporary.path, 'path', 'ocp-4.17.3..4.17.5-x86_64.tar.zst');
    const { bundle } = (await user.json(['inspect', file, ...releaseKey])) as {
      bundle: { parts: { version: string }[] };
    };
    expect(bundle.parts.map(({ version }) => version)).toEqual(['4.17.3', '4.17.5']);
  });

  it('takes the shorter way where its risk is accepted', async () => {
    const { status, stderr } = await packed('accepted', '--accept-risk', 'Bad');
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('4.17.2 > 4.17.5, no risk');
    expect(await readdir(join(temporary.path, 'accepted'))).toContain('ocp-4.17.5-x86_64.tar.zst');
  });

  it('stops where the registry has another release than the graph names: 20', async () => {
    const ended = await packed('another', '--channel', 'fast-4.17', '--no-graph-data');
    expect(ended).toMatchObject({ status: 20, stdout: '' });
    expect(ended.stderr).toContain('4.17.5 is another release than the graph names');
    expect(ended.stderr).toContain(digests.get('4.17.5'));
    const none = await packed('none', '--channel', 'candidate-4.17', '--no-graph-data');
    expect(none).toMatchObject({ status: 20 });
  });

  it.each([
    [['pack', '--from-version', '4.17.2', '-o', 'x'], /--from-version needs --to-version/],
    [['pack', '--to-version', '4.17.5', '-o', 'x'], /--to-version needs --from-version/],
    [['pack', '4.17.3', ...update, '-o', 'x'], /Leave the versions/],
    [['pack', '4.17.3', '--accept-risk', 'Bad', '-o', 'x'], /only with --from-version/],
    [['pack', '4.17.3', '--graph-data-base', 'x/y', '-o', 'x'], /only with graph data/],
    [['pack', '4.17.3', '--graph-url', 'http://x', '-o', 'x'], /only with --from-version/],
  ])('refuses %j', async (args, says) => {
    const ended = await user.bundle(args);
    expect(ended.stderr).toMatch(says);
    expect(ended).toMatchObject({ status: 2, stdout: '' });
  });

  it('of nothing is refused', async () => {
    const args = ['--from-version', '4.17.5', '--to-version', '4.17.5', '--graph-url', service.url];
    const ended = await user.bundle(['pack', ...args, '-o', 'x']);
    expect(ended).toMatchObject({ status: 2, stdout: '' });
    expect(ended.stderr).toContain('runs 4.17.5 already');
  });
});
