import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import type { Digest } from '../../src/core/digest.ts';
import { publishImage } from '../support/base-image.ts';
import { type Decide, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { bundleIn } from '../support/opened-bundle.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { digestHeld, startRegistry, type TestRegistry } from '../support/registry.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { temporaryFolder, User } from '../support/user.ts';

interface Hole {
  readonly part: string;
  readonly name: string;
  readonly reason: string;
  readonly digest?: Digest;
  readonly lacks?: Digest;
}

interface Packed {
  readonly bundleDigest: string;
  readonly holes: readonly Hole[];
}

/** Which registries are asked for to find out how they answer. */
const EMPTY = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const NOT_THERE = { kind: 'answer', status: 404 } as const;

/** Sources that do not have, or do not give, all of what is asked for. */
describeWith(['docker-registry', 'python3'], 'a bundle that lacks images', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let proxy: FaultProxy;
  let decide: Decide;
  let packer: User;
  let operator: User;
  let release: readonly string[];
  let trust: readonly string[];
  let tool: Digest;

  const place = (name: string): string => join(temporary.path, name);
  const packing = (output: string, ...more: readonly string[]): readonly string[] => [
    ...['pack', '-o', place(output), '--key', place('packer.pem'), '--mirror'],
    ...[`quay.io=${proxy.host}`, ...more],
  ];
  const images = [
    '--image',
    'quay.io/team/tool:1.4',
    '--image',
    'quay.io/team/web:2',
    '--name',
    'set',
  ];
  const packed = async (...args: readonly string[]): Promise<Packed> => {
    const { status, stdout, stderr } = await packer.bundle([...args, '--output', 'json']);
    expect(status, stderr).toBe(30);
    return JSON.parse(stdout) as Packed;
  };
  const fileIn = async (folder: string): Promise<string> => bundleIn(place(folder));

  beforeAll(async () => {
    temporary = await temporaryFolder('incomplete');
    source = await startRegistry();
    proxy = await startFaultProxy(source.url, (request) => decide(request));
    packer = await User.new(place('connected'));
    operator = await User.new(place('closed'));
    const at = (repository: string, tag: string) =>
      publishImage(source.host, { registry: 'quay.io', repository, tag }, { seed: repository });
    tool = await at('team/tool', '1.4');
    await at('team/web', '2');
    const made = await makeReleaseIn(source, place('release'), {
      ...{ version: '4.17.3', signer: await makeReleaseSigner(), components: 3, scale: 0.0002 },
    });
    await packer.bundle(['keygen', '--type', 'ed25519', '-o', place('packer.pem')]);
    release = [
      '4.17.3',
      '--signature-store',
      made.signatureStore,
      '--release-key',
      made.releaseKey,
    ];
    trust = ['--release-key', made.releaseKey, '--trusted-key', place('packer.pub')];
  });
  beforeEach(async () => {
    decide = () => undefined;
    // What an earlier test has fetched would not be asked for again.
    await packer.bundle(['cache', 'clear']);
  });
  afterAll(async () => {
    await proxy.stop();
    await source.stop();
    await temporary.remove();
  });

  it('is refused, unless that is allowed', async () => {
    decide = ({ url }) => (url.includes('/team/web/manifests/2') ? NOT_THERE : undefined);
    const { status, stderr } = await packer.bundle(packing('refused', ...images));
    expect(status).toBe(23);
    expect(stderr).toContain('team/web');
  });

  it('lists an image whose tag is not there, and says so to everybody', async () => {
    decide = ({ url }) => (url.includes('/team/web/manifests/2') ? NOT_THERE : undefined);
    const dry = await packed(...packing('tag', ...images, '--incomplete', '--dry-run'));
    const { bundleDigest, holes } = await packed(...packing('tag', ...images, '--incomplete'));
    expect(dry).toMatchObject({ bundleDigest, holes });
    expect(holes).toEqual([
      {
        ...{ part: 'image quay.io/team/web:2', name: 'quay.io/team/web:2', role: 'image' },
        ...{ source: 'quay.io/team/web:2', reason: 'not-found' },
      },
    ]);
    const file = await fileIn('tag');
    for (const command of ['verify', 'inspect']) {
      const { status, stdout, stderr } = await operator.bundle([command, file, ...trust]);
      expect(status, stderr).toBe(30);
      expect(stdout).toContain('quay.io/team/web:2');
      expect(stdout).toContain('MISSING');
    }
    const keys = ['--trusted-key', place('packer.pub')];
    expect(await secondVerdict([...keys, file])).toMatchObject({ status: 30 });
  });

  it('lacks an image whose manifest, config or layer is not there', async () => {
    decide = ({ url }) => (url.includes('/team/web/blobs/') ? NOT_THERE : undefined);
    const { holes } = await packed(...packing('blob', ...images, '--incomplete'));
    expect(holes).toMatchObject([
      {
        name: 'quay.io/team/web:2',
        reason: 'not-found',
        lacks: expect.stringContaining('sha256:') as string,
      },
    ]);
    expect(await readdir(place('blob'))).not.toContainEqual(expect.stringContaining('partial'));
    const file = await fileIn('blob');
    expect(await operator.bundle(['verify', file, ...trust])).toMatchObject({ status: 30 });
    const keys = ['--trusted-key', place('packer.pub')];
    expect(await secondVerdict([...keys, file])).toMatchObject({ status: 30 });
  });

  it('lacks an image of wrong bytes, and continues what it has fetched', async () => {
    decide = ({ url, method }) =>
      url.includes('/team/web/blobs/') && method === 'GET' ? { kind: 'flip', at: 5 } : undefined;
    const { holes } = await packed(...packing('wrong', ...images, '--incomplete'));
    expect(holes).toMatchObject([{ name: 'quay.io/team/web:2', reason: 'wrong-content' }]);
    const again = await packed(...packing('wrong', ...images, '--incomplete'));
    expect(again).toMatchObject({ holes });
  });

  it('is not packed where a host gives nothing at all, or the release payload is missing', async () => {
    decide = ({ url }) =>
      url.includes('/manifests/') ? { kind: 'answer', status: 403 } : undefined;
    const refused = await packer.bundle(packing('nothing', ...images, '--incomplete'));
    expect(refused.status).toBe(24);
    decide = ({ url }) =>
      url.includes('openshift-release-dev/ocp-release/blobs') ? NOT_THERE : undefined;
    const payload = await packer.bundle(packing('payload', ...release, '--incomplete'));
    expect(payload.status, payload.stderr).toBe(23);
  });

  it('brings what is whole, and names no release that lacks a component', async () => {
    const target = await startRegistry();
    try {
      let component: string | undefined;
      decide = ({ url }) => {
        const blob = /ocp-v4.0-art-dev\/manifests\/(sha256:\w+)/.exec(url)?.[1];
        component ??= blob === EMPTY ? undefined : blob;
        return blob !== undefined && blob === component ? NOT_THERE : undefined;
      };
      const { holes } = await packed(
        ...packing('release-lacks', ...release, ...images, '--incomplete'),
      );
      expect(holes).toMatchObject([{ part: '4.17.3 for x86_64', digest: component }]);
      const file = await fileIn('release-lacks');
      const keys = ['--trusted-key', place('packer.pub'), '--release-key', trust[1]!];
      expect(await secondVerdict([...keys, file])).toMatchObject({ status: 30 });
      const to = ['--to', `${target.host}/site`, '--resources-dir', place('files'), ...trust];
      const dry = await operator.bundle(['unpack', file, ...to, '--dry-run']);
      expect(dry.status, dry.stderr).toBe(30);
      const { status, stdout, stderr } = await operator.bundle(['unpack', file, ...to]);
      expect(status, stderr).toBe(30);
      expect(stdout).toContain('bundle pack --complete');
      expect(await digestHeld(target, 'site/team/tool', '1.4')).toBe(tool);
      expect(await digestHeld(target, 'site/openshift/release-images', '4.17.3-x86_64')).toBeNull();
      const names = await readdir(place('files'));
      expect(names).not.toContainEqual(expect.stringContaining('signature'));
      const at = await operator.bundle(['verify', file, '--at', `${target.host}/site`, ...trust]);
      expect(at.status, at.stdout).toBe(30);
      const tag = { registry: 'quay.io', repository: 'old/openshift/release-images' };
      const before = await publishImage(target.host, { ...tag, tag: '4.17.3-x86_64' }, {});
      const old = [
        '--to',
        `${target.host}/old`,
        '--replace-tags',
        '--resources-dir',
        place('old-files'),
      ];
      for (const more of [['--dry-run'], []]) {
        const ran = await operator.bundle([
          'unpack',
          file,
          ...old,
          ...trust,
          ...more,
          '--output',
          'json',
        ]);
        expect(ran.status, ran.stderr).toBe(30);
        expect((JSON.parse(ran.stdout) as { delivery: object }).delivery).toMatchObject({
          replacedTags: [],
          unreplacedTags: [`${target.host}/${tag.repository}:4.17.3-x86_64`],
        });
      }
      expect(await digestHeld(target, tag.repository, '4.17.3-x86_64')).toBe(before);
      const { stdout: told } = await operator.bundle(['unpack', file, ...old, ...trust]);
      expect(told).toContain('not replaced');
      expect(told).not.toMatch(/^ *replaced/m);
    } finally {
      await target.stop();
    }
  });

  it('is completed by a second bundle, and both together bring everything', async () => {
    const [first, second, whole] = [await startRegistry(), await startRegistry(), 'whole'];
    try {
      let component: string | undefined;
      decide = ({ url }) => {
        const own = /ocp-v4.0-art-dev\/manifests\/(sha256:\w+)/.exec(url)?.[1];
        component ??= own === EMPTY ? undefined : own;
        const isGone = own !== undefined && own === component;
        return isGone || url.includes('/team/web/manifests/2') ? NOT_THERE : undefined;
      };
      const { holes } = await packed(...packing('first', ...release, ...images, '--incomplete'));
      expect(holes).toHaveLength(2);
      const file = await fileIn('first');
      decide = () => undefined;
      const args = ['--complete', file, ...release.slice(3)];
      const done = await packer.bundle(packing('second', ...args));
      expect(done.status, done.stderr).toBe(0);
      const completion = await fileIn('second');
      expect(completion).toContain('set-complete.tar.zst');
      const keys = ['--trusted-key', place('packer.pub'), '--release-key', trust[1]!];
      expect(await secondVerdict([...keys, completion])).toEqual({ status: 0, message: '' });
      expect(await operator.bundle(['verify', completion, ...trust])).toMatchObject({ status: 0 });
      const to = (registry: TestRegistry) => ['--to', `${registry.host}/site`, ...trust];
      const alone = await operator.bundle(['unpack', completion, ...to(second)]);
      expect(alone.status, alone.stdout).toBe(22);
      expect(alone.stderr).toContain('the target lacks');
      const both = await operator.bundle(['unpack', file, completion, ...to(first)]);
      expect(both.status, both.stderr).toBe(0);
      const all = await packer.bundle(packing(whole, ...release, ...images));
      expect(all.status, all.stderr).toBe(0);
      const at = ['verify', await fileIn(whole), '--at', `${first.host}/site`, '--deep'];
      const compared = await operator.bundle([...at, ...trust]);
      expect(compared.status, compared.stdout).toBe(0);
      const nothing = await packer.bundle(packing('third', '--complete', completion));
      expect(nothing.status).toBe(2);
      expect(nothing.stderr).toContain('lacks nothing');
    } finally {
      await Promise.all([first.stop(), second.stop()]);
    }
  });
});
