import { type Digest, hexOf } from '../../core/digest.ts';

/** The longest path that a tar header of this format holds, in bytes. */
const MAX_PATH = 99;

/** Files of a bundle that are no blobs stand in these folders, and nowhere else. */
const FOLDERS = ['config', 'signatures', 'graph', 'charts'] as const;

const NAME = String.raw`[A-Za-z0-9_][A-Za-z0-9._+=-]*`;
const FILE = new RegExp(`^(?:${FOLDERS.join('|')})(?:/${NAME})+$`);
const OWN = new RegExp(`^(?:bundle\\.json|oci-layout|index\\.json|blobs/sha256/[0-9a-f]{64})$`);

export function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** Whether the file of a part may be called so: `config/signature-sha256-….yaml`. */
export function isFilePath(path: string): boolean {
  return path.length <= MAX_PATH && FILE.test(path);
}

/** Whether anything in a bundle may be called so. */
export function isEntryPath(path: string): boolean {
  return OWN.test(path) || isFilePath(path);
}
