import {
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';

import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import { publishBaseImage } from '../support/base-image.ts';
import { craft, partsOf as partsIn } from '../support/crafted-bundle.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { temporaryFolder, User } from '../support/user.ts';

interface PartJson {
  kind: string;
  digest: string;
  image: string;
  base: string;
  architectures: string[];
  images: { name: string; role: string; digest: string; proof: string }[];
}

const COMMAND = 'exec cp -rp /var/lib/cincinnati-graph-data/* /var/lib/cincinnati/graph-data';

describeWith(
  ['docker-registry', 'openssl', 'python3', 'skopeo'],
  'a bundle with graph data',
  () => {
    let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
    let source: TestRegistry;
    let target: TestRegistry;
    let packer: User;
    let operator: User;
    let base: string;
    let data: string;
    let options: readonly string[];
    let trust: readonly string[];
    let packed: string;
    let key: string;
    let crafted = 0;

    const place = (name: string): string => join(temporary.path, name);
    const packing = (output: string, ...more: readonly string[]): readonly string[] => [
      ...['pack', '4.17.3', '-o', output, ...options, '--key', key],
      ...['--graph-data', data, ...more],
    ];
    const partsOf = async (file: string): Promise<readonly PartJson[]> => {
      const { bundle } = (await operator.json(['inspect', file, ...trust])) as {
        bundle: { parts: PartJson[] };
      };
      return bundle.parts;
    };

    beforeAll(async () => {
      temporary = await temporaryFolder('graph-data');
      [source, target] = await Promise.all([startRegistry(), startRegistry()]);
      packer = await User.new(place('connected'));
      operator = await User.new(place('closed'));
      base = await publishBaseImage(source.host, { architectures: ['amd64', 'arm64', 's390x'] });
      const signer = await makeReleaseSigner();
      const made = await makeReleaseIn(source, place('release'), {
        ...{ version: '4.17.3', previous: ['4.17.2'], signer, components: 2, scale: 0.0002 },
      });
      key = place('packer.pem');
      await packer.bundle(['keygen', '--type', 'ed25519', '-o', key]);
      const mirrors = ['quay.io', 'registry.access.redhat.com'].flatMap((name) => [
        ...['--mirror', `${name}=${source.host}`],
      ]);
      const releaseKey = ['--release-key', made.releaseKey];
      options = [...mirrors, '--signature-store', made.signatureStore, ...releaseKey];
      trust = [...releaseKey, '--trusted-key', place('packer.pub')];
      data = place('data');
      for (const [path, text] of [
        ['version', '1.1.0\n'],
        ['channels/stable-4.17.yaml', 'name: stable-4.17\nversions: [4.17.2, 4.17.3]\n'],
        ['raw/metadata.json', '{}'],
        ['README.md', 'nobody needs this'],
      ] as const) {
        await mkdir(join(data, path, '..'), { recursive: true });
        await writeFile(join(data, path), text);
      }
      const { status, stdout, stderr } = await packer.bundle(packing(place('medium')));
      expect(status, stderr).toBe(0);
      expect(stdout).toMatch(/Only\s+you\s+prove\s+\d+\s+images\s+in\s+it\.[^.]+graph-base-amd64/);
      packed = join(place('medium'), 'ocp-4.17.3-x86_64.tar.zst');
    });
    afterAll(async () => {
      await Promise.all([source.stop(), target.stop()]);
      await temporary.remove();
    });

    it('says what the graph is built of, and that only the packer proves it', async () => {
      const [graph, release] = await partsOf(packed);
      expect([graph!.kind, release!.kind]).toEqual(['graph', 'release']);
      expect(graph).toMatchObject({
        base: `registry.access.redhat.com/ubi9/ubi@${base}`,
        ...{ architectures: ['amd64'], channels: 1, newest: '4.17.3' },
      });
      const named = graph!.images.map(({ name, role, proof }) => [name.slice(0, 10), role, proof]);
      expect(named).toEqual([
        ['graph-base', 'graph-base', 'signer'],
        ['sha256-' + graph!.images[1]!.name.slice(7, 10), 'signature', 'signer'],
        ['graph-imag', 'graph-image', 'signer'],
      ]);
      const { stdout } = await operator.bundle(['inspect', packed, ...trust]);
      expect(stdout).toMatch(/update graph +[0-9a-f]|update graph +sha256:/);
      expect(stdout).toContain('only the signature of the packer');
    });

    it('is refused where nobody is trusted, since no publisher proves a graph: 21', async () => {
      const releaseKey = trust.slice(0, 2);
      const ended = await operator.bundle(['verify', packed, ...releaseKey]);
      expect(ended).toMatchObject({ status: 21, stdout: '' });
      expect(ended.stderr).toContain('no release signature covers graph-base-amd64');
      expect(await operator.bundle(['verify', packed, ...trust])).toMatchObject({ status: 0 });
    });

    it('is derived by the second reader too, which knows the page of the format alone', async () => {
      expect(await secondVerdict([...trust, packed])).toEqual({ status: 0, message: '' });
      expect(await secondVerdict([...trust.slice(0, 2), packed])).toMatchObject({ status: 21 });
      const { stdout: children } = await execa('skopeo', [
        ...['inspect', '--raw', '--tls-verify=false', `docker://${source.host}/ubi9/ubi@${base}`],
      ]);
      const [amd64] = (JSON.parse(children) as { manifests: { digest: string }[] }).manifests;
      await publishBaseImage(source.host, { kind: 'oci', seed: 'oci', tag: 'oci' });
      for (const [index, reference] of [`@${amd64!.digest}`, ':oci'].entries()) {
        const output = place(`base-${index}`);
        const on = ['--graph-data-base', `registry.access.redhat.com/ubi9/ubi${reference}`];
        const { status, stderr } = await packer.bundle(packing(output, ...on));
        expect(status, stderr).toBe(0);
        const file = join(output, basename(packed));
        expect(await secondVerdict([...trust, file])).toEqual({ status: 0, message: '' });
      }
    });

    it.each([
      ['other architectures', { architectures: ['amd64', 'arm64'] }, 20],
      ['architectures that its base does not have', { architectures: ['mips'] }, undefined],
      ['other graph data', { digest: `sha256:${'0'.repeat(64)}` }, 20],
      [
        'another base',
        { base: `registry.access.redhat.com/ubi9/ubi@sha256:${'0'.repeat(64)}` },
        20,
      ],
    ])('is refused by both readers with a claim of %s', async (_, change, status) => {
      const parts = await partsIn(packed);
      const [graph, ...others] = parts.contents.parts;
      const contents = {
        ...parts.contents,
        parts: [{ ...graph!, claim: { ...graph!.claim, ...change } }, ...others],
      };
      const signer = SigningKey.generate('ed25519');
      const folder = place(`crafted-${++crafted}`);
      await mkdir(folder);
      const file = join(folder, basename(packed));
      await writeFile(file, craft({ ...parts, contents, key: signer }));
      await writeFile(join(folder, 'signer.pub'), signer.public.pem);
      const own = [...trust.slice(0, 2), '--trusted-key', join(folder, 'signer.pub')];
      const ours = await operator.bundle(['verify', file, ...own]);
      expect(ours.status).not.toBe(0);
      if (status !== undefined) expect(ours.status).toBe(status);
      expect(await secondVerdict([...own, file])).toMatchObject({ status: 20 });
    });

    it('is the same bundle on a host with other settings, from a tarball as from a folder', async () => {
      const tarball = place('data.tar.gz');
      await utimes(join(data, 'version'), new Date(1e12), new Date(1e12));
      await execa('tar', [
        '-czf',
        tarball,
        '-C',
        temporary.path,
        '--transform=s/^data/x-main/',
        'data',
      ]);
      const other = await User.new(place('elsewhere'));
      const bin = join(import.meta.dirname, '../../dist/bin.js');
      const args = packing(place('again')).map((word) => (word === data ? tarball : word));
      const env = { TZ: 'Asia/Kathmandu', LC_ALL: 'C', LANG: 'tr_TR.UTF-8', HOME: other.home };
      const script = 'umask 077; exec "$0" "$@"';
      await execa('bash', ['-c', script, process.execPath, bin, ...args], { env });
      const again = await readFile(join(place('again'), basename(packed)));
      expect(again.equals(await readFile(packed))).toBe(true);
    });

    it('is unpacked, and the graph image is what skopeo and a cluster need', async () => {
      const resources = place('resources');
      const to = ['--to', `${target.host}/ocp4`, '--resources-dir', resources];
      const { status, stderr, stdout } = await operator.bundle(['unpack', packed, ...to, ...trust]);
      expect(status, stderr).toBe(0);
      const at = ['--at', `${target.host}/ocp4`];
      expect(await operator.bundle(['verify', packed, ...at, ...trust])).toMatchObject({
        status: 0,
      });
      expect(stdout).not.toContain('oc adm upgrade'); // no cluster reaches this address
      const real = ['--to', 'registry.example.com:5000/ocp4', '--resources-dir', place('real')];
      const named = await operator.bundle(['resources', packed, ...real, ...trust]);
      expect(named.stdout).toContain('oc adm upgrade'); // the release is the only one
      const [graph] = await partsOf(packed);
      const repository = `${target.host}/ocp4/openshift/graph-image`;
      const service = parse(
        await readFile(join(resources, 'update-service/update-service.yaml'), 'utf8'),
      ) as { spec: Record<string, unknown> };
      expect(service.spec).toMatchObject({
        graphDataImage: `${repository}@${graph!.image}`,
        releases: `${target.host}/ocp4/openshift/release-images`,
      });
      const tag = `graph-${graph!.image.slice(7, 23)}`;
      const { stdout: tags } = await execa('skopeo', [
        ...['list-tags', '--tls-verify=false', `docker://${repository}`],
      ]);
      const listed = (JSON.parse(tags) as { Tags: string[] }).Tags;
      expect(listed).toContain(tag);
      expect(listed).not.toContain('latest');
      const reference = `docker://${repository}:${tag}`;
      const { stdout: config } = await execa('skopeo', [
        ...['inspect', '--config', '--tls-verify=false', '--override-arch', 'amd64', reference],
      ]);
      expect((JSON.parse(config) as { config: { Cmd: string[] } }).config.Cmd).toEqual([
        ...['/bin/bash', '-c', COMMAND],
      ]);
      const layout = place('skopeo');
      await execa('skopeo', [
        ...['copy', '--insecure-policy', '--src-tls-verify=false', '--override-arch', 'amd64'],
        ...[reference, `dir:${layout}`],
      ]);
      const manifest = JSON.parse(await readFile(join(layout, 'manifest.json'), 'utf8')) as {
        layers: { digest: string }[];
      };
      const layer = join(layout, manifest.layers.at(-1)!.digest.slice(7));
      const { stdout: files } = await execa('tar', ['-tzf', layer]);
      expect(files.split('\n')).toContain(
        'var/lib/cincinnati-graph-data/channels/stable-4.17.yaml',
      );
      expect(files).not.toContain('README');
      const mirrorSets = await readdir(resources);
      for (const name of mirrorSets.filter((file) => file.startsWith('idms')))
        expect(await readFile(join(resources, name), 'utf8')).not.toContain('graph-image');
      const steps = await readFile(join(resources, 'next-steps.txt'), 'utf8');
      expect(steps).toContain('oc apply -f update-service/update-service.yaml');
    });

    it('goes through a pipe, and straight from registry to registry', async () => {
      const layout = place('piped');
      const bin = join(import.meta.dirname, '../../dist/bin.js');
      const pack = packing('-', '--arch', 'x86_64');
      const piped = execa(process.execPath, [bin, ...pack], {
        ...{ env: { HOME: packer.home }, encoding: 'buffer' },
      });
      const unpack = execa(
        process.execPath,
        [bin, 'unpack', '-', '--to', `oci:${layout}`, ...trust],
        {
          env: { HOME: operator.home },
        },
      );
      piped.stdout.pipe(unpack.stdin);
      await Promise.all([piped, unpack]);
      const [graph] = await partsOf(packed);
      const blobs = await readdir(join(layout, 'blobs/sha256'));
      expect(blobs).toContain(graph!.image.slice(7));

      const mirrored = await packer.bundle([
        ...['mirror', '4.17.3', '--graph-data', data, ...options],
        ...['--to', `${target.host}/mirrored`, '--resources-dir', place('mirrored')],
      ]);
      expect(mirrored.status, mirrored.stderr).toBe(0);
      expect(await readdir(place('mirrored'))).toContain('update-service');
    });

    it('is repaired where the layer with the graph is damaged', async () => {
      const broken = join(place('broken'), basename(packed));
      await mkdir(place('broken'));
      await copyFile(packed, broken);
      const whole = await readFile(packed);
      // The layer is stored: its tar is in the file as it is.
      const at = whole.indexOf('var/lib/cincinnati-graph-data/channels');
      expect(at).toBeGreaterThan(0);
      const file = await open(broken, 'r+');
      await file.write(Buffer.alloc(16), 0, 16, at);
      await file.close();
      const damage = place('damage.json');
      const checked = await operator.bundle(['verify', broken, ...trust, '--damage', damage]);
      expect(checked.status).toBe(20);
      expect(checked.stderr).toContain('graph-image');
      const layout = place('partial');
      const partly = await operator.bundle([
        ...['unpack', broken, '--partial', '--to', `oci:${layout}`, ...trust],
      ]);
      expect(partly).toMatchObject({ status: 30 });
      expect(partly.stdout).toMatch(/update graph [0-9a-f]{12} has no tag; 4\.17\.3/);
      const { status, stderr } = await packer.bundle(
        packing(
          place('patches'),
          '--repair',
          damage,
          '--graph-data-base',
          `registry.access.redhat.com/ubi9/ubi@${base}`,
        ),
      );
      expect(status, stderr).toBe(0);
      const [patch] = (await readdir(place('patches'))).filter((name) =>
        /\.patch.*zst$/.test(name),
      );
      const out = place('repaired');
      const repaired = await operator.bundle([
        ...['repair', broken, join(place('patches'), patch!), '-o', out, ...trust],
      ]);
      expect(repaired.status, repaired.stderr).toBe(0);
      expect((await readFile(join(out, basename(packed)))).equals(whole)).toBe(true);
      expect((await stat(broken)).size).toBe(whole.length);
    });

    it('is carried alone where only the graph is selected', async () => {
      const layout = place('graph-only');
      const { status, stderr } = await operator.bundle([
        ...['unpack', packed, '--release', 'graph', '--to', `oci:${layout}`, ...trust],
      ]);
      expect(status, stderr).toBe(0);
      const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
        manifests: { annotations?: Record<string, string> }[];
      };
      const tags = index.manifests.flatMap(({ annotations }) => Object.values(annotations ?? {}));
      expect(tags.some((tag) => tag.startsWith('graph-'))).toBe(true);
      expect(tags.some((tag) => tag.startsWith('4.17.3'))).toBe(false);
    });

    it.each([
      [['--arch', 'ppc64le'], 23, /no image for ppc64le|no release 4\.17\.3/],
      [['--no-graph-data'], 2, /excludes/],
      [['--graph-data-base', 'registry.access.redhat.com/nothing:1'], 23, /nothing/],
    ])('is refused with %j', async (more, status, says) => {
      const ended = await packer.bundle(packing(place('never'), ...more));
      expect(ended.stderr).toMatch(says);
      expect(ended).toMatchObject({ status, stdout: '' });
    });
  },
);

