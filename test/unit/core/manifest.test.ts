import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import { parseManifest, signatureTagOf, successors } from '../../../src/core/manifest.ts';
import {
  DOCKER_LAYER,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  isIndexType,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../../src/core/media-types.ts';

const blobs = (image: string): URL =>
  new URL(`../../../fixtures/images/${image}/blobs/sha256/`, import.meta.url);
const blob = async (image: string, hex: string): Promise<Uint8Array> =>
  readFile(new URL(hex, blobs(image)));
const bytes = (document: unknown): Uint8Array => Buffer.from(JSON.stringify(document));
const refusal = expect.objectContaining({ code: 'UNSUPPORTED_CONTENT' }) as Error;

const digest = digestOf('content');
const descriptor = (mediaType: string): object => ({ mediaType, digest, size: 7 });
const ociManifest = {
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: descriptor(OCI_CONFIG),
  layers: [descriptor(OCI_LAYER_GZIP)],
};
const ociIndex = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor(OCI_MANIFEST)] };

describe('parseManifest of real images', () => {
  it('reads a Docker manifest list', async () => {
    const list = parseManifest(
      await blob(
        'hello-manifest-list',
        'd0c9de6b9869c144aca831898c562d01169b740e50a73b8893cdd05ab94c64b7',
      ),
    );
    expect(list).toMatchObject({ kind: 'index', mediaType: DOCKER_LIST });
    expect(
      list.kind === 'index' && list.manifests.map(({ platform }) => platform?.architecture),
    ).toEqual(['amd64', 's390x']);
  });

  it('reads an OCI index', async () => {
    const index = parseManifest(
      await blob(
        'multi-platform',
        '0de0e983a4980f32b1aad2d7f7f387cea2d4e9517b47f336cef27f63735911fa',
      ),
      OCI_INDEX,
    );
    expect(index).toMatchObject({ kind: 'index', mediaType: OCI_INDEX });
    expect(
      index.kind === 'index' && index.manifests.map(({ platform }) => platform?.architecture),
    ).toEqual(['amd64', 'arm64', 's390x', 'ppc64le']);
  });

  it.each([
    ['hello-manifest-list', DOCKER_MANIFEST, DOCKER_LAYER],
    ['multi-platform', OCI_MANIFEST, OCI_LAYER_GZIP],
  ])('reads the manifests of %s', async (image, mediaType, layerType) => {
    let images = 0;
    for (const hex of await readdir(blobs(image))) {
      const content = await blob(image, hex);
      expect(digestOf(content)).toBe(`sha256:${hex}`);
      const manifest = parseManifest(content);
      if (manifest.kind === 'index') continue;
      images += 1;
      expect(manifest.mediaType).toBe(mediaType);
      expect(manifest.layers.map((layer) => layer.mediaType)).toEqual([layerType]);
      expect(successors(manifest)).toEqual([manifest.config, ...manifest.layers]);
    }
    expect(images).toBeGreaterThan(0);
  });

  it('takes a list that is null for an empty one, as programs in Go write it', () => {
    expect(parseManifest(bytes({ ...ociManifest, layers: null }))).toMatchObject({ layers: [] });
    expect(parseManifest(bytes({ ...ociIndex, manifests: null }))).toMatchObject({ manifests: [] });
  });

  it('finds the children of every index among the manifests', async () => {
    for (const image of ['hello-manifest-list', 'multi-platform']) {
      const held = await readdir(blobs(image));
      for (const hex of held) {
        const manifest = parseManifest(await blob(image, hex));
        if (!isIndexType(manifest.mediaType)) continue;
        for (const child of successors(manifest)) {
          const content = await blob(image, child.digest.slice('sha256:'.length));
          expect(content).toHaveLength(child.size);
          expect(parseManifest(content, child.mediaType).mediaType).toBe(child.mediaType);
        }
      }
    }
  });
});

