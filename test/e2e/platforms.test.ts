import { join } from 'node:path';
import { mkdir, readFile, writeFile } from 'node:fs/promises';

import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { type Digest, digestOf } from '../../src/core/digest.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';
import { publishImage } from '../support/base-image.ts';
import { describeWith } from '../support/needs.ts';
import { type OddRegistry, startOddRegistry } from '../support/odd-registry.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { temporaryFolder, User } from '../support/user.ts';

const ALL = ['amd64', 'arm64', 's390x'];

/** Images of which only some platforms are carried; the index stays as it is. */
describeWith(['docker-registry', 'skopeo', 'python3', 'zstd'], 'images with some platforms', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let strict: TestRegistry;
  let lenient: OddRegistry;
  let packer: User;
  let tool: Digest;
  /** The image of each architecture. */
  let images: Readonly<Record<string, Digest>>;
  let trust: readonly string[];

  const place = (name: string): string => join(temporary.path, name);
  const pack = (output: string, ...more: readonly string[]) =>
    packer.bundle([
      ...['pack', '-o', place(output), '--key', place('packer.pem'), '--name', 'site'],
      ...['--mirror', `quay.io=${source.host}`, ...more],
    ]);
  const cut = ['--image', 'quay.io/team/tool:1.4', '--platforms', 'linux/arm64,linux/amd64'];
  const named = ['--platforms', 'quay.io/team/tool:1.4=linux/amd64,linux/arm64'];
  const inBundle = async (output: string): Promise<readonly string[]> => {
    const file = join(place(output), 'site.tar.zst');
    expect(await secondVerdict([...trust, file])).toEqual({ status: 0, message: '' });
    const { status, stderr } = await packer.bundle(['verify', file, ...trust]);
    expect(status, stderr).toBe(0);
    const { stdout } = await execa('tar', ['--zstd', '-tf', file]);
    return ALL.filter((name) => stdout.includes(images[name]!.slice('sha256:'.length)));
  };
  const unpack = (to: string, ...more: readonly string[]) =>
    packer.bundle([
      ...['unpack', join(place('cut'), 'site.tar.zst'), '--to', to, ...trust, ...more],
    ]);

  beforeAll(async () => {
    temporary = await temporaryFolder('platforms');
    [source, strict] = await Promise.all([startRegistry(), startRegistry()]);
    lenient = await startOddRegistry();
    packer = await User.new(place('user'));
    tool = await publishImage(
      source.host,
      { registry: 'quay.io', repository: 'team/tool', tag: '1.4' },
      { architectures: ALL, seed: 'tool', kind: 'oci' },
    );
    const answer = await fetch(`${source.url}/v2/team/tool/manifests/1.4`, {
      headers: { accept: MANIFEST_TYPES.join(', ') },
    });
    const { manifests } = (await answer.json()) as {
      manifests: { digest: Digest; platform: { architecture: string } }[];
    };
    images = Object.fromEntries(
      manifests.map(({ digest, platform }) => [platform.architecture, digest]),
    );
    await packer.bundle(['keygen', '--type', 'ed25519', '-o', place('packer.pem')]);
    trust = ['--trusted-key', place('packer.pub')];
    const { status, stderr } = await pack('cut', ...cut);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('of 1 image only some platforms are carried (quay.io/team/tool:1.4)');
  });
  afterAll(async () => {
    await Promise.all([source.stop(), strict.stop(), lenient.stop()]);
    await temporary.remove();
  });
  beforeEach(() => {
    lenient.be(() => undefined);
  });

  /** Keeps an index whatever it lists, as a registry that was told to. */
  const beLenient = (): void => {
    lenient.be(({ method, url, body, headers }, { manifests, tags }) => {
      const [, repository, name] = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(url) ?? [];
      if (method !== 'PUT' || repository === undefined || !body.includes('"manifests"'))
        return undefined;
      const digest = digestOf(body);
      const type = headers['content-type'] ?? '';
      manifests.set(`${repository}@${digest}`, { type, bytes: body });
      if (!name!.startsWith('sha256:')) tags.set(`${repository}:${name!}`, digest);
      return { status: 201, headers: { 'docker-content-digest': digest } };
    });
  };

  it('are in the bundle alone, with the index as it is and their signatures', async () => {
    expect(await inBundle('cut')).toEqual(['amd64', 'arm64']);
    const { bundle } = (await packer.json([
      ...['inspect', join(place('cut'), 'site.tar.zst'), ...trust],
    ])) as { bundle: { parts: { digest: string; platforms: string[]; images: unknown[] }[] } };
    const [part] = bundle.parts;
    expect(part).toMatchObject({ digest: tool, platforms: ['linux/amd64', 'linux/arm64'] });
    expect(part!.images).toHaveLength(3); // the image, and two signatures
    const again = await pack('cut', ...cut);
    expect(again.stdout).toMatch(/^Already packed, every byte read again and good: image/);
  });

  it('arrive in a registry that takes such an index, and once more with nothing to send', async () => {
    beLenient();
    const first = await unpack(`${lenient.host}/ocp4`, '--resources-dir', place('files'));
    expect(first.status, first.stderr).toBe(0);
    const { manifests, tags } = lenient.state;
    expect(tags.get('ocp4/team/tool:1.4')).toBe(tool);
    expect(ALL.filter((name) => manifests.has(`ocp4/team/tool@${images[name]!}`))).toEqual([
      ...['amd64', 'arm64'],
    ]);
    // The tiny list of the question is gone again.
    const lists = [...manifests.keys()].filter((key) => key.startsWith('ocp4/team/tool@'));
    expect(lists).toHaveLength(5);
    const again = await unpack(`${lenient.host}/ocp4`, '--resources-dir', place('files'));
    expect(again.stdout).toContain('everything was there already');
    const compared = await packer.bundle([
      ...['verify', join(place('cut'), 'site.tar.zst'), '--at', `${lenient.host}/ocp4`, ...trust],
    ]);
    expect(compared.status, compared.stderr).toBe(0);
    expect((await packer.bundle(['check-registry', `${lenient.host}/ocp4`])).stdout).toMatch(
      /also\s+lists\s+with\s+only\s+some\s+of\s+their\s+platforms/,
    );
  });

  it('are refused by one that does not, before anything is uploaded: 25', async () => {
    const { status, stderr } = await unpack(`${strict.host}/ocp4`);
    expect(status).toBe(25);
    expect(stderr).toContain('takes no list of which some images are absent');
    expect(stderr).toContain('Nothing was uploaded');
    const answer = await fetch(`${strict.url}/v2/ocp4/team/tool/manifests/${images['amd64']!}`);
    expect(answer.status).toBe(404);
    const mirrored = await packer.bundle([
      ...['mirror', ...cut, '--mirror', `quay.io=${source.host}`, '--to', `${strict.host}/two`],
    ]);
    expect(mirrored.status).toBe(25);
    expect((await packer.bundle(['check-registry', `${strict.host}/ocp4`])).stdout).toMatch(
      /no\s+list\s+that\s+lacks\s+some\s+of\s+its\s+platforms/,
    );
  });

  it('arrive in an image layout, from which skopeo takes the image of this host', async () => {
    const { status, stderr } = await unpack(`oci:${place('layout')}`);
    expect(status, stderr).toBe(0);
    await execa('skopeo', [
      ...['--override-arch', 'amd64', '--insecure-policy', 'copy'],
      ...[`oci:${place('layout')}:team/tool:1.4`, `dir:${place('taken')}`],
    ]);
  });

  it('are what a file says; what the command line says of one image comes first', async () => {
    const file = place('imageset.yaml');
    await writeFile(
      file,
      [
        'apiVersion: mirror.openshift.io/v2alpha1',
        'kind: ImageSetConfiguration',
        'mirror:',
        '  additionalImages:',
        '    - name: quay.io/team/tool:1.4',
        '      platforms: [{ os: linux, architecture: s390x }]',
        '',
      ].join('\n'),
    );
    const ofFile = await pack('of-file', '--config', file, '--platforms', 'linux/amd64');
    expect(ofFile.status, ofFile.stderr).toBe(0);
    expect(await inBundle('of-file')).toEqual(['s390x']);
    const one = ['--platforms', 'quay.io/team/tool:1.4=linux/amd64'];
    const ofLine = await pack('of-line', '--config', file, ...one);
    expect(ofLine.status, ofLine.stderr).toBe(0);
    expect(await inBundle('of-line')).toEqual(['amd64']);
    const twice = ['--image', 'quay.io/team/tool:1.4', ...one];
    const both = await pack('whole', '--image', `quay.io/team/tool@${tool}`, ...twice);
    expect(both.status, both.stderr).toBe(0);
    expect(await inBundle('whole')).toEqual(ALL);
  });

  it('are the same when a lock is followed', async () => {
    const lock = place('some.lock');
    const written = await pack('locking', ...cut, '--lock', lock);
    expect(written.status, written.stderr).toBe(0);
    const followed = await pack('locked', '--locked', lock);
    expect(followed.status, followed.stderr).toBe(0);
    expect(await inBundle('locked')).toEqual(['amd64', 'arm64']);
  });

  it.each([
    ['a platform that the image lacks', ['--platforms', 'linux/ppc64le'], 23, 'linux/s390x'],
    ['what is no platform', ['--platforms', 'amd64'], 2, 'is not a platform'],
    ['an image that is not asked for', ['--platforms', 'a/b:1=linux/amd64'], 2, 'a/b:1 is not'],
  ])('are refused for %s', async (_, words, expected, message) => {
    const { status, stderr } = await pack('no', '--image', 'quay.io/team/tool:1.4', ...words);
    expect(status).toBe(expected);
    expect(stderr).toContain(message);
  });

  it('are mended by a patch with the command that verify prints', async () => {
    await mkdir(place('damaged'));
    const file = join(place('damaged'), 'site.tar.zst');
    const bytes = await readFile(join(place('cut'), 'site.tar.zst'));
    bytes[Math.floor(bytes.length / 2)]! ^= 1; // within a layer: these are almost all of it
    await writeFile(file, bytes);
    const damage = place('damage.json');
    const found = await packer.bundle(['verify', file, ...trust, '--damage', damage]);
    expect(found.status).toBe(20);
    const words = ['--image', 'quay.io/team/tool:1.4=team/tool:1.4', ...named];
    expect(found.stderr).toContain(words.join(' '));
    const patch = await packer.bundle([
      ...['pack', ...words, '--mirror', `quay.io=${source.host}`, '--key', place('packer.pem')],
      ...['--repair', damage, '-o', place('patch')],
    ]);
    expect(patch.status, patch.stderr).toBe(0);
    const repair = ['repair', file, place('patch'), '-o', place('mended'), ...trust];
    const mended = await packer.bundle(repair);
    expect(mended.status, mended.stderr).toBe(0);
    expect(await inBundle('mended')).toEqual(['amd64', 'arm64']);
  });
});
