import { streamGzipStored } from '../../../building/gzip.ts';
import { streamTar, type TarEntry, type TarFile, tarLength } from '../../../building/tar.ts';
import { fileAt } from '../../../catalogs/reading/catalog-folder.ts';
import type { CatalogFile } from '../../../catalogs/reading/read-catalog.ts';
import type { WrittenFile } from '../../../catalogs/writing/write-catalog.ts';
import type { ByteStream } from '../../../core/bytes.ts';
import { type Digest, Digester } from '../../../core/digest.ts';
import { BundleError } from '../../../core/errors.ts';
import { compareText } from '../../../core/text.ts';
import type { TemporaryFolder } from '../../../files/temporary/folder.ts';
import { foldersAbove, type Hiding } from './lower-layers.ts';

/** A layer that was made here, in its two forms. Its bytes are in a file. */
export interface DocumentsLayer {
  readonly digest: Digest;
  readonly diffId: Digest;
  readonly size: number;
  readonly read: CatalogFile['read'];
}

/**
 * Layers of documents, in a folder: those of a large catalog do not fit into memory. Layers of
 * several platforms that come to the same are made once.
 */
export class DocumentsLayers {
  readonly #files: readonly WrittenFile[];
  readonly #folder: TemporaryFolder;
  readonly #made = new Map<string, Promise<DocumentsLayer>>();

  constructor(files: readonly WrittenFile[], folder: TemporaryFolder) {
    this.#files = files;
    this.#folder = folder;
  }

  /** The paths of the documents. */
  get paths(): readonly string[] {
    return this.#files.map(({ path }) => path);
  }

  /**
   * @param configs the folder of the documents.
   * @throws BundleError UNSUPPORTED_CONTENT for a path that no tar has; DISK
   */
  async layer(configs: string, hiding: Hiding): Promise<DocumentsLayer> {
    const entries = entriesOf(this.#files, configs, hiding);
    const key = JSON.stringify(entries.map((entry) => ('read' in entry ? entry.path : entry)));
    const layer = this.#made.get(key) ?? writeLayer(entries, this.#folder);
    this.#made.set(key, layer);
    return layer;
  }
}

type Entry = TarEntry | TarFile;

function entriesOf(
  files: readonly WrittenFile[],
  configs: string,
  { visible, halfHidden, cache, workFolders }: Hiding,
): readonly Entry[] {
  const entries = new Map<string, Entry>();
  const addFolders = (name: string): void => {
    for (const path of foldersAbove(name)) {
      const folder = workFolders.get(path);
      entries.set(path, { path, ...(folder !== undefined && { folder }) });
    }
  };
  const addEmpty = (path: string): void => {
    // Each reader makes folders that no entry names in its own way.
    addFolders(path);
    entries.set(path, { path, bytes: new Uint8Array(0) });
  };
  addFolders(`${configs}/`);
  for (const { path, size, read } of files) {
    const name = `${configs}/${path}`;
    addFolders(name);
    entries.set(name, { path: name, size, read });
  }
  for (const [path, folder] of workFolders) entries.set(path, { path, folder });
  const isReplaced = (name: string): boolean =>
    entries.has(name) || foldersAbove(name).some((own) => isFile(entries.get(own)));
  const shown = new Set([...visible].flatMap((path) => [...foldersAbove(path), path]));
  const hidden = new Set(
    [...visible, ...halfHidden].filter((path) => !isReplaced(`${configs}/${path}`)),
  );
  for (const path of hidden) {
    // What hides a path hides all that is below it.
    if (foldersAbove(path).some((own) => hidden.has(own))) continue;
    const name = `${configs}/${path}`;
    // Overlayfs shows a whiteout of nothing as a file that cannot be opened.
    addEmpty(shown.has(path) ? whiteoutOf(name) : name);
  }
  if (cache !== undefined) addEmpty(whiteoutOf(cache));
  return [...entries.values()].sort((a, b) => compareText(a.path, b.path));
}

function isFile(entry: Entry | undefined): boolean {
  return entry !== undefined && 'read' in entry;
}

function whiteoutOf(name: string): string {
  const slash = name.lastIndexOf('/') + 1;
  return `${name.slice(0, slash)}.wh.${name.slice(slash)}`;
}

async function writeLayer(
  entries: readonly Entry[],
  folder: TemporaryFolder,
): Promise<DocumentsLayer> {
  const [tar, whole] = [new Digester(), new Digester()];
  const unpacked = hashed(streamTar(entries), tar);
  const packed = hashed(streamGzipStored(unpacked, tarLength(entries)), whole);
  try {
    const { read } = fileAt('', await folder.write(packed));
    const { size } = whole;
    return { digest: whole.digest(), diffId: tar.digest(), size, read };
  } catch (error) {
    if (error instanceof RangeError) throw unusable(error.message);
    throw error;
  }
}

async function* hashed(content: ByteStream, digester: Digester): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    digester.update(chunk);
    yield chunk;
  }
}

export function unusable(why: string): BundleError {
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `the image of the catalog cannot be rebuilt: ${why}`,
    { hint: 'Carry it as it is: full: true without packages, or --catalog-profile verbatim.' },
  );
}
