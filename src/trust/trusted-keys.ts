import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { BundleError, diskError, systemCode } from '../core/errors.ts';
import { SignerKey } from './keys.ts';

/** The keys whose bundles this user accepts: a folder of `<key id>.pub` files. */
export class TrustedKeys {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** All of them, sorted by id. A file that cannot be read or is no key is an error, never skipped. */
  async list(): Promise<readonly SignerKey[]> {
    let names: string[];
    try {
      names = await readdir(this.folder);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw diskError('read', this.folder, error);
    }
    const keys: SignerKey[] = [];
    for (const name of names.filter((candidate) => candidate.endsWith('.pub')).sort()) {
      const path = join(this.folder, name);
      try {
        keys.push(SignerKey.parse(await readFile(path), path));
      } catch (error) {
        throw error instanceof BundleError ? error : diskError('read', path, error);
      }
    }
    return keys;
  }

  async add(key: SignerKey): Promise<void> {
    const path = this.#pathOf(key);
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await writeFile(path, key.pem, { mode: 0o644 });
      await chmod(path, 0o644);
    } catch (error) {
      throw diskError('write', path, error);
    }
  }

  /**
   * @param id the key id or the beginning of it, 8 hex digits or more.
   * @returns the key that was removed.
   * @throws BundleError NOT_FOUND, or USAGE when several keys begin so.
   */
  async remove(id: string): Promise<SignerKey> {
    const prefix = id.toLowerCase().replace(/^sha256:/, '');
    if (!/^[0-9a-f]{8,64}$/.test(prefix))
      throw new BundleError('USAGE', `not a key id: ${id}`, { hint: '`bundle trust list` shows the ids.' });
    const [key, ...more] = (await this.list()).filter((candidate) => candidate.id.startsWith(prefix));
    if (key === undefined)
      throw new BundleError('NOT_FOUND', `no trusted key begins with ${prefix}`, { hint: '`bundle trust list` shows the ids.' });
    if (more.length > 0) throw new BundleError('USAGE', `several trusted keys begin with ${prefix}`, { hint: 'Give more digits.' });
    try {
      await rm(this.#pathOf(key));
    } catch (error) {
      throw diskError('remove', this.#pathOf(key), error);
    }
    return key;
  }

  #pathOf(key: SignerKey): string {
    return join(this.folder, `${key.id}.pub`);
  }
}
