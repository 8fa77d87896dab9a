import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';

import { BundleError } from '../../core/errors.ts';
import { MAX_GRAPH_BYTES } from '../../core/limits.ts';
import { compareText, oneLine } from '../../core/text.ts';
import { isFolder } from '../../files/look.ts';
import { readGivenFile, readSmallFile } from '../../files/small-file.ts';
import { entriesOf, type FolderEntry, placeWithin, realFolder } from '../../files/within.ts';

/** The files of graph data, by path, in the order of paths: `channels/stable-4.17.yaml`. */
export type GraphDataFiles = ReadonlyMap<string, Uint8Array>;

/** Folders that an update service reads, and the one file of a third. */
const FOLDERS = ['blocked-edges', 'channels', 'raw'] as const;
/** What an update service reads, and the licence. Everything else is left out. */
const OWN = new RegExp(
  String.raw`^(?:LICENSE|version|raw/metadata\.json|` +
    String.raw`(?:blocked-edges|channels)/[A-Za-z0-9_][A-Za-z0-9._+=-]{0,120}\.yaml)$`,
);
/** Several times as many files as there are in 2026. */
const MAX_FILES = 20_000;
const TAR_BLOCK = 512;

const HINT =
  'Give a checkout of the repository cincinnati-graph-data, a tarball of it, or what an update ' +
  'service answers under /graph-data.';

/**
 * A folder or a tarball of graph data, or a file with the answer of an update service.
 * @throws BundleError NOT_FOUND, DISK; UNSUPPORTED_CONTENT
 */
export async function readGraphFile(
  path: string,
): Promise<
  | { readonly files: GraphDataFiles; readonly answer?: undefined }
  | { readonly answer: Uint8Array; readonly files?: undefined }
> {
  if (await isFolder(path)) return { files: await readGraphDataFolder(path) };
  const bytes = await readGivenFile(path, MAX_GRAPH_BYTES);
  return looksLikeTar(bytes) ? { files: await readGraphDataTar(bytes, path) } : { answer: bytes };
}

/**
 * Graph data in a folder: `version`, `channels/`, `blocked-edges/` and `raw/metadata.json`. Links
 * are followed as long as they stay in it: all that is read is carried to others.
 * @throws BundleError NOT_FOUND, DISK; UNSUPPORTED_CONTENT for a folder of something else, and for
 * a link that leads out of it
 */
export async function readGraphDataFolder(folder: string): Promise<GraphDataFiles> {
  const root = await realFolder(folder);
  const places = new Map<string, string>();
  const add = async (path: string, entry: FolderEntry): Promise<void> => {
    if (OWN.test(path)) places.set(path, await placeOf(root, entry));
  };
  for (const entry of await entriesOf(root)) {
    const { name } = entry;
    await add(name, entry);
    if (!FOLDERS.some((own) => own === name)) continue;
    const place = await placeOf(root, entry);
    if (!(await isFolder(place))) continue;
    for (const inner of await entriesOf(place)) await add(`${name}/${inner.name}`, inner);
  }
  const files = new Map<string, Uint8Array>();
  for (const [path, place] of places) files.set(path, await readSmallFile(place, MAX_GRAPH_BYTES));
  return checked(files, folder);
}

/** Where an entry is, which may be a link. */
async function placeOf(root: string, entry: FolderEntry): Promise<string> {
  const place = await placeWithin(root, entry);
  if (place !== undefined) return place;
  throw new BundleError(
    'UNSUPPORTED_CONTENT',
    `${entry.path} is a link that leads out of ${root}`,
    {
      expected: 'a file, a folder, or a link to one in the same folder of graph data',
      hint: 'Nothing outside of the graph data is read. Put the file itself there.',
    },
  );
}

/** Whether bytes may be a tar, bare or compressed with gzip: anything else is read as JSON. */
export function looksLikeTar(bytes: Uint8Array): boolean {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return isGzip || Buffer.from(bytes.subarray(257, 262)).toString('latin1') === 'ustar';
}

/**
 * The same out of a tarball, with or without one folder around everything.
 * @throws BundleError UNSUPPORTED_CONTENT for something else, or a tarball that was cut
 */
export async function readGraphDataTar(archive: Uint8Array, what: string): Promise<GraphDataFiles> {
  const all = new Map<string, Uint8Array>();
  const others = new Map<string, string>();
  const tar = unzipped(archive, what);
  if (tar.length % TAR_BLOCK !== 0 || tar.subarray(-2 * TAR_BLOCK).some((byte) => byte !== 0))
    throw refused(`${what} is no tar, or was cut`);
  const reading = extract();
  reading.end(tar);
  try {
    for await (const entry of reading) {
      const { type } = entry.header;
      const name = entry.header.name.replace(/^\.\//, '');
      const chunks: Buffer[] = [];
      for await (const chunk of entry)
        if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
      if (type !== 'file') {
        if (type !== 'directory') others.set(name.replace(/\/+$/, ''), type);
        if (others.size > MAX_FILES) throw refused(`${what} holds more than ${MAX_FILES} links`);
        continue;
      }
      if (all.has(name)) throw refused(`${what} holds ${oneLine(name, 200)} twice`);
      all.set(name, Buffer.concat(chunks));
      if (all.size > MAX_FILES) throw refused(`${what} holds more than ${MAX_FILES} files`);
    }
  } catch (error) {
    if (error instanceof BundleError) throw error;
    throw refused(`${what} cannot be read as a tar`, error);
  }
  const root = rootOf([...all.keys(), ...others.keys()]);
  const within = (name: string): string => (name.startsWith(root) ? name.slice(root.length) : '');
  for (const [name, type] of others) {
    const path = within(name);
    if (OWN.test(path) || FOLDERS.some((own) => own === path)) throw noFile(what, name, type);
  }
  const files = new Map<string, Uint8Array>();
  for (const [name, bytes] of all) if (OWN.test(within(name))) files.set(within(name), bytes);
  return checked(files, what);
}

/** To leave it out would be to carry other graph data than its publisher has made. */
function noFile(what: string, name: string, type: string): BundleError {
  const isLink = type === 'symlink' || type === 'link';
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `${what} holds ${oneLine(name, 200)} as ${isLink ? 'a link' : 'something else than a file'}`,
    {
      expected: 'files: links in a tarball are not followed',
      hint: 'Pack it with the files themselves: tar --dereference --hard-dereference.',
    },
  );
}

/** The folder that `version` lies in: tarballs of GitHub have one around everything. */
function rootOf(names: readonly string[]): string {
  const versions = names.filter((name) => /^(?:[^/]+\/)?version$/.test(name));
  const [shortest = 'version'] = versions.toSorted((a, b) => a.length - b.length);
  return shortest.slice(0, -'version'.length);
}

function unzipped(archive: Uint8Array, what: string): Uint8Array {
  if (archive[0] !== 0x1f || archive[1] !== 0x8b) return archive;
  try {
    return gunzipSync(archive, { maxOutputLength: MAX_GRAPH_BYTES });
  } catch (error) {
    throw refused(`${what} cannot be decompressed`, error);
  }
}

function checked(files: Map<string, Uint8Array>, what: string): GraphDataFiles {
  const has = (folder: string): boolean =>
    [...files.keys()].some((path) => path.startsWith(`${folder}/`));
  if (!files.has('version') || !has('channels')) {
    throw refused(
      `${what} is no graph data: it has no ${files.has('version') ? 'channels/' : 'version'}`,
    );
  }
  return new Map([...files].toSorted(([a], [b]) => compareText(a, b)));
}

function refused(message: string, cause?: unknown): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', message, { cause, hint: HINT });
}
