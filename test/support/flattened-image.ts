import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { FLATTEN, pathOfPeer } from '../../scripts/lib/go-peers.ts';
import { readAll } from '../../src/core/bytes.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { type Digest, hexOf } from '../../src/core/digest.ts';
import { parseManifest } from '../../src/core/manifest.ts';
import { OCI_INDEX } from '../../src/core/media-types.ts';
import type { ReadOnlyStore } from '../../src/core/store.ts';

/** Who looks at an image; `test/peers/flatten` says what each one is. */
export const IMAGE_READERS = ['ggcr', 'olm', 'overlay', 'crio'] as const;
export type ImageReader = (typeof IMAGE_READERS)[number];

/** Text of files by path; a folder has its mode instead, as `folder 755`. */
export type SeenFiles = Readonly<Record<string, string>>;

const run = promisify(execFile);

/**
 * Writes the images of an index, or the one image, into an image layout.
 * @returns the digest of each.
 */
export async function writeLayout(
  folder: string,
  store: ReadOnlyStore,
  root: Descriptor,
): Promise<readonly Digest[]> {
  const blobs = join(folder, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  const take = async (descriptor: Descriptor): Promise<Uint8Array> => {
    const bytes = await readAll(store.fetch(descriptor), descriptor.size, 'a blob');
    await writeFile(join(blobs, hexOf(descriptor.digest)), bytes);
    return bytes;
  };
  const manifest = parseManifest(await take(root), root.mediaType);
  const images = manifest.kind === 'index' ? manifest.manifests : [root];
  for (const image of images) {
    const own = parseManifest(await take(image), image.mediaType);
    if (own.kind === 'manifest') for (const blob of [own.config, ...own.layers]) await take(blob);
  }
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: images };
  await writeFile(join(folder, 'index.json'), JSON.stringify(index));
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return images.map(({ digest }) => digest);
}

/** What a program of others sees in an image of a layout. */
export async function seenBy(
  reader: ImageReader,
  layout: string,
  digest: Digest,
  catalog = '/configs',
): Promise<SeenFiles> {
  const { stdout } = await run(pathOfPeer(FLATTEN), [reader, layout, digest, catalog], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout) as SeenFiles;
}
