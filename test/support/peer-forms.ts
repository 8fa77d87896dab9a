import { link, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { buffer } from 'node:stream/consumers';

import { extract, pack } from 'tar-stream';
import { decompress } from 'zstd-napi';

import { projectPath } from '../../scripts/lib/project-root.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { type Digest, hexOf } from '../../src/core/digest.ts';
import type { Held, StoreContent } from '../contract/content.ts';

/** Facts about one of the two releases that the real programs have written. */
export interface PeerRelease {
  readonly version: string;
  readonly digest: Digest;
  readonly components: Readonly<Record<string, Digest>>;
}

export async function peerRelease(version: string): Promise<PeerRelease> {
  const path = projectPath('fixtures/peers', `release-${version}.json`);
  return JSON.parse(await readFile(path, 'utf8')) as PeerRelease;
}

/** What a real program wrote: `oc-dir`, `oc-mirror-first` or `oc-mirror-second`, as a tar. */
export async function peerTar(name: string): Promise<Buffer> {
  return decompress(await readFile(projectPath('fixtures/peers', `${name}.tar.zst`)));
}

/** The folder that `oc adm release mirror --to-dir` has written, with its links. */
export async function extractOcFolder(folder: string): Promise<void> {
  const tar = extract();
  tar.end(await peerTar('oc-dir'));
  for await (const entry of tar) {
    const { name, type, linkname } = entry.header;
    const path = join(folder, name);
    const bytes = await buffer(entry);
    if (type === 'directory') await mkdir(path, { recursive: true });
    else if (type === 'symlink') await symlink(linkname, path);
    else if (type === 'link') await link(join(folder, linkname), path);
    else await writeFile(path, bytes, { mode: 0o600 });
  }
}

/** An archive of oc-mirror in a folder of its own. @returns the path of the archive. */
export async function putArchive(folder: string, tar: Uint8Array, number = 1): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `mirror_${String(number).padStart(6, '0')}.tar`);
  await writeFile(path, tar);
  return path;
}

/** Writes images as `oc` does: files, hard links for manifests and symbolic ones for tags. */
export async function writeOcFolder(
  dir: string,
  { blobs, manifests, tags }: StoreContent,
  repository = 'openshift/release',
): Promise<void> {
  const base = join(dir, 'v2', repository);
  for (const name of ['blobs', 'manifests']) await mkdir(join(base, name), { recursive: true });
  for (const { descriptor, bytes } of [...blobs, ...manifests])
    await writeFile(join(base, 'blobs', descriptor.digest), bytes);
  for (const { descriptor } of manifests)
    await link(join(base, 'blobs', descriptor.digest), join(base, 'manifests', descriptor.digest));
  for (const [tag, { digest }] of Object.entries(tags))
    await symlink(digest, join(base, 'manifests', tag));
}

export type TarEntries = readonly (readonly [name: string, content: Uint8Array | string])[];

/** The entries that oc-mirror writes for images of a repository: the storage of its registry. */
export function storageEntries(
  { blobs, manifests, tags }: StoreContent,
  repository = 'openshift/release-images',
): TarEntries {
  const storage = 'docker/registry/v2';
  const own = `${storage}/repositories/${repository}/_manifests`;
  const blobOf = ({ descriptor, bytes }: Held): readonly [string, Uint8Array] => {
    const hex = hexOf(descriptor.digest);
    return [`${storage}/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`, bytes];
  };
  const tagOf = ([tag, { digest }]: readonly [string, Descriptor]): readonly [string, string] => [
    `${own}/tags/${tag}/current/link`,
    digest,
  ];
  return [
    ...manifests.map(
      ({ descriptor: { digest } }) =>
        [`${own}/revisions/sha256/${hexOf(digest)}/link`, digest] as const,
    ),
    ...Object.entries(tags).map(tagOf),
    ...[...blobs, ...manifests].map(blobOf),
  ];
}

/** All of a registry's storage, as oc-mirror puts its own into an archive. */
export async function storedEntries(root: string): Promise<TarEntries> {
  const storage = 'docker/registry/v2';
  const files = await readdir(join(root, storage), { recursive: true, withFileTypes: true });
  return Promise.all(
    files
      .filter((file) => file.isFile())
      .map(async (file) => {
        const path = join(file.parentPath, file.name);
        return [relative(root, path), await readFile(path)] as const;
      }),
  );
}

/**
 * All of a registry's storage, as the folder that `oc` would have written.
 * @param tags their digests: `4.17.3-x86_64`.
 */
export async function ocFolderOf(
  dir: string,
  root: string,
  tags: Readonly<Record<string, Digest>>,
): Promise<void> {
  const base = join(dir, 'v2/openshift/release');
  for (const name of ['blobs', 'manifests']) await mkdir(join(base, name), { recursive: true });
  for (const [name, bytes] of await storedEntries(root)) {
    const hex = /\/blobs\/sha256\/..\/([0-9a-f]{64})\/data$/.exec(name)?.[1];
    if (hex !== undefined) await writeFile(join(base, 'blobs', `sha256:${hex}`), bytes);
  }
  for (const [name] of await storedEntries(root)) {
    const hex = /_manifests\/revisions\/sha256\/([0-9a-f]{64})\/link$/.exec(name)?.[1];
    if (hex === undefined) continue;
    const manifest = join(base, 'manifests', `sha256:${hex}`);
    await rm(manifest, { force: true }); // several repositories have it
    await link(join(base, 'blobs', `sha256:${hex}`), manifest);
  }
  for (const [tag, digest] of Object.entries(tags))
    await symlink(digest, join(base, 'manifests', tag));
}

/** A tar of files, written by another program than ours. */
export async function tarOf(entries: TarEntries): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of entries) tar.entry({ name }, Buffer.from(content));
  tar.finalize();
  return buffer(tar);
}
