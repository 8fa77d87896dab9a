import { beforeEach, describe, expect, it } from 'vitest';

import type { Descriptor } from '../../../src/core/descriptor.ts';
import type { TransferEvent } from '../../../src/core/events.ts';
import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { BundleError } from '../../../src/core/errors.ts';
import {
  MAX_MANIFEST_BYTES,
  MAX_METADATA_BYTES,
  MAX_REFERRER_DEPTH,
  MAX_REFERRERS,
} from '../../../src/core/limits.ts';
import { signatureTagOf } from '../../../src/core/manifest.ts';
import {
  DOCKER_LAYER,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../../src/core/media-types.ts';
import type { WalkedImage } from '../../../src/transfer/image.ts';
import { ManifestWalker } from '../../../src/transfer/walk.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { AttachedImages } from '../../../src/kinds/attached.ts';
import {
  type Held,
  held,
  imageManifest,
  referrerManifest,
  sample,
} from '../../contract/content.ts';
import { fill } from '../../contract/store.ts';

const SIGSTORE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const signatureOf = (subject: Held): Held =>
  referrerManifest(subject, SIGSTORE, [], { of: subject.descriptor.digest });
const aboutNothing = (): Held => referrerManifest(sample.oci, 'application/x', []);

const { oci, docker, sbom, signature, overSbom } = sample;

/** A store that lists what it is told to. */
class Liar extends MemoryStore {
  readonly lies = new Map<Digest, readonly Descriptor[] | Error>();

  override async referrers(subject: Digest): Promise<readonly Descriptor[]> {
    const lie = this.lies.get(subject);
    if (lie instanceof Error) throw lie;
    return lie ?? super.referrers(subject);
  }
}

let told: TransferEvent[];
beforeEach(() => {
  told = [];
});

async function attached(
  store: MemoryStore,
  roots: readonly Held[],
  referrers = true,
  { concurrency = 3, signatures = true } = {},
): Promise<WalkedImage[]> {
  const observe = (event: TransferEvent): void => void told.push(event);
  const options = { concurrency, referrers, signatures, observe };
  const walker = new ManifestWalker(options);
  const requests = roots.map(({ descriptor }, index) => ({
    ...{ name: `image-${index}`, role: 'component', tags: [], descriptor, store },
    source: `example.com/a/b@${descriptor.digest}`,
    ...({ place: 'content', proof: 'publisher', order: 'first' } as const),
  }));
  return new AttachedImages(walker, options).addTo(await walker.walk(requests));
}

const namesOf = (images: readonly WalkedImage[]): string[] =>
  images.map(({ request }) => request.name);

async function filled(
  store: MemoryStore = new MemoryStore(),
  more: readonly Held[] = [],
): Promise<MemoryStore> {
  await fill(store, { ...sample, manifests: [...sample.manifests, ...more] });
  return store;
}

describe('AttachedImages', () => {
  it('puts referrers behind their image, in the order of their digests, and what refers to them behind them', async () => {
    const [first, second] = [sbom, signature].sort((a, b) =>
      a.descriptor.digest < b.descriptor.digest ? -1 : 1,
    ) as [Held, Held];
    const withOwn = (it: Held): Held[] => (it === sbom ? [sbom, overSbom] : [it]);
    const expected = [...withOwn(first), ...withOwn(second)].map(
      ({ descriptor }) => descriptor.digest,
    );
    const images = await attached(await filled(), [oci, docker]);
    expect(namesOf(images)).toEqual(['image-0', ...expected, 'image-1']);
    const { request } = images.find((image) => image.request.name === overSbom.descriptor.digest)!;
    expect(request).toMatchObject({
      role: 'referrer',
      attachment: 'referrer',
      proof: 'signer',
      place: 'content',
      order: 'first',
      tags: [],
      subject: sbom.descriptor.digest,
      source: `example.com/a/b@${overSbom.descriptor.digest}`,
    });
  });

  it('does so whatever order they are listed in, and however often', async () => {
    const store = new Liar();
    await filled(store);
    const listed = await store.referrers(oci.descriptor.digest);
    const expected = namesOf(await attached(store, [oci]));
    store.lies.set(oci.descriptor.digest, [...listed].reverse().concat(listed));
    expect(namesOf(await attached(store, [oci]))).toEqual(expected);
  });

  it('are fetched from where they were found, though another part has the image elsewhere', async () => {
    const [one, other] = [await filled(), await filled()];
    await one.tag(signature.descriptor, signatureTagOf(oci.descriptor.digest));
    const options = { concurrency: 3, referrers: false, signal: new AbortController().signal };
    const walker = new ManifestWalker({ ...options, observe: () => undefined });
    const finder = new AttachedImages(walker, options);
    for (const store of [one, other]) {
      const request = {
        ...{ name: 'image', role: 'image', tags: [], descriptor: oci.descriptor, store },
        source: `example.com/a/b@${oci.descriptor.digest}`,
        ...({ place: '/a/b', proof: 'signer', order: 'first' } as const),
      };
      const images = await finder.addTo(await walker.walk([request]));
      const tag = signatureTagOf(oci.descriptor.digest);
      const attachedTo = images.find(({ request: { name } }) => name === tag)!;
      expect(attachedTo.request.store).toBe(one);
    }
  });

  it('looks for signatures alone unless more is wanted, and for nothing where not', async () => {
    const store = await filled();
    await store.tag(signature.descriptor, signatureTagOf(oci.descriptor.digest));
    await store.tag(signature.descriptor, signatureTagOf(sbom.descriptor.digest));
    expect(namesOf(await attached(store, [oci], false))).toEqual([
      'image-0',
      signatureTagOf(oci.descriptor.digest),
      signature.descriptor.digest,
    ]);
    expect(namesOf(await attached(store, [oci], false, { signatures: false }))).toEqual([
      'image-0',
    ]);
    const all = namesOf(await attached(store, [oci]));
    expect(all).toHaveLength(6);
    expect(all[1]).toBe(signatureTagOf(oci.descriptor.digest));
    expect(all[all.indexOf(sbom.descriptor.digest) + 1]).toBe(
      signatureTagOf(sbom.descriptor.digest),
    );
  });

  it.each<[string, Held | Error, string]>([
    ['a list that cannot be read', new BundleError('REGISTRY', 'it answered 405'), '405'],
    ['a list that may not be read', new BundleError('NOT_ALLOWED', 'it answered 403'), '403'],
    ['a signature of something else', signatureOf(docker), 'names another subject'],
    ['a signature that is not there', signatureOf(oci), 'does not hold'],
    ['something else', aboutNothing(), ''],
    ['what is no manifest', held('application/x', '{}'), ''],
  ])('leaves %s out of signatures, and tells it once', async (_, wrong, cause) => {
    const store = new Liar();
    const isThere = !(wrong instanceof Error) && cause !== 'does not hold';
    await filled(store, isThere && wrong.descriptor.mediaType === OCI_MANIFEST ? [wrong] : []);
    for (const { descriptor } of [oci, docker]) {
      const list = wrong instanceof Error ? wrong : [wrong.descriptor, signature.descriptor];
      store.lies.set(descriptor.digest, list);
    }
    const images = await attached(store, [oci], false);
    const rest = wrong instanceof Error ? [] : [signature.descriptor.digest];
    expect(namesOf(images)).toEqual(['image-0', ...rest]);
    const notices = told.filter(({ type }) => type === 'noticed');
    expect(notices).toHaveLength(cause === '' ? 0 : 1);
    if (cause !== '')
      expect(notices[0]).toMatchObject({
        code: 'signatures-not-read',
        cause: expect.stringContaining(cause) as string,
      });
    await attached(store, [oci, docker], false);
    expect(told.filter(({ type }) => type === 'noticed').length).toBeLessThanOrEqual(2);
  });

  it('does not take a failure of the network for the lack of signatures', async () => {
    const store = new Liar();
    await filled(store);
    store.lies.set(oci.descriptor.digest, new BundleError('NETWORK', 'no answer'));
    await expect(attached(store, [oci], false)).rejects.toMatchObject({ code: 'NETWORK' });
  });

  it('takes an index for a referrer, with what refers to its images', async () => {
    const document = {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [oci.descriptor],
      subject: docker.descriptor,
    };
    const index = held(OCI_INDEX, JSON.stringify(document));
    const images = await attached(await filled(new MemoryStore(), [index]), [docker]);
    expect(namesOf(images).slice(0, 2)).toEqual(['image-0', index.descriptor.digest]);
    expect(images).toHaveLength(5);
  });

  it('finds those of the images in an index', async () => {
    expect(namesOf(await attached(await filled(), [sample.ociIndex]))).toHaveLength(4);
  });

  it.each<[string, Held, string]>([
    ['about another image', referrerManifest(docker, 'application/x', []), 'CONTENT_MISMATCH'],
    ['about nothing', docker, 'CONTENT_MISMATCH'],
    ['the image itself', oci, 'CONTENT_MISMATCH'],
    ['about an image by another kind of digest', aboutSha512(), 'CONTENT_MISMATCH'],
    [
      'of a kind that is none of a manifest',
      held(OCI_LAYER_GZIP, 'a layer'),
      'UNSUPPORTED_CONTENT',
    ],
    [
      'an artifact manifest of old',
      held('application/vnd.oci.artifact.manifest.v1+json', '{}'),
      'UNSUPPORTED_CONTENT',
    ],
  ])('refuses what is listed and is %s', async (_, listed, code) => {
    const store = new Liar();
    await filled(store, [listed]);
    store.lies.set(oci.descriptor.digest, [listed.descriptor]);
    await expect(attached(store, [oci])).rejects.toMatchObject({ code, exitStatus: 20 });
  });

  it('refuses what is listed and not there, or with another size', async () => {
    const store = new Liar();
    await filled(store);
    store.lies.set(oci.descriptor.digest, [
      { mediaType: OCI_MANIFEST, digest: digestOf('nothing'), size: 7 },
    ]);
    await expect(attached(store, [oci])).rejects.toMatchObject({ code: 'NOT_FOUND' });
    store.lies.set(oci.descriptor.digest, [{ ...sbom.descriptor, size: sbom.descriptor.size + 1 }]);
    await expect(attached(store, [oci])).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
  });

  it('is not led round in circles', async () => {
    const store = new Liar();
    await filled(store);
    store.lies.set(sbom.descriptor.digest, [sbom.descriptor]);
    await expect(attached(store, [oci])).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    store.lies.set(sbom.descriptor.digest, [oci.descriptor]);
    await expect(attached(store, [oci])).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
  });

  it.each([
    [0, 'fulfilled'],
    [1, 'rejected'],
  ])('follows them as deep as allowed, and %i deeper not', async (deeper, outcome) => {
    const chain = [oci];
    for (let depth = 0; depth < MAX_REFERRER_DEPTH + deeper; depth++)
      chain.push(referrerManifest(chain.at(-1)!, 'application/x', []));
    const store = new MemoryStore();
    await fill(store, { ...sample, manifests: chain, tags: {} });
    const [settled] = await Promise.allSettled([attached(store, [oci])]);
    expect(settled).toMatchObject({
      status: outcome,
      ...(deeper > 0 && { reason: { code: 'UNSUPPORTED_CONTENT' } }),
    });
  });

  it.each([
    ['more than allowed', MAX_REFERRERS + 1, 7],
    ['that take too much memory', MAX_METADATA_BYTES / MAX_MANIFEST_BYTES + 1, MAX_MANIFEST_BYTES],
  ])('fetches none of %s', async (_, count, size) => {
    const store = new Liar();
    await filled(store);
    const entry = (index: number): Descriptor => ({
      mediaType: OCI_MANIFEST,
      digest: digestOf(`${index}`),
      size,
    });
    store.lies.set(
      oci.descriptor.digest,
      Array.from({ length: count }, (__, index) => entry(index)),
    );
    await expect(attached(store, [oci], true, { concurrency: count })).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });
});

/** A manifest whose subject no store here can name. */
function aboutSha512(): Held {
  const image = imageManifest(OCI_MANIFEST, held(DOCKER_LAYER, 'config'), []);
  const document = JSON.parse(Buffer.from(image.bytes).toString()) as object;
  const subject = { mediaType: OCI_MANIFEST, digest: `sha512:${'0'.repeat(128)}`, size: 7 };
  return held(OCI_MANIFEST, JSON.stringify({ ...document, subject }));
}
