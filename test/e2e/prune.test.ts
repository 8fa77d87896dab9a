import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';
import { anonymous } from '../../src/core/credentials.ts';
import { takePruneLock } from '../../src/network/prune-lock.ts';
import { parseSigned } from '../../src/receipts/signed.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import { publishBaseImage, publishImage } from '../support/base-image.ts';
import { storedBlobs } from '../support/killed-runs.ts';
import { describeWith } from '../support/needs.ts';
import { bundleIn, listingOf } from '../support/opened-bundle.ts';
import { publishOperators } from '../support/operators.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { collectGarbage, startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

const VERSIONS = ['4.17.3', '4.17.4', '4.17.5'] as const;
const [OLD, MIDDLE, NEW] = VERSIONS;
const RELEASES = 'ocp4/openshift/release-images';
const COMPONENTS = 'ocp4/openshift/release';
const GRAPHS = 'ocp4/openshift/graph-image';

interface Pruned {
  readonly parts: readonly { readonly label: string; readonly stays: boolean }[];
  readonly repositories: readonly {
    readonly repository: string;
    readonly going: readonly { readonly digest: string; readonly tags: readonly string[] }[];
    readonly looseTags: readonly { readonly tag: string }[];
    readonly shared: readonly { readonly digest: string; readonly why: string }[];
  }[];
  readonly freed: { readonly blobs: number; readonly bytes: number };
  readonly removed:
    | readonly { readonly manifests: readonly string[]; readonly tagsLeft: readonly string[] }[]
    | null;
  readonly receipt?: { readonly path: string };
  readonly outdated: readonly string[];
}

