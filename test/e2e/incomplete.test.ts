import { readdir } from 'node:fs/promises';

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import type { Digest } from '../../src/core/digest.ts';
import { publishImage } from '../support/base-image.ts';
import { describeWith } from '../support/needs.ts';
import { bundleIn } from '../support/opened-bundle.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { digestHeld, startRegistry, type TestRegistry } from '../support/registry.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { mended, type SignedSides, signedSides } from '../support/signed-sides.ts';

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
  let sides: SignedSides;
  let release: readonly string[];
  let trust: readonly string[];
  let tool: Digest;

  const images = [
    '--image',
    'quay.io/team/tool:1.4',
    '--image',
    'quay.io/team/web:2',
    '--name',
    'set',
  ];
  const packed = async (...args: readonly string[]): Promise<Packed> => {
    const { status, stdout, stderr } = await sides.packer.bundle([...args, '--output', 'json']);
    expect(status, stderr).toBe(30);
    return JSON.parse(stdout) as Packed;
  };
  const fileIn = async (folder: string): Promise<string> => bundleIn(sides.place(folder));

  beforeAll(async () => {
    sides = await signedSides('incomplete');
    const at = (repository: string, tag: string) =>
      publishImage(
        sides.source.host,
        { registry: 'quay.io', repository, tag },
        { seed: repository },
      );
    tool = await at('team/tool', '1.4');
    await at('team/web', '2');
    await at('team/late', '3');
    const made = await makeReleaseIn(sides.source, sides.place('release'), {
      ...{ version: '4.17.3', signer: await makeReleaseSigner(), components: 3, scale: 0.0002 },
    });
    release = [
      '4.17.3',
      '--signature-store',
      made.signatureStore,
      '--release-key',
      made.releaseKey,
    ];
    trust = ['--release-key', made.releaseKey, '--trusted-key', sides.place('packer.pub')];
  });
  beforeEach(() => sides.asAtFirst());
  afterAll(() => sides.remove());

  it('is refused, unless that is allowed', async () => {
    sides.decide = ({ url }) => (url.includes('/team/web/manifests/2') ? NOT_THERE : undefined);
    const { status, stderr } = await sides.packer.bundle(sides.packArgs('refused', ...images));
    expect(status).toBe(23);
    expect(stderr).toContain('team/web');
    expect(stderr).toContain('add --incomplete');
  });

  it('lists an image whose tag is not there, and says so to everybody', async () => {
    sides.decide = ({ url }) => (url.includes('/team/web/manifests/2') ? NOT_THERE : undefined);
    const dry = await packed(...sides.packArgs('tag', ...images, '--incomplete', '--dry-run'));
    const { bundleDigest, holes } = await packed(
      ...sides.packArgs('tag', ...images, '--incomplete'),
    );
    expect(dry).toMatchObject({ bundleDigest, holes });
    expect(holes).toEqual([
      {
        ...{ part: 'image quay.io/team/web:2', name: 'quay.io/team/web:2', role: 'image' },
        ...{ source: 'quay.io/team/web:2', reason: 'not-found' },
      },
    ]);
    const file = await fileIn('tag');
    for (const command of ['verify', 'inspect']) {
      const { status, stdout, stderr } = await sides.operator.bundle([command, file, ...trust]);
      expect(status, stderr).toBe(30);
      expect(stdout).toContain('quay.io/team/web:2');
      expect(stdout).toContain('MISSING');
    }
    const keys = ['--trusted-key', sides.place('packer.pub')];
    expect(await secondVerdict([...keys, file])).toMatchObject({ status: 30 });
  });

  it('lacks an image whose manifest, config or layer is not there', async () => {
    sides.decide = ({ url }) => (url.includes('/team/web/blobs/') ? NOT_THERE : undefined);
    const { holes } = await packed(...sides.packArgs('blob', ...images, '--incomplete'));
    expect(holes).toMatchObject([
      {
        name: 'quay.io/team/web:2',
        reason: 'not-found',
        lacks: expect.stringContaining('sha256:') as string,
      },
    ]);
    expect(await readdir(sides.place('blob'))).not.toContainEqual(
      expect.stringContaining('partial'),
    );
    const file = await fileIn('blob');
    expect(await sides.operator.bundle(['verify', file, ...trust])).toMatchObject({ status: 30 });
    const keys = ['--trusted-key', sides.place('packer.pub')];
    expect(await secondVerdict([...keys, file])).toMatchObject({ status: 30 });
  });

  it('lacks an image of wrong bytes, and continues what it has fetched', async () => {
    sides.decide = ({ url, method }) =>
      url.includes('/team/web/blobs/') && method === 'GET' ? { kind: 'flip', at: 5 } : undefined;
    const { holes } = await packed(...sides.packArgs('wrong', ...images, '--incomplete'));
    expect(holes).toMatchObject([{ name: 'quay.io/team/web:2', reason: 'wrong-content' }]);
    const again = await packed(...sides.packArgs('wrong', ...images, '--incomplete'));
    expect(again).toMatchObject({ holes });
  });

  it('is not packed where a host gives nothing at all, or the release payload is missing', async () => {
    sides.decide = ({ url }) =>
      url.includes('/manifests/') ? { kind: 'answer', status: 403 } : undefined;
    const refused = await sides.packer.bundle(sides.packArgs('nothing', ...images, '--incomplete'));
    expect(refused.status).toBe(24);
    sides.decide = ({ url }) =>
      url.includes('openshift-release-dev/ocp-release/blobs') ? NOT_THERE : undefined;
    const payload = await sides.packer.bundle(
      sides.packArgs('payload', ...release, '--incomplete'),
    );
    expect(payload.status, payload.stderr).toBe(23);
    expect(payload.stderr).not.toContain('add --incomplete'); // it is there, and helps nothing
  });

  it('brings what is whole, and names no release that lacks a component', async () => {
    const target = await startRegistry();
    try {
      let component: string | undefined;
      sides.decide = ({ url }) => {
        const blob = /ocp-v4.0-art-dev\/manifests\/(sha256:\w+)/.exec(url)?.[1];
        component ??= blob === EMPTY ? undefined : blob;
        return blob !== undefined && blob === component ? NOT_THERE : undefined;
      };
      const { holes } = await packed(
        ...sides.packArgs('release-lacks', ...release, ...images, '--incomplete'),
      );
      expect(holes).toMatchObject([{ part: '4.17.3 for x86_64', digest: component }]);
      const file = await fileIn('release-lacks');
      const keys = ['--trusted-key', sides.place('packer.pub'), '--release-key', trust[1]!];
      expect(await secondVerdict([...keys, file])).toMatchObject({ status: 30 });
      const to = ['--to', `${target.host}/site`, '--resources-dir', sides.place('files'), ...trust];
      const dry = await sides.operator.bundle(['unpack', file, ...to, '--dry-run']);
      expect(dry.status, dry.stderr).toBe(30);
      const { status, stdout, stderr } = await sides.operator.bundle(['unpack', file, ...to]);
      expect(status, stderr).toBe(30);
      const completing = `bundle pack --complete ${file} --release-key ${trust[1]!} -o FOLDER`;
      expect(stdout).toContain(completing);
      const verified = await sides.operator.bundle(['verify', file, ...trust]);
      expect(verified.stdout).toContain(completing);
      const ofCluster = ['resources', file, ...to, '--dry-run'];
      expect((await sides.operator.bundle(ofCluster)).stdout).toContain(completing);
      expect(await digestHeld(target, 'site/team/tool', '1.4')).toBe(tool);
      expect(await digestHeld(target, 'site/openshift/release-images', '4.17.3-x86_64')).toBeNull();
      const names = await readdir(sides.place('files'));
      expect(names).not.toContainEqual(expect.stringContaining('signature'));
      const at = await sides.operator.bundle([
        'verify',
        file,
        '--at',
        `${target.host}/site`,
        ...trust,
      ]);
      expect(at.status, at.stdout).toBe(30);
      const tag = { registry: 'quay.io', repository: 'old/openshift/release-images' };
      const before = await publishImage(target.host, { ...tag, tag: '4.17.3-x86_64' }, {});
      const old = [
        '--to',
        `${target.host}/old`,
        '--replace-tags',
        '--resources-dir',
        sides.place('old-files'),
      ];
      for (const more of [['--dry-run'], []]) {
        const ran = await sides.operator.bundle([
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
      const { stdout: told } = await sides.operator.bundle(['unpack', file, ...old, ...trust]);
      expect(told).toContain('not replaced');
      expect(told).not.toMatch(/^ *replaced/m);
    } finally {
      await target.stop();
    }
  });

  it('is repaired with a patch, though its sources have by now what it lacks', async () => {
    const set = [...images, '--image', 'quay.io/team/late:3'];
    let webLayers = 0;
    sides.decide = ({ url }) => {
      if (url.includes('/team/web/blobs/')) webLayers += 1;
      const isGone = url.includes('/team/late/manifests/3') || url.includes('/team/web/blobs/');
      return isGone ? NOT_THERE : undefined;
    };
    const { holes } = await packed(...sides.packArgs('lacks', ...set, '--incomplete'));
    expect(holes.map(({ name }) => name)).toEqual(['quay.io/team/late:3', 'quay.io/team/web:2']);
    expect(webLayers).toBeGreaterThan(0);
    // The images are there again: the patch is for the bundle as it was.
    sides.decide = undefined;
    const { patched } = await mended(sides, await fileIn('lacks'), set, trust);
    expect(patched.stdout).not.toContain('MISSING');
    const both = ['--incomplete', '--repair', sides.place('damage.json')];
    const refused = await sides.packer.bundle(sides.packArgs('x', ...set, ...both));
    expect(refused).toMatchObject({ status: 2 });
    expect(refused.stderr).toContain('--incomplete and --repair cannot be used together');
  });

  it('is completed by a second bundle, and both together bring everything', async () => {
    const [first, second, whole] = [await startRegistry(), await startRegistry(), 'whole'];
    try {
      let component: string | undefined;
      sides.decide = ({ url }) => {
        const own = /ocp-v4.0-art-dev\/manifests\/(sha256:\w+)/.exec(url)?.[1];
        component ??= own === EMPTY ? undefined : own;
        const isGone = own !== undefined && own === component;
        return isGone || url.includes('/team/web/manifests/2') ? NOT_THERE : undefined;
      };
      const { holes } = await packed(
        ...sides.packArgs('first', ...release, ...images, '--incomplete'),
      );
      expect(holes).toHaveLength(2);
      const file = await fileIn('first');
      sides.decide = undefined;
      const args = ['--complete', file, ...release.slice(3)];
      const done = await sides.packer.bundle(sides.packArgs('second', ...args));
      expect(done.status, done.stderr).toBe(0);
      const completion = await fileIn('second');
      expect(completion).toContain('set-complete.tar.zst');
      const keys = ['--trusted-key', sides.place('packer.pub'), '--release-key', trust[1]!];
      expect(await secondVerdict([...keys, completion])).toEqual({ status: 0, message: '' });
      expect(await sides.operator.bundle(['verify', completion, ...trust])).toMatchObject({
        status: 0,
      });
      const { found } = await mended(sides, completion, args, trust);
      expect(found.stderr).toContain('bundle pack --complete set.tar.zst --repair damage.json ');
      const to = (registry: TestRegistry) => ['--to', `${registry.host}/site`, ...trust];
      const alone = await sides.operator.bundle(['unpack', completion, ...to(second)]);
      expect(alone.status, alone.stdout).toBe(22);
      expect(alone.stderr).toContain('the target lacks');
      const both = await sides.operator.bundle(['unpack', file, completion, ...to(first)]);
      expect(both.status, both.stderr).toBe(0);
      const all = await sides.packer.bundle(sides.packArgs(whole, ...release, ...images));
      expect(all.status, all.stderr).toBe(0);
      const at = ['verify', await fileIn(whole), '--at', `${first.host}/site`, '--deep'];
      const compared = await sides.operator.bundle([...at, ...trust]);
      expect(compared.status, compared.stdout).toBe(0);
      const nothing = await sides.packer.bundle(sides.packArgs('third', '--complete', completion));
      expect(nothing.status).toBe(2);
      expect(nothing.stderr).toContain('lacks nothing');
    } finally {
      await Promise.all([first.stop(), second.stop()]);
    }
  });
});
