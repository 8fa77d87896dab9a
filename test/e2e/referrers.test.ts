import { createReadStream } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { SBOM, SIGSTORE_BUNDLE } from '../../scripts/lib/referrers.ts';
import { digestOf } from '../../src/core/digest.ts';
import { referrersTagOf } from '../../src/core/manifest.ts';
import { MANIFEST_TYPES, OCI_INDEX } from '../../src/core/media-types.ts';
import { runBundle } from '../support/bundle-process.ts';
import { describeWith } from '../support/needs.ts';
import { type ReferrersApi, startReferrersApi } from '../support/referrers-api.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { type TwoSides, twoSides } from '../support/two-sides.ts';
import { User } from '../support/user.ts';

const VERSION = '4.17.3';
const RELEASES = 'ocp4/openshift/release-images';
const COMPONENTS = 'ocp4/openshift/release';

interface Inspected {
  readonly bundle: { readonly digest: string };
  readonly images: readonly {
    readonly role: string;
    readonly digest: string;
    readonly subject?: string;
    readonly artifactType?: string;
  }[];
}

/**
 * A release with SBOMs and signatures that refer to it, from and to registries that can list
 * referrers, and others.
 */
describeWith(['docker-registry'], 'what refers to a release', () => {
  let sides: TwoSides;
  let source: TestRegistry;
  let target: TestRegistry;
  let api: ReferrersApi;
  let made: MadeRelease;
  let packer: User;
  let operator: User;
  let medium: string;
  let trust: readonly string[];
  let fetching: readonly string[];
  /** Which of the two repositories of a target each goes to. */
  let placed: readonly {
    readonly repository: string;
    readonly digest: string;
    readonly subject: string;
  }[];

  beforeAll(async () => {
    const release = { cosign: true, referrers: true, components: 5, scale: 0.0001 };
    sides = await twoSides('referrers', release);
    ({ source, target, made, packer, operator, medium, trust, fetching } = sides);
    api = await startReferrersApi(target.url);
    expect(
      (await packer.bundle(['pack', VERSION, '-o', medium, '--referrers', ...fetching])).status,
    ).toBe(0);
    const subjects = new Map(
      made.referrers.map(({ digest, subject }) => [digest as string, subject as string]),
    );
    const rootOf = (digest: string): string =>
      subjects.has(digest) ? rootOf(subjects.get(digest)!) : digest;
    placed = made.referrers.map(({ digest, subject }) => {
      return {
        repository: rootOf(digest) === made.release.digest ? RELEASES : COMPONENTS,
        digest,
        subject,
      };
    });
  });
  afterAll(async () => {
    await api.stop();
    await sides.remove();
  });

  const listedAt = async (
    url: string,
    { repository, subject }: { repository: string; subject: string },
  ): Promise<readonly string[]> => {
    const listed: string[] = [];
    let page: string | undefined = url.includes(api.host)
      ? `/v2/${repository}/referrers/${subject}`
      : `/v2/${repository}/manifests/${referrersTagOf(subject as Parameters<typeof referrersTagOf>[0])}`;
    while (page !== undefined) {
      const answer: Response = await fetch(`${url}${page}`, { headers: { accept: OCI_INDEX } });
      expect(answer.status).toBe(200);
      const { manifests } = (await answer.json()) as { manifests: { digest: string }[] };
      listed.push(...manifests.map(({ digest }) => digest));
      page = /<([^>]*)>/.exec(answer.headers.get('link') ?? '')?.[1];
    }
    return listed;
  };
  const expectAllAt = async (url: string): Promise<void> => {
    for (const each of placed) {
      expect(await listedAt(url, each)).toContain(each.digest);
      const answer = await fetch(`${url}/v2/${each.repository}/manifests/${each.digest}`, {
        headers: { accept: MANIFEST_TYPES.join(', ') },
      });
      expect(digestOf(Buffer.from(await answer.arrayBuffer()))).toBe(each.digest);
    }
  };
  const unpackTwice = async (host: string): Promise<void> => {
    const args = ['unpack', medium, '--to', `${host}/ocp4`, ...trust];
    const first = (await operator.json(args)) as {
      delivery: { copied: { manifests: { pushed: number } } };
    };
    expect(first.delivery.copied.manifests.pushed).toBeGreaterThanOrEqual(made.referrers.length);
    const again = (await operator.json(args)) as { delivery: { copied: object } };
    expect(again.delivery.copied).toMatchObject({
      blobs: { pushed: 0, mounted: 0 },
      manifests: { pushed: 0 },
      tags: { set: 0 },
    });
    expect((await operator.bundle(args)).stdout).toContain('nothing was uploaded');
  };

  const attachedIn = async (folder: string): Promise<readonly string[]> => {
    const { images } = (await packer.json(['inspect', folder, ...trust])) as Inspected;
    return images
      .filter(({ role }) => ['referrer', 'signature'].includes(role))
      .map(({ digest }) => digest)
      .toSorted();
  };

  it('is left where it is unless it is asked for, but for signatures of images', async () => {
    const bare = join(sides.folder, 'bare');
    const packed = await packer.bundle(['pack', VERSION, '-o', bare, ...fetching]);
    expect(packed.status).toBe(0);
    expect(packed.stderr).not.toContain('will refuse this bundle');
    const isReferrer = new Set<string>(made.referrers.map(({ digest }) => digest));
    const signing = made.referrers.filter(
      ({ artifactType, subject }) => artifactType === SIGSTORE_BUNDLE && !isReferrer.has(subject),
    );
    expect(signing.length).toBeGreaterThan(2);
    const expected = [...signing, ...made.signatureImages].map(({ digest }) => digest);
    expect(await attachedIn(bare)).toEqual(expected.toSorted());
    // Nobody is trusted there yet: signatures of all forms are small statements about the images.
    const stranger = await User.new(join(sides.folder, 'stranger'));
    expect(await stranger.bundle(['verify', bare, ...trust])).toMatchObject({ status: 0 });
    const into = ['--to', `oci:${join(sides.folder, 'first-use')}`, ...trust];
    expect(await stranger.bundle(['unpack', bare, ...into])).toMatchObject({ status: 0 });
    const piped = await runBundle(['verify', '-', ...trust], {
      folder: stranger.folder,
      input: createReadStream(join(bare, `ocp-${VERSION}-x86_64.tar.zst`)),
    });
    expect(piped).toMatchObject({ status: 0 });
  });

  it('is left out with all signatures where that is wanted', async () => {
    const none = join(sides.folder, 'none');
    const args = ['pack', VERSION, '-o', none, '--no-signatures'];
    expect(await packer.bundle([...args, ...fetching])).toMatchObject({ status: 0 });
    expect(await attachedIn(none)).toEqual([]);
    const both = await packer.bundle([...args, '--referrers', ...fetching]);
    expect(both.status).toBe(2);
    expect(both.stderr).toContain('--referrers and --no-signatures exclude each other');
  });

  it('is told of by pack where first use would refuse it', async () => {
    const told = join(sides.folder, 'told');
    const packing = ['pack', VERSION, '-o', told, '--referrers', '--dry-run', ...fetching];
    const { stdout, status } = await packer.bundle(packing);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /hosts\s+that\s+do\s+not\s+trust\s+your\s+key\s+will\s+refuse\s+this\s+bundle/,
    );
    expect(stdout).toContain(SBOM);
    expect(stdout).toContain('bundle trust add');
  });

  it.each([
    ['signatures', [], ['--referrers']],
    ['nothing', ['--no-signatures'], []],
  ])('is asked for again where an earlier run looked for %s', async (_, before, after) => {
    const folder = join(sides.folder, `begun-with-${before.length}`);
    const path = join(folder, `ocp-${VERSION}-x86_64.tar.zst`);
    const packing = ['pack', VERSION, '-o', folder, ...fetching];
    expect(await packer.bundle([...packing, ...before])).toMatchObject({ status: 0 });
    await copyFile(path, `${path}.partial`);
    await rm(path);
    const whole = await packer.bundle([...packing, ...after, '--restart']);
    expect(whole).toMatchObject({ status: 0 });
    const wanted = await attachedIn(folder);
    await rm(folder, { recursive: true });
    expect(await packer.bundle([...packing, ...before])).toMatchObject({ status: 0 });
    await rename(path, `${path}.partial`);
    const again = await packer.bundle([...packing, ...after]);
    // The file cannot be continued with other content: that is said, and nothing is left out.
    if (again.status === 0) expect(await attachedIn(folder)).toEqual(wanted);
    else expect(again.stderr).toContain('--restart');
  });

  it('is in the bundle, and told of', async () => {
    const { images } = (await packer.json(['inspect', medium, ...trust])) as Inspected;
    const referrers = images
      .filter(({ role }) => role === 'referrer')
      .map(({ digest, subject, artifactType }) => ({ digest, subject, artifactType }));
    const expected = made.referrers.map(({ digest, subject, artifactType }) => ({
      digest,
      subject,
      artifactType,
    }));
    expect(referrers.sort(byDigest)).toEqual(expected.sort(byDigest));
    const { stdout } = await packer.bundle(['inspect', medium, '--images', ...trust]);
    expect(stdout).toContain(`${made.referrers.length} referrers`);
    expect(stdout).toContain(`${SBOM} of ${VERSION}-x86_64`);
    expect((await packer.bundle(['verify', medium, ...trust])).status).toBe(0);
  });

  it('is kept by a pack that goes on, and not looked for again', async () => {
    const folder = join(sides.folder, 'goes-on');
    const path = join(folder, `ocp-${VERSION}-x86_64.tar.zst`);
    await mkdir(folder);
    await copyFile(join(medium, basename(path)), `${path}.partial`);
    await truncate(`${path}.partial`, (await stat(`${path}.partial`)).size - 100_000);
    const proxy = await startFaultProxy(source.url);
    const args = [
      'pack',
      VERSION,
      '-o',
      folder,
      '--referrers',
      '--mirror',
      `quay.io=${proxy.host}`,
      '--signature-store',
      made.signatureStore,
      ...trust,
    ];
    expect(await packer.bundle(args)).toMatchObject({ status: 0 });
    expect(proxy.seen(/referrers|sha256-/)).toEqual([]);
    expect((await readFile(path)).equals(await readFile(join(medium, basename(path))))).toBe(true);
    await proxy.stop();
  });

  it('is no part of a bundle that was begun without it', async () => {
    const bare = join(sides.folder, 'bare');
    expect(
      (await packer.bundle(['pack', VERSION, '-o', bare, '--referrers', ...fetching])).status,
    ).not.toBe(0);
    expect(
      (await packer.bundle(['pack', VERSION, '-o', bare, '--referrers', '--restart', ...fetching]))
        .status,
    ).toBe(0);
    expect(
      ((await packer.json(['inspect', bare, ...trust])) as Inspected).images.length,
    ).toBeGreaterThan(made.referrers.length);
  });

  it('is taken from a packer who is trusted, and from nobody else', async () => {
    const refused = await operator.bundle(['verify', medium, ...trust]);
    expect(refused.status).toBe(21);
    expect((await operator.bundle(['trust', 'add', packer.publicKey])).status).toBe(0);
    expect((await operator.bundle(['verify', medium, ...trust])).status).toBe(0);
  });

  it('goes to a registry that lists referrers, and is not sent twice', async () => {
    await unpackTwice(api.host);
    await expectAllAt(api.url);
    const { tags } = (await (await fetch(`${target.url}/v2/${COMPONENTS}/tags/list`)).json()) as {
      tags: string[];
    };
    expect(tags.filter((tag) => /^sha256-[0-9a-f]*$/.test(tag))).toEqual([]);
  });

  it('goes to a registry that lists none, with lists under tags, and is not sent twice', async () => {
    await unpackTwice(target.host);
    await expectAllAt(target.url);
  });

  it('is listed again where a list was lost', async () => {
    const sbom = placed.find(({ repository }) => repository === COMPONENTS)!;
    const place = `${target.url}/v2/${sbom.repository}/manifests/`;
    const index = await fetch(`${place}${sbom.subject.replace(':', '-')}`, {
      headers: { accept: OCI_INDEX },
    });
    const { status } = await fetch(`${place}${digestOf(Buffer.from(await index.arrayBuffer()))}`, {
      method: 'DELETE',
    });
    expect(status).toBe(202);
    expect(
      (await operator.bundle(['unpack', medium, '--to', `${target.host}/ocp4`, ...trust])).status,
    ).toBe(0);
    await expectAllAt(target.url);
  });

  const expectSameFrom = async (layout: string): Promise<void> => {
    const again = [
      '--referrers',
      '--dry-run',
      '--from',
      `oci:${layout}`,
      '--signature-store',
      made.signatureStore,
      ...trust,
    ];
    const packed = await packer.json([
      'pack',
      VERSION,
      '-o',
      join(sides.folder, 'again'),
      ...again,
    ]);
    const inspected = (await packer.json(['inspect', medium, ...trust])) as Inspected;
    expect(packed).toMatchObject({ bundleDigest: inspected.bundle.digest });
  };

  it('goes into an image layout, and is packed from there to the same bundle', async () => {
    const layout = join(sides.folder, 'layout');
    expect(
      (await operator.bundle(['unpack', medium, '--to', `oci:${layout}`, ...trust])).status,
    ).toBe(0);
    await expectSameFrom(layout);
  });

  describeWith(['zstd'], 'untarred', () => {
    it('is in an image layout too', async () => {
      const layout = join(sides.folder, 'untarred');
      await mkdir(layout);
      await execa('tar', [
        '--zstd',
        '-xf',
        join(medium, `ocp-${VERSION}-x86_64.tar.zst`),
        '-C',
        layout,
      ]);
      await expectSameFrom(layout);
    });
  });

  it('is mirrored with no file between', async () => {
    const other = await startRegistry();
    const args = ['mirror', VERSION, '--to', `${other.host}/ocp4`, '--referrers', ...fetching];
    expect(await packer.bundle(args)).toMatchObject({ status: 0 });
    await expectAllAt(other.url);
    await other.stop();
  });
});

function byDigest(a: { readonly digest: string }, b: { readonly digest: string }): number {
  return a.digest < b.digest ? -1 : 1;
}
