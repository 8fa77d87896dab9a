import type { TarEntry } from '../kinds/release/payload/layer-tar.ts';
import { BundleError } from '../core/errors.ts';
import { MAX_LAYER_NAMES } from '../core/limits.ts';

/** What a layer has under a name. A hard link and a symbolic link have a `target`. */
export type LayerNode =
  | { readonly type: 'file' | 'folder' | 'other' }
  | { readonly type: 'link' | 'hard-link'; readonly target: string };

const WHITEOUT = '.wh.';
/** An entry takes memory beside its name, about that of so many characters. */
const ENTRY = 64;
const OPAQUE = '.wh..wh..opq';

/** The names in one layer, and the names that it hides in the layers below. */
export class LayerIndex {
  readonly #nodes = new Map<string, LayerNode>();
  readonly #hidden = new Set<string>();
  readonly #emptied = new Set<string>();
  /** Of all names that are kept. */
  #characters = 0;

  /**
   * Notes an entry. Names are compared, never used as paths of this host: one that is absolute, or
   * leads upwards, is passed over.
   * @returns the name, for an entry that counts.
   * @throws BundleError UNSUPPORTED_CONTENT for too many names.
   */
  add(entry: TarEntry): string | undefined {
    const name = plainName(entry.header.name);
    if (name === undefined || name === '') return undefined;
    this.#count(name.length + targetOf(entry).length + ENTRY);
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
      if (this.#nodes.has(folder)) continue;
      this.#count(folder.length + ENTRY);
      this.#nodes.set(folder, { type: 'folder' });
    }
  }

  #count(characters: number): void {
    this.#characters += characters;
    if (this.#characters <= MAX_LAYER_NAMES) return;
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      'the names of its files are too many or too long',
      {
        expected: `${MAX_LAYER_NAMES} characters at most`,
        hint: 'No genuine layer has as many: do not trust this content.',
      },
    );
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

function nodeOf(entry: TarEntry): LayerNode {
  const { type } = entry.header;
  if (type === 'file' || type === 'contiguous-file') return { type: 'file' };
  if (type === 'directory') return { type: 'folder' };
  const target = targetOf(entry);
  if (type === 'symlink') return { type: 'link', target };
  const linked = type === 'link' ? plainName(target) : undefined;
  return linked === undefined ? { type: 'other' } : { type: 'hard-link', target: linked };
}

/** Where a link leads. */
function targetOf({ header }: TarEntry): string {
  const linkname: unknown = header.linkname; // null where it is empty
  return typeof linkname === 'string' ? linkname : '';
}
