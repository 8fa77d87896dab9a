import { join } from 'node:path';

import type { DescribedBundle } from '../bundle/format/plan.ts';
import { type Digest, digestFromHex, hexOf } from '../core/digest.ts';
import { BundleError, hasCode, systemCode } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { MAX_HISTORY_BYTES, MAX_RECEIPT_BYTES } from '../core/limits.ts';
import { listFolder, prepareFolder } from '../files/folder.ts';
import { ifThere, modifiedAt } from '../files/look.ts';
import { withLock } from '../files/lock.ts';
import { prepareOwnFolder } from '../files/own-file.ts';
import { readSmallFile } from '../files/small-file.ts';
import { holdsAlready } from '../files/write-once.ts';
import { writeWhole } from '../files/write-whole.ts';
import type { Closure } from '../kinds/closure.ts';
import { receiptDigest } from '../receipts/receipt.ts';
import { formatSigned, parseSigned, type SignedReceipt } from '../receipts/signed.ts';
import { formatKept, type KeptBundle, parseKept, unusableFile } from './entry.ts';
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
    if ((await this.readable(described.bundleDigest)) !== undefined) return;
    await prepareOwnFolder(join(this.folder, BUNDLES), OWN_FOLDER);
    await writeWhole(path, formatKept(described, closure));
  }

  /**
   * What a bundle lists; `undefined` if it is not known here.
   * @throws BundleError CONTENT_MISMATCH, UNSUPPORTED_CONTENT, DISK
   */
  async bundle(digest: Digest): Promise<KeptBundle | undefined> {
    const path = this.#bundlePath(digest);
    try {
      const file = await ifThere(readSmallFile(path, MAX_HISTORY_BYTES));
      return file && parseKept(file, digest, path);
    } catch (error) {
      throw isForeign(error) ? unusableFile(path, causeAt(path, error)) : error;
    }
  }

  /** The same, but nothing of a listing that is damaged: it counts for nothing. */
  async readable(digest: Digest): Promise<KeptBundle | undefined> {
    try {
      return await this.bundle(digest);
    } catch (error) {
      const isDamaged = hasCode(error, 'CONTENT_MISMATCH') || hasCode(error, 'UNSUPPORTED_CONTENT');
      if (isDamaged) return undefined;
      throw error;
    }
  }

  /** The bundles that are known here, with the time when they were kept, oldest first. */
  async bundles(): Promise<readonly { readonly digest: Digest; readonly kept: Date }[]> {
    const found: { digest: Digest; kept: Date }[] = [];
    for (const [path, hex] of await this.#filesIn(BUNDLES, BUNDLE_FILE)) {
      const kept = await ifThere(modifiedAt(path));
      if (kept !== undefined) found.push({ digest: digestFromHex(hex), kept });
    }
    return found.sort((a, b) => a.kept.getTime() - b.kept.getTime());
  }

  /**
   * Keeps a receipt that somebody has accepted: from now on, its key is one of the site.
   * @throws BundleError DISK
   */
  async keepReceipt(signed: SignedReceipt): Promise<void> {
    const { site, signer: key } = signed.receipt;
    const { digest, bytes } = formatSiteKey({ site, key });
    await this.#keepFile(SITE_KEYS, digest, bytes);
    await this.#keepFile(RECEIPTS, receiptDigest(signed.receipt), formatSigned(signed));
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
        const cause = causeAt(path, error);
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

  #bundlePath(digest: Digest): string {
    return join(this.folder, BUNDLES, `${hexOf(digest)}.zst`);
  }

  /** Writes a small file, unless it is there; one that was damaged is written again. */
  async #keepFile(inside: string, digest: Digest, bytes: Uint8Array): Promise<void> {
    const path = join(this.folder, inside, `${hexOf(digest)}.json`);
    if (await holdsAlready(path, bytes)) return;
    await prepareOwnFolder(join(this.folder, inside), OWN_FOLDER);
    await writeWhole(path, bytes);
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

/** The error codes of the system for a folder, a socket or a circle of links instead of a file. */
const NO_FILE: readonly (string | undefined)[] = ['EISDIR', 'ELOOP', 'ENXIO'];

/** Whether what is there is none of our files at all, and not only out of reach for now. */
function isForeign(error: unknown): error is BundleError {
  if (hasCode(error, 'CONFIGURATION') || hasCode(error, 'BUNDLE_UNUSABLE')) return true;
  return hasCode(error, 'DISK') && NO_FILE.includes(systemCode(error.cause));
}

/** What is wrong with a file, for a sentence that has named it. */
function causeAt(path: string, { message }: BundleError): string {
  if (message.startsWith(`${path} `)) return `it ${message.slice(path.length + 1)}`;
  for (const named of [`${path}: `, `cannot read ${path}: `])
    if (message.startsWith(named)) return message.slice(named.length);
  return message;
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
