import type { FolderMode } from '../../../bundle/format/tar.ts';
import { isBelow, type LayerFacts } from '../catalog-layers.ts';

/** What a layer of documents has to do about the layers below it. */
export interface Hiding {
  /** Documents that a container would see: their paths below the folder of the documents. */
  readonly visible: ReadonlySet<string>;
  /** Documents that whiteouts hide which not every reader of layers understands. */
  readonly halfHidden: ReadonlySet<string>;
  /** The folder of the cache, where it has to be hidden. */
  readonly cache: string | undefined;
  /** Folders that opm and others write to, as the image had them. */
  readonly workFolders: ReadonlyMap<string, FolderMode>;
}

const USUAL: FolderMode = { mode: 0o755, uid: 0, gid: 0 };
/** Everybody may write there. opm makes its cache there, as whichever user it runs. */
const TMP: FolderMode = { ...USUAL, mode: 0o1777 };

/** An image, and what becomes of it. */
interface Change {
  readonly layers: readonly LayerFacts[];
  /** Those of the layers that stay. */
  readonly kept: readonly LayerFacts[];
  /** The folder of the cache. */
  readonly cache: string | undefined;
  /** The new documents: their paths. */
  readonly written: readonly string[];
}

/** What has to be hidden of layers that stay, and said again of those that do not. */
export function hidingOf(change: Change): Hiding {
  const { kept, cache } = change;
  const seen = new Map<string, string>();
  for (const layer of kept) layer.applyTo(seen);
  const visible = new Set(seen.keys());
  const others = kept.flatMap(({ documents }) => documents).filter((path) => !visible.has(path));
  const hidden = kept.some(({ hasCache }) => hasCache) ? cache : undefined;
  return {
    ...{ visible, cache: hidden },
    halfHidden: new Set(others.filter((path) => !isGone(path, change))),
    workFolders: workFoldersOf(change, hidden),
  };
}

/** Whether no reader sees a document: a whiteout hides it, or a folder that is not there again. */
function isGone(path: string, { kept, written }: Change): boolean {
  const last = kept.findLastIndex(({ documents }) => documents.includes(path));
  return kept.slice(last + 1).some(({ hidden }, index) => {
    const above = kept.slice(last + 2 + index);
    const later = [written, ...above.flatMap(({ documents, folders }) => [documents, folders])];
    return hidden.some(
      (own) =>
        own === path ||
        (own !== '' && isBelow(path, own) && !later.flat().some((other) => isBelow(other, own))),
    );
  });
}

function workFoldersOf(
  { layers, kept, cache }: Change,
  hidden: string | undefined,
): ReadonlyMap<string, FolderMode> {
  const folders = new Map<string, FolderMode>();
  // What runs nothing has no need of them.
  if (cache === undefined || kept.length === 0) return folders;
  for (const path of new Set([...foldersAbove(cache), 'tmp'])) {
    const [was, is] = [layers, kept].map((all) =>
      all.findLast(({ workFolders }) => workFolders.has(path))?.workFolders.get(path),
    );
    if (was === 'no folder') continue;
    const isAsBefore = typeof is === 'object' && JSON.stringify(is) === JSON.stringify(was);
    // A whiteout below a folder of which its layer says nothing gives it the mode of no layer.
    const isTouched = hidden?.startsWith(`${path}/`) === true;
    if (isAsBefore && !isTouched) continue;
    if (typeof was === 'object') folders.set(path, was);
    else if (path === 'tmp') folders.set(path, TMP);
    else if (isTouched) folders.set(path, USUAL);
  }
  return folders;
}

/** The folders that a path lies in. */
export function foldersAbove(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join('/'));
}
