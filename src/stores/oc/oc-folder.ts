import { basename } from 'node:path';

import { readAll, utf8 } from '../../core/bytes.ts';
import { type Digest, digestFromHex, digestOf, isDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { MAX_MANIFEST_BYTES } from '../../core/limits.ts';
import { isTag } from '../../core/reference.ts';
import { type Piece, readPiece, sizeOfPiece } from '../../files/piece.ts';
import {
  entriesOf,
  type FolderEntry,
  linkWithin,
  realFolder,
  textOfLink,
} from '../../files/within.ts';
import { isFolder } from '../../files/look.ts';
import { type Holdings, HoldingsList } from './holdings.ts';

/** `oc` writes while it downloads under a name that ends so. */
const UNFINISHED = '.download';

/**
 * A digest as a file name. Between the parts stands a colon; `oc` on Windows writes a dash, and
 * what copies to file systems without colons puts something else there.
 */
const DIGEST_NAME = /^sha256(?:.|%3A)([0-9a-f]{64})$/iu;

/** The name of a config map: half of the digest is enough for `oc`. */
const CONFIG_MAP_NAME = /^signature-sha256-([0-9a-f]{16})\.(?:json|yaml)$/;

const HINT =
  'The folder is not complete: copy it again, or write it again with oc adm release mirror.';

/** The folder that is read, and what was found in it. */
interface Reading {
  /** Its real path: links that lead out of it are not followed. */
  readonly root: string;
  readonly list: HoldingsList;
  /** Folders that were read: a link may lead in a circle. */
  readonly visited: Set<string>;
}

/**
 * The folder that `oc adm release mirror --to-dir DIR` has written, or a copy of it: `v2/` with a
 * folder for each repository, and `config/` with config maps of signatures. One of these
 * repositories alone will do too.
 *
 * Some ways to copy lose links, or make files of them. A tag may therefore be a link, a copy of the
 * manifest, or a file with the text of the link; a manifest may be left among the blobs alone.
 * @throws BundleError NOT_FOUND, DISK; UNSUPPORTED_CONTENT for another folder, or for links that
 * lead out of it.
 */
export async function readOcFolder(dir: string): Promise<Holdings> {
  const root = await realFolder(dir);
  const reading: Reading = { root, list: new HoldingsList(), visited: new Set([root]) };
  const top = await entriesOf(root);
  const v2 = top.find(({ name }) => name === 'v2');
  if (v2 !== undefined) await readRepositories(await within(v2, reading), '', reading);
  else if (isRepository(top) || basename(root) === 'v2') await readRepositories(top, '', reading);
  if (reading.list.blobs.size === 0) throw notOfOc(dir, top);
  const config = top.find(({ name }) => name === 'config');
  if (config !== undefined) await readConfigMaps(await within(config, reading), reading);
  const { blobs, manifests, tags, signatures } = reading.list;
  return { name: `file:${dir}`, blobs, manifests, tags, signatures, hint: HINT };
}

function isRepository(entries: readonly FolderEntry[]): boolean {
  return entries.some(({ name, type }) => name === 'blobs' && type !== 'file');
}

/** The entries of a folder or of a link to one; none for what is neither, or was read before. */
async function within(
  { path, type }: FolderEntry,
  { root, visited }: Reading,
): Promise<readonly FolderEntry[]> {
  if (type !== 'folder' && type !== 'link') return [];
  const folder = type === 'folder' ? path : await linkWithin(root, path);
  if (folder === undefined) {
    throw new BundleError('UNSUPPORTED_CONTENT', `${path} is a link that leads out of ${root}`, {
      hint: 'It is not followed. Copy the folder with what its links lead to: cp -rL.',
    });
  }
  if (visited.has(folder) || !(await isFolder(folder))) return [];
  visited.add(folder);
  return entriesOf(folder);
}

/** A repository, and those whose names begin with its name. */
async function readRepositories(
  entries: readonly FolderEntry[],
  repository: string,
  reading: Reading,
): Promise<void> {
  const found: Digest[] = [];
  for (const entry of entries) {
    const { name } = entry;
    if (name === 'manifests') continue; // after the blobs, some of which they are
    if (name === 'blobs') found.push(...(await readBlobs(await within(entry, reading), reading)));
    else {
      const inside = repository === '' ? name : `${repository}/${name}`;
      await readRepositories(await within(entry, reading), inside, reading);
    }
  }
  const manifests = entries.find(({ name }) => name === 'manifests');
  if (manifests !== undefined)
    await readManifests(await within(manifests, reading), repository, reading);
  if (!reading.list.manifests.has(repository)) await guessManifests(found, repository, reading);
}

async function readBlobs(
  entries: readonly FolderEntry[],
  reading: Reading,
): Promise<readonly Digest[]> {
  const found: Digest[] = [];
  for (const entry of entries) {
    const digest = digestIn(entry.name);
    if (digest === undefined) continue;
    reading.list.addBlob(digest, await pieceOf(entry, reading));
    found.push(digest);
  }
  return found;
}

/** Manifests under their digests, which are blobs too, and tags. */
async function readManifests(
  entries: readonly FolderEntry[],
  repository: string,
  reading: Reading,
): Promise<void> {
  const { list } = reading;
  for (const entry of entries) {
    const digest = digestIn(entry.name);
    if (digest === undefined) continue;
    list.addBlob(digest, await pieceOf(entry, reading));
    list.addManifest(repository, digest);
  }
  for (const entry of entries) {
    const { name } = entry;
    if (digestIn(name) !== undefined || !isTag(name) || name.endsWith(UNFINISHED)) continue;
    const digest = await digestOfTag(entry, repository, list);
    if (digest !== undefined) list.addTag(name, repository, digest);
  }
}

/**
 * The digest that a tag names. Of a link only the text counts, as for `oc` itself: nothing that it
 * leads to is read.
 */
async function digestOfTag(
  entry: FolderEntry,
  repository: string,
  list: HoldingsList,
): Promise<Digest | undefined> {
  if (entry.type === 'link') return digestIn(basename(await textOfLink(entry.path)));
  if (entry.type !== 'file') return undefined;
  const piece = { path: entry.path, start: 0 };
  if (((await sizeOfPiece(piece)) ?? Infinity) > MAX_MANIFEST_BYTES) return undefined;
  const bytes = await readAll(readPiece(piece), MAX_MANIFEST_BYTES, entry.path);
  const text = bytes.length < 256 ? digestIn(basename(utf8(bytes).trim())) : undefined;
  if (text !== undefined) return text;
  const digest = digestOf(bytes);
  list.addBlob(digest, piece);
  list.addManifest(repository, digest);
  return digest;
}

/** Where the links of manifests are lost, they are among the blobs: small, and JSON. */
async function guessManifests(
  digests: readonly Digest[],
  repository: string,
  { list }: Reading,
): Promise<void> {
  for (const digest of digests) {
    const piece = list.blobs.get(digest)!;
    try {
      if (((await sizeOfPiece(piece)) ?? Infinity) > MAX_MANIFEST_BYTES) continue;
      for await (const first of readPiece(piece, { range: { start: 0, end: 1 } }))
        if (first[0] === 0x7b) list.addManifest(repository, digest);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error; // who needs it will hear of it
    }
  }
}

/** @param entries of `config/`: of other files there is nothing to tell. */
async function readConfigMaps(entries: readonly FolderEntry[], reading: Reading): Promise<void> {
  for (const entry of entries) {
    const hex = CONFIG_MAP_NAME.exec(entry.name)?.[1];
    if (hex === undefined) continue;
    const piece = await pieceOf(entry, reading);
    reading.list.signatures.push({ hex, piece, place: entry.path, form: 'config-map' });
  }
}

/** A link that stays inside leads to the piece; another one is refused when somebody reads it. */
async function pieceOf({ path, type }: FolderEntry, { root }: Reading): Promise<Piece> {
  const target = type === 'link' ? await linkWithin(root, path) : undefined;
  return { path: target ?? path, start: 0 };
}

function digestIn(name: string): Digest | undefined {
  if (isDigest(name)) return name;
  const hex = DIGEST_NAME.exec(name)?.[1];
  return hex === undefined ? undefined : digestFromHex(hex.toLowerCase());
}

function notOfOc(dir: string, entries: readonly FolderEntry[]): BundleError {
  const has = (pattern: RegExp): boolean => entries.some(({ name }) => pattern.test(name));
  const better = has(/^oci-layout$/)
    ? `It is an image layout: write --from oci:${dir}.`
    : has(/^mirror_\d{6}\.tar$/)
      ? `It has archives of oc-mirror: write --from oc-mirror:${dir}.`
      : 'Name the folder that oc adm release mirror --to-dir has written: the one with v2/ in it.';
  return new BundleError('UNSUPPORTED_CONTENT', `${dir} has no images as oc writes them`, {
    expected: 'v2/REPOSITORY/blobs',
    hint: better,
  });
}