describe('parseManifest', () => {
  it('learns the type from how the bytes came, or from what they hold, when they do not say it', () => {
    const manifest = { ...ociManifest, mediaType: undefined };
    expect(parseManifest(bytes(manifest)).mediaType).toBe(OCI_MANIFEST);
    expect(parseManifest(bytes(manifest), DOCKER_MANIFEST).mediaType).toBe(DOCKER_MANIFEST);
    expect(parseManifest(bytes(manifest), 'application/octet-stream').mediaType).toBe(OCI_MANIFEST);
    const docker = {
      ...manifest,
      config: descriptor('application/vnd.docker.container.image.v1+json'),
    };
    expect(parseManifest(bytes(docker)).mediaType).toBe(DOCKER_MANIFEST);
    expect(parseManifest(bytes({ schemaVersion: 2, manifests: [] })).mediaType).toBe(OCI_INDEX);
    expect(
      parseManifest(bytes({ schemaVersion: 2, manifests: [descriptor(DOCKER_MANIFEST)] }))
        .mediaType,
    ).toBe(DOCKER_LIST);
  });

  const wrong: [string, unknown, string?][] = [
    [
      'Docker schema 1',
      { schemaVersion: 1, name: 'a/b', tag: 'c', fsLayers: [], history: [], signatures: [] },
    ],
    ['no schemaVersion', { ...ociManifest, schemaVersion: undefined }],
    ['schemaVersion as a string', { ...ociManifest, schemaVersion: '2' }],
    ['schemaVersion 3', { ...ociManifest, schemaVersion: 3 }],
    ['an image that is an index too', { ...ociManifest, manifests: [] }],
    ['an index that is an image too', { ...ociIndex, layers: [] }],
    ['an index with a config', { ...ociIndex, config: descriptor(OCI_CONFIG) }],
    ['an image that says it is an index', { ...ociManifest, mediaType: OCI_INDEX }],
    ['an index that says it is an image', { ...ociIndex, mediaType: OCI_MANIFEST }],
    ['an image that came as an index', ociManifest, OCI_INDEX],
    ['an OCI manifest that came as Docker', ociManifest, DOCKER_MANIFEST],
    [
      'a type nobody knows',
      { ...ociManifest, mediaType: 'application/vnd.oci.artifact.manifest.v1+json' },
    ],
    ['a type that is no string', { ...ociManifest, mediaType: 2 }],
    ['no config', { ...ociManifest, config: undefined }],
    ['no layers', { ...ociManifest, layers: undefined }],
    ['layers that are no list', { ...ociManifest, layers: {} }],
    ['a layer without a type', { ...ociManifest, layers: [{ digest, size: 7 }] }],
    ['a layer without a size', { ...ociManifest, layers: [{ mediaType: OCI_LAYER_GZIP, digest }] }],
    ['a negative size', { ...ociManifest, layers: [{ ...descriptor(OCI_LAYER_GZIP), size: -1 }] }],
    [
      'a fraction of a byte',
      { ...ociManifest, layers: [{ ...descriptor(OCI_LAYER_GZIP), size: 1.5 }] },
    ],
    ['a size in words', { ...ociManifest, config: { ...descriptor(OCI_CONFIG), size: '7' } }],
    [
      'sha512',
      {
        ...ociManifest,
        config: { ...descriptor(OCI_CONFIG), digest: `sha512:${'0'.repeat(128)}` },
      },
    ],
    [
      'a digest that is a path',
      { ...ociIndex, manifests: [{ ...descriptor(OCI_MANIFEST), digest: '../../etc/passwd' }] },
    ],
    ['a list', [ociManifest]],
    ['null', null],
  ];
  it.each(wrong)('refuses %s', (_, document, announced) => {
    expect(() => parseManifest(bytes(document), announced)).toThrow(refusal);
  });

  it('refuses a size that is rounded when it is read', () => {
    const text = JSON.stringify(ociManifest).replace('"size":7', '"size":9007199254740993');
    expect(() => parseManifest(Buffer.from(text))).toThrow(refusal);
  });

  it('refuses a second list of layers', () => {
    const text = JSON.stringify(ociManifest).replace(/\}$/, ',"layers":[]}');
    expect(() => parseManifest(Buffer.from(text))).toThrow(refusal);
  });
});

describe('signatureTagOf', () => {
  it('is the tag that cosign gives to signatures', () => {
    expect(signatureTagOf(digest)).toBe(`sha256-${digest.slice(7)}.sig`);
  });
});
