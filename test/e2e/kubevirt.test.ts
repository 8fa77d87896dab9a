import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import { craft, partsOf } from '../support/crafted-bundle.ts';
import { describeWith } from '../support/needs.ts';
import { bundleIn } from '../support/opened-bundle.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { digestHeld } from '../support/registry.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { type SignedSides, signedSides } from '../support/signed-sides.ts';

const NAME = 'kube-virt-container';

/** The image that only a config map of the release names. */
describeWith(['docker-registry', 'python3'], 'the KubeVirt image of a release', () => {
  let sides: SignedSides;
  let one: MadeRelease;
  let several: MadeRelease;
  let none: MadeRelease;
  let fetching: readonly string[];
  let trust: readonly string[];

  const pack = (folder: string, ...args: readonly string[]) =>
    sides.pack(folder, ...fetching, ...args);
  const fileIn = async (folder: string): Promise<string> => bundleIn(sides.place(folder));
  const read = (file: string, ...args: readonly string[]) =>
    secondVerdict([...trust, ...args, file]);
  const digestAt = (repository: string, reference: string) =>
    digestHeld(sides.target, repository, reference);

  beforeAll(async () => {
    sides = await signedSides('kubevirt');
    const signer = await makeReleaseSigner();
    const make = (version: string, more: object): Promise<MadeRelease> =>
      makeReleaseIn(sides.source, sides.place(version), {
        ...{ version, signer, components: 2, scale: 0.0001, ...more },
      });
    one = await make('4.17.3', { kubeVirt: true });
    several = await make('4.17.4', { kubeVirt: true, architecture: 'multi' });
    none = await make('4.17.5', {});
    fetching = [
      ...['--release-key', one.releaseKey],
      ...[one, several, none].flatMap(({ signatureStore }) => [
        '--signature-store',
        signatureStore,
      ]),
    ];
    trust = ['--release-key', one.releaseKey, '--trusted-key', sides.place('packer.pub')];
  });
  beforeEach(() => sides.asAtFirst());
  afterAll(() => sides.remove());

  it('is carried where a file asks for it, and arrives under the tag that oc-mirror gives', async () => {
    const config = sides.place('site.yaml');
    const reference = `quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64`;
    await writeFile(
      config,
      [
        'apiVersion: mirror.openshift.io/v2alpha1',
        'kind: ImageSetConfiguration',
        `mirror: {platform: {kubeVirtContainer: true, release: "${reference}"}}`,
      ].join('\n'),
    );
    const packed = await pack('file', '--config', config);
    expect(packed.status, packed.stderr).toBe(0);
    expect(packed.stdout).toContain('1 release image, 2 components, 1 KubeVirt image');
    const file = await fileIn('file');

    const inspected = await sides.operator.bundle(['inspect', file, ...trust, '--output', 'json']);
    const report = JSON.parse(inspected.stdout) as { bundle: { parts: unknown[] } };
    const disk = one.kubeVirt![0]!;
    expect(report.bundle.parts).toMatchObject([
      { kubeVirt: [{ architecture: 'x86_64', reference: disk.reference }] },
    ]);
    const verified = await sides.operator.bundle(['verify', file, ...trust]);
    expect(verified.status, verified.stderr).toBe(0);
    expect(await read(file)).toEqual({ status: 0, message: '' });

    const to = ['--to', `${sides.target.host}/ocp`, '--resources-dir', sides.place('resources')];
    const unpacked = await sides.operator.bundle(['unpack', file, ...to, ...trust]);
    expect(unpacked.status, unpacked.stderr).toBe(0);
    expect(await digestAt('ocp/openshift/release', `4.17.3-x86_64-${NAME}`)).toBe(disk.digest);
  });

  it('is proven by the publisher alone: nobody needs to know the signer', async () => {
    const packed = await pack('signer', '4.17.3', '--kubevirt');
    expect(packed.status, packed.stderr).toBe(0);
    const own = ['--release-key', one.releaseKey];
    const verified = await sides.operator.bundle(['verify', await fileIn('signer'), ...own]);
    expect(verified.status, verified.stderr).toBe(0);
  });

  it('is one for each architecture of a release of all', async () => {
    const packed = await pack('multi', '4.17.4', '--arch', 'multi', '--kubevirt');
    expect(packed.status, packed.stderr).toBe(0);
    const file = await fileIn('multi');
    expect(await read(file)).toEqual({ status: 0, message: '' });
    const to = [
      '--to',
      `${sides.target.host}/multi`,
      '--resources-dir',
      sides.place('multi-resources'),
    ];
    const unpacked = await sides.operator.bundle(['unpack', file, ...to, ...trust]);
    expect(unpacked.status, unpacked.stderr).toBe(0);
    expect(several.kubeVirt!.map(({ name }) => name)).toEqual([
      `${NAME}-x86_64`,
      `${NAME}-aarch64`,
    ]);
    for (const { name, digest } of several.kubeVirt!)
      expect(await digestAt('multi/openshift/release', `4.17.4-multi-${name}`)).toBe(digest);
  });

  it('is not there in every release, which is told by its name', async () => {
    const packed = await pack('none', '4.17.5', '--kubevirt');
    expect(packed.status, packed.stderr).toBe(0);
    expect(packed.stderr).toContain('release 4.17.5 for x86_64 names no KubeVirt image');
    expect(packed.stdout).toContain('NONE: the release names none');
    const file = await fileIn('none');
    const verified = await sides.operator.bundle(['verify', file, ...trust]);
    expect(verified.status, verified.stderr).toBe(0);
    expect(verified.stderr).not.toContain('KubeVirt');
    expect(await read(file)).toEqual({ status: 0, message: '' });
  });

  it('is not carried where nobody asks for it', async () => {
    const packed = await pack('without', '4.17.3', '--dry-run');
    expect(packed.status, packed.stderr).toBe(0);
    expect(packed.stdout).not.toContain('KubeVirt');
  });

  it('is in a lock, which brings the same bundle again', async () => {
    const lock = sides.place('site.lock');
    const first = await pack('locking', '4.17.3', '--kubevirt', '--lock', lock);
    expect(first.status, first.stderr).toBe(0);
    const followed = await sides.pack('locked', '--locked', lock, ...fetching);
    expect(followed.status, followed.stderr).toBe(0);
    const bytes = await Promise.all([
      readFile(await fileIn('locking')),
      readFile(await fileIn('locked')),
    ]);
    expect(bytes[0].equals(bytes[1])).toBe(true);
  });

  it('may be missing, if the bundle says so', async () => {
    const { digest, reference } = one.kubeVirt![0]!;
    sides.decide = ({ url }) =>
      url.includes(digest) ? { kind: 'answer', status: 404 } : undefined;
    const refused = await pack('refused', '4.17.3', '--kubevirt');
    expect(refused.status).toBe(23);
    expect(refused.stderr).toContain(`4.17.3-x86_64-${NAME}`);
    expect(refused.stderr).toContain('leave it out');
    const packed = await pack(
      ...(['holed', '4.17.3', '--kubevirt', '--incomplete', '--output', 'json'] as const),
    );
    expect(packed.status, packed.stderr).toBe(30);
    expect((JSON.parse(packed.stdout) as { holes: unknown }).holes).toMatchObject([
      { name: `4.17.3-x86_64-${NAME}`, role: 'kubevirt', source: reference, digest },
    ]);
    const file = await fileIn('holed');
    const verified = await sides.operator.bundle(['verify', file, ...trust]);
    expect(verified.status, verified.stderr).toBe(30);
    expect(await read(file)).toMatchObject({ status: 30 });
  });

  it('belongs to the claim: a bundle that has the one without the other is refused', async () => {
    const packed = await pack('genuine', '4.17.3', '--kubevirt');
    expect(packed.status, packed.stderr).toBe(0);
    const parts = await partsOf(await fileIn('genuine'));
    const key = SigningKey.generate('ecdsa-p256');
    await mkdir(sides.place('crafted'));
    await writeFile(sides.place('forger.pub'), key.public.pem);
    const own = ['--release-key', one.releaseKey, '--trusted-key', sides.place('forger.pub')];
    const said = async (change: (text: string) => string): Promise<readonly (number | null)[]> => {
      const file = join(sides.place('crafted'), 'ocp-4.17.3-x86_64.tar.zst');
      await writeFile(file, craft({ ...parts, key }, { bundleJson: change }));
      const { status } = await sides.operator.bundle(['verify', file, ...own]);
      return [status, (await secondVerdict([...own, file])).status];
    };
    expect(await said((text) => text)).toEqual([0, 0]);
    const isThere = (text: string): string => {
      expect(text).toMatch(/,\s*"kubeVirt": true/);
      return text;
    };
    const without = (text: string): string => isThere(text).replace(/,\s*"kubeVirt": true/, '');
    expect(await said(without)).toEqual([20, 20]);
    const odd = (text: string): string => text.replace('"kubeVirt": true', '"kubeVirt": false');
    expect(await said(odd)).toEqual([20, 20]);
  });

  it('is copied from registry to registry, too', async () => {
    const to = ['--to', `${sides.target.host}/copied`, '--resources-dir', sides.place('copied')];
    const { status, stderr } = await sides.packer.bundle([
      ...['mirror', '4.17.3', '--kubevirt', ...to, ...sides.sources, ...fetching],
    ]);
    expect(status, stderr).toBe(0);
    const tag = `4.17.3-x86_64-${NAME}`;
    expect(await digestAt('copied/openshift/release', tag)).toBe(one.kubeVirt![0]!.digest);
  });
});
