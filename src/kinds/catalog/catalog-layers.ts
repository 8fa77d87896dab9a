import type { FolderMode } from '../../bundle/format/tar.ts';
import { fileAt } from '../../catalogs/reading/catalog-folder.ts';
import { IgnoredFiles } from '../../catalogs/reading/ignore.ts';
import type { CatalogFile } from '../../catalogs/reading/read-catalog.ts';
import { readAll, utf8 } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { BundleError } from '../../core/errors.ts';
import type { Observe } from '../../core/events.ts';
import {
  MAX_CATALOG_BYTES,
  MAX_CATALOG_FILES,
  MAX_CONFIGURATION_BYTES,
  MAX_TOOLS_LAYER_BYTES,
} from '../../core/limits.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import { compareText, oneLine } from '../../core/text.ts';
import type { TemporaryFolder } from '../../files/temporary/folder.ts';
import { twiceIfWrong, verified } from '../../transfer/verified.ts';
import { chunksOf, forEachTarEntry, type TarEntry } from '../release/payload/layer-tar.ts';
import type { CatalogConfig } from './catalog-config.ts';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const IGNORE_FILE = '.indexignore';
/** The largest user or group of a plain header. */
const MAX_ID = 0o7777777;

/** The layers of the image of a catalog. */
export interface CatalogLayers {
  /** As in the manifest, base layer first. */
  readonly layers: readonly Descriptor[];
  readonly store: ReadOnlyStore;
  readonly config: Pick<CatalogConfig, 'configs' | 'cache'>;
}

/** What a layer has to do with the catalog. */
export interface LayerFacts {
  readonly layer: Descriptor;
  /** It has nothing but documents or cache, and the folders above them. */
  readonly isPure: boolean;
  /** The documents that it has: their paths below the folder of the documents. */
  readonly documents: readonly string[];
  /** The folders there that it names. */
  readonly folders: readonly string[];
  /** What it hides there, each with all that is below it; an empty path is the whole folder. */
  readonly hidden: readonly string[];
  readonly hasCache: boolean;
  /** What it says of /tmp, and of the folders above the cache. */
  readonly workFolders: ReadonlyMap<string, FolderMode | 'gone' | 'no folder'>;
  /** Leaves of the documents of lower layers what is still there, and adds its own. */
  readonly applyTo: (documents: Map<string, string>) => void;
}

export interface ReadLayers {
  /** The files of the catalog as a container would see them, by path. */
  readonly files: readonly CatalogFile[];
  readonly layers: readonly LayerFacts[];
}

interface SpoolOptions {
  /** Where the documents go; left out where only the layers are looked at. */
  readonly folder: TemporaryFolder | undefined;
  readonly signal: AbortSignal;
  readonly observe: Observe;
}

/**
 * Takes the documents of a catalog out of the layers of its image, into a temporary folder. Each
 * layer is hashed to its end before anything that it has is used. Whiteouts are honoured; links,
 * devices and names that lead out of the catalog are refused.
 * @throws BundleError CONTENT_MISMATCH, UNSUPPORTED_CONTENT, DISK; what the store throws
 */
export async function readCatalogLayers(
  image: CatalogLayers,
  { folder, signal, observe }: SpoolOptions,
): Promise<ReadLayers> {
  const places = new Map<string, string>();
  const layers: LayerFacts[] = [];
  const budget = { bytes: MAX_TOOLS_LAYER_BYTES, of: 'image of a catalog' };
  const spool = { folder, left: MAX_CATALOG_BYTES };
  for (const [done, layer] of image.layers.entries()) {
    observe({ type: 'counted', what: 'layers', done, total: image.layers.length });
    const read = async (): Promise<LayerContent> => {
      const content = new LayerContent(image.config);
      await forEachTarEntry(
        verified(image.store.fetch(layer, { signal }), layer),
        budget,
        async (entry) => content.add(entry, spool),
        signal,
      );
      return content;
    };
    try {
      observe({
        type: 'started',
        digest: layer.digest,
        bytes: layer.size,
        image: image.store.name,
      });
      const content = await twiceIfWrong(image.store, read, layer.digest, observe);
      observe({
        type: 'finished',
        digest: layer.digest,
        bytes: layer.size,
        image: image.store.name,
      });
      content.applyTo(places);
      layers.push({ layer, ...content.facts });
    } catch (error) {
      throw error instanceof BundleError ? error.about(`layer ${layer.digest}`) : error;
    }
    if (places.size > MAX_CATALOG_FILES) throw tooMany();
  }
  return { files: folder === undefined ? [] : await withoutIgnored(places), layers };
}

/** What a layer brings to the documents of a catalog. */
class LayerContent {
  readonly #configs: string;
  readonly #cache: string | undefined;
  /** Files by their path below the folder of the documents. */
  readonly #files = new Map<string, string>();
  /** Folders below it: they take the place of files that lower layers have there. */
  readonly #folders: string[] = [];
  /** Paths below that folder that are hidden, each with all that is below it. */
  readonly #hidden: string[] = [];
  /** Folders whose content in lower layers is hidden. */
  readonly #emptied: string[] = [];
  #isPure = true;
  #hasConfigs = false;
  #hasCache = false;
  readonly #workFolders = new Map<string, FolderMode | 'gone' | 'no folder'>();

  constructor({ configs, cache }: Pick<CatalogConfig, 'configs' | 'cache'>) {
    this.#configs = configs;
    // opm reads all that is below the documents: what is there is no cache.
    this.#cache = cache === undefined || isBelow(cache, configs) ? undefined : cache;
  }

