import { compareText } from '../../src/core/text.ts';
import { copyFile, mkdir, mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Context } from '../../src/core/context.ts';
import { type Digest, hexOf, parseDigest } from '../../src/core/digest.ts';
import { BundleError } from '../../src/core/errors.ts';
import { asString, type JsonObject } from '../../src/core/json.ts';
import { DOCKER_LAYER, DOCKER_MANIFEST } from '../../src/core/media-types.ts';
import { KINDS } from '../../src/kinds/all.ts';
import type { ClusterObject } from '../../src/kinds/cluster-object.ts';
import type { Destinations } from '../../src/kinds/destinations.ts';
import {
  type BundleFiles,
  type Found,
  type Kind,
  type Part,
  type PartRequest,
  partRequest,
  type PartResources,
  type Walk,
} from '../../src/kinds/kind.ts';
import { mirrorRows } from '../../src/kinds/mirror-row.ts';
import { EFFECTS, resourceFile } from '../../src/kinds/resource-file.ts';
import type { ContentSource } from '../../src/kinds/sources.ts';
import type { OpenRequest } from '../../src/opening/open-bundle.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';
import { inspect } from '../../src/workflows/inspect.ts';
import { pack } from '../../src/workflows/pack/pack.ts';
import type { PackRequest } from '../../src/workflows/pack/request.ts';
import { repair } from '../../src/workflows/repair.ts';
import { unpack } from '../../src/workflows/unpack.ts';
import { verify } from '../../src/workflows/verify.ts';
import { madeReleasePart } from '../../scripts/lib/made-release-part.ts';
import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeRelease } from '../../scripts/lib/make-release.ts';
import { fill } from '../contract/store.ts';
import { held, imageManifest } from '../contract/content.ts';
import { contextIn } from '../support/context.ts';
import { seededBytes } from '../support/sample-bundle.ts';

/** An image with a word on it. */
interface PosterSeed {
  readonly digest: Digest;
  readonly word: string;
}

/**
 * A kind that the program has never heard of: one image, and a file with a word. It is all that a
 * kind has to be, so that nothing else in the program may need to know of it.
 */
const posterKind: Kind<PosterSeed & { readonly layout: string }, PosterSeed, PosterSeed> = {
  name: 'poster',
  async find({ digest, word, layout }): Promise<Found<PosterSeed>> {
    const store = await ImageLayout.open(layout);
    return { seed: { digest, word }, content: { root: store, storeOf: () => store } };
  },
  async read(claim: JsonObject, files: BundleFiles): Promise<PosterSeed> {
    const digest = parseDigest(claim['digest']);
    const text = files.get(pathOf(digest));
    if (text === undefined) throw new BundleError('CLOSURE_MISMATCH', 'the word is gone');
    return { digest, word: Buffer.from(text).toString() };
  },
  labelOf: ({ word }) => `the poster ${asString(word, 'word')}`,
  namesOf: ({ word }) => [asString(word, 'word')],
  packWords: (claims) => claims.map(({ word }) => asString(word, 'word')),
  digestOf: ({ digest }) => digest,
  async expand(
    { digest, word }: PosterSeed,
    { root }: ContentSource,
    { walker, attached }: Walk,
  ): Promise<Part<PosterSeed>> {
    const image = await walker.walkOne({
      name: `poster-${word}`,
      role: 'poster',
      descriptor: await root.resolve(digest),
      source: `example.com/posters@${digest}`,
      tags: [`poster-${word}`],
      place: 'entry',
      proof: 'signer',
      order: 'last',
      store: root,
    });
    return {
      kind: 'poster',
      label: `the poster ${word}`,
      names: [word],
      facts: { digest, word },
      claim: { word, digest },
      images: await attached.addTo([image]),
      files: [{ path: pathOf(digest), role: 'word', bytes: Buffer.from(word) }],
      leading: [],
    };
  },
  compare: (a, b) => compareText(a.word, b.word),
  bundleName: (posters) => `posters-${posters.map(({ word }) => word).join('-')}`,
  newerThan: () => [],
  resources: ({ facts, images }: Part<PosterSeed>, at: Destinations): PartResources => ({
    files: [resourceFile(`poster-${facts.word}.yaml`, [posterObject(facts)], EFFECTS.service)],
    mirrors: mirrorRows(images, at, 'generic'),
    section: () => [`Hang ${facts.word} up beside ${at.content.repository}.`],
  }),
};

function posterObject({ word }: PosterSeed): ClusterObject {
  return { apiVersion: 'example.com/v1', kind: 'Poster', metadata: { name: word } };
}

function pathOf(digest: Digest): string {
  return `config/word-${hexOf(digest).slice(0, 16)}.txt`;
}

