import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { digestOf } from '../../src/core/digest.ts';
import { MANIFEST_TYPES, OCI_MANIFEST } from '../../src/core/media-types.ts';
import { describeWith } from '../support/needs.ts';
import type { TestRegistry } from '../support/registry.ts';
import { type TwoSides, twoSides } from '../support/two-sides.ts';
import type { User } from '../support/user.ts';

const VERSION = '4.17.3';
const TAG = `${VERSION}-x86_64`;
const NAME = `ocp-${TAG}`;

/**
 * One release from registry to registry, as its users do it; each test goes on from where the one
 * before it ended.
 */
describeWith(['docker-registry'], 'a release of all components', () => {
  let sides: TwoSides;
  let target: TestRegistry;
  let made: MadeRelease;
  let packer: User;
  let operator: User;
  let medium: string;
  let fetching: readonly string[];
  let trust: readonly string[];
  let unpacking: readonly string[];

  beforeAll(async () => {
    sides = await twoSides('main-job', { cosign: true, scale: 0.0005 });
    ({ target, made, packer, operator, medium, trust, fetching } = sides);
    unpacking = ['unpack', medium, '--to', `${target.host}/ocp4`, ...trust];
  });
  afterAll(() => sides.remove());

  const bundlePath = (): string => join(medium, `${NAME}.tar.zst`);
  /** The bytes that a registry has under a tag or digest. */
  const manifestAt = async (
    registry: TestRegistry,
    repository: string,
    reference: string,
  ): Promise<Buffer> => {
    const answer = await fetch(`${registry.url}/v2/${repository}/manifests/${reference}`, {
      headers: { accept: MANIFEST_TYPES.join(', ') },
    });
    if (answer.status !== 200)
      throw new Error(`${repository} answers ${answer.status} for ${reference}`);
    return Buffer.from(await answer.arrayBuffer());
  };

  it('is planned without a trace', async () => {
    const planned = (await packer.json([
      'pack',
      VERSION,
      '-o',
      medium,
      ...fetching,
      '--dry-run',
    ])) as {
      size: number;
      signer: { id?: string };
    };
    expect(planned.signer.id).toBeUndefined();
    expect(await readdir(sides.folder)).not.toContain('medium');
    // What was read is kept for the run that packs.
    expect(await readdir(packer.home)).toEqual(['.cache']);
    const packed = (await packer.json([
      'pack',
      VERSION,
      '--arch',
      'x86_64',
      '-o',
      medium,
      ...fetching,
    ])) as { size: number };
    expect(packed.size).toBe(planned.size);
    expect((await stat(bundlePath())).size).toBe(planned.size);
  });

  it('is packed to the same bytes at any concurrency, with one deterministic key', async () => {
    await packer.bundle(['keygen', '--type', 'ed25519', '--out', 'same.pem']);
    const digests = [];
    for (const concurrency of ['1', '16']) {
      const folder = join(sides.folder, `with-${concurrency}`);
      const args = [
        'pack',
        VERSION,
        '-o',
        folder,
        '--key',
        'same.pem',
        '--concurrency',
        concurrency,
        ...fetching,
      ];
      digests.push(((await packer.json(args)) as { fileDigest: string }).fileDigest);
    }
    expect(digests[0]).toBe(digests[1]);
  });

  it('is packed again without fetching anything', async () => {
    expect(await packer.json(['pack', VERSION, '-o', medium, ...fetching])).toMatchObject({
      kept: { finished: true },
    });
  });

  it('verifies for somebody who knows nobody, and says so', async () => {
    const { status, stdout } = await operator.bundle(['verify', medium, ...trust]);
    expect(status).toBe(0);
    expect(stdout).toContain('NOT TRUSTED HERE: only the release signatures prove the content');
  });

  it('goes into a registry digest for digest, signatures beside their subjects', async () => {
    expect((await operator.bundle(['trust', 'add', join(medium, `${NAME}.pub`)])).status).toBe(0);
    const report = (await operator.json(unpacking)) as { bundle: { signer: { standing: string } } };
    expect(report.bundle.signer.standing).toBe('trusted');
    const releases = 'ocp4/openshift/release-images';
    const components = 'ocp4/openshift/release';
    expect(digestOf(await manifestAt(target, releases, TAG))).toBe(made.release.digest);
    for (const { name, digest } of made.components) {
      expect(digestOf(await manifestAt(target, components, `${TAG}-${name}`))).toBe(digest);
    }
    expect(made.signatureImages.length).toBeGreaterThan(1);
    for (const { subject, tag, digest } of made.signatureImages) {
      expect(
        digestOf(
          await manifestAt(target, subject === made.release.digest ? releases : components, tag),
        ),
      ).toBe(digest);
    }
  });

  it('leaves what a cluster needs', async () => {
    const hex = made.release.digest.slice('sha256:'.length, 'sha256:'.length + 16);
    const resources = join(operator.folder, 'cluster-resources');
    const registry = target.host.replace(/[^0-9]/g, '-');
    const names = (await readdir(resources)).sort();
    const [mirrorSet = '', ...others] = names.filter((name) => name !== 'for-4.12');
    expect(mirrorSet).toMatch(new RegExp(`^idms-${registry}-ocp4-[0-9a-f]{8}\\.yaml$`));
    expect(others).toEqual(['kustomization.yaml', `signature-sha256-${hex}.yaml`]);
    expect(await readFile(join(resources, mirrorSet), 'utf8')).toContain(
      `- ${target.host}/ocp4/openshift/release-images`,
    );
    const steps = await readFile(join(operator.folder, 'next-steps.txt'), 'utf8');
    expect(steps).toContain(
      `--to-image ${target.host}/ocp4/openshift/release-images@${made.release.digest}`,
    );
    expect(
      await readFile(join(operator.folder, 'install/image-digest-sources.yaml'), 'utf8'),
    ).toContain('quay.io/openshift-release-dev/ocp-v4.0-art-dev');
  });

  it('uploads nothing the second time, and says so', async () => {
    const again = (await operator.json(unpacking)) as {
      delivery: {
        copied: { blobs: { pushed: number }; manifests: { pushed: number }; tags: { set: number } };
      };
    };
    expect(again.delivery.copied).toMatchObject({
      blobs: { pushed: 0, mounted: 0 },
      manifests: { pushed: 0 },
      tags: { set: 0 },
    });
    expect((await operator.bundle(unpacking)).stdout).toContain('nothing was uploaded');
  });

  it('overwrites no tag that names something else, unless it is told to', async () => {
    const tag = `${TAG}-${made.components[0]!.name}`;
    const place = `${target.url}/v2/ocp4/openshift/release/manifests`;
    const other = made.components[1]!;
    await fetch(`${place}/${tag}`, {
      method: 'PUT',
      headers: { 'content-type': other.mediaType },
      body: await manifestAt(target, 'ocp4/openshift/release', other.digest),
    });
    const refused = await operator.bundle([...unpacking, '--output', 'json']);
    expect(refused.status).toBe(27);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: { code: 'TAG_CONFLICT', got: other.digest },
    });
    expect(digestOf(await manifestAt(target, 'ocp4/openshift/release', tag))).toBe(other.digest);
    const second = `${TAG}-${other.name}`;
    await fetch(`${target.url}/v2/ocp4/openshift/release/manifests/${second}`, {
      method: 'PUT',
      headers: { 'content-type': made.components[0]!.mediaType },
      body: await manifestAt(target, 'ocp4/openshift/release', made.components[0]!.digest),
    });
    const both = await operator.bundle(unpacking);
    expect(both.status).toBe(27);
    expect(both.stderr).toContain('2 tags exist already, and name something else');
    for (const one of [tag, second]) expect(both.stderr).toContain(`/openshift/release:${one}`);
    expect((await operator.bundle([...unpacking, '--replace-tags'])).status).toBe(0);
    expect(digestOf(await manifestAt(target, 'ocp4/openshift/release', tag))).toBe(
      made.components[0]!.digest,
    );
  });

  it('goes into an image layout, and is packed from there to the same bundle', async () => {
    const layout = join(sides.folder, 'layout');
    expect(
      (await operator.bundle(['unpack', medium, '--to', `oci:${layout}`, ...trust])).status,
    ).toBe(0);
    const from = ['--from', `oci:${layout}`, '--signature-store', made.signatureStore, ...trust];
    const packed = await packer.json([
      'pack',
      VERSION,
      '-o',
      join(sides.folder, 'from-layout'),
      ...from,
    ]);
    const inspected = (await operator.json(['inspect', medium, ...trust])) as {
      bundle: { digest: string };
    };
    expect(packed).toMatchObject({ bundleDigest: inspected.bundle.digest });
  });

  it('is mirrored with no file between, to repositories of any name', async () => {
    const repositories = [
      '--release-repository',
      'flat/all',
      '--release-images-repository',
      'flat/all',
    ];
    const { status, stderr } = await packer.bundle([
      'mirror',
      VERSION,
      '--to',
      target.host,
      ...repositories,
      ...fetching,
    ]);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(digestOf(await manifestAt(target, 'flat/all', TAG))).toBe(made.release.digest);
    const last = made.components.at(-1)!;
    expect(digestOf(await manifestAt(target, 'flat/all', `${TAG}-${last.name}`))).toBe(last.digest);
  });

  describeWith(['zstd', 'openssl', 'skopeo'], 'in the hands of other programs', () => {
    it('is whole, signed, and an image layout', async () => {
      const untarred = join(sides.folder, 'untarred');
      await execa('mkdir', [untarred]);
      await execa('sha256sum', ['--strict', '-c', `${NAME}.sha256`], { cwd: medium });
      await execa('zstd', ['-tq', bundlePath()]);
      await execa('tar', ['--zstd', '-xf', bundlePath(), '-C', untarred]);
      await execa('sha256sum', ['--strict', '--quiet', '-c', 'SHA256SUMS'], { cwd: untarred });
      await execa('sh', ['-c', 'base64 -d SHA256SUMS.sig > sig'], { cwd: untarred });
      await execa(
        'openssl',
        ['dgst', '-sha256', '-verify', packer.publicKey, '-signature', 'sig', 'SHA256SUMS'],
        { cwd: untarred },
      );
      const oci = made.components.filter(({ mediaType }) => mediaType === OCI_MANIFEST).slice(0, 5);
      for (const { name, digest } of oci) {
        const { stdout } = await execa(
          'skopeo',
          ['inspect', '--raw', `oci:${untarred}:${TAG}-${name}`],
          { stripFinalNewline: false },
        );
        expect(digestOf(stdout)).toBe(digest);
      }
      const from = [
        '--from',
        `oci:${untarred}`,
        '--signature-store',
        made.signatureStore,
        ...trust,
      ];
      expect(
        (await packer.bundle(['pack', VERSION, '--dry-run', '-o', sides.folder, ...from])).status,
      ).toBe(0);
    });
  });
});
