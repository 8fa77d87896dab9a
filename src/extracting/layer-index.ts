import type { TarEntry } from '../kinds/release/payload/layer-tar.ts';
import { BundleError } from '../core/errors.ts';
import { MAX_LAYER_ENTRIES } from '../core/limits.ts';

/** What a layer has under a name. A hard link and a symbolic link have a `target`. */
export type LayerNode =
  | { readonly type: 'file' | 'folder' | 'other' }
  | { readonly type: 'link' | 'hard-link'; readonly target: string };

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** The names in one layer, and the names that it hides in the layers below. */
export class LayerIndex {
  readonly #nodes = new Map<string, LayerNode>();
  readonly #hidden = new Set<string>();
  readonly #emptied = new Set<string>();

  /**
   * Notes an entry. Names are compared, never used as paths of this host: one that is absolute, or
   * leads upwards, is passed over.
   * @returns the name, for an entry that counts.
   * @throws BundleError UNSUPPORTED_CONTENT for too many entries.
   */
  add(entry: TarEntry): string | undefined {
    const name = plainName(entry.header.name);
    if (name === undefined || name === '') return undefined;
    const slash = name.lastIndexOf('/') + 1;
    const folder = name.slice(0, Math.max(slash - 1, 0));
    const base = name.slice(slash);
    if (base === OPAQUE) this.#emptied.add(folder);
    else if (base.startsWith(WHITEOUT))
      this.#hidden.add(name.slice(0, slash) + base.slice(WHITEOUT.length));
    else {
      this.#nodes.set(name, nodeOf(entry));
      this.#addFoldersOf(name);
    }
    if (this.#nodes.size + this.#hidden.size + this.#emptied.size > MAX_LAYER_ENTRIES) {
      throw new BundleError('UNSUPPORTED_CONTENT', `it has more than ${MAX_LAYER_ENTRIES} files`, {
        hint: 'No genuine layer has as many: do not trust this content.',
      });
    }
    return name;
  }

  /** What the layer itself has under a name. */
  get(name: string): LayerNode | undefined {
    return this.#nodes.get(name);
  }

  /** Whether nothing that a lower layer has under a name can be seen through this layer. */
  hides(name: string): boolean {
    for (const folder of foldersOf(name)) {
      if (this.#hidden.has(folder) || this.#emptied.has(folder)) return true;
      const node = this.#nodes.get(folder);
      if (node !== undefined && node.type !== 'folder') return true;
    }
    return this.#hidden.has(name) || this.#emptied.has('');
  }

  /** The names in a folder that are files. */
  filesIn(folder: string): readonly string[] {
    return [...this.#nodes]
      .filter(([name, { type }]) => type === 'file' && name.startsWith(`${folder}/`))
      .map(([name]) => name.slice(folder.length + 1))
      .filter((name) => !name.includes('/'));
  }

  /** Many tars do not list the folders above a file. */
  #addFoldersOf(name: string): void {
    for (const folder of foldersOf(name)) {
      if (!this.#nodes.has(folder)) this.#nodes.set(folder, { type: 'folder' });
    }
  }
}

/** The folders above a name, the topmost first. */
function* foldersOf(name: string): Generator<string> {
  for (let at = name.indexOf('/'); at !== -1; at = name.indexOf('/', at + 1)) {
    yield name.slice(0, at);
  }
}

/** A name without `./` in front and slashes at the end; `undefined` if it leads out of the image. */
function plainName(name: string): string | undefined {
  if (name.startsWith('/') || name.includes('\0')) return undefined;
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') ? undefined : parts.join('/');
}

function nodeOf({ header }: TarEntry): LayerNode {
  const { type } = header;
  if (type === 'file' || type === 'contiguous-file') return { type: 'file' };
  if (type === 'directory') return { type: 'folder' };
  const linkname: unknown = header.linkname; // null where it is empty
  const target = typeof linkname === 'string' ? linkname : '';
  if (type === 'symlink') return { type: 'link', target };
  const linked = type === 'link' ? plainName(target) : undefined;
  return linked === undefined ? { type: 'other' } : { type: 'hard-link', target: linked };
}
