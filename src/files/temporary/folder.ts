import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ByteStream } from '../../core/bytes.ts';
import { onDisk } from '../write-whole.ts';

/** A folder of one run, for what is too large for memory. Nobody else can look into it. */
export class TemporaryFolder {
  readonly path: string;
  #count = 0;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes it where the system wants such folders (TMPDIR). @throws BundleError DISK */
  static async make(): Promise<TemporaryFolder> {
    const prefix = join(tmpdir(), 'bundle-');
    return new TemporaryFolder(
      await onDisk('make a folder such as', prefix, async () => mkdtemp(prefix)),
    );
  }

  /**
   * Gives `work` such a folder, and removes it afterwards.
   * @throws BundleError DISK; what `work` throws
   */
  static async during<T>(work: (folder: TemporaryFolder) => Promise<T>): Promise<T> {
    const folder = await TemporaryFolder.make();
    try {
      return await work(folder);
    } finally {
      await folder.remove();
    }
  }

  /**
   * Writes a new file, named by a number.
   * @returns its path. @throws BundleError DISK; what the content throws
   */
  async write(content: ByteStream): Promise<string> {
    this.#count += 1;
    const path = join(this.path, String(this.#count));
    const file = await onDisk('write', path, async () => open(path, 'wx', 0o600));
    try {
      for await (const chunk of content)
        await onDisk('write', path, async () => file.writeFile(chunk));
    } finally {
      await file.close();
    }
    return path;
  }

  /** Removes it with all that is in it. @throws BundleError DISK */
  async remove(): Promise<void> {
    await onDisk('remove', this.path, async () => rm(this.path, { recursive: true, force: true }));
  }
}
