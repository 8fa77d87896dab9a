import { closeSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

import { type TarEntry, tarOf } from './tar.ts';

const CHUNK_BYTES = 1 << 20;
const EXECUTABLE = 0o111;

/**
 * A tar of a folder, below `name`, that depends on names, contents and executable bits alone.
 * @param mtime seconds since 1970, the same for all
 * @throws Error for anything but files and folders
 */
export function folderTar(folder: string, name: string, mtime: number): Generator<Uint8Array> {
  return tarOf(entriesOf(folder, name, mtime));
}

function* entriesOf(folder: string, name: string, mtime: number): Generator<TarEntry> {
  yield { name: `${name}/`, type: 'directory', size: 0, mode: 0o755, mtime, content: [] };
  for (const child of readdirSync(folder).sort()) {
    const [path, childName] = [join(folder, child), `${name}/${child}`];
    const stats = lstatSync(path);
    if (stats.isDirectory()) {
      yield* entriesOf(path, childName, mtime);
    } else if (stats.isFile()) {
      const mode = stats.mode & EXECUTABLE ? 0o755 : 0o644;
      yield {
        name: childName,
        type: 'file',
        size: stats.size,
        mode,
        mtime,
        content: contentOf(path),
      };
    } else {
      throw new Error(`neither a file nor a folder: ${path}`);
    }
  }
}

function* contentOf(path: string): Generator<Uint8Array> {
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const length = readSync(file, chunk);
      if (length === 0) return;
      yield chunk.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}