/** Each test continues where the one before it ended. */
describeWith(['docker-registry', 'skopeo'], 'a prune', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let target: TestRegistry;
  let made: Readonly<Record<string, MadeRelease>>;
  let packer: User;
  let operator: User;
  let trust: readonly string[];

  const path = (...parts: readonly string[]): string => join(temporary.path, ...parts);
  const accepting = (): readonly string[] => [...trust, '--trusted-key', packer.publicKey];
  const pruning = (...more: readonly string[]): readonly string[] => [
    ...['prune', '--to', `${target.host}/ocp4`, ...more],
  ];
  const pruned = async (...more: readonly string[]): Promise<Pruned> =>
    (await operator.json(pruning(...more))) as Pruned;
  const unpack = (version: string, ...more: readonly string[]): readonly string[] => [
    ...['unpack', path('media', version), '--to', `${target.host}/ocp4`, ...accepting()],
    ...['--resources-dir', path('resources'), '--receipt', path('receipts'), '--site', 'plant-a'],
    ...more,
  ];
  const expectWhole = async (version: string): Promise<void> => {
    const { status, stderr } = await operator.bundle([
      ...[
        'verify',
        path('media', version),
        '--at',
        `${target.host}/ocp4`,
        '--deep',
        ...accepting(),
      ],
    ]);
    expect({ status, stderr }).toMatchObject({ status: 0 });
  };
  const tagsAt = async (repository: string): Promise<readonly string[]> => {
    const answer = await fetch(`${target.url}/v2/${repository}/tags/list?n=1000`);
    const { tags } = (await answer.json()) as { tags?: string[] | null };
    return (tags ?? []).toSorted();
  };
  const manifest = async (repository: string, reference: string): Promise<Response> =>
    fetch(`${target.url}/v2/${repository}/manifests/${reference}`, {
      headers: { accept: MANIFEST_TYPES.join(', ') },
    });
  /** What is in the storage, in bytes. */
  const stored = async (): Promise<number> => {
    const folder = join(target.root, 'storage/docker/registry/v2/blobs');
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    const sizes = files.map(async (file) => (await stat(join(file.parentPath, file.name))).size);
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  };

  /** A catalog, a graph of updates and a chart, all of them of this month. */
  const others = async (version: string): Promise<readonly string[]> => {
    await publishOperators(source.host, version === NEW);
    const write = async (name: string, text: string): Promise<void> => {
      const file = path(`data-${version}`, name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
    };
    await write('graph/version', '1.1.0\n');
    await write('graph/channels/stable-4.17.yaml', `name: stable-4.17\nversions: [${version}]\n`);
    const tool = `quay.io/team/tool:${version.slice(2)}`;
    const images = `annotations:\n  artifacthub.io/images: |\n    - image: ${tool}\n`;
    const chart = `apiVersion: v2\nname: web\nversion: ${version}\n${images}`;
    await write('chart/Chart.yaml', chart);
    await write('chart/templates/a.yaml', `kind: ConfigMap # of ${version}\n`);
    return [
      ...['--catalog', 'quay.io/ops/index:v4.22', '--operator', 'foo', '--helm', 'none'],
      ...['--graph-data', path(`data-${version}`, 'graph')],
      ...['--chart', path(`data-${version}`, 'chart')],
    ];
  };

  beforeAll(async () => {
    temporary = await temporaryFolder('prune');
    [source, target] = await Promise.all([startRegistry(), startRegistry()]);
    const signer = await makeReleaseSigner();
    const releases: [string, MadeRelease][] = [];
    for (const [index, version] of VERSIONS.entries()) {
      const options = { version, components: 2 + index, scale: 0.0001, cosign: true } as const;
      releases.push([
        version,
        await makeReleaseIn(source, path(version), { ...options, referrers: true, signer }),
      ]);
    }
    made = Object.fromEntries(releases);
    trust = ['--release-key', made[OLD]!.releaseKey];
    await publishBaseImage(source.host, { architectures: ['amd64'] });
    packer = await User.new(path('connected'));
    operator = await User.new(path('closed'));
    for (const version of VERSIONS) {
      const tag = version.slice(2);
      const place = { registry: 'quay.io', repository: 'team/tool', tag };
      await publishImage(source.host, place, { seed: `tool ${tag}` });
      await packer.json([
        ...['pack', version, '--image', `quay.io/team/tool:${tag}`, '-o', path('media', version)],
        ...['quay.io', 'registry.access.redhat.com'].flatMap((name) => [
          ...['--mirror', `${name}=${source.host}`],
        ]),
        ...['--signature-store', made[version]!.signatureStore, ...trust],
        ...(version === MIDDLE ? [] : await others(version)),
      ]);
      await operator.json(unpack(version, '--replace-tags'));
    }
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await temporary.remove();
  });

  it('wants to be told what stays, and of nothing that is not there', async () => {
    for (const more of [
      [],
      ['--keep-last', '0'],
      ['--keep', NEW, '--config', 'x.yaml'],
      ['--keep', NEW, '--site', 'plant-a'],
    ])
      expect((await operator.bundle(pruning(...more))).status).toBe(2);
    const slip = await operator.bundle(pruning('--keep', '4.17.6'));
    expect(slip.status).toBe(23);
    expect(slip.stderr).toContain('4.17.6 is to stay, and is not among what was pushed');
    const layout = ['prune', '--to', `oci:${path('layout')}`, '--keep', NEW];
    expect((await operator.bundle(layout)).status).toBe(2);
  });

  it('says first that a registry removes nothing', async () => {
    const stubborn = await startRegistry({ removes: false });
    try {
      const to = `${stubborn.host}/ocp4`;
      const media = [path('media', NEW), '--to', to, ...accepting()];
      await operator.json(['unpack', ...media, '--resources-dir', path('resources')]);
      for (const more of [[], ['--yes']]) {
        const { status, stderr } = await operator.bundle([
          'prune',
          ...media,
          '--keep',
          NEW,
          ...more,
        ]);
        expect({ status, stderr }).toMatchObject({ status: 25 });
        expect(stderr).toContain('the registry removes nothing');
        expect(stderr).toContain('storage.delete.enabled');
      }
    } finally {
      await stubborn.stop();
    }
  });

  it('knows nothing of what no receipt and no bundle shows', async () => {
    const stranger = await User.new(path('stranger'));
    const { status, stderr } = await stranger.bundle(pruning('--keep-last', '1'));
    expect(status).toBe(2);
    expect(stderr).toContain('nothing shows what this program has pushed');
  });

  it('only says what would go', async () => {
    const before = await stored();
    const { parts, repositories, removed, freed } = await pruned('--keep-last', '1');
    expect(removed).toBeNull();
    const labels = parts.filter(({ stays }) => stays).map(({ label }) => label);
    // Of each other thing the newest stays, and none of these is newer than another.
    for (const version of VERSIONS)
      expect(labels).toContain(`image quay.io/team/tool:${version.slice(2)}`);
    const others = labels.filter((label) => !label.startsWith('image '));
    expect(others).toEqual([
      // The chart has its version in its name, as an image has its tag.
      `chart web ${OLD}`,
      'catalog quay.io/ops/index:v4.22',
      `chart web ${NEW}`,
      expect.stringMatching(/^update graph /),
      `${NEW} for x86_64`,
    ]);
    expect(freed.bytes).toBeGreaterThan(0);
    const components = repositories.find(({ repository }) => repository === COMPONENTS)!;
    expect(components.shared.length).toBeGreaterThan(0);
    expect(await stored()).toBe(before);
    const { stdout } = await operator.bundle(pruning('--keep-last', '1'), {
      env: { COLUMNS: '60' },
    });
    expect(stdout).toContain('Nothing was removed');
    expect(stdout).toContain('--yes');
  });

  it('leaves what others have tagged, with all of its content', async () => {
    const digest = made[MIDDLE]!.release.digest;
    const answer = await manifest(RELEASES, digest);
    const bytes = Buffer.from(await answer.arrayBuffer());
    const put = await fetch(`${target.url}/v2/${RELEASES}/manifests/prod`, {
      method: 'PUT',
      headers: { 'content-type': answer.headers.get('content-type')! },
      body: bytes,
    });
    expect(put.status).toBe(201);
    const { repositories } = await pruned('--keep', NEW);
    const releases = repositories.find(({ repository }) => repository === RELEASES)!;
    expect(releases.shared).toContainEqual(
      expect.objectContaining({
        digest,
        why: 'no receipt and no bundle here accounts for its tag prod',
      }),
    );
    expect(releases.going.map((one) => one.digest)).not.toContain(digest);
    expect(releases.going.map((one) => one.digest)).toContain(made[OLD]!.release.digest);
    await fetch(`${target.url}/v2/${RELEASES}/manifests/${digest}`, { method: 'DELETE' });
    await operator.json(unpack(MIDDLE));
  });

  it('removes the oldest, and the collected garbage leaves the others whole', async () => {
    const site = ['--receipt', path('receipts'), '--site', 'plant-a'];
    const { removed, receipt, outdated, freed } = await pruned(
      '--keep-last',
      '2',
      '--yes',
      ...site,
    );
    expect(removed!.flatMap(({ manifests }) => manifests)).toContain(made[OLD]!.release.digest);
    expect(outdated).toEqual([]);
    const signed = parseSigned(await readFile(receipt!.path), receipt!.path);
    expect(signed.receipt.replaces).toBe(true);
    const labels = signed.receipt.bundles.flatMap((one) => one.parts.map(({ label }) => label));
    expect(labels).toContain(`${NEW} for x86_64`);
    expect(labels).not.toContain(`${OLD} for x86_64`);
    expect((await manifest(RELEASES, made[OLD]!.release.digest)).status).toBe(404);
    expect(await tagsAt(RELEASES)).not.toContain(`${OLD}-x86_64`);

    const before = await stored();
    await collectGarbage(target);
    // Beside that it takes what the lock has left, which is small.
    const collected = before - (await stored());
    expect(collected).toBeGreaterThanOrEqual(freed.bytes);
    expect(collected - freed.bytes).toBeLessThan(2048);
    for (const version of [MIDDLE, NEW]) await expectWhole(version);
    const listing = async (version: string) => listingOf(await bundleIn(path('media', version)));
    const listed = async (version: string): Promise<readonly Digest[]> =>
      (await listing(version)).blobs.map(({ digest }) => digest);
    const base = (await listing(NEW)).images.find(({ role }) => role === 'graph-base')!;
    const kept = await pulled(target, path('pulled'), [`${GRAPHS}@${base.digest}`]);
    const staying = new Set([...(await listed(MIDDLE)), ...(await listed(NEW))]);
    expect([...staying].filter((digest) => !kept.has(digest))).toEqual([]);
    const gone = (await listed(OLD)).filter((digest) => !staying.has(digest) && !kept.has(digest));
    const there = new Set<string>(await storedBlobs(target));
    expect(gone.length).toBeGreaterThan(20);
    expect(gone.filter((digest) => there.has(digest))).toEqual([]);
  });

  it('is kept out, as is an unpack, while another one has the lock', async () => {
    const client = new RegistryClient({ credentials: anonymous, ca: [] });
    try {
      const place = client.removal({ registry: target.host, repository: COMPONENTS });
      const owner = { who: 'anna at another host', time: '2026-11-28T23:05:00Z' };
      const { signal } = new AbortController();
      await takePruneLock(place, owner, { takesOver: false, id: '0123456789ab', signal });
    } finally {
      await client.close();
    }
    const before = await tagsAt(COMPONENTS);
    const keep = ['--keep-last', '2'];
    const refused = [await operator.bundle(pruning(...keep, '--yes'))];
    refused.push(await operator.bundle(unpack(NEW)));
    for (const { status, stderr } of refused) {
      expect({ status, stderr }).toMatchObject({ status: 27 });
      expect(stderr).toContain('anna at another host removes parts from');
      expect(stderr).toContain('--take-over');
    }
    expect(await tagsAt(COMPONENTS)).toEqual(before);
    const dry = await operator.bundle(pruning(...keep));
    expect(dry.status).toBe(0);
    expect(dry.stdout).toContain('anna at another host is removing parts');
    await pruned(...keep, '--yes', '--take-over');
    expect((await tagsAt(COMPONENTS)).filter((tag) => tag.startsWith('bundle-'))).toEqual([
      'bundle-prune',
    ]);
    await operator.json(unpack(NEW));
  });

  it('has nothing more to do after that', async () => {
    const { removed, repositories } = await pruned('--keep-last', '2', '--yes');
    expect(repositories.flatMap(({ going }) => going)).toEqual([]);
    expect(removed!.flatMap(({ manifests }) => manifests)).toEqual([]);
    for (const more of [[], ['--yes']]) {
      const { status, stdout } = await operator.bundle(pruning('--keep-last', '2', ...more));
      expect(status).toBe(0);
      expect(stdout).toContain('Nothing to remove from');
      expect(stdout).not.toMatch(/would go|0 manifests|0 bytes|Removed/);
    }
  });

  it('says whose receipts are out of date', async () => {
    const { outdated } = await pruned('--keep', `${NEW}-x86_64`, '--keep', MIDDLE, '--yes');
    expect(outdated).toEqual([]);
    await writeFile(
      path('delete.yaml'),
      [
        'apiVersion: mirror.openshift.io/v2alpha1',
        'kind: DeleteImageSetConfiguration',
        'delete:',
        '  platform:',
        '    channels:',
        '      - {name: stable-4.17, minVersion: 4.17.4, maxVersion: 4.17.4}',
        '  additionalImages:',
        '    - name: quay.io/team/tool:17.4',
      ].join('\n'),
    );
    const listed = await pruned('--config', path('delete.yaml'), '--yes');
    const gone = listed.parts.filter(({ stays }) => !stays).map(({ label }) => label);
    expect(gone).toContain(`${MIDDLE} for x86_64`);
    expect(gone).toContain('image quay.io/team/tool:17.4');
    expect(listed.outdated).toEqual(['plant-a']);
    expect((await manifest(RELEASES, made[MIDDLE]!.release.digest)).status).toBe(404);
    await expectWhole(NEW);
  });
});

/**
 * Pulls whatever has a tag at a registry, what refers to it, and `others`, with all of their blobs.
 * @returns all digests that arrived.
 */
async function pulled(
  { host, url }: TestRegistry,
  folder: string,
  others: readonly string[],
): Promise<ReadonlySet<string>> {
  await mkdir(folder);
  const answer = await fetch(`${url}/v2/_catalog?n=1000`);
  const { repositories } = (await answer.json()) as { repositories: readonly string[] };
  const images = [...others];
  for (const repository of repositories) {
    const { tags } = (await (await fetch(`${url}/v2/${repository}/tags/list`)).json()) as {
      tags: readonly string[] | null;
    };
    images.push(...(tags ?? []).map((tag) => `${repository}:${tag}`));
  }
  const digests = new Set<string>();
  for (const [number, image] of images.entries()) {
    const to = join(folder, String(number));
    const from = `docker://${host}/${image}`;
    await execa('skopeo', ['copy', '--all', '--src-tls-verify=false', from, `dir:${to}`], {
      env: { HOME: folder },
    });
    for (const name of await readdir(to)) digests.add(digestOf(await readFile(join(to, name))));
  }
  return digests;
}
