import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { BundleError } from '../../../src/core/errors.ts';
import type { BundledPart } from '../../../src/bundle/format/manifest.ts';
import type { BundleContents } from '../../../src/bundle/format/plan.ts';
import { refuseFault } from '../../../src/bundle/reading/fault.ts';
import { KINDS } from '../../../src/kinds/all.ts';
import type { Kind } from '../../../src/kinds/kind.ts';
import { type OpenRequest, surveyBundle } from '../../../src/opening/open-bundle.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import { inspect } from '../../../src/workflows/inspect.ts';
import { verify } from '../../../src/workflows/verify.ts';
import type { Held } from '../../contract/content.ts';
import { contextIn } from '../../support/context.ts';
import { type Ingredients, writeCrafted } from '../../support/crafted-bundle.ts';
import { type OpenedBundle, openedBundle } from '../../support/opened-bundle.ts';
import { sampleKind, type SampleRequest } from '../../support/sample-kind.ts';
import { ingredientsOf, sampleClosure } from '../../support/sample-parts.ts';
import { configOf, keep, layerOf, manifestOf } from '../transfer/images.ts';

const SAMPLE_KINDS: readonly Kind[] = [...KINDS, sampleKind];
const shared = layerOf('shared');
const own = [layerOf('one'), layerOf('two')] as const;
const one = manifestOf('one', [shared, own[0]]);
const two = manifestOf('two', [shared, own[1]]);

