import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { madeReleasePart } from '../../scripts/lib/made-release-part.ts';
import { makeRelease, type MakeReleaseOptions } from '../../scripts/lib/make-release.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import type { Context } from '../../src/core/context.ts';
import { KINDS } from '../../src/kinds/all.ts';
import { partSizes } from '../../src/kinds/part-sizes.ts';
import type { OpenRequest } from '../../src/opening/open-bundle.ts';
import type { PackReport } from '../../src/packing/report.ts';
import { usersOf } from '../../src/transfer/plan.ts';
import { SigningKey } from '../../src/trust/keys.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';
import { inspect } from '../../src/workflows/inspect.ts';
import { pack } from '../../src/workflows/pack/pack.ts';
import type { PackRequest } from '../../src/workflows/pack/request.ts';
import { repair } from '../../src/workflows/repair.ts';
import { unpack, type UnpackReport, type UnpackRequest } from '../../src/workflows/unpack.ts';
import { verify } from '../../src/workflows/verify.ts';
import { contextIn } from '../support/context.ts';
import { partsOf } from '../support/crafted-bundle.ts';

const [OLD, NEW] = ['4.16.20', '4.17.3'] as const;

describe('a bundle of two releases', () => {
  let folder: string;
  let context: Context;
  /** Everything in the older release but its release image is in the newer one too. */
  let older: MadeRelease;
  let newer: MadeRelease;
  let packed: PackReport;
  let genuine: Buffer;
  let keys: readonly string[];
  let cases = 0;

  const ownFolder = async (): Promise<string> => {
    const own = join(folder, `case-${(cases += 1)}`);
    await mkdir(own);
    return own;
  };
  const packRequest = (
    output: string,
    releases: readonly MadeRelease[],
    more: Partial<PackRequest> = {},
  ): PackRequest => ({
    ...{ parts: releases.map((made) => madeReleasePart(made)), referrers: false, output },
    key: { keyFile: join(folder, 'packer.pem'), passphrase: async () => undefined },
    network: { caFiles: [], insecureRegistries: [], mirrors: [], mirrorSetFiles: [] },
    ...{ restart: false, dryRun: false },
    ...more,
  });
  const request = (...paths: readonly string[]): OpenRequest => ({
    ...{ paths, kinds: KINDS, trustedKeyFiles: [], releaseKeyFiles: keys },
  });
  const unpackTo = (
    target: string,
    bundle: OpenRequest,
    more: Partial<UnpackRequest> = {},
  ): Promise<UnpackReport> =>
    unpack(
      {
        ...{ bundle, select: [], partial: false },
        delivery: {
          to: { kind: 'layout', folder: target, name: `oci:${target}` },
          ...{
            replaceTags: false,
            dryRun: false,
            resources: { folder: join(folder, 'resources') },
          },
        },
        network: packRequest('', []).network,
        ...more,
      },
      context,
    );
  const tagsIn = async (target: string): Promise<readonly string[]> =>
    (await (await ImageLayout.open(target)).tags()).toSorted();
  const tagsOf = (...releases: readonly MadeRelease[]): readonly string[] =>
    releases
      .flatMap(({ release, components }) => [
        release.tag,
        ...components.map(({ name }) => `${release.tag}-${name}`),
      ])
      .toSorted();
  /** A copy of the bundle with a bit of some content changed. */
  const broken = async (content: Uint8Array): Promise<string> => {
    const at = genuine.indexOf(content);
    expect(at).toBeGreaterThan(0);
    const path = join(await ownFolder(), basename(packed.path));
    await writeFile(path, genuine.with(at, genuine[at]! ^ 1));
    return path;
  };
  /** The last layer of a component that only the newer release has. */
  const ownLayer = async (): Promise<Uint8Array> => {
    const { blobs, contents } = await partsOf(packed.path);
    const { digest } = newer.components.at(-1)!;
    const { layers } = JSON.parse(Buffer.from(blobs.get(digest)!).toString()) as Layers;
    const own = contents.blobs.find(
      ({ descriptor }) => descriptor.digest === layers.at(-1)!.digest,
    )!;
    return blobs.get(own.descriptor.digest)!;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-several-'));
    context = contextIn(join(folder, 'config'));
    // Of a kind that gives the same bytes whenever it signs.
    const key = SigningKey.generate('ed25519');
    await writeFile(join(folder, 'packer.pem'), key.pem());
    const signer = await makeReleaseSigner();
    const common: Pick<MakeReleaseOptions, 'seed' | 'scale' | 'signer'> = {
      ...{ seed: 'shared', scale: 0.0002, signer },
    };
    const make = (version: string, components: number): Promise<MadeRelease> =>
      makeRelease({ ...common, version, components, out: join(folder, version) });
    older = await make(OLD, 2);
    newer = await make(NEW, 3);
    keys = [older.releaseKey];
    packed = await pack(packRequest(await ownFolder(), [newer, older]), context);
    genuine = await readFile(packed.path);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is called by both, holds what they share once, and is verified', async () => {
    expect(packed.name).toBe('ocp-4.16.20..4.17.3-x86_64');
    expect(basename(packed.path)).toBe('ocp-4.16.20..4.17.3-x86_64.tar.zst');
    expect(packed.closure.parts.map(({ label }) => label)).toEqual([
      '4.16.20 for x86_64',
      '4.17.3 for x86_64',
    ]);
    const { closure } = (await verify(request(packed.path), context)).bundle;
    expect(closure.parts.map(({ label }) => label)).toEqual([
      '4.16.20 for x86_64',
      '4.17.3 for x86_64',
    ]);
    const own = older.components.map(({ digest }) => digest);
    const users = new Map<string, Set<number>>();
    for (const { descriptor, parts } of closure.content.images)
      users.set(descriptor.digest, new Set([...(users.get(descriptor.digest) ?? []), ...parts]));
    for (const digest of own) expect(users.get(digest)).toEqual(new Set([0, 1]));
    const digests = closure.content.manifests.map(({ descriptor }) => descriptor.digest);
    expect(digests).toHaveLength(1 + 1 + newer.components.length);
    expect(closure.content.blobs.map(({ descriptor }) => descriptor.digest)).toEqual([
      ...new Set(closure.content.blobs.map(({ descriptor }) => descriptor.digest)),
    ]);
  });

  it('is larger than the older of them alone by what only the newer one has', async () => {
    const alone = await pack(packRequest(await ownFolder(), [older], { dryRun: true }), context);
    const { content } = packed.closure;
    const users = usersOf(content);
    const own = content.images
      .filter(({ parts }) => parts.includes(1))
      .flatMap(({ manifests, blobs }) => [...manifests, ...blobs])
      .filter(({ digest }) => users.get(digest)!.length === 1);
    const sizes = new Map(own.map(({ digest, size }) => [digest, size]));
    const added = [...sizes.values()].reduce((total, size) => total + size, 0);
    const [, size] = partSizes(packed.closure);
    expect(size!.added).toBe(added);
    expect(size!.bytes).toBeGreaterThan(added);
    const listing = 64 * 1024;
    expect(packed.size - alone.size).toBeLessThan(added + listing);
  });

  it('is the same to the byte in whatever order its releases are asked for', async () => {
    const other = await pack(packRequest(await ownFolder(), [older, newer]), context);
    expect((await readFile(other.path)).equals(genuine)).toBe(true);
  });

  it('is one part when a release is asked for twice', async () => {
    const twice = await pack(packRequest(await ownFolder(), [older, older]), context);
    const once = await pack(packRequest(await ownFolder(), [older]), context);
    expect(twice.name).toBe('ocp-4.16.20-x86_64');
    expect(twice.closure.parts).toHaveLength(1);
    expect(twice.bundleDigest).toBe(once.bundleDigest);
    expect((await readFile(twice.path)).equals(await readFile(once.path))).toBe(true);
  });

  it('says of each image which releases it belongs to', async () => {
    const { images } = await inspect(request(packed.path), context);
    const partsOfTag = new Map(images.map(({ name, parts }) => [name, parts]));
    for (const tag of tagsOf(newer)) expect(partsOfTag.get(tag)).toEqual(['4.17.3 for x86_64']);
    for (const tag of tagsOf(older)) expect(partsOfTag.get(tag)).toEqual(['4.16.20 for x86_64']);
    expect(images).toHaveLength(tagsOf(newer, older).length);
  });

  it('is refused where a release was expected that it does not hold', async () => {
    const expecting = (...expected: readonly string[]): Promise<unknown> =>
      inspect({ ...request(packed.path), expected }, context);
    await expecting(OLD, NEW, newer.release.digest, '4.16.20-x86_64');
    await expect(expecting(OLD, '4.17.4')).rejects.toMatchObject({
      ...{ code: 'NOT_THE_EXPECTED_BUNDLE', expected: '4.17.4', exitStatus: 21 },
    });
  });

  it('is unpacked with all tags of both', async () => {
    const target = join(await ownFolder(), 'target');
    const { delivery } = await unpackTo(target, request(packed.path));
    expect(await tagsIn(target)).toEqual(tagsOf(newer, older));
    expect(delivery.parts.map(({ label, isWhole }) => [label, isWhole])).toEqual([
      ['4.16.20 for x86_64', true],
      ['4.17.3 for x86_64', true],
    ]);
  });

  it('is unpacked out of a pipe, all of it or one release', async () => {
    for (const select of [[], [OLD]]) {
      const target = join(await ownFolder(), 'target');
      const input = Readable.from([genuine]);
      await unpackTo(target, { ...request(), input }, { select });
      expect(await tagsIn(target)).toEqual(
        select.length === 0 ? tagsOf(newer, older) : tagsOf(older),
      );
    }
  });

  it('gives one release alone, by any of its names, and no byte of the other', async () => {
    for (const name of [OLD, '4.16.20-x86_64', older.release.digest]) {
      const target = join(await ownFolder(), 'target');
      const { delivery, bundle } = await unpackTo(target, request(packed.path), {
        select: [name],
      });
      expect(await tagsIn(target)).toEqual(tagsOf(older));
      expect(delivery.parts.map(({ label }) => label)).toEqual(['4.16.20 for x86_64']);
      expect(bundle.closure.parts).toHaveLength(1);
      const store = await ImageLayout.open(target);
      expect(await store.exists(newer.release)).toBe(false);
      expect(await store.exists(newer.components.at(-1)!)).toBe(false);
    }
    const nowhere = join(folder, 'nowhere');
    await expect(
      unpackTo(nowhere, request(packed.path), { select: [OLD, '4.17.4'] }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND', exitStatus: 23 });
    await expect(ImageLayout.open(nowhere)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('that is damaged in one release gives the other, with its tags', async () => {
    const path = await broken(await ownLayer());
    const damaged = `${newer.release.tag}-${newer.components.at(-1)!.name}`;
    const damageFile = join(await ownFolder(), 'damage.json');
    await expect(verify({ ...request(path), damageFile }, context)).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
      subject: expect.stringContaining(`${damaged} (4.17.3 for x86_64)`) as string,
    });
    const { faults, parts } = JSON.parse(await readFile(damageFile, 'utf8')) as DamageMap;
    expect(parts).toEqual(['4.16.20 for x86_64', '4.17.3 for x86_64']);
    expect(faults.map(({ images }) => images)).toEqual([
      [{ name: damaged, parts: ['4.17.3 for x86_64'] }],
    ]);

    const target = join(await ownFolder(), 'target');
    const { delivery } = await unpackTo(target, request(path), { partial: true });
    expect(delivery.parts.map(({ label, isWhole }) => [label, isWhole])).toEqual([
      ['4.16.20 for x86_64', true],
      ['4.17.3 for x86_64', false],
    ]);
    expect(delivery.copied!.left.toSorted()).toEqual([newer.release.tag, damaged].toSorted());
    const rest = tagsOf(newer).filter((tag) => tag !== newer.release.tag && tag !== damaged);
    expect(await tagsIn(target)).toEqual([...rest, ...tagsOf(older)].toSorted());

    const alone = join(await ownFolder(), 'target');
    await unpackTo(alone, request(path), { partial: true, select: [OLD] });
    expect(await tagsIn(alone)).toEqual(tagsOf(older));
  });

  it('that is damaged is repaired with a patch for both releases, to the same byte', async () => {
    const path = await broken(await ownLayer());
    const damageFile = join(await ownFolder(), 'damage.json');
    await expect(verify({ ...request(path), damageFile }, context)).rejects.toMatchObject({
      exitStatus: 20,
    });
    const repairing = { repairFile: damageFile };
    // The map is of a bundle of these releases, in whatever order, and of no other.
    await expect(
      pack(packRequest(await ownFolder(), [newer], repairing), context),
    ).rejects.toMatchObject({ code: 'USAGE' });
    const patch = await pack(packRequest(await ownFolder(), [older, newer], repairing), context);
    expect(basename(patch.path)).toMatch(
      /^ocp-4\.16\.20\.\.4\.17\.3-x86_64\.[0-9a-f]{8}\.patch\.tar\.zst$/,
    );
    const output = await ownFolder();
    const repaired = await repair({ bundle: request(path, patch.path), output }, context);
    expect((await readFile(repaired.path)).equals(genuine)).toBe(true);
  });

  describe('of one version and architecture', () => {
    let another: MadeRelease;
    let both: PackReport;
    beforeAll(async () => {
      another = await makeRelease({
        ...{ version: NEW, components: 2, seed: 'another', scale: 0.0002 },
        out: join(folder, 'another'),
      });
      keys = [...keys, another.releaseKey];
      both = await pack(packRequest(await ownFolder(), [newer, another]), context);
    });

    it('is packed and verified', async () => {
      expect(both.name).toBe('ocp-4.17.3-x86_64');
      const { closure } = (await verify(request(both.path), context)).bundle;
      expect(closure.parts).toHaveLength(2);
      const named = closure.content.images.map(({ name }) => name);
      expect(new Set(named).size).toBe(named.length);
    });

    it('is the same in the other order', async () => {
      const other = await pack(packRequest(await ownFolder(), [another, newer]), context);
      expect(other.bundleDigest).toBe(both.bundleDigest);
    });

    it('is not unpacked, since both want one tag, but each of them is', async () => {
      const nowhere = join(folder, 'nowhere');
      for (const select of [[], [NEW], ['4.17.3-x86_64']]) {
        await expect(unpackTo(nowhere, request(both.path), { select })).rejects.toMatchObject({
          code: 'USAGE',
          exitStatus: 2,
        });
      }
      await expect(ImageLayout.open(nowhere)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      for (const made of [newer, another]) {
        const target = join(await ownFolder(), 'target');
        await unpackTo(target, request(both.path), { select: [made.release.digest] });
        expect(await tagsIn(target)).toEqual(tagsOf(made));
        const named = await (await ImageLayout.open(target)).resolve(made.release.tag);
        expect(named.digest).toBe(made.release.digest);
      }
    });
  });
});

interface Layers {
  readonly layers: readonly { readonly digest: string }[];
}

interface DamageMap {
  readonly parts: readonly string[];
  readonly faults: readonly { readonly images: readonly unknown[] }[];
}
