import type { LayerIndex, LayerNode } from './layer-index.ts';

/** Where a path of an image leads. */
export type Resolved =
  /** A file: the number of its layer in the list, and its name there. */
  | { readonly state: 'found'; readonly layer: number; readonly name: string }
  /** No file, whatever the layers are that were not read. */
  | { readonly state: 'absent' }
  /** The next layer has to be read to know; `name` is looked for in it. */
  | { readonly state: 'unknown'; readonly name: string };

/** As many links in one path are followed as Linux does. */
const MAX_LINKS = 40;

const ABSENT: Resolved = { state: 'absent' };

/**
 * Follows a path through the layers of an image, as a container would see it: upper layers win,
 * whiteouts hide, links are followed within the image alone.
 * @param layers the topmost first; those that were read.
 * @param isAll whether no more layers are below them.
 */
export function resolvePath(path: string, layers: readonly LayerIndex[], isAll: boolean): Resolved {
  let rest = path.split('/');
  let at: readonly string[] = [];
  for (let links = 0; rest.length > 0;) {
    const [next, ...behind] = rest;
    if (next === '' || next === '.' || next === '..') {
      at = next === '..' ? at.slice(0, -1) : at; // above the root is the root
      rest = behind;
      continue;
    }
    const name = [...at, next!].join('/');
    const found = nodeAt(name, layers, 0);
    if (found === 'hidden') return ABSENT;
    if (found === undefined) {
      return isAll ? ABSENT : { state: 'unknown', name: [name, ...behind].join('/') };
    }
    const { node, layer } = found;
    if (node.type === 'link') {
      links += 1;
      if (links > MAX_LINKS) return ABSENT;
      rest = [...node.target.split('/'), ...behind];
      at = node.target.startsWith('/') ? [] : at;
      continue;
    }
    if (node.type === 'folder') {
      at = [...at, next!];
      rest = behind;
      continue;
    }
    if (behind.some((part) => part !== '' && part !== '.')) return ABSENT;
    return node.type === 'file'
      ? { state: 'found', layer, name }
      : hardLinked(found, layers, isAll);
  }
  return ABSENT; // a folder
}

interface FoundNode {
  readonly node: LayerNode;
  readonly layer: number;
}

/** The node under a name, in the topmost layer that has one. */
function nodeAt(
  name: string,
  layers: readonly LayerIndex[],
  from: number,
): FoundNode | 'hidden' | undefined {
  for (let layer = from; layer < layers.length; layer += 1) {
    const node = layers[layer]!.get(name);
    if (node !== undefined) return { node, layer };
    if (layers[layer]!.hides(name)) return 'hidden';
  }
  return undefined;
}

/**
 * The file that a hard link shares. It is in the layer of the link, or one below; a layer above
 * may have another file under that name.
 */
function hardLinked(found: FoundNode, layers: readonly LayerIndex[], isAll: boolean): Resolved {
  let { node, layer } = found;
  for (let links = 0; node.type === 'hard-link' && links < MAX_LINKS; links += 1) {
    const { target } = node;
    const next = nodeAt(target, layers, layer);
    if (next === undefined) return isAll ? ABSENT : { state: 'unknown', name: target };
    if (next === 'hidden') return ABSENT;
    if (next.node.type === 'file') return { state: 'found', layer: next.layer, name: target };
    ({ node, layer } = next);
  }
  return ABSENT;
}
