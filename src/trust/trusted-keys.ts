import { join } from 'node:path';

import { BundleError } from '../core/errors.ts';
import { MAX_KEY_BYTES } from '../core/limits.ts';
import { isAppleDouble } from '../files/droppings.ts';
import { listFolder, prepareFolder } from '../files/folder.ts';
import { ifThere, modifiedAt } from '../files/look.ts';
import { removeFile } from '../files/own-file.ts';
import { readSmallFile, withoutMark } from '../files/small-file.ts';
import { holdsAlready } from '../files/write-once.ts';
import { writeWhole } from '../files/write-whole.ts';
import { SignerKey } from './keys.ts';

/** A trusted key in its file. */
export interface TrustedKey {
  readonly path: string;
  readonly key: SignerKey;
  /** When the file was written. */
  readonly added: Date;
}

/** The keys whose bundles this user accepts: a folder of `<key id>.pub` files. */
export class TrustedKeys {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * All of them, sorted by id. A file that cannot be read or is no key is an error, never skipped,
   * unless it is what a Mac leaves beside each file.
   */
  async list(): Promise<readonly SignerKey[]> {
    return (await this.entries()).map(({ key }) => key);
  }

  /** The same, each with its file and the time when it was written. */
  async entries(): Promise<readonly TrustedKey[]> {
    const names = (await ifThere(listFolder(this.folder))) ?? [];
    const entries: TrustedKey[] = [];
    for (const name of names.filter((candidate) => candidate.endsWith('.pub'))) {
      const path = join(this.folder, name);
      const content = withoutMark(await readSmallFile(path, MAX_KEY_BYTES));
      if (name.startsWith('._') && isAppleDouble(content)) continue;
      entries.push({ path, key: SignerKey.parse(content, path), added: await modifiedAt(path) });
    }
    return entries;
  }

  /**
   * @returns since when the key has been trusted, if it was already.
   * @throws BundleError DISK
   */
  async add(key: SignerKey): Promise<Date | undefined> {
    await prepareFolder(this.folder, 0o700);
    const path = this.#pathOf(key);
    if (await holdsAlready(path, Buffer.from(key.pem))) return modifiedAt(path);
    await writeWhole(path, key.pem);
    return undefined;
  }

  /**
   * @param id the key id or the beginning of it, 8 hex digits or more.
   * @returns the key that was removed.
   * @throws BundleError NOT_FOUND, or USAGE when several keys begin so.
   */
  async remove(id: string): Promise<SignerKey> {
    const prefix = id.toLowerCase().replace(/^sha256:/, '');
    if (!/^[0-9a-f]{8,64}$/.test(prefix))
      throw new BundleError('USAGE', `not a key id: ${id}`, {
        hint: 'It has 8 hex digits or more: bundle trust list shows the ids.',
      });
    const entries = (await this.entries()).filter(({ key }) => key.id.startsWith(prefix));
    const [found] = entries;
    if (found === undefined)
      throw new BundleError('NOT_FOUND', `no trusted key begins with ${prefix}`, {
        hint: 'bundle trust list shows the ids.',
      });
    if (entries.some(({ key }) => key.id !== found.key.id))
      throw new BundleError('USAGE', `several trusted keys begin with ${prefix}`, {
        hint: 'Give more digits.',
      });
    for (const { path } of entries) await removeFile(path);
    return found.key;
  }

  #pathOf(key: SignerKey): string {
    return join(this.folder, `${key.id}.pub`);
  }
}
