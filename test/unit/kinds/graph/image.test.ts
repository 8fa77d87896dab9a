import { gunzipSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

import { gzipStored } from '../../../../src/building/gzip.ts';
import type { BaseImage } from '../../../../src/building/image.ts';
import { digestOf } from '../../../../src/core/digest.ts';
import { type ImageManifest, parseManifest } from '../../../../src/core/manifest.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../../../src/core/media-types.ts';
import { graphDataTar, readGraphDataOf } from '../../../../src/kinds/graph/archive.ts';
import { buildGraphImage } from '../../../../src/kinds/graph/image.ts';
import { held, imageManifest } from '../../../contract/content.ts';
import { entriesOf } from '../../building/tar-entries.ts';

const FILES = new Map(
  Object.entries({
    'blocked-edges/4.17.3-A.yaml': 'to: 4.17.3\nfrom: .*\n',
    'channels/stable-4.17.yaml': 'name: stable-4.17\nversions: [4.17.3]\n',
    version: '1.1.0\n',
  }).map(([path, text]) => [path, Buffer.from(text) as Uint8Array]),
);

function base(architecture: string, kind: 'docker' | 'oci' = 'docker'): BaseImage {
  const [configType, layerType, manifestType] =
    kind === 'docker'
      ? [DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST]
      : [OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST];
  const layer = held(layerType, `layer for ${architecture}`);
  const config = held(
    configType,
    JSON.stringify({
      ...{ architecture, os: 'linux', created: '2026-01-02T03:04:05Z' },
      config: { Env: ['A=b'], Entrypoint: ['/bin/sh'], Cmd: ['/bin/bash'] },
      rootfs: { type: 'layers', diff_ids: [digestOf('x')] },
      history: [{ created_by: 'somebody' }],
    }),
  );
  const manifest = parseManifest(
    imageManifest(manifestType, config, [layer]).bytes,
  ) as ImageManifest;
  return { architecture, manifest, config: config.bytes };
}

describe('graph data in a bundle', () => {
  it('has one form, which is read back, and no other', async () => {
    const tar = graphDataTar(FILES);
    expect(await readGraphDataOf(tar)).toEqual(FILES);
    const others = [gzipStored(tar), Buffer.concat([tar, new Uint8Array(512)])];
    for (const other of others) {
      await expect(readGraphDataOf(other)).rejects.toMatchObject({ code: 'CLOSURE_MISMATCH' });
    }
  });
});

describe('a graph image', () => {
  /**
   * The digest is written out: it must not depend on the version of Node, the host or the day. A
   * change of it gives every graph image of a site a new digest.
   */
  it('follows from the data and the base image to the byte', () => {
    const { index } = buildGraphImage(FILES, [base('amd64'), base('arm64')]);
    expect(index.digest).toBe(
      'sha256:b7711d4b285311cf9a6502d8530e9106fe5fe8b87702d23b913f66ade5801774',
    );
  });

  it('is the base image of each architecture with one layer more, and a command', async () => {
    const { index, made } = buildGraphImage(FILES, [base('amd64'), base('arm64')]);
    const bytesOf = new Map(made.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
    expect(made.map(({ descriptor }) => descriptor.mediaType).toSorted()).toEqual(
      [
        DOCKER_CONFIG,
        DOCKER_CONFIG,
        DOCKER_LIST,
        DOCKER_MANIFEST,
        DOCKER_MANIFEST,
        DOCKER_LAYER,
      ].sort(),
    );
    const list = parseManifest(bytesOf.get(index.digest)!);
    if (list.kind !== 'index') throw new Error('no index');
    expect(list.mediaType).toBe(DOCKER_LIST);
    expect(list.manifests.map(({ platform }) => platform)).toEqual([
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
    ]);
    for (const [at, { digest, size }] of list.manifests.entries()) {
      const bytes = bytesOf.get(digest)!;
      expect(bytes.length).toBe(size);
      const manifest = parseManifest(bytes) as ImageManifest;
      const own = [base('amd64'), base('arm64')][at]!;
      expect(manifest.layers.slice(0, -1)).toEqual(own.manifest.layers);
      const layer = bytesOf.get(manifest.layers.at(-1)!.digest)!;
      const tar = gunzipSync(layer);
      const config = JSON.parse(Buffer.from(bytesOf.get(manifest.config.digest)!).toString()) as {
        architecture: string;
        created: string;
        config: object;
        rootfs: { diff_ids: string[] };
        history: object[];
      };
      expect(config).toMatchObject({
        architecture: own.architecture,
        created: '2026-01-02T03:04:05Z',
      });
      expect(config.config).toEqual({
        Env: ['A=b'],
        Cmd: [
          '/bin/bash',
          '-c',
          'exec cp -rp /var/lib/cincinnati-graph-data/* /var/lib/cincinnati/graph-data',
        ],
      });
      expect(config.rootfs.diff_ids).toEqual([digestOf('x'), digestOf(tar)]);
      expect(config.history).toHaveLength(2);
      const entries = await entriesOf(tar);
      expect(entries.get('var/lib/cincinnati-graph-data/version')).toBe('file 644 0 0 0  1.1.0');
      expect(entries.get('var/lib/cincinnati-graph-data')).toBe('directory 755 0 0 0');
    }
  });

  it('has the media types of OCI on such a base', () => {
    const { index, made } = buildGraphImage(FILES, [base('amd64', 'oci')]);
    expect(index.mediaType).toBe(OCI_INDEX);
    expect(made.map(({ descriptor }) => descriptor.mediaType)).toContain(OCI_LAYER_GZIP);
  });

  it('is not built on an image whose config names other layers', () => {
    const { manifest, ...own } = base('amd64');
    const more = { ...manifest, layers: [...manifest.layers, ...manifest.layers] };
    expect(() => buildGraphImage(FILES, [{ ...own, manifest: more }])).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_CONTENT' }) as Error,
    );
  });
});
