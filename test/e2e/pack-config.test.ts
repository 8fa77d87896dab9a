import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { projectPath } from '../../scripts/lib/project-root.ts';
import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { digestOf, hexOf } from '../../src/core/digest.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';
import { publishBaseImage, publishImage } from '../support/base-image.ts';
import { CHART_YAML, chartArchive } from '../support/chart.ts';
import { describeWith } from '../support/needs.ts';
import { publishOperators } from '../support/operators.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { startUpdateService, type UpdateServer } from '../support/update-service.ts';
import { temporaryFolder, User } from '../support/user.ts';

const RELEASES = ['4.16.20', '4.17.1', '4.17.3', '4.17.5'];

/** Updates without a risk, by the numbers of the releases. */
const EDGES = [
  [0, 1],
  [1, 2],
  [2, 3],
];

describeWith(['docker-registry'], 'a bundle of what a file asks for', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let target: TestRegistry;
  let updates: UpdateServer;
  let packer: User;
  let made: readonly MadeRelease[];
  let fetching: readonly string[];
  let trust: readonly string[];

  const place = (name: string): string => join(temporary.path, name);
  const configOf = async (name: string, ...lines: readonly string[]): Promise<string> => {
    const path = place(name);
    const head = ['apiVersion: mirror.openshift.io/v2alpha1', 'kind: ImageSetConfiguration'];
    await writeFile(path, [...head, ...lines].join('\n'));
    return path;
  };
  const pack = (...args: readonly string[]) =>
    packer.bundle(['pack', ...args, '--key', place('packer.pem'), ...fetching]);
  /** The parts of a dry run, by kind and by what tells them apart. */
  const planned = async (
    config: string,
    ...more: readonly string[]
  ): Promise<readonly string[]> => {
    const dry = ['-o', place('dry'), '--dry-run', '--output', 'json'];
    const { status, stdout, stderr } = await pack('--config', config, ...dry, ...more);
    if (status !== 0) throw new Error(stderr);
    const { parts } = JSON.parse(stdout) as {
      parts: { kind: string; version?: string; architecture?: string; reference?: string }[];
    };
    return parts.map(({ kind, version, reference }) =>
      `${kind} ${version ?? reference ?? ''}`.trim(),
    );
  };

  beforeAll(async () => {
    temporary = await temporaryFolder('pack-config');
    [source, target] = await Promise.all([startRegistry(), startRegistry()]);
    packer = await User.new(place('connected'));
    await packer.bundle(['keygen', '--type', 'ed25519', '-o', place('packer.pem')]);
    await publishBaseImage(source.host);
    await publishOperators(source.host);
    const tool = { registry: 'quay.io', repository: 'team/tool', tag: '1.4' };
    await publishImage(source.host, tool);
    await publishImage(source.host, { ...tool, repository: 'team/other' });
    const signer = await makeReleaseSigner();
    const releases: MadeRelease[] = [];
    for (const version of RELEASES) {
      const options = { version, signer, components: 2, scale: 0.0001 };
      releases.push(await makeReleaseIn(source, place(version), options));
    }
    made = releases;
    const nodes = releases.map(({ version, release }) => ({
      ...{ version, metadata: {} },
      payload: `quay.io/openshift-release-dev/ocp-release@${release.digest}`,
    }));
    const risk = { url: 'u', name: 'Slow', message: 'm', matchingRules: [{ type: 'Always' }] };
    const conditionalEdges = [{ edges: [{ from: '4.16.20', to: '4.17.3' }], risks: [risk] }];
    const answer = JSON.stringify({ version: 1, nodes, edges: EDGES, conditionalEdges });
    const older = JSON.stringify({ version: 1, nodes: nodes.slice(0, 1), edges: [] });
    const data = await readFile(projectPath('fixtures/graphs/graph-data-731d0424.tar.gz'));
    updates = await startUpdateService(
      { 'stable-4.17 amd64': answer, 'stable-4.16 amd64': older, 'okd amd64': answer },
      data,
    );
    fetching = [
      ...['quay.io', 'registry.access.redhat.com'].flatMap((name) => [
        ...['--mirror', `${name}=${source.host}`],
      ]),
      ...releases.flatMap(({ signatureStore }) => ['--signature-store', signatureStore]),
      ...['--release-key', releases[0]!.releaseKey, '--graph-url', updates.url],
    ];
    trust = ['--release-key', releases[0]!.releaseKey, '--trusted-key', place('packer.pub')];
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop(), updates.stop()]);
    await temporary.remove();
  });

  it.each([
    ['the newest of a channel', '{name: stable-4.17}', ['4.17.5']],
    [
      'a range',
      '{name: stable-4.17, minVersion: 4.17.1, maxVersion: 4.17.3}',
      ['4.17.1', '4.17.3'],
    ],
    ['all', '{name: stable-4.17, full: true}', RELEASES],
    [
      'what an update passes without a risk',
      '{name: stable-4.17, minVersion: 4.16.20, maxVersion: 4.17.3, shortestPath: true}',
      ['4.16.20', '4.17.1', '4.17.3'],
    ],
  ])('chooses releases: %s', async (_, channel, versions) => {
    const config = await configOf('channel.yaml', `mirror: {platform: {channels: [${channel}]}}`);
    expect(await planned(config)).toEqual(versions.map((version) => `release ${version}`));
  });

  it('takes a risk that is accepted', async () => {
    const channel =
      '{name: stable-4.17, minVersion: 4.16.20, maxVersion: 4.17.3, shortestPath: true}';
    const config = await configOf('risky.yaml', `mirror: {platform: {channels: [${channel}]}}`);
    expect(await planned(config, '--accept-risk', 'Slow')).toEqual([
      'release 4.16.20',
      'release 4.17.3',
    ]);
  });

  it('adds what an update passes between several channels', async () => {
    const channels = '[{name: stable-4.16}, {name: stable-4.17, minVersion: 4.17.5}]';
    const config = await configOf('several.yaml', `mirror: {platform: {channels: ${channels}}}`);
    expect(await planned(config)).toEqual(RELEASES.map((version) => `release ${version}`));
  });

  it('carries everything that a file asks for, under the name of the file, in its volumes', async () => {
    const config = await configOf(
      'site-november.yaml',
      'mirror:',
      '  platform:',
      '    graph: true',
      '    architectures: [amd64]',
      '    channels: [{name: stable-4.17, minVersion: 4.17.3}]',
      '  additionalImages:',
      '  - {name: "quay.io/team/tool:1.4", targetRepo: ours/tool, targetTag: stable}',
      '  - {name: "quay.io/team/other:1.4"}',
      '  blockedImages: [{name: team/oth.r}]',
    );
    const { status, stdout, stderr } = await pack('--config', config, '-o', place('usb'));
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('stable-4.17 for x86_64: 4.17.3 and 4.17.5');
    expect(stderr).toContain('line 10: quay.io/team/other:1.4 is left out: line 11 blocks it');
    expect(await readdir(place('usb'))).toContain('site-november.tar.zst');
    expect(stdout).toContain('An update service with this bundle alone offers in stable-4.17');
    const to = `${target.host}/site`;
    const files = ['--resources-dir', place('files')];
    const unpacked = await packer.bundle(['unpack', place('usb'), '--to', to, ...files, ...trust]);
    expect(unpacked.status, unpacked.stderr).toBe(0);
    for (const [path, tag] of [
      ['openshift/release-images', '4.17.3-x86_64'],
      ['openshift/release-images', '4.17.5-x86_64'],
      ['ours/tool', 'stable'],
    ] as const) {
      const url = `${target.url}/v2/site/${path}/manifests/${tag}`;
      const accept = MANIFEST_TYPES.join(', ');
      expect((await fetch(url, { method: 'HEAD', headers: { accept } })).status).toBe(200);
    }
  });

  it('carries operators, the same as the options ask for', async () => {
    const partsOf = async (...more: readonly string[]): Promise<readonly object[]> => {
      const dry = ['-o', place('dry'), '--dry-run', '--output', 'json', '--name', 'same'];
      const { status, stdout, stderr } = await pack(...more, ...dry);
      if (status !== 0) throw new Error(stderr);
      return (JSON.parse(stdout) as { parts: readonly object[] }).parts;
    };
    const catalog = 'catalog: "quay.io/ops/index:v4.22", packages: [{name: foo}]';
    const config = await configOf('operators.yaml', `mirror: {operators: [{${catalog}}]}`);
    const parts = await partsOf('--config', config);
    expect(parts).toMatchObject([{ kind: 'catalog' }]);
    const options = ['--catalog', 'quay.io/ops/index:v4.22', '--operator', 'foo'];
    expect(parts).toEqual(await partsOf(...options));
    const template = `targetCatalogSourceTemplate: ${place('template.yaml')}`;
    await writeFile(
      place('template.yaml'),
      'apiVersion: operators.coreos.com/v1alpha1\nkind: CatalogSource\nspec: {publisher: us}\n',
    );
    const told = await configOf('told.yaml', `mirror: {operators: [{${catalog}, ${template}}]}`);
    const dry = await pack('--config', told, '-o', place('dry'), '--dry-run');
    expect(dry.status, dry.stderr).toBe(0);
  });

  it('leaves out images of operators and charts that the file blocks, and says so', async () => {
    const listed = `${CHART_YAML}annotations:\n  artifacthub.io/images: |\n    - image: quay.io/team/tool:1.4\n    - image: quay.io/team/other:1.4\n`;
    await writeFile(place('two.tgz'), await chartArchive({ 'Chart.yaml': listed }));
    const config = await configOf(
      'blocks.yaml',
      'mirror:',
      '  operators: [{catalog: "quay.io/ops/index:v4.22", packages: [{name: foo}]}]',
      `  helm: {local: [{name: web, path: ${place('two.tgz')}}]}`,
      '  blockedImages: [{name: foo-oper}, {name: team/oth.r}]',
    );
    const lock = place('blocks.lock');
    const out = ['-o', place('blocks'), '--lock', lock, '--output', 'json'];
    const packed = await pack('--config', config, ...out);
    expect(packed.status, packed.stderr).toBe(0);
    for (const [of, image, pattern] of [
      ['quay.io/ops/index:v4.22', 'quay.io/ops/foo-operator:v1', 'foo-oper'],
      ['the chart web', 'quay.io/team/other:1.4', 'team/oth.r'],
    ] as const)
      expect(packed.stderr).toContain(
        `blockedImages leaves 1 image out of ${of}, such as ${image} (${pattern})`,
      );
    const { parts, bundleDigest } = JSON.parse(packed.stdout) as {
      parts: readonly object[];
      bundleDigest: string;
    };
    expect(parts).toContainEqual(
      expect.objectContaining({
        kind: 'catalog',
        skipRelated: ['quay.io/ops/foo-operator:v1'],
        skippedImages: ['quay.io/ops/foo-operator:v1'],
      }),
    );
    const keys = ['--trusted-key', place('packer.pub'), '--verbose'];
    const shown = await packer.bundle(['inspect', place('blocks'), ...keys, '--output', 'json']);
    expect(shown.status, shown.stderr).toBe(0);
    expect(shown.stdout).toContain('quay.io/team/tool');
    expect(shown.stdout).not.toMatch(/foo-operator@|team\/other/);
    const locked = ['--locked', lock, '-o', place('blocks-locked'), '--dry-run'];
    const same = await pack(...locked, '--output', 'json');
    expect(same.status, same.stderr).toBe(0);
    expect(JSON.parse(same.stdout)).toMatchObject({ bundleDigest });
  });

  it.each([
    ['the image of a bundle', 'foo-bundle', [], 'the bundle foo.v1.1.0 of the operator foo'],
    ['a catalog', 'ops/index', [], 'which cannot be left out'],
    [
      'an image of the command line',
      'team/to+l',
      ['--image', 'quay.io/team/tool:1.4'],
      'team/tool',
    ],
  ])('refuses a pattern that blocks %s', async (_, pattern, more, said) => {
    const config = await configOf(
      'blocks-whole.yaml',
      'mirror:',
      '  operators: [{catalog: "quay.io/ops/index:v4.22", packages: [{name: foo}]}]',
      `  blockedImages: [{name: "${pattern}"}]`,
    );
    const dry = ['-o', place('dry'), '--dry-run', ...more];
    const { status, stderr } = await pack('--config', config, ...dry);
    expect(status, stderr).toBe(2);
    expect(stderr).toContain('line 5');
    expect(stderr).toContain(said);
  });

  it('refuses a pattern that blocks a component of a release', async () => {
    const config = await configOf(
      'blocks-component.yaml',
      'mirror:',
      '  platform: {channels: [{name: stable-4.17, minVersion: 4.17.5, maxVersion: 4.17.5}]}',
      '  blockedImages: [{name: ocp-v4.0-art-dev}]',
    );
    const { status, stderr } = await pack('--config', config, '-o', place('dry'), '--dry-run');
    expect(status, stderr).toBe(2);
    expect(stderr).toMatch(/line 5: blockedImages blocks .* which cannot be left out of 4\.17\.5/);
  });

  it('carries charts, of a folder of this machine and of a repository', async () => {
    const listed = `${CHART_YAML}annotations:\n  artifacthub.io/images: |\n    - image: quay.io/team/tool:1.4\n`;
    const archive = await chartArchive({ 'Chart.yaml': listed });
    await writeFile(place('web-1.2.3.tgz'), archive);
    const index = {
      apiVersion: 'v1',
      entries: {
        web: [
          {
            name: 'web',
            version: '1.2.3',
            urls: ['web-1.2.3.tgz'],
            digest: hexOf(digestOf(archive)),
          },
        ],
      },
    };
    const answers = new Map<string, string | Uint8Array>([
      ['/index.yaml', JSON.stringify(index)],
      ['/web-1.2.3.tgz', archive],
    ]);
    const server = createServer((request, response) => {
      const body = answers.get(request.url ?? '');
      response.writeHead(body === undefined ? 404 : 200).end(body);
    });
    const url = `http://${await listenOnLoopback(server)}`;
    try {
      const chart = `local: [{name: web, path: ${place('web-1.2.3.tgz')}}]`;
      const local = await configOf('local.yaml', `mirror: {helm: {${chart}}}`);
      expect(await planned(local)).toEqual(['chart 1.2.3']);
      const charts = `repositories: [{name: a, url: "${url}", charts: [{name: web, version: 1.2.3}]}]`;
      const remote = await configOf('remote.yaml', `mirror: {helm: {${charts}}}`);
      expect(await planned(remote)).toEqual(['chart 1.2.3']);
      const all = `repositories: [{name: a, url: "${url}"}]`;
      const every = await configOf('every.yaml', `mirror: {helm: {${all}}}`);
      expect(await planned(every)).toEqual(['chart 1.2.3']);
    } finally {
      server.close();
    }
  });

  it('cuts volumes as the file says, unless an option says otherwise', async () => {
    const config = await configOf(
      ...([
        'sized.yaml',
        'archiveSize: 1',
        'mirror: {additionalImages: [{name: "quay.io/team/tool:1.4"}]}',
      ] as const),
    );
    const sizesOf = async (...more: readonly string[]): Promise<number> => {
      const dry = ['-o', place('dry'), '--dry-run', '--output', 'json', '--volume-size'];
      const args = more.length > 0 ? [...dry, ...more] : dry.slice(0, -1);
      const { status, stdout, stderr } = await pack('--config', config, ...args);
      if (status !== 0) throw new Error(stderr);
      return (JSON.parse(stdout) as { volumes: readonly unknown[] }).volumes.length;
    };
    expect(await sizesOf('40k')).toBeGreaterThan(1);
    expect(await sizesOf()).toBe(1);
  });

  it('takes one release that the file names', async () => {
    const reference = `quay.io/openshift-release-dev/ocp-release@${made[2]!.release.digest}`;
    const config = await configOf('one.yaml', `mirror: {platform: {release: "${reference}"}}`);
    expect(await planned(config)).toEqual(['release 4.17.3']);
  });

  it('takes releases of OKD as the graph names them', async () => {
    const channel = '{name: okd, type: okd}';
    const config = await configOf('okd.yaml', `mirror: {platform: {channels: [${channel}]}}`);
    expect(await planned(config)).toEqual(['release 4.17.5']);
  });

  it('has more images beside the file, and another name', async () => {
    const config = await configOf(
      'more.yaml',
      'mirror: {platform: {channels: [{name: stable-4.17}]}}',
    );
    const more = ['--image', 'quay.io/team/tool:1.4', '--name', 'mine'];
    expect(await planned(config, ...more)).toEqual([
      'image quay.io/team/tool:1.4',
      'release 4.17.5',
    ]);
    const file = ['-o', place('other.tar.zst'), '--dry-run', '--output', 'json'];
    const { stdout } = await pack('--config', config, ...file);
    expect(JSON.parse(stdout)).toMatchObject({ name: 'other' });
  });

  it.each([
    ['a version', ['4.17.3'], 'a version beside --config'],
    ['another place', ['--from', 'quay.io/a/b'], '--from beside --config'],
    ['a channel', ['--channel', 'stable-4.17'], '--channel beside --config'],
  ])('is refused with %s beside the file', async (_, more, message) => {
    const config = await configOf(
      'twice.yaml',
      'mirror: {platform: {channels: [{name: stable-4.17}]}}',
    );
    const { status, stderr } = await pack('--config', config, '-o', place('twice'), ...more);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  it.each([
    ['an error', 'mirror: {platfrom: {}}', 2, 'Did you mean platform?'],
    ['nothing in it', 'mirror: {}', 2, 'asks for nothing'],
    [
      'a channel that does not exist',
      'mirror: {platform: {channels: [{name: stable-4.99}]}}',
      23,
      'stable-4.99 has no releases',
    ],
    [
      'versions that do not exist',
      'mirror: {platform: {channels: [{name: stable-4.17, minVersion: 4.17.9}]}}',
      23,
      'no release from 4.17.9',
    ],
    [
      'an operator that the catalog lacks',
      'mirror: {operators: [{catalog: "quay.io/ops/index:v4.22", packages: [{name: fooo}]}]}',
      23,
      'fooo',
    ],
    [
      'a repository in a registry of which all charts are wanted',
      'mirror: {helm: {repositories: [{name: a, url: "oci://r.io/charts"}]}}',
      2,
      'line 3: a repository of charts in a registry needs a list',
    ],
    [
      'a chart of a registry without its version',
      'mirror: {helm: {repositories: [{name: a, url: "oci://r.io/charts", charts: [{name: b}]}]}}',
      2,
      'line 3: the chart b of a registry needs its version',
    ],
  ])('is refused for a file with %s', async (_, text, status, message) => {
    const config = await configOf('refused.yaml', text);
    const ended = await pack('--config', config, '-o', place('refused'));
    expect(ended.status).toBe(status);
    expect(ended.stderr).toContain(message);
  });

  it('is copied from registry to registry, too', async () => {
    const config = await configOf(
      'mirror.yaml',
      'mirror: {additionalImages: [{name: "quay.io/team/tool:1.4"}]}',
    );
    const to = ['--to', `${target.host}/copied`, '--resources-dir', place('copied')];
    const { status, stderr } = await packer.bundle([
      'mirror',
      '--config',
      config,
      ...to,
      ...fetching,
    ]);
    expect(status, stderr).toBe(0);
    expect((await fetch(`${target.url}/v2/copied/team/tool/tags/list`)).status).toBe(200);
  });
});
