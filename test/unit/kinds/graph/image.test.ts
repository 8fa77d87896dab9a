import { execFileSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';

import { describe, expect, it } from 'vitest';

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
import { storedGzip } from '../../../../src/kinds/graph/gzip.ts';
import { type BaseImage, buildGraphImage } from '../../../../src/kinds/graph/image.ts';
import { plainTar } from '../../../../src/kinds/graph/tar.ts';
import { held, imageManifest } from '../../../contract/content.ts';

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

async function entriesOf(tar: Uint8Array): Promise<Map<string, string>> {
  const reading = extract();
  reading.end(tar);
  const entries = new Map<string, string>();
  for await (const entry of reading) {
    const { type, mode, uid, gid, mtime, uname } = entry.header;
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    const facts = [type, mode.toString(8), uid, gid, mtime.getTime(), uname].join(' ');
    entries.set(
      entry.header.name.replace(/\/$/, ''),
      `${facts} ${Buffer.concat(chunks).toString()}`.trim(),
    );
  }
  return entries;
}

describe('a tar in which nothing but names and bytes makes a difference', () => {
  it('is read by other programs, long paths too', async () => {
    const long = `${'a'.repeat(90)}/${'b'.repeat(60)}/${'c'.repeat(99)}`;
    const tar = plainTar([
      { path: 'folder' },
      { path: 'folder/x', bytes: Buffer.from('xyz') },
      { path: long, bytes: Buffer.alloc(600, 'l') },
    ]);
    const entries = await entriesOf(tar);
    expect([...entries.keys()]).toEqual(['folder', 'folder/x', long]);
    expect(entries.get('folder/x')).toBe('file 644 0 0 0  xyz');
    expect(entries.get('folder')).toBe('directory 755 0 0 0');
    const listed = execFileSync('tar', ['-tvf', '-'], {
      input: tar,
      env: { TZ: 'UTC' },
    }).toString();
    expect(listed).toContain(long);
    expect(listed).toMatch(/^drwxr-xr-x 0\/0 +0 1970-01-01 00:00 folder\/\n-rw-r--r-- 0\/0 +3 /);
  });

  it('refuses a path that a plain header cannot have', () => {
    expect(() => plainTar([{ path: 'x'.repeat(101) }])).toThrow(RangeError);
  });
});

describe('gzip without compression', () => {
  it.each([0, 1, 65_535, 65_536, 200_000])('holds %d bytes', (size) => {
    const content = Buffer.alloc(size, 'content ');
    const packed = storedGzip(content);
    expect(gunzipSync(packed).equals(content)).toBe(true);
    expect(packed.length).toBe(size + 18 + 5 * Math.max(1, Math.ceil(size / 65_535)));
  });
});

describe('graph data in a bundle', () => {
  it('has one form, which is read back, and no other', async () => {
    const tar = graphDataTar(FILES);
    expect(await readGraphDataOf(tar)).toEqual(FILES);
    const others = [storedGzip(tar), Buffer.concat([tar, new Uint8Array(512)])];
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
