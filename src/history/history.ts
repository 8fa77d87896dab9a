import { join } from 'node:path';

import type { DescribedBundle } from '../bundle/format/plan.ts';
import { type Digest, digestFromHex, hexOf } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { MAX_HISTORY_BYTES, MAX_RECEIPT_BYTES } from '../core/limits.ts';
import { listFolder, prepareFolder } from '../files/folder.ts';
import { ifThere, modifiedAt } from '../files/look.ts';
import { withLock } from '../files/lock.ts';
import { isFileThere, prepareOwnFolder } from '../files/own-file.ts';
import { readSmallFile } from '../files/small-file.ts';
import { writeWhole } from '../files/write-whole.ts';
import type { Closure } from '../kinds/closure.ts';
import { receiptDigest } from '../receipts/receipt.ts';
import { formatSigned, parseSigned, type SignedReceipt } from '../receipts/signed.ts';
import { formatKept, type KeptBundle, parseKept } from './entry.ts';
import { formatSiteKey, parseSiteKey, type SiteKeys } from './site-keys.ts';

const BUNDLES = 'bundles';
const RECEIPTS = 'receipts';
const SITE_KEYS = 'site-keys';
/** Others may read what was packed here; whatever the mask of the user says, they do not write. */
const OWN_FOLDER = 0o755;
const BUNDLE_FILE = /^([0-9a-f]{64})\.zst$/;
const JSON_FILE = /^([0-9a-f]{64})\.json$/;
/** A writer needs some milliseconds; on a file server whose other side has died, a minute. */
const LOCK_WAIT_MS = 90_000;

/**
 * What was packed, and the receipts of its deliveries: a folder of small files, each named by the
 * digest of what it holds. Each is written whole under its name, and never changed, so several hosts
 * may use one folder at a time, and a power cut leaves no half of one.
 */
export class History {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Keeps what a bundle lists. @throws BundleError DISK */
  async keepBundle(described: DescribedBundle, closure: Closure): Promise<void> {
    const path = this.#bundlePath(described.bundleDigest);
    if ((await this.#readable(described.bundleDigest)) !== undefined) return;
    await prepareOwnFolder(join(this.folder, BUNDLES), OWN_FOLDER);
    await writeWhole(path, formatKept(described, closure));
  }

  /**
   * What a bundle lists; `undefined` if it is not known here.
   * @throws BundleError CONTENT_MISMATCH, UNSUPPORTED_CONTENT, DISK
   */
  async bundle(digest: Digest): Promise<KeptBundle | undefined> {
    const path = this.#bundlePath(digest);
    const file = await ifThere(readSmallFile(path, MAX_HISTORY_BYTES));
    return file && parseKept(file, digest, path);
  }

  /** The bundles that are known here, with the time when they were kept, oldest first. */
  async bundles(): Promise<readonly { readonly digest: Digest; readonly kept: Date }[]> {
    const found: { digest: Digest; kept: Date }[] = [];
    for (const [path, hex] of await this.#filesIn(BUNDLES, BUNDLE_FILE))
      found.push({ digest: digestFromHex(hex), kept: await modifiedAt(path) });
    return found.sort((a, b) => a.kept.getTime() - b.kept.getTime());
  }

  /**
   * Keeps a receipt that somebody has accepted: from now on, its key is one of the site.
   * @returns whether it was not there yet.
   * @throws BundleError DISK
   */
  async keepReceipt(signed: SignedReceipt): Promise<boolean> {
    const { site, signer: key } = signed.receipt;
    const siteKey = formatSiteKey({ site, key });
    const keyPath = join(this.folder, SITE_KEYS, `${hexOf(siteKey.digest)}.json`);
    if (!(await isFileThere(keyPath))) {
      await prepareOwnFolder(join(this.folder, SITE_KEYS), OWN_FOLDER);
      await writeWhole(keyPath, siteKey.bytes);
    }
    const path = this.#receiptPath(receiptDigest(signed.receipt));
    if (await isFileThere(path)) return false;
    await prepareOwnFolder(join(this.folder, RECEIPTS), OWN_FOLDER);
    await writeWhole(path, formatSigned(signed));
    return true;
  }

  /**
   * All receipts that are here. Nobody has checked their signatures: the folder may be a shared one.
   * One that cannot be read is told, and left aside.
   */
  async receipts(observe: Observe): Promise<readonly SignedReceipt[]> {
    const found: SignedReceipt[] = [];
    for (const [path, hex] of await this.#filesIn(RECEIPTS, JSON_FILE)) {
      try {
        const signed = parseSigned(await readSmallFile(path, MAX_RECEIPT_BYTES), path);
        if (hexOf(receiptDigest(signed.receipt)) !== hex)
          throw new BundleError('CONTENT_MISMATCH', `${path} has the name of another receipt`);
        found.push(signed);
      } catch (error) {
        if (!(error instanceof BundleError)) throw error;
        const cause = error.message.replace(`${path}: `, '');
        observe({ type: 'noticed', code: 'receipt-left-aside', receipts: [path], cause });
      }
    }
    return found;
  }

  /** The keys of the sites whose receipts were kept here. What cannot be read accepts no key. */
  async siteKeys(): Promise<SiteKeys> {
    const keys = new Map<string, Set<string>>();
    for (const [path, hex] of await this.#filesIn(SITE_KEYS, JSON_FILE)) {
      try {
        const { site, key } = parseSiteKey(await readSmallFile(path, MAX_RECEIPT_BYTES), hex, path);
        keys.set(site, (keys.get(site) ?? new Set()).add(key));
      } catch (error) {
        if (!(error instanceof BundleError)) throw error;
      }
    }
    return keys;
  }

  /** Runs work that decides by what is here, while nobody else does. @throws BundleError DISK */
  async locked<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await prepareFolder(this.folder, OWN_FOLDER);
    return withLock(join(this.folder, 'history'), signal, work, LOCK_WAIT_MS);
  }

  async #readable(digest: Digest): Promise<KeptBundle | undefined> {
    try {
      return await this.bundle(digest);
    } catch (error) {
      // It was damaged: the same content is written in its place.
      if (hasCode(error, 'CONTENT_MISMATCH') || hasCode(error, 'UNSUPPORTED_CONTENT'))
        return undefined;
      if (hasCode(error, 'BUNDLE_UNUSABLE') || hasCode(error, 'CONFIGURATION')) return undefined;
      throw error;
    }
  }

  #bundlePath(digest: Digest): string {
    return join(this.folder, BUNDLES, `${hexOf(digest)}.zst`);
  }

  #receiptPath(digest: Digest): string {
    return join(this.folder, RECEIPTS, `${hexOf(digest)}.json`);
  }

  /** Nothing else in the folder is looked at. */
  async #filesIn(inside: string, form: RegExp): Promise<readonly (readonly [string, string])[]> {
    const folder = join(this.folder, inside);
    const names = (await ifThere(listFolder(folder))) ?? [];
    return names.flatMap((name) => {
      const [, hex] = form.exec(name) ?? [];
      return hex === undefined ? [] : [[join(folder, name), hex] as const];
    });
  }
}

/**
 * Keeps something where that is possible: nobody loses a bundle or a delivery because the history
 * cannot be written.
 */
export async function keepIfPossible(
  history: History,
  what: string,
  observe: Observe,
  keep: () => Promise<unknown>,
): Promise<void> {
  try {
    await keep();
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    const { message: cause } = error;
    const { folder } = history;
    observe({ type: 'noticed', code: 'history-not-kept', folder, what, cause });
  }
}