  get facts(): Omit<LayerFacts, 'layer'> {
    return {
      isPure: this.#isPure && (this.#hasConfigs || this.#hasCache),
      documents: [...this.#files.keys()],
      folders: this.#folders,
      hidden: this.#hidden,
      hasCache: this.#hasCache,
      workFolders: this.#workFolders,
      applyTo: (documents) => {
        this.applyTo(documents);
      },
    };
  }

  async add(
    entry: TarEntry,
    spool: { readonly folder: TemporaryFolder | undefined; left: number },
  ): Promise<void> {
    const { name: written, type, size } = entry.header;
    const parts = written.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..') || written.includes('\0')) throw outside(written);
    const base = parts.at(-1) ?? '';
    const name = parts.join('/');
    const isFolder = type === 'directory';
    if (this.#addWhiteout(parts)) return;
    if (this.#cache !== undefined && isBelow(name, this.#cache)) this.#hasCache = true;
    else if (!isBelow(name, this.#configs)) {
      if (this.#isWorkFolder(name)) {
        this.#workFolders.set(name, isFolder ? modeOf(entry) : 'no folder');
      }
      const isAbove = [this.#configs, this.#cache].some((own) => own?.startsWith(`${name}/`));
      if (isAbove && !isFolder && isBelow(this.#configs, name)) throw noFile(written, type);
      if (!isFolder || !(isAbove || name === '')) this.#isPure = false;
      return;
    } else {
      this.#hasConfigs = true;
      if (isFolder) {
        this.#folders.push(name.slice(this.#configs.length + 1));
        return;
      }
      if (name === this.#configs || (type !== 'file' && type !== 'contiguous-file'))
        throw noFile(written, type);
      const path = name.slice(this.#configs.length + 1);
      if (this.#files.has(path)) throw twice(written);
      spool.left -= size;
      if (spool.left < 0 || base === '') throw tooLarge();
      this.#files.set(path, (await spool.folder?.write(chunksOf(entry))) ?? '');
    }
  }

  /** Lower layers first: what this one hides, then what it has. */
  applyTo(places: Map<string, string>): void {
    for (const path of places.keys()) {
      const isHidden =
        this.#hidden.some((own) => own === '' || isBelow(path, own)) ||
        this.#emptied.some((own) => own === '' || path.startsWith(`${own}/`)) ||
        // A file in the place of a folder hides all that was in it.
        foldersOf(path).some((folder) => this.#files.has(folder));
      if (isHidden) places.delete(path);
    }
    for (const folder of this.#folders) places.delete(folder);
    for (const [path, place] of this.#files) {
      for (const folder of foldersOf(path)) places.delete(folder);
      places.set(path, place);
    }
  }

  #addWhiteout(parts: readonly string[]): boolean {
    const base = parts.at(-1) ?? '';
    if (!base.startsWith(WHITEOUT)) return false;
    const isOpaque = base === OPAQUE;
    const folder = parts.slice(0, -1).join('/');
    const name = isOpaque ? folder : [...parts.slice(0, -1), base.slice(WHITEOUT.length)].join('/');
    const isAll = isBelow(this.#configs, name) || name === '';
    if (isAll || isBelow(name, this.#configs)) {
      this.#hasConfigs = true;
      // It hides more than documents.
      if (isAll && name !== this.#configs) this.#isPure = false;
      const path = isAll ? '' : name.slice(this.#configs.length + 1);
      (isOpaque ? this.#emptied : this.#hidden).push(path);
    } else if (this.#cache !== undefined && isBelow(name, this.#cache)) this.#hasCache = true;
    else this.#isPure = false;
    if (!isOpaque && this.#isWorkFolder(name)) this.#workFolders.set(name, 'gone');
    return true;
  }

  #isWorkFolder(name: string): boolean {
    return name === 'tmp' || (name !== '' && this.#cache?.startsWith(`${name}/`) === true);
  }
}

/** Numbers that no plain header has belong to no user of an image. */
function modeOf({ header }: TarEntry): FolderMode {
  const { mode, uid, gid } = header;
  const idOf = (id: number): number => (id <= MAX_ID ? id : 0);
  return { mode: mode & 0o7777, uid: idOf(uid), gid: idOf(gid) };
}

/** Whether a path is that folder, or below it. */
export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function foldersOf(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

async function withoutIgnored(
  places: ReadonlyMap<string, string>,
): Promise<readonly CatalogFile[]> {
  const ignored = new IgnoredFiles();
  const files: CatalogFile[] = [];
  for (const [path, place] of [...places].sort(([a], [b]) => compareText(a, b))) {
    const file = fileAt(path, place);
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (name === IGNORE_FILE) {
      const bytes = await readAll(file.read(), MAX_CONFIGURATION_BYTES, path);
      ignored.add(path.slice(0, -name.length), utf8(bytes));
    } else files.push(file);
  }
  return files.filter(({ path }) => !ignored.has(path));
}

const DISTRUST = 'No genuine catalog has that: do not trust this content.';

function outside(name: string): BundleError {
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `it has an entry that leads out: ${oneLine(name)}`,
    {
      hint: DISTRUST,
    },
  );
}

function noFile(name: string, type: string | null | undefined): BundleError {
  const what = type === 'symlink' || type === 'link' ? 'a link' : 'something else than a file';
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `it has ${oneLine(name)} of the catalog as ${what}`,
    { expected: 'files, and folders of files', got: type ?? 'an unknown type', hint: DISTRUST },
  );
}

function twice(name: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `it has ${oneLine(name)} twice`, {
    hint: DISTRUST,
  });
}

function tooLarge(): BundleError {
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `the files of the catalog have more than ${MAX_CATALOG_BYTES} bytes`,
    { hint: DISTRUST },
  );
}

function tooMany(): BundleError {
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `the catalog has more than ${MAX_CATALOG_FILES} files`,
    { hint: DISTRUST },
  );
}