describeWith(['docker-registry'], 'the update service of the closed side', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let user: User;
  let options: readonly string[];
  const place = (name: string): string => join(temporary.path, name);

  /** Graph data in which one channel has some releases. */
  const dataOf = async (
    name: string,
    versions: readonly string[],
    blocked: Readonly<Record<string, string>> = {},
  ): Promise<string> => {
    const folder = place(name);
    const channel = `name: stable-4.17\nversions: [${versions.join(', ')}]\n`;
    const files = { version: '1.1.0', 'channels/stable-4.17.yaml': channel, ...blocked };
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(folder, path, '..'), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    return folder;
  };
  const packed = async (data: string, ...more: readonly string[]) =>
    user.bundle([
      ...['pack', '--dry-run', '-o', place('out'), ...options, '--graph', data],
      ...['--from-version', '4.17.2', '--to-version', '4.17.5', '--channel', 'stable-4.17'],
      ...more,
    ]);
  const ALL = ['4.17.2', '4.17.3', '4.17.4', '4.17.5'];
  const RISK =
    'to: 4.17.5\nfrom: 4[.]17[.]4[+]\nname: Slow\nmessage: m\nurl: u\n' +
    'matchingRules: [{type: PromQL, promql: {promql: x}}]\n';

  beforeAll(async () => {
    temporary = await temporaryFolder('offers');
    source = await startRegistry();
    user = await User.new(place('user'));
    await publishBaseImage(source.host);
    const signer = await makeReleaseSigner();
    const stores: string[] = [];
    let key = '';
    for (const [version, ...previous] of [
      ['4.17.2'],
      ['4.17.3', '4.17.2'],
      ['4.17.4', '4.17.3'],
      ['4.17.5', '4.17.4'],
    ] as const) {
      const made = await makeReleaseIn(source, place(version), {
        ...{ version, previous, signer, components: 1, scale: 0.0001 },
      });
      stores.push('--signature-store', made.signatureStore);
      key = made.releaseKey;
    }
    const mirrors = ['quay.io', 'registry.access.redhat.com'].flatMap((name) => [
      ...['--mirror', `${name}=${source.host}`],
    ]);
    options = [...mirrors, ...stores, '--release-key', key];
  });
  afterAll(async () => {
    await source.stop();
    await temporary.remove();
  });

  it('offers each step of the path, by an independent reading of the rules', async () => {
    const data = await dataOf('whole', ALL, { 'blocked-edges/4.17.5.yaml': RISK });
    const { offers, parts } = (await user.json([
      ...['pack', '--dry-run', '-o', place('out'), ...options, '--graph', data],
      ...['--from-version', '4.17.2', '--to-version', '4.17.5', '--channel', 'stable-4.17'],
    ])) as { offers: { offers: object[]; assumed: string }[]; parts: { kind: string }[] };
    expect(parts.map(({ kind }) => kind)).toEqual(['graph', 'release', 'release', 'release']);
    expect(offers).toEqual([
      {
        ...{ channel: 'stable-4.17', architecture: 'x86_64', assumed: '4.17.2' },
        offers: [
          { from: '4.17.2', to: '4.17.3', risks: [], standing: 'recommended' },
          { from: '4.17.3', to: '4.17.4', risks: [], standing: 'recommended' },
          { from: '4.17.4', to: '4.17.5', risks: ['Slow'], standing: 'unknown' },
        ],
      },
    ]);
    const { stdout } = await packed(data);
    expect(stdout).toContain('4.17.5: unknown (Slow)');
    expect(stdout).toContain('The release image of 4.17.2 is not in the bundle');
  });

  it('refuses a bundle whose graph lacks its newest release: 23', async () => {
    const whole = await dataOf('planned', ALL);
    const old = await dataOf('old', ALL.slice(0, 3));
    const ended = await packed(whole, '--graph-data', old);
    expect(ended).toMatchObject({ status: 23, stdout: '' });
    expect(ended.stderr).toMatch(/would not know 4\.17\.5[\s\S]*--graph-data/);
    const versions = await user.bundle([
      ...['pack', '4.17.4', '4.17.5', '--dry-run', '-o', place('out'), ...options],
      ...['--graph-data', old, '--channel', 'stable-4.17'],
    ]);
    expect(versions).toMatchObject({ status: 23, stdout: '' });
  });

  it('refuses a path that cannot be walked there: 23', async () => {
    const whole = await dataOf('possible', ALL);
    const blocked = await dataOf('blocked', ALL, {
      'blocked-edges/4.17.4.yaml': 'to: 4.17.4\nfrom: .*\n',
    });
    const ended = await packed(whole, '--graph-data', blocked);
    expect(ended).toMatchObject({ status: 23, stdout: '' });
    expect(ended.stderr).toContain(
      'no way from 4.17.2 to 4.17.5: the newest release that it leads to is 4.17.3',
    );
    expect(await packed(whole, '--graph-data', blocked, '--no-graph-data')).toMatchObject({
      status: 2,
    });
    expect(await packed(whole, '--no-graph-data')).toMatchObject({ status: 0 });
  });
});
