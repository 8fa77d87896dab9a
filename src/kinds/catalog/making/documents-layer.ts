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

/** A layer that was made here, in its two forms. Its bytes are in a file. */
export interface DocumentsLayer {
  readonly digest: Digest;
  readonly diffId: Digest;
  readonly size: number;
  readonly read: CatalogFile['read'];
}

/** What of lower layers a layer of documents hides. */
export interface Hidden {
  /** Paths of documents below the folder of the documents. */
  readonly documents: readonly string[];
  /** The folder of the cache, where it has to be hidden. */
  readonly cache: string | undefined;
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

  /**
   * @param configs the folder of the documents.
   * @throws BundleError UNSUPPORTED_CONTENT for a path that no tar has; DISK
   */
  async layer(configs: string, hidden: Hidden): Promise<DocumentsLayer> {
    const entries = entriesOf(this.#files, configs, hidden);
    const key = JSON.stringify(entries.map(({ path }) => path));
    const layer = this.#made.get(key) ?? writeLayer(entries, this.#folder);
    this.#made.set(key, layer);
    return layer;
  }
}

type Entry = TarEntry | TarFile;

function entriesOf(
  files: readonly WrittenFile[],
  configs: string,
  { documents, cache }: Hidden,
): readonly Entry[] {
  const entries = new Map<string, Entry>();
  const addFolders = (path: string): void => {
    for (const folder of [...foldersOf(path), path]) entries.set(folder, { path: folder });
  };
  const addWhiteout = (name: string): void => {
    const path = whiteoutOf(name);
    entries.set(path, { path, bytes: new Uint8Array(0) });
  };
  addFolders(configs);
  for (const { path, size, read } of files) {
    const name = `${configs}/${path}`;
    addFolders(name.slice(0, name.lastIndexOf('/')));
    entries.set(name, { path: name, size, read });
  }
  for (const path of new Set(documents)) {
    const name = `${configs}/${path}`;
    const isReplaced = entries.has(name) || foldersOf(name).some((own) => isFile(entries.get(own)));
    if (!isReplaced) addWhiteout(name);
  }
  if (cache !== undefined) addWhiteout(cache);
  return [...entries.values()].sort((a, b) => compareText(a.path, b.path));
}

function foldersOf(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join('/'));
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
