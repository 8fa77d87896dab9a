import { join } from 'node:path';

import { writeAll } from './direct-file.ts';
import { createFile, isFileThere, PARTIAL_SUFFIX, removeFile, renameFile } from './own-file.ts';
import { onDisk, syncFolder } from './write-whole.ts';

/**
 * Files of any size that get their names together, when all of them are whole and right. A lock
 * keeps other runs from the folder meanwhile.
 */
export class StagedFiles {
  readonly #folder: string;
  readonly #names = new Set<string>();

  /** @param folder that is there. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Writes a file under a temporary name; what was staged for its name before is replaced.
   * @throws BundleError DISK; what `fill` throws.
   */
  async write(
    name: string,
    fill: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const path = join(this.#folder, name);
    const partial = `${path}${PARTIAL_SUFFIX}`;
    const within = async <T>(work: () => Promise<T>): Promise<T> => onDisk('write', path, work);
    await isFileThere(path); // nothing else may have the name: told before the work, not after it
    const file = await within(async () => createFile(partial));
    this.#names.add(name);
    try {
      await fill(async (chunk) => within(async () => writeAll(file, chunk)));
      await within(async () => file.sync());
    } finally {
      await file.close();
    }
  }

  /** Takes back a file that is not named yet. @throws BundleError DISK */
  async drop(name: string): Promise<void> {
    if (this.#names.delete(name)) await removeFile(join(this.#folder, `${name}${PARTIAL_SUFFIX}`));
  }

  /**
   * Gives all files their names.
   * @param first the file that gets its name before the others: what says of them what they are,
   * also where a run ends between two of them.
   * @throws BundleError DISK
   */
  async finish(first?: string): Promise<void> {
    const names = [...this.#names].sort((a, b) => Number(b === first) - Number(a === first));
    for (const name of names) {
      const path = join(this.#folder, name);
      await onDisk('write', path, async () => renameFile(`${path}${PARTIAL_SUFFIX}`, path));
      this.#names.delete(name);
    }
    await syncFolder(this.#folder);
  }

  /** Removes what has no name yet. @throws BundleError DISK */
  async discard(): Promise<void> {
    for (const name of [...this.#names]) await this.drop(name);
  }
}