describe('a bundle of several parts', () => {
  const store = new MemoryStore();
  const key = SigningKey.generate('ed25519');
  let folder: string;
  let trusted: string;
  let ingredients: Ingredients;

  const asked = (name: string, image: Held, more: Partial<SampleRequest> = {}): SampleRequest => ({
    name,
    image: image.descriptor,
    store,
    ...more,
  });
  const write = async (
    change: (contents: BundleContents) => BundleContents = (contents) => contents,
    from = ingredients,
  ): Promise<string> => {
    const contents = change(from.contents);
    const place = await mkdtemp(join(folder, 'case-'));
    return writeCrafted(place, { ...from, contents }, {}, `${contents.name}.tar.zst`);
  };
  const packed = async (...requests: readonly SampleRequest[]): Promise<string> =>
    write(undefined, await ingredientsOf('samples', await sampleClosure(requests), key));
  const request = (path: string, more: Partial<OpenRequest> = {}): OpenRequest => ({
    ...{ paths: [path], kinds: SAMPLE_KINDS, trustedKeyFiles: [trusted], releaseKeyFiles: [] },
    ...more,
  });
  const open = async (path: string, more: Partial<OpenRequest> = {}): Promise<OpenedBundle> =>
    openedBundle(request(path, more), contextIn(folder));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-parts-'));
    trusted = join(folder, 'packer.pub');
    await writeFile(trusted, key.public.pem);
    await keep(store, shared, ...own, configOf('one'), configOf('two'), one, two);
    ingredients = await ingredientsOf(
      'samples',
      await sampleClosure([asked('one', one), asked('two', two)]),
      key,
    );
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is opened, verified, and has its parts in their order', async () => {
    const path = await write();
    const { closure, labels } = await open(path, { expected: ['one', two.descriptor.digest] });
    expect(labels).toEqual(['sample one', 'sample two']);
    expect(closure.parts.map(({ label }) => label)).toEqual(labels);
    expect(closure.content.images.map(({ name, parts }) => [name, parts])).toEqual([
      ['one', [0]],
      ['two', [1]],
    ]);
    const { blobs } = await verify(request(path), contextIn(folder));
    expect(blobs).toBe(2 + 5);
  });

  it('is refused when a part that was expected is not there, naming those that are', async () => {
    await expect(open(await write(), { expected: ['one', 'three'] })).rejects.toMatchObject({
      code: 'NOT_THE_EXPECTED_BUNDLE',
      exitStatus: 21,
      expected: 'three',
      got: 'sample one, sample two',
      hint: expect.stringMatching(
        /^Ask the packer for a bundle with three, or correct --expect/,
      ) as string,
    });
  });

  it('is refused where the bundle digest is another, whichever of the two is wrong', async () => {
    const expectedDigest = one.descriptor.digest;
    await expect(open(await write(), { expectedDigest })).rejects.toMatchObject({
      code: 'NOT_THE_EXPECTED_BUNDLE',
      hint: expect.stringMatching(
        /do not use it\. If it is .* correct --bundle-digest\.$/,
      ) as string,
    });
  });

  it('with too few trusted signers tells first which signatures are not counted', async () => {
    const path = await write();
    const hintFor = async (more: Partial<OpenRequest>): Promise<string> => {
      const error: unknown = await open(path, more).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'TOO_FEW_SIGNERS', exitStatus: 21 });
      return (error as BundleError).hint!;
    };
    expect(await hintFor({ signatures: 3 })).toMatch(
      /^2 other people have to sign the bundle with bundle sign\. /,
    );
    await writeFile(path.replace(/tar\.zst$/, 'aaaaaaaaaaaaaaaa.sig'), 'of somebody');
    const counted = '\n  bundle trust add KEY.pub';
    const one = await hintFor({ signatures: 2 });
    expect(one).toMatch(/^Not counted, since its key is not trusted here: samples\.a{16}\.sig\. /);
    expect(one.endsWith(counted)).toBe(true);
    const both = await hintFor({ signatures: 3, trustedKeyFiles: [] });
    expect(both).toContain(
      `the packer, whose key is ${key.public.id}; samples.aaaaaaaaaaaaaaaa.sig. `,
    );
    expect(both).toContain(`${counted}\n1 other person has to sign the bundle`);
  });

  it.each<[string, (contents: BundleContents) => BundleContents]>([
    ['its parts in another order', (it) => ({ ...it, parts: it.parts.toReversed() })],
    ['a part left out', (it) => ({ ...it, parts: [it.parts[0]!], images: [it.images[0]!] })],
    ['an image under the other part', (it) => imagesOf(it, [[1], [1]])],
    ['an image under both parts', (it) => imagesOf(it, [[0, 1], [1]])],
    ['a part twice', (it) => ({ ...it, parts: [...it.parts, it.parts[0]!] })],
    ['its blobs in another order', (it) => ({ ...it, blobs: it.blobs.toReversed() })],
    ['a file of a part left out', (it) => ({ ...it, files: it.files.slice(1) })],
    ['the files of its parts in another order', (it) => ({ ...it, files: it.files.toReversed() })],
  ])('with %s is refused', async (_, change) => {
    await expect(open(await write(change))).rejects.toMatchObject({
      code: 'CLOSURE_MISMATCH',
      exitStatus: 20,
    });
  });

  it.each<[string, Record<string, string>]>([
    ['one digest in two places', { place: 'content' }],
    ['one image with two proofs', { proof: 'signer' }],
  ])('whose parts contradict each other is refused: %s', async (_, change) => {
    const another = { ...ingredients.contents.parts[0]!.claim, ...change };
    const parts: BundledPart[] = [
      { kind: 'sample', claim: ingredients.contents.parts[0]!.claim },
      { kind: 'sample-again', claim: another },
    ];
    const kinds = [...SAMPLE_KINDS, { ...SAMPLE_KINDS.at(-1)!, name: 'sample-again' }];
    const path = await write((contents) => ({ ...contents, parts }));
    await expect(open(path, { kinds })).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      exitStatus: 20,
    });
  });

  describe('from a signer whom nobody knows', () => {
    const nobody = { trustedKeyFiles: [] };

    it('is taken where publishers have signed all parts', async () => {
      const path = await packed(asked('one', one), asked('two', two));
      expect((await open(path, nobody)).standing).toBe('unknown');
    });

    it('is refused where one of them is nobody’s, and taken once the signer is trusted', async () => {
      const path = await packed(asked('one', one), asked('two', two, { proof: 'signer' }));
      const error: unknown = await open(path, nobody).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'SIGNER_UNKNOWN', exitStatus: 21, got: key.public.id });
      expect((error as Error).message).toContain('two');
      expect((await open(path)).standing).toBe('trusted');
    });
  });

  describe('with a part of a kind that is not known', () => {
    const survey = async (more: Partial<OpenRequest>): ReturnType<typeof surveyBundle> => {
      const own = request(await write(), { kinds: KINDS, ...more });
      const bundle = await surveyBundle(own, contextIn(folder), refuseFault);
      await bundle.close();
      return bundle;
    };

    it('is refused', async () => {
      await expect(survey({})).rejects.toMatchObject({ code: 'BUNDLE_UNUSABLE', exitStatus: 22 });
    });

    it('is opened where that is allowed, and nothing is derived from it', async () => {
      const { closure, labels, standing } = await survey({ allowsUnknownKinds: true });
      expect(closure).toBeUndefined();
      expect(labels).toEqual(['sample', 'sample']);
      expect(standing).toBe('trusted');
    });

    it('is inspected: the kind is named, and so are the images', async () => {
      const path = await write();
      const unknown = await inspect(request(path, { kinds: KINDS }), contextIn(folder));
      expect(unknown.unknownKinds).toEqual(['sample']);
      expect(unknown.images.map(({ name, parts }) => [name, parts])).toEqual([
        ['one', ['sample']],
        ['two', ['sample']],
      ]);
      const known = await inspect(request(path), contextIn(folder));
      expect(known.unknownKinds).toEqual([]);
      expect(known.images.map(({ parts }) => parts)).toEqual([['sample one'], ['sample two']]);
    });

    it('is refused for its signer first', async () => {
      const other = join(folder, 'other.pub');
      await writeFile(other, SigningKey.generate('ed25519').public.pem);
      await expect(
        survey({ allowsUnknownKinds: true, trustedKeyFiles: [other] }),
      ).rejects.toMatchObject({ code: 'SIGNER_UNKNOWN' });
    });
  });
});

function imagesOf(contents: BundleContents, parts: readonly (readonly number[])[]): BundleContents {
  const images = contents.images.map((image, at) => ({ ...image, parts: parts[at]! }));
  return { ...contents, images };
}