describe('a kind that only its own file and the list of kinds know', () => {
  const kinds = [...KINDS, posterKind as unknown as Kind];
  let folder: string;
  let made: MadeRelease;
  let context: Context;
  let poster: PartRequest;
  let digest: Digest;
  let packed: string;

  const packRequest = (
    parts: readonly PartRequest[],
    more: Partial<PackRequest> = {},
  ): PackRequest => ({
    parts,
    referrers: false,
    output: join(folder, 'medium'),
    key: { passphrase: async () => undefined },
    network: { caFiles: [], insecureRegistries: [], mirrors: [], mirrorSetFiles: [] },
    restart: false,
    dryRun: false,
    ...more,
  });
  const openRequest = (path: string, more: Partial<OpenRequest> = {}): OpenRequest => ({
    paths: [path],
    kinds,
    trustedKeyFiles: [],
    releaseKeyFiles: [made.releaseKey],
    ...more,
  });
  const unpackTo = (path: string, target: string, more: { partial?: boolean; select?: string[] }) =>
    unpack(
      {
        bundle: openRequest(path),
        delivery: {
          to: { kind: 'layout', folder: target, name: `oci:${target}` },
          replaceTags: false,
          resources: { folder: join(folder, 'resources') },
          dryRun: false,
        },
        network: packRequest([]).network,
        select: more.select ?? [],
        partial: more.partial ?? false,
      },
      context,
    );
  const tagsOf = async (target: string): Promise<readonly string[]> =>
    (await ImageLayout.open(target)).tags();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-kind-'));
    context = contextIn(join(folder, 'config'));
    made = await makeRelease({ out: join(folder, 'release'), components: 3, scale: 0.0002 });
    const layout = join(folder, 'posters');
    const config = held(DOCKER_LAYER, '{}');
    const layer = held(DOCKER_LAYER, Buffer.from(seededBytes('poster', 300_000)).toString('hex'));
    const image = imageManifest(DOCKER_MANIFEST, config, [layer]);
    const store = await ImageLayout.create(layout);
    await fill(store, { blobs: [config, layer], manifests: [image], tags: {} });
    digest = image.descriptor.digest;
    poster = partRequest(posterKind, { digest, word: 'peace', layout });
    const parts = [madeReleasePart(made), poster];
    packed = (await pack(packRequest(parts, { name: 'site-2024-11' }), context)).path;
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is packed alone under the name that it gives', async () => {
    const output = join(folder, 'alone');
    const { path, closure } = await pack(packRequest([poster, poster], { output }), context);
    expect(basename(path)).toBe('posters-peace.tar.zst');
    expect(closure.parts.map(({ label }) => label)).toEqual(['the poster peace']);
  });

  it('needs a name beside a part of another kind', async () => {
    const request = packRequest([madeReleasePart(made), poster]);
    await expect(pack(request, context)).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('is verified, and refused by a program that does not know it', async () => {
    const { bundle } = await verify(openRequest(packed), context);
    expect(bundle.labels).toEqual(['the poster peace', '4.17.3 for x86_64']);
    await expect(verify(openRequest(packed, { kinds: KINDS }), context)).rejects.toMatchObject({
      code: 'BUNDLE_UNUSABLE',
    });
  });

  it('is inspected, and named by a program that does not know it', async () => {
    const { images } = await inspect(openRequest(packed), context);
    expect(images.find(({ role }) => role === 'poster')).toMatchObject({
      name: 'poster-peace',
      parts: ['the poster peace'],
    });
    const unknown = await inspect(openRequest(packed, { kinds: KINDS }), context);
    expect(unknown.unknownKinds).toEqual(['poster']);
  });

  it('is named where it is damaged, left out, and repaired with a patch', async () => {
    const broken = join(folder, 'broken', basename(packed));
    await mkdir(join(folder, 'broken'));
    await copyFile(packed, broken);
    const { size } = await stat(packed);
    const file = await open(broken, 'r+');
    await file.write(Buffer.alloc(16), 0, 16, size - 120_000); // within the poster's own layer
    await file.close();
    const damageFile = join(folder, 'damage.json');
    await expect(verify({ ...openRequest(broken), damageFile }, context)).rejects.toMatchObject({
      details: [{ label: 'faults' }, { items: ['poster-peace (the poster peace)'] }],
      hint: expect.stringContaining('bundle pack ') as string,
    });
    const target = join(folder, 'partial');
    const { delivery } = await unpackTo(broken, target, { partial: true });
    expect(delivery.parts.map(({ label, isWhole }) => [label, isWhole])).toEqual([
      ['the poster peace', false],
      ['4.17.3 for x86_64', true],
    ]);
    expect(await tagsOf(target)).not.toContain('poster-peace');

    const parts = [madeReleasePart(made), poster];
    const patch = await pack(packRequest(parts, { repairFile: damageFile }), context);
    const output = join(folder, 'repaired');
    const bundle = { ...openRequest(broken), paths: [broken, patch.path] };
    const repaired = await repair({ bundle, output }, context);
    expect((await readFile(repaired.path)).equals(await readFile(packed))).toBe(true);
  });

  it('is unpacked, alone or with the rest', async () => {
    const alone = join(folder, 'target-alone');
    await unpackTo(packed, alone, { select: ['peace'] });
    expect(await tagsOf(alone)).toEqual(['poster-peace']);
    const all = join(folder, 'target-all');
    await unpackTo(packed, all, {});
    const { length } = made.components;
    expect((await tagsOf(all)).length).toBe(length + 2);
    expect((await (await ImageLayout.open(all)).resolve('poster-peace')).digest).toBe(digest);
  });
});
