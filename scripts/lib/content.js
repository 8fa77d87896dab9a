import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Images as registries and layouts hold them, read in the plainest way and with none of the
 * program's code, so that what it did can be checked.
 *
 * @typedef {object} Place
 * @property {(digest: string, isManifest: boolean) => Promise<Buffer>} read
 * @property {(tag: string) => Promise<string>} resolve digest of what a tag names
 */

const MANIFEST_TYPES = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
];

/** @returns {Place} a repository of a registry that is spoken to over HTTP */
export function repositoryAt(registry, repository) {
  const get = async (path) => {
    const url = `http://${registry}/v2/${repository}/${path}`;
    const answer = await fetch(url, { headers: { accept: MANIFEST_TYPES.join(', ') } });
    if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
    return Buffer.from(await answer.arrayBuffer());
  };
  return {
    read: async (digest, isManifest) =>
      await get(`${isManifest ? 'manifests' : 'blobs'}/${digest}`),
    resolve: async (tag) => digestOf(await get(`manifests/${tag}`)),
  };
}

/** @returns {Place} an image layout */
export function layoutIn(folder) {
  return {
    read: async (digest) => readFileSync(join(folder, 'blobs', digest.replace(':', '/'))),
    resolve: async (tag) => {
      const { manifests } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
      return (
        manifests.find(
          ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag,
        )?.digest ?? 'nothing'
      );
    },
  };
}

/**
 * Everything that the images are made of: digests, each of them computed from the bytes that were
 * read.
 * @param {Place} place
 * @param {readonly { digest: string, mediaType: string }[]} images
 * @returns {Promise<Set<string>>}
 */
export async function everythingBelow(place, images) {
  const seen = new Set();
  const queue = [...images];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (seen.has(next.digest)) continue;
    const isManifest = MANIFEST_TYPES.includes(next.mediaType);
    const bytes = await place.read(next.digest, isManifest);
    if (digestOf(bytes) !== next.digest)
      throw new Error(`these bytes are not ${next.digest} but ${digestOf(bytes)}`);
    seen.add(next.digest);
    if (!isManifest) continue;
    const { manifests = [], config, layers = [] } = JSON.parse(bytes.toString());
    queue.push(...manifests, ...(config === undefined ? [] : [config]), ...layers);
  }
  return seen;
}

function digestOf(bytes) {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
