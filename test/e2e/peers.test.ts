import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { makeReleaseSigner, type ReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { anonymous } from '../../src/core/credentials.ts';
import { type Digest, hexOf } from '../../src/core/digest.ts';
import { successors } from '../../src/core/manifest.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import type { HeldContent } from '../../src/stores/oc/held-content.ts';
import { openHeldPlace } from '../../src/stores/oc/open.ts';
import { describeWith } from '../support/needs.ts';
import { extractOcFolder, peerRelease, peerTar, putArchive, tarOf } from '../support/peer-forms.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

/** The registry that the releases were made in. */
const ORIGIN = '127.0.0.1:5011';
const RELEASES = 'openshift-release-dev/ocp-release';
const COMPONENTS = 'openshift-release-dev/ocp-v4.0-art-dev';
const [FIRST, SECOND] = ['4.99.1', '4.99.2'];
const OFFLINE = ['--signature-store', 'http://127.0.0.1:9/none'];

interface Packed {
  readonly bundleDigest: string;
  readonly parts: readonly { readonly version: string; readonly images: unknown }[];
}

interface Failure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

describeWith(['docker-registry'], 'what oc and oc-mirror have written', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let registry: TestRegistry;
  let user: User;
  let signer: ReleaseSigner;
  let own: readonly string[];
  let stores: readonly string[];
  let work = '';
  let tests = 0;
  const path = (...parts: readonly string[]): string => join(temporary.path, ...parts);
  const oc = (): string => path('oc');
  const archives = (): string => path('archives');

  beforeAll(async () => {
    temporary = await temporaryFolder('peers');
    registry = await startRegistry();
    user = await User.new(path('user'));
    signer = await makeReleaseSigner();
    await writeFile(path('release-key.asc'), signer.publicKeyArmored);
    await mkdir(oc());
    await extractOcFolder(oc());
    await putArchive(path('archives/november'), await peerTar('oc-mirror-first'));
    await putArchive(path('archives/december'), await peerTar('oc-mirror-second'));
    for (const version of [FIRST, SECOND]) {
      const { digest } = await peerRelease(version);
      const folder = path('signatures', digest.replace(':', '='));
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'signature-1'), await signatureOf(version));
    }
    stores = ['--signature-store', path('signatures')];
    const key = ['keygen', '--type', 'ed25519', '--out', path('packer.pem')];
    expect(await user.bundle(key)).toMatchObject({ status: 0 });
    own = ['--key', path('packer.pem'), '--release-key', path('release-key.asc')];
    await fillRegistry();
  });
  afterAll(async () => {
    await registry.stop();
    await temporary.remove();
  });
  beforeEach(async () => {
    tests += 1;
    work = path(`work-${tests}`);
    await mkdir(work);
  });

  const signatureOf = async (version: string): Promise<Uint8Array> => {
    const { digest } = await peerRelease(version);
    const name = `quay.io/openshift-release-dev/ocp-release:${version}-x86_64`;
    return signer.sign(digest, name);
  };

  /** Both releases, where a registry would have them. */
  async function fillRegistry(): Promise<void> {
    const source = await openHeldPlace({
      ...{ writer: 'oc-mirror', folder: archives(), digest: undefined },
    });
    const client = new RegistryClient({ credentials: anonymous, ca: [] });
    const push = async (repository: string, digest: Digest, tag?: string): Promise<void> => {
      const target = client.repository({ registry: registry.host, repository });
      const { descriptor, manifest } = await source.manifest(digest);
      for (const blob of successors(manifest)) await target.push(blob, source.fetch(blob));
      await target.push(descriptor, source.fetch(descriptor), tag === undefined ? {} : { tag });
    };
    for (const version of [FIRST, SECOND]) {
      const { digest, components } = await peerRelease(version);
      for (const one of Object.values(components)) await push(COMPONENTS, one);
      await push(RELEASES, digest, `${version}-x86_64`);
    }
    await client.close();
  }

  const packing = (...args: readonly string[]): readonly string[] => [
    ...['pack', ...args, ...own, '-o', join(work, 'out')],
  ];
  const packed = async (...args: readonly string[]): Promise<Packed> =>
    (await user.json([...packing(...args)])) as Packed;
  const fromRegistry = (...versions: readonly string[]): Promise<Packed> =>
    packed(
      ...[...versions, '--from', `${ORIGIN}/${RELEASES}`, ...stores, '--dry-run'],
      ...['--mirror', `${ORIGIN}=${registry.host}`],
    );
  const failure = async (args: readonly string[]): Promise<Failure> => {
    const { status, stdout, stderr } = await user.bundle([...args, '--output', 'json']);
    const { error } = JSON.parse(stdout) as { error: Failure };
    expect(error.status).toBe(status);
    expect(stderr).toContain(`bundle: ${error.message}`);
    return error;
  };
  const verified = async (name: string): Promise<void> => {
    const bundle = join(work, 'out', `${name}.tar.zst`);
    const verify = ['verify', bundle, '--release-key', path('release-key.asc')];
    expect(await user.bundle(verify)).toMatchObject({ status: 0 });
  };

  it('a folder of oc makes the bundle that the registry makes', async () => {
    const made = await packed(FIRST, '--from', `file:${oc()}`, ...stores);
    const expected = await fromRegistry(FIRST);
    expect(made.parts).toEqual(expected.parts);
    expect(made.bundleDigest).toBe(expected.bundleDigest);
    await verified(`ocp-${FIRST}-x86_64`);
  });

  it('archives of oc-mirror do, and an increment with those before it', async () => {
    const first = await packed(
      ...[FIRST, '--from', `oc-mirror:${path('archives/november')}`, ...stores, '--dry-run'],
    );
    expect(first).toMatchObject({ bundleDigest: (await fromRegistry(FIRST)).bundleDigest });
    // Both of them are meant if no version is named.
    const both = await packed('--from', `oc-mirror:${archives()}`, ...stores);
    const expected = await fromRegistry(FIRST, SECOND);
    expect(both.parts.map(({ version }) => version)).toEqual([FIRST, SECOND]);
    expect(both.parts).toEqual(expected.parts);
    expect(both.bundleDigest).toBe(expected.bundleDigest);
    await verified(`ocp-${FIRST}..${SECOND}-x86_64`);
  });

  it('is mirrored to a registry as it is', async () => {
    const from = ['--from', `oc-mirror:${archives()}`, ...stores];
    const trust = ['--release-key', path('release-key.asc')];
    const to = ['--to', `${registry.host}/mirrored`, '--resources-dir', join(work, 'resources')];
    await user.json(['mirror', SECOND, ...from, ...trust, ...to]);
    const { digest } = await peerRelease(SECOND);
    const answer = await fetch(
      `${registry.url}/v2/mirrored/openshift/release-images/manifests/${SECOND}-x86_64`,
      { headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' } },
    );
    expect(answer.headers.get('docker-content-digest')).toBe(digest);
    const folder = ['--from', `file:${oc()}`, ...stores];
    await user.json(['mirror', FIRST, ...folder, ...trust, ...to]);
  });

  it('without a version that is there is not packed: 23 with those that are', async () => {
    for (const from of [`file:${oc()}`, `oc-mirror:${archives()}`]) {
      const error = await failure(packing('4.99.7', '--from', from, ...stores));
      expect(error).toMatchObject({ status: 23, code: 'NOT_FOUND' });
      expect(error.hint).toContain(`${FIRST} (x86_64)`);
    }
    const arm = ['--from', `file:${oc()}`, '--arch', 'aarch64', ...stores];
    for (const args of [packing(FIRST, ...arm), packing(...arm)]) {
      const error = await failure(args);
      expect(error).toMatchObject({ status: 23 });
      expect(error.hint).toContain(`${FIRST} (x86_64)`);
    }
    expect(await readdir(join(work, 'out')).catch(() => [])).toEqual([]);
  });

  it.each([
    ['file://openshift/release:4.99.1-x86_64', 2, '--to-dir'],
    ['file:', 2, '--to-dir'],
    ['oc-mirror:', 2, 'mirror_000001.tar'],
    ['/srv/oc', 2, 'file:/srv/oc'],
    ['./oc', 2, 'oc-mirror:./oc'],
    ['file:/nowhere', 23, 'path'],
    ['oc-mirror:/nowhere', 23, 'path'],
  ])('from %s: %i, and a hint that helps', async (from, status, hint) => {
    for (const versions of [[FIRST], []]) {
      const error = await failure(packing(...versions, '--from', from, ...stores));
      expect(error).toMatchObject({ status });
      if (versions.length > 0) expect(error.hint).toContain(hint);
    }
  });

  it('is found by its digest, and by what its config says where the tags are lost', async () => {
    const { digest } = await peerRelease(FIRST);
    const lost = join(work, 'lost');
    await mkdir(lost);
    await extractOcFolder(lost);
    await rm(join(lost, 'v2/openshift/release/manifests'), { recursive: true });
    const { bundleDigest } = await fromRegistry(FIRST);
    for (const args of [
      ['--from', `file:${lost}@${digest}`],
      [digest, '--from', `file:${lost}`],
      [FIRST, '--from', `file:${lost}`],
      ['--from', `file:${lost}`],
    ])
      expect(await packed(...args, ...stores, '--dry-run')).toMatchObject({ bundleDigest });
  });

  it('needs no connection where the folder of oc has the config map of the signature', async () => {
    const folder = join(work, 'oc');
    await mkdir(join(folder, 'config'), { recursive: true });
    await extractOcFolder(folder);
    const { digest } = await peerRelease(FIRST);
    const name = `sha256-${hexOf(digest)}`;
    const file = join(folder, 'config', `signature-${name.slice(0, 7 + 16)}.json`);
    const configMap = {
      ...{ kind: 'ConfigMap', apiVersion: 'v1' },
      metadata: {
        ...{ name, namespace: 'openshift-config-managed' },
        labels: { 'release.openshift.io/verification-signatures': '' },
      },
      binaryData: {
        [`${name}-1`]: Buffer.from(await signatureOf(FIRST)).toString('base64'),
      },
    };
    const from = ['--from', `file:${folder}`];
    await writeFile(file, `${JSON.stringify(configMap)}\n`);
    const good = await user.bundle(packing(FIRST, ...from, ...OFFLINE, '--dry-run'));
    expect(good).toMatchObject({ status: 0 });
    expect(good.stderr).toContain(`the signature of ${FIRST} is from ${file}`);
    expect(good.stdout).toMatch(/^release signature +good/m);

    // One that proves nothing is no help, and what a store has is taken instead.
    const [key] = Object.keys(configMap.binaryData);
    const wrong = { ...configMap, binaryData: { [key!]: Buffer.from('none').toString('base64') } };
    await writeFile(file, JSON.stringify(wrong));
    const empty = ['--signature-store', work];
    expect(await failure(packing(FIRST, ...from, ...empty))).toMatchObject({ status: 21 });
    const asked = await user.bundle(packing(FIRST, ...from, ...stores, '--dry-run'));
    expect(asked).toMatchObject({ status: 0 });
    expect(asked.stderr).toContain(`the signature of ${FIRST} is from file://`);

    await rm(file);
    const none = await failure(packing(FIRST, ...from, ...empty));
    expect(none).toMatchObject({ status: 21, code: 'SIGNATURE_MISSING' });
    expect(none.hint).toContain(`file:${folder} has no signature of it`);
  });

  it('needs none where the archive of oc-mirror has the signature', async () => {
    const { digest } = await peerRelease(FIRST);
    const name = `working-dir/signatures/${FIRST}-x86_64-sha256-${digest.slice(7)}`;
    await putArchive(work, await peerTar('oc-mirror-first'));
    await putArchive(work, await tarOf([[name, await signatureOf(FIRST)]]), 2);
    const ran = await user.bundle(packing('--from', `oc-mirror:${work}`, ...OFFLINE, '--dry-run'));
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.stderr).toContain(`mirror_000002.tar: ${name}`);
  });

  /** The digests of a layer that only this component has, of its config and of its manifest. */
  const partsOf = async (store: HeldContent, component: string): Promise<readonly Digest[]> => {
    const digest = (await peerRelease(FIRST)).components[component]!;
    const { manifest } = await store.manifest(digest);
    if (manifest.kind === 'index') throw new Error('it is an image');
    return [digest, manifest.config.digest, manifest.layers.at(-1)!.digest];
  };

  it('in a folder is named where a blob is changed, cut or missing: 20 or 23', async () => {
    const store = await openHeldPlace({ writer: 'file', folder: oc(), digest: undefined });
    const digests = await partsOf(store, 'etcd');
    const folder = join(work, 'oc');
    const blobs = join(folder, 'v2/openshift/release/blobs');
    const manifests = join(folder, 'v2/openshift/release/manifests');
    await mkdir(folder);
    await extractOcFolder(folder);
    const args = packing(FIRST, '--from', `file:${folder}`, ...stores);
    for (const digest of digests) {
      const blob = join(blobs, digest);
      const bytes = await readFile(blob);
      const changed = Buffer.from(bytes);
      changed[bytes.length - 1]! ^= 1;
      for (const wrong of [changed, bytes.subarray(1), Buffer.concat([bytes, Buffer.from('x')])]) {
        await writeFile(blob, wrong);
        const error = await failure(args);
        expect(error).toMatchObject({ status: 20 });
        expect(error.message).toContain(digest);
      }
      await rm(blob);
      await rm(join(manifests, digest), { force: true });
      const error = await failure(args);
      expect(error).toMatchObject({ status: 23, code: 'NOT_FOUND' });
      expect(error.message).toContain(digest);
      expect(error.message).toContain('etcd');
      await writeFile(blob, bytes);
    }
    // It is told beforehand, too, and of all that is missing at once.
    for (const digest of digests.slice(1)) await rm(join(blobs, digest));
    const error = await failure([...args, '--dry-run', '--name', 'another']);
    expect(error).toMatchObject({ status: 23 });
    for (const digest of digests.slice(1)) expect(error.message).toContain(digest);
  });

  it('in an archive is named where a blob is changed or missing: 20 or 23', async () => {
    const tar = await peerTar('oc-mirror-first');
    const at = await putArchive(work, tar);
    const from = ['--from', `oc-mirror:${work}`];
    const place = { writer: 'oc-mirror', folder: work, digest: undefined } as const;
    for (const digest of await partsOf(await openHeldPlace(place), 'etcd')) {
      const hex = hexOf(digest);
      // Where the name stands in the header, before its content.
      const named = tar.indexOf(`docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}`);
      expect(named).toBeGreaterThan(0);
      const changed = Buffer.from(tar);
      changed[Math.ceil(named / 512) * 512]! ^= 1;
      await writeFile(at, changed);
      const wrong = await failure(packing(FIRST, ...from, ...stores));
      expect(wrong).toMatchObject({ status: 20 });
      expect(wrong.message).toContain(digest);
    }
    await writeFile(at, tar);
    await rm(at);
    await putArchive(work, await peerTar('oc-mirror-second'));
    const missing = await failure(packing(SECOND, ...from, ...stores));
    expect(missing).toMatchObject({ status: 23, code: 'NOT_FOUND' });
    expect(missing.message).toMatch(/image 4\.99\.2-x86_64-\S+: .* does not hold sha256:/);
    expect(missing.hint).toContain('earlier one');
    const { size } = await stat(at);
    await writeFile(at, (await readFile(at)).subarray(0, size - 1024));
    expect(await failure(packing(SECOND, ...from, ...stores))).toMatchObject({ status: 20 });
  });
});
