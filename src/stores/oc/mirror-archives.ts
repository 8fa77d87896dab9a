import { utf8 } from '../../core/bytes.ts';
import { digestFromHex, isDigest } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { isTag } from '../../core/reference.ts';
import { compareText } from '../../core/text.ts';
import { WindowedFile } from '../../files/piece.ts';
import { entriesOf, type FolderEntry, linkWithin, realFolder } from '../../files/within.ts';
import { type Holdings, HoldingsList } from './holdings.ts';
import { filesInTar, type TarFile } from './tar-index.ts';

const ARCHIVE = /^mirror_(\d{6})\.tar$/;
const OF_VERSION_1 = /^mirror_seq\d+_\d{6}\.tar$/;

/** The storage of a registry (distribution, filesystem driver) in an archive. */
const STORAGE = String.raw`(?:^|/)docker/registry/v2`;
const BLOB = new RegExp(`${STORAGE}/blobs/sha256/([0-9a-f]{2})/([0-9a-f]{64})/data$`);
const REVISION = new RegExp(
  `${STORAGE}/repositories/(.+)/_manifests/revisions/sha256/([0-9a-f]{64})/link$`,
);
const TAG = new RegExp(`${STORAGE}/repositories/(.+)/_manifests/tags/([^/]+)/current/link$`);
/** A release signature; what stands before the digest is the tag of the release. */
const SIGNATURE = /(?:^|\/)working-dir\/signatures\/[^/]*sha256-([0-9a-f]{64})$/;
/** The config that oc-mirror was run with, and when. */
const RUN = /^isc_(\d{4}-\d{2}-\d{2}T[^/]*)$/;
/** `sha256:` and 64 digits. */
const LINK_BYTES = 71;

const HINT =
  'oc-mirror leaves out of an archive what it has put into an earlier one. Put each set of ' +
  'archives into a folder of its own beside the others, and name the folder above them.';

/** The archives of one run. */
interface ArchiveSet {
  /** When oc-mirror was run, as far as the archives say so; they sort as text. */
  readonly run: string;
  readonly list: HoldingsList;
}

/**
 * The archives of oc-mirror v2 in a folder, and in the folders in it: an increment needs those
 * before it, which have the same names. Nothing is unpacked: blobs are read where they are.
 * @throws BundleError NOT_FOUND where there is no archive, or one is missing between others;
 * CONTENT_MISMATCH for one that is damaged or cut off; UNSUPPORTED_CONTENT, DISK.
 */
export async function readMirrorArchives(dir: string, signal?: AbortSignal): Promise<Holdings> {
  const root = await realFolder(dir);
  const entries = await entriesOf(root);
  const sets: ArchiveSet[] = [];
  for (const folder of [entries, ...(await foldersIn(entries))]) {
    const archives = archivesIn(folder);
    if (archives.length > 0) sets.push(await readSet(root, archives, signal));
  }
  if (sets.length === 0) throw noArchives(dir, entries);
  const all = new HoldingsList();
  // What oc-mirror wrote later says what a tag names now; a sort keeps the order of equal ones.
  for (const { list } of sets.sort((a, b) => compareText(a.run, b.run))) all.addAll(list);
  const { blobs, manifests, tags, signatures } = all;
  return { name: `oc-mirror:${dir}`, blobs, manifests, tags, signatures, hint: HINT };
}

async function foldersIn(
  entries: readonly FolderEntry[],
): Promise<readonly (readonly FolderEntry[])[]> {
  const folders = entries.filter(({ type }) => type === 'folder');
  return Promise.all(
    folders.map(async ({ path }) => {
      try {
        return await entriesOf(path);
      } catch (error) {
        // A medium may have folders that only its owner can read, such as lost+found.
        if (hasCode(error, 'DISK')) return [];
        throw error;
      }
    }),
  );
}

/** Those of a folder in the order of their numbers. @throws BundleError NOT_FOUND */
function archivesIn(entries: readonly FolderEntry[]): readonly FolderEntry[] {
  const archives = entries.filter(({ name }) => ARCHIVE.test(name));
  const gap = archives.findIndex(({ name }, at) => Number(ARCHIVE.exec(name)![1]) !== at + 1);
  const after = archives[gap];
  if (after === undefined) return archives;
  const missing = `mirror_${String(gap + 1).padStart(6, '0')}.tar`;
  throw new BundleError('NOT_FOUND', `${missing} is missing beside ${after.path}`, {
    hint: 'The archives of one run belong together: copy all of them.',
  });
}

async function readSet(
  root: string,
  archives: readonly FolderEntry[],
  signal: AbortSignal | undefined,
): Promise<ArchiveSet> {
  const list = new HoldingsList();
  let run = '';
  for (const { path, type } of archives) {
    const target = type === 'link' ? await linkWithin(root, path) : undefined;
    const archive = await WindowedFile.open(target ?? path);
    try {
      for await (const file of filesInTar(archive)) {
        signal?.throwIfAborted();
        await addFile(file, archive, list);
        run = RUN.exec(file.name)?.[1] ?? run;
      }
    } finally {
      await archive.close();
    }
  }
  return { run, list };
}

/** Names are compared with those that oc-mirror writes; all others mean nothing. */
async function addFile(file: TarFile, archive: WindowedFile, list: HoldingsList): Promise<void> {
  const { name, start, size } = file;
  const piece = { path: archive.path, start, size };
  const blob = BLOB.exec(name);
  if (blob !== null) {
    const [, folder, hex] = blob;
    if (hex!.startsWith(folder!)) list.addBlob(digestFromHex(hex!), piece);
    return;
  }
  const [, holder, revision] = REVISION.exec(name) ?? [];
  if (holder !== undefined) {
    list.addManifest(holder, digestFromHex(revision!));
    return;
  }
  const [, repository, tag] = TAG.exec(name) ?? [];
  if (repository !== undefined && isTag(tag!) && size === LINK_BYTES) {
    const text = utf8(await archive.read(start, size));
    if (isDigest(text)) list.addTag(tag!, repository, text);
    return;
  }
  const signed = SIGNATURE.exec(name)?.[1];
  if (signed === undefined) return;
  const place = `${archive.path}: ${name}`;
  list.signatures.push({ hex: signed, piece, place, form: 'message' });
}

function noArchives(dir: string, entries: readonly FolderEntry[]): BundleError {
  const has = (pattern: RegExp): boolean => entries.some(({ name }) => pattern.test(name));
  return new BundleError('NOT_FOUND', `${dir} has no archives of oc-mirror v2`, {
    expected: 'mirror_000001.tar',
    hint: has(OF_VERSION_1)
      ? 'Archives of oc-mirror v1 cannot be read: mirror with oc-mirror --v2, or from the registry.'
      : has(/^v2$/)
        ? `It has images as oc writes them: write --from file:${dir}.`
        : 'Name the folder with mirror_000001.tar in it, or the folder above several of these.',
  });
}
