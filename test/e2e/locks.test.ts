import { lstat, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import type { Digest } from '../../src/core/digest.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';
import { publishBaseImage, publishImage } from '../support/base-image.ts';
import { CHART_YAML, chartArchive } from '../support/chart.ts';
import { describeWith } from '../support/needs.ts';
import { type PublishedOperators, publishOperators } from '../support/operators.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { startUpdateService, type UpdateServer } from '../support/update-service.ts';
import { temporaryFolder, User } from '../support/user.ts';

interface Packed {
  readonly bundleDigest: string;
  readonly name: string;
  readonly parts: readonly { readonly images: readonly { readonly subject?: string }[] }[];
}

/** As far as tests look into it. */
interface LockDocument {
  readonly releases: readonly object[];
  readonly graph: readonly object[];
  readonly catalogs: readonly { readonly bundles: readonly object[] }[];
  readonly charts: readonly object[];
  readonly images: readonly object[];
  readonly contents: readonly { readonly source: string; readonly subject?: string }[];
  readonly blobs: readonly { readonly digest: string; readonly size: number }[];
}

const TOOL = { registry: 'quay.io', repository: 'team/tool', tag: '1.4' };

/** A world that goes on: what tags name in November is not what they name in December. */
describeWith(['docker-registry'], 'a lock of an image set', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let target: TestRegistry;
  let updates: UpdateServer;
  let december: UpdateServer;
  let packer: User;
  let releases: readonly MadeRelease[];
  let fetching: readonly string[];
  let config: string;
  let inNovember: Packed;
  let oldTool: Digest;
  let operators: PublishedOperators;
  let november: readonly string[];

  const place = (name: string): string => join(temporary.path, name);
  const locked = (name: string): Promise<string> => readFile(place(name), 'utf8');
  const pack = (...args: readonly string[]) =>
    packer.bundle(['pack', ...args, '--key', place('packer.pem'), ...fetching]);
  const packed = async (...args: readonly string[]): Promise<Packed> => {
    const { status, stdout, stderr } = await pack(...args, '--output', 'json');
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout) as Packed;
  };
  const digestAt = async (repository: string, tag: string): Promise<string | null> => {
    const url = `${target.url}/v2/${repository}/manifests/${tag}`;
    const headers = { accept: MANIFEST_TYPES.join(', ') };
    const { status, headers: answered } = await fetch(url, { method: 'HEAD', headers });
    expect(status).toBe(200);
    return answered.get('docker-content-digest');
  };
  const dry = ['--dry-run', '-o', '/nowhere'];

  beforeAll(async () => {
    temporary = await temporaryFolder('locks');
    [source, target] = await Promise.all([startRegistry(), startRegistry()]);
    packer = await User.new(place('connected'));
    await packer.bundle(['keygen', '--type', 'ed25519', '-o', place('packer.pem')]);
    await publishBaseImage(source.host);
    operators = await publishOperators(source.host);
    oldTool = await publishImage(source.host, TOOL, { seed: 'the tool' });
    const signer = await makeReleaseSigner();
    const made: MadeRelease[] = [];
    for (const version of ['4.17.3', '4.17.5']) {
      const options = { version, signer, components: 2, scale: 0.0001 };
      made.push(await makeReleaseIn(source, place(version), options));
    }
    releases = made;
    const graphOf = (count: number): string =>
      JSON.stringify({
        version: 1,
        nodes: made.slice(0, count).map(({ version, release }) => ({
          ...{ version, metadata: {} },
          payload: `quay.io/openshift-release-dev/ocp-release@${release.digest}`,
        })),
        edges: count === 2 ? [[0, 1]] : [],
      });
    const data = await readFile(projectPath('fixtures/graphs/graph-data-731d0424.tar.gz'));
    updates = await startUpdateService({ 'stable-4.17 amd64': graphOf(1) }, data);
    december = await startUpdateService({ 'stable-4.17 amd64': graphOf(2) }, data);
    const annotated = `${CHART_YAML}annotations:\n  artifacthub.io/images: |\n    - image: quay.io/team/tool:1.4\n`;
    await writeFile(place('web-1.2.3.tgz'), await chartArchive({ 'Chart.yaml': annotated }));
    fetching = [
      ...['quay.io', 'registry.access.redhat.com'].flatMap((name) => [
        ...['--mirror', `${name}=${source.host}`],
      ]),
      ...made.flatMap(({ signatureStore }) => ['--signature-store', signatureStore]),
      ...['--release-key', made[0]!.releaseKey],
    ];
    config = place('site.yaml');
    await writeFile(
      config,
      [
        'apiVersion: mirror.openshift.io/v2alpha1',
        'kind: ImageSetConfiguration',
        'mirror:',
        '  platform: {graph: true, channels: [{name: stable-4.17}]}',
        '  operators: [{catalog: "quay.io/ops/index:v4.22", packages: [{name: foo}]}]',
        '  additionalImages: [{name: "quay.io/team/tool:1.4"}]',
        `  helm: {local: [{name: web, path: ${place('web-1.2.3.tgz')}}]}`,
      ].join('\n'),
    );
    const service = ['--graph-url', updates.url];
    november = ['--locked', place('november.lock')];
    const toLock = ['--lock', place('november.lock')];
    inNovember = await packed('--config', config, ...service, ...toLock, ...dry);
    await publishOperators(source.host, true);
    await publishImage(source.host, TOOL, { seed: 'the tool of the next month' });
    const next = ['--config', config, '--graph-url', december.url];
    await packed(...next, '--lock', place('december.lock'), ...dry);
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop(), updates.stop(), december.stop()]);
    await temporary.remove();
  });

  it('names everything by digest, a thing on a line', async () => {
    const text = await locked('november.lock');
    const lock = JSON.parse(text) as LockDocument;
    expect(lock).toMatchObject({
      kind: 'bundle lock 1',
      name: 'site',
      signatures: true,
      offers: { channel: 'stable-4.17' },
      releases: [{ version: '4.17.3', digest: releases[0]!.release.digest }],
      graph: [{ from: expect.stringContaining('/graph-data') as string }],
      images: [{ reference: 'quay.io/team/tool:1.4', digest: oldTool }],
      charts: [{ name: 'web', images: [{ digest: oldTool, how: 'annotation' }] }],
    });
    const [catalog] = lock.catalogs;
    expect(catalog).toMatchObject({
      reference: 'quay.io/ops/index:v4.22',
      from: operators.index,
      pinned: { 'quay.io/ops/foo-operator:v1': operators.images.get('foo-operator') },
      packages: [{ name: 'foo', defaultChannel: 'stable', heads: { stable: 'foo.v1.1.0' } }],
      bundles: [
        {
          ...{ package: 'foo', name: 'foo.v1.1.0', version: '1.1.0', channels: ['stable'] },
          digest: operators.images.get('foo-bundle'),
          updates: { stable: { replaces: 'foo.v1.0.0' } },
          reasons: ['head of stable'],
        },
      ],
    });
    const lines = text.split('\n');
    const ofTool = lines.filter((line) => /^ {4}\{ "reference": "quay.io\/team\/tool/.test(line));
    expect(ofTool).toHaveLength(1);
    expect(lines.filter((line) => /^ {4}\{ "version": "4.17.3".* \}$/.test(line))).toHaveLength(1);
    expect(lines.filter((line) => /^ {8}\{ "package": "foo".* \},?$/.test(line))).toHaveLength(1);
    const sizes = new Map(lock.blobs.map(({ digest, size }) => [digest, size]));
    expect(sizes.size).toBe(lock.blobs.length);
    expect(lock.contents.map(({ source }) => sizes.has(source.split('@')[1]!))).not.toContain(
      false,
    );
  });

  it('is the same whenever nothing has changed', async () => {
    const next = ['--config', config, '--graph-url', december.url];
    await packed(...next, '--lock', place('again.lock'), ...dry);
    expect(await locked('again.lock')).toBe(await locked('december.lock'));
    expect(await locked('again.lock')).not.toBe(await locked('november.lock'));
  });

  it('gives the same bundle whenever it is followed, whatever tags name by now', async () => {
    const follow = async (folder: string): Promise<Buffer> => {
      const { bundleDigest, name } = await packed(...november, '-o', place(folder));
      expect({ bundleDigest, name }).toEqual({
        bundleDigest: inNovember.bundleDigest,
        name: 'site',
      });
      return readFile(join(place(folder), 'site.tar.zst'));
    };
    const one = await follow('one');
    expect(one.equals(await follow('two'))).toBe(true);
    const trust = ['--release-key', releases[0]!.releaseKey];
    const unpacked = await packer.bundle([
      ...['unpack', place('one'), '--to', `${target.host}/unpacked`],
      ...[...trust, '--trusted-key', place('packer.pub')],
    ]);
    expect(unpacked.status, unpacked.stderr).toBe(0);
    expect(await digestAt('unpacked/team/tool', '1.4')).toBe(oldTool);
  });

  it('is followed by mirror, too', async () => {
    const to = ['--to', `${target.host}/mirrored`];
    const lock = ['--locked', place('november.lock')];
    const { status, stderr } = await packer.bundle(['mirror', ...lock, ...to, ...fetching]);
    expect(status, stderr).toBe(0);
    expect(await digestAt('mirrored/team/tool', '1.4')).toBe(oldTool);
    expect(await digestAt('mirrored/openshift/release-images', '4.17.3-x86_64')).toBe(
      releases[0]!.release.digest,
    );
  });

  it('carries no signature that was made since', async () => {
    const lock = JSON.parse(await locked('november.lock')) as LockDocument;
    const signed = (await packed(...november, ...dry)).parts.flatMap(({ images }) => images);
    const attached = lock.contents.filter(({ subject }) => subject !== undefined);
    expect(attached.length).toBeGreaterThan(0);
    const subject = attached[0]!.subject;
    const without = attached.filter((content) => content.subject === subject);
    const kept = lock.contents.filter((content) => content.subject !== subject);
    expect(signed.filter((image) => image.subject === subject)).toHaveLength(without.length);
    // The signatures are there, and a lock that does not name them does not take them.
    await writeFile(place('unsigned.lock'), JSON.stringify({ ...lock, contents: kept }));
    const unsigned = ['--locked', place('unsigned.lock'), '--output', 'json'];
    const { status, stdout } = await pack(...unsigned, ...dry);
    expect(status).toBe(20);
    const { error } = JSON.parse(stdout) as { error: { details: [{ items: string[] }] } };
    const lists = error.details[0].items.map((item) => item.split(',')[0]);
    expect([...new Set(lists)]).toEqual(['parts', 'blobs']);
  });

  it('is compared with that of the next month', async () => {
    const both = ['imageset', 'diff', place('november.lock'), place('december.lock')];
    const { status, stdout } = await packer.bundle([...both, '--output', 'json']);
    expect(status).toBe(0);
    const difference = JSON.parse(stdout) as { bytes: object };
    const none = { added: [], removed: [], changed: [] };
    expect(difference).toMatchObject({
      releases: { added: ['4.17.5 for x86_64'], removed: ['4.17.3 for x86_64'] },
      graph: none,
      images: { ...none, changed: [{ name: 'quay.io/team/tool:1.4', was: oldTool }] },
      charts: { ...none, changed: [{ name: 'web 1.2.3' }] },
      catalogs: [
        {
          from: { was: operators.index },
          moved: [
            { name: 'quay.io/ops/foo-operator:v1', was: operators.images.get('foo-operator') },
          ],
          operators: [
            {
              ...{ name: 'foo', state: 'changed', added: ['1.2.0'], removed: ['1.1.0'] },
              heads: [{ name: 'stable', was: '1.1.0', is: '1.2.0' }],
            },
          ],
        },
      ],
    });
    const sizesIn = async (name: string): Promise<ReadonlyMap<string, number>> => {
      const { blobs } = JSON.parse(await locked(name)) as LockDocument;
      return new Map(blobs.map(({ digest, size }) => [digest, size]));
    };
    const [old, now] = [await sizesIn('november.lock'), await sizesIn('december.lock')];
    const added = [...now].filter(([digest]) => !old.has(digest));
    expect(difference.bytes).toMatchObject({
      added: added.reduce((sum, [, size]) => sum + size, 0),
      is: [...now.values()].reduce((sum, size) => sum + size, 0),
    });
    const shown = await packer.bundle(both);
    expect(shown.stdout).toContain('head of stable 1.1.0 to 1.2.0');
    expect(shown.stdout).toContain('other images: quay.io/team/tool:1.4');
    expect(shown.stdout).toMatch(/operator image\s+quay\.io\/ops\/foo-operator:v1/);
    expect(shown.stdout).not.toContain('Images that are gone:');
    const whole = await packer.bundle([...both, '--verbose']);
    expect(whole.stdout).toMatch(/New images:[^]*Images that are gone:/);
    expect(whole.stdout).toContain(operators.images.get('foo-operator'));
    const same = await packer.bundle(['imageset', 'diff', both[2]!, both[2]!]);
    expect(same).toMatchObject({ status: 0 });
    expect(same.stdout).toContain('carries the same');
    const refused = await packer.bundle(['imageset', 'diff', both[2]!, config]);
    expect(refused.status).toBe(2);
  });

  it('takes the file that it was made from beside it, and no other one', async () => {
    const beside = await packed(...november, '--config', config, ...dry);
    expect(beside.bundleDigest).toBe(inNovember.bundleDigest);
    const text = await readFile(config, 'utf8');
    const other = place('other.yaml');
    await writeFile(other, text.replace('{name: foo}', '{name: foo, minVersion: 1.0.0}'));
    const { status, stderr } = await pack(...november, '--config', other, ...dry);
    expect(status).toBe(2);
    expect(stderr).toContain('minVersion of foo');
    expect(stderr).toMatch(/expected:\s+nothing/);
    expect(stderr).toMatch(/got:\s+1\.0\.0/);
    // What it advises leaves the lock that was reviewed where it is.
    expect(stderr).toContain('--lock NEW.lock');
    expect(stderr).toMatch(/bundle imageset diff \S+november\.lock NEW\.lock/);
    // Comments and lines count for nothing.
    await writeFile(other, `# November\n\n${text}`);
    expect((await pack(...november, '--config', other, ...dry)).status).toBe(0);
  });

  it.each([
    ['a version', ['4.17.3']],
    ['--arch', ['--arch', 'x86_64']],
    ['--image', ['--image', 'quay.io/team/tool:1.4']],
    ['--operator', ['--operator', 'foo']],
    ['--with-dependencies', ['--with-dependencies']],
    ['--no-signatures', ['--no-signatures']],
    ['--channel', ['--channel', 'stable-4.17']],
    ['--helm-images', ['--helm-images', 'x.yaml']],
    ['--lock', ['--lock', 'x.lock']],
  ])('is refused beside %s', async (what, more) => {
    const { status, stderr } = await pack(...november, ...more, ...dry);
    expect(status).toBe(2);
    expect(stderr).toContain(`${what} beside --locked: the lock says what is carried`);
  });

  it.each<[string, (lock: LockDocument) => object, number, string]>([
    [
      'a bundle that the filter does not give',
      (lock) => {
        const [catalog] = lock.catalogs;
        const more = { ...catalog!.bundles[0]!, name: 'foo.v1.0.0', version: '1.0.0' };
        return { catalogs: [{ ...catalog, bundles: [...catalog!.bundles, more] }] };
      },
      20,
      'catalogs, quay.io/ops/index:v4.22, bundles, foo foo.v1.0.0',
    ],
    [
      'a catalog that is not there any more',
      ({ catalogs: [catalog] }) => ({ catalogs: [{ ...catalog, from: NOWHERE }] }),
      23,
      `what quay.io/ops/index:v4.22 was is not there any more`,
    ],
    [
      'an image that is not there any more',
      ({ images: [image] }) => ({ images: [{ ...image, digest: NOWHERE }] }),
      23,
      'what quay.io/team/tool:1.4 was is not there any more',
    ],
    [
      'another release',
      ({ releases: [release] }) => ({ releases: [{ ...release, digest: NOWHERE }] }),
      23,
      NOWHERE,
    ],
    [
      'a chart that was packaged again',
      ({ charts: [chart] }) => ({ charts: [{ ...chart, artifact: NOWHERE }] }),
      20,
      'the chart web 1.2.3 is another one now',
    ],
    [
      'graph data that have changed',
      ({ graph: [graph] }) => ({ graph: [{ ...graph, digest: NOWHERE }] }),
      20,
      'the graph data are not those of the lock',
    ],
    [
      'a signature of the release that is not there any more',
      ({ releases: [release] }) => ({ releases: [{ ...release, signatures: [NOWHERE] }] }),
      21,
      'a signature that proved it is not there any more',
    ],
    [
      'blobs that no image of it has',
      (lock) => ({ blobs: [...lock.blobs, { digest: NOWHERE, size: 7 }] }),
      20,
      `blobs, ${NOWHERE}`,
    ],
  ])('is refused with %s', async (_, change, status, message) => {
    const lock = JSON.parse(await locked('november.lock')) as LockDocument;
    const file = place('changed.lock');
    await writeFile(file, JSON.stringify({ ...lock, ...change(lock) }));
    const ended = await pack('--locked', file, ...dry);
    expect({ status: ended.status, stderr: ended.stderr }).toEqual({
      status,
      stderr: expect.stringContaining(message) as string,
    });
    expect(ended.stderr).toMatch(/expected:|not found|answered 404/);
  });

  it('takes its graph data from where somebody has kept them', async () => {
    const data = projectPath('fixtures/graphs/graph-data-731d0424.tar.gz');
    const lock = JSON.parse(await locked('november.lock')) as LockDocument;
    const graph = [{ ...lock.graph[0], from: `${source.url}/nothing` }];
    const file = place('kept.lock');
    await writeFile(file, JSON.stringify({ ...lock, graph }));
    const away = await pack('--locked', file, ...dry);
    expect(away.status).toBe(23);
    expect(away.stderr).toContain('--graph-data');
    const kept = await packed('--locked', file, '--graph-data', data, ...dry);
    expect(kept.bundleDigest).toBe(inNovember.bundleDigest);
  });

  it.each<[string, (text: string) => string, string]>([
    ['no JSON', () => 'kind: bundle lock 1\n', 'is not valid JSON'],
    ['another document', () => '{"kind": "bundle damage 1"}', 'is no lock'],
    ['one of another version', () => '{"kind": "bundle lock 2"}', 'another version'],
    [
      'a key twice',
      (text) => text.replace('"signatures": true', '"signatures": true, "signatures": false'),
      'has a key twice',
    ],
    [
      'an unknown key',
      (text) => text.replace('"signatures": true', '"signatures": true, "trust": "all"'),
      'has a key "trust"',
    ],
    [
      'an unknown key of a part',
      (text) => text.replace('{ "version"', '{ "proven": true, "version"'),
      'entry 1 of releases of',
    ],
    ['a digest that is none', (text) => text.replace(oldTool, 'sha512:12'), 'not a SHA-256 digest'],
    ['a key that is missing', (text) => text.replace('"referrers": false,', ''), 'referrers of'],
    [
      'a size that is none',
      (text) => text.replace(/"added": \d+/, '"added": -1'),
      'is not a size in bytes',
    ],
    [
      'a reference that is none',
      (text) => text.replaceAll('quay.io/team/tool:1.4', 'quay.io/Team/../tool:1.4'),
      'tool',
    ],
    [
      'no depth that anybody needs',
      (text) =>
        text.replace('"config": {', `"config": { "a": ${'['.repeat(5000)}${']'.repeat(5000)},`),
      'is nested deeper than 500 levels',
    ],
    ['nothing in it', () => JSON.stringify(EMPTY), 'locks nothing'],
  ])('is refused as a file with %s', async (_, change, message) => {
    const file = place('hostile.lock');
    await writeFile(file, change(await locked('november.lock')));
    const { status, stderr } = await pack('--locked', file, ...dry);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringContaining(message) as string,
    });
  });

  it('is refused where there is none, or no file', async () => {
    expect((await pack('--locked', place('none.lock'), ...dry)).status).toBe(23);
    expect((await pack('--locked', temporary.path, ...dry)).status).toBe(26);
  });

  it('is written over nothing of somebody else', async () => {
    const image = ['--image', 'quay.io/team/tool:1.4', ...dry];
    await writeFile(place('mine.lock'), '{"mine": true}');
    const taken = await pack(...image, '--lock', place('mine.lock'));
    expect(taken.status).toBe(2);
    expect(taken.stderr).toContain('is no lock of this program');
    expect(await locked('mine.lock')).toBe('{"mine": true}');
    await symlink(place('november.lock'), place('link.lock'));
    const linked = await pack(...image, '--lock', place('link.lock'));
    expect(linked.status).toBe(26);
    expect((await lstat(place('link.lock'))).isSymbolicLink()).toBe(true);
    expect(await locked('november.lock')).toContain('4.17.3');
    const dash = await pack(...image, '--lock', '-');
    expect(dash.status).toBe(2);
    expect(dash.stderr).toContain('--lock writes a file');
  });

  it('is written for plain options, for a pipe, and for a mirror, and replaces no other lock', async () => {
    const image = ['--image', 'quay.io/team/tool:1.4'];
    const file = place('plain.lock');
    const dried = await packed(...image, '--lock', file, ...dry);
    const plain = await locked('plain.lock');
    expect(JSON.parse(plain)).not.toHaveProperty('config');
    // As an editor has saved it: it is followed, and written for the same content.
    await writeFile(file, `\uFEFF${plain}`);
    const followed = await packed('--locked', file, ...dry);
    expect(followed.bundleDigest).toBe(dried.bundleDigest);
    expect((await pack(...image, '--lock', file, ...dry)).status).toBe(0);
    await writeFile(file, plain);
    const beside = await pack('--locked', file, '--config', config, ...dry);
    expect(beside.status).toBe(2);
    expect(beside.stderr).toContain('was not made from a file');
    // The same content is no other lock.
    await packed(...image, '--lock', file, ...dry);
    const other = await pack(...image, '--name', 'other', '--lock', file, ...dry);
    expect(other.status).toBe(2);
    expect(other.stderr).toContain('exists already, and locks other content');
    expect(other.stderr).toContain(`bundle imageset diff ${file} NEW.lock`);
    expect(await locked('plain.lock')).toBe(plain);
    const ofPipe = place('pipe.lock');
    const piped = await pack(...image, '--name', 'piped', '--lock', ofPipe, '-o', '-');
    expect(piped.status, piped.stderr).toBe(0);
    expect(piped.stderr).toContain(`the lock is in ${ofPipe}`);
    expect(JSON.parse(await locked('pipe.lock'))).toMatchObject({ name: 'piped' });
    const to = ['--to', `${target.host}/plain`, '--dry-run', '--lock', place('mirror.lock')];
    const mirrored = await packer.bundle(['mirror', ...image, ...to, ...fetching]);
    expect(mirrored.status, mirrored.stderr).toBe(0);
    expect(JSON.parse(await locked('mirror.lock'))).not.toHaveProperty('name');
  });
});

const NOWHERE = `sha256:${'0'.repeat(63)}1`;

const EMPTY = {
  ...{ kind: 'bundle lock 1', signatures: true, referrers: false, parts: [], releases: [] },
  ...{ graph: [], catalogs: [], charts: [], images: [], contents: [], files: [], blobs: [] },
};
