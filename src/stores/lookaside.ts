import { fileURLToPath } from 'node:url';

import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { MAX_SIGNATURE_BYTES } from '../core/limits.ts';
import { shownUrl } from '../core/text.ts';
import { ifThere, isFolder } from '../files/look.ts';
import { readSmallFile } from '../files/small-file.ts';
import { fetchPublicFile } from './registry/http/public-file.ts';
import { Transport, type TransportOptions } from './registry/http/transport.ts';

/** A limit: a server that never ends its list has something other than signatures. */
const MAX_SIGNATURES = 100;
/** Nobody has to have them: a server that does not answer is not waited for as a registry is. */
const ATTEMPTS = 3;

/**
 * Signatures that are kept beside a registry: `BASE/REPOSITORY@sha256=HEX/signature-N`, from 1 on
 * until one is missing (containers/image, "separate storage"). They are sent no credentials but
 * those in their own URL.
 */
export class LookasideStores {
  readonly #http: Transport;
  readonly #signal: AbortSignal | undefined;
  /** The first question to each base: the others wait for it. The failure, if it is not there. */
  readonly #first = new Map<string, Promise<BundleError | undefined>>();

  constructor(options: TransportOptions) {
    const { attempts = ATTEMPTS, signal } = options;
    this.#http = new Transport({ ...options, attempts: Math.min(attempts, ATTEMPTS) });
    this.#signal = signal;
  }

  /**
   * What a base has for a digest, unchecked; what is no OpenPGP message ends the list.
   * @throws BundleError NETWORK, REGISTRY, DISK; NOT_FOUND for a folder that is not there;
   * CONTENT_MISMATCH above the limits. A base that could not be reached is not asked again.
   */
  async read(base: string, repository: string, digest: Digest): Promise<readonly Uint8Array[]> {
    const first = this.#first.get(base);
    if (first !== undefined) {
      const failure = await first;
      if (failure !== undefined) throw failure;
    }
    const reading =
      first === undefined
        ? this.#begin(base, repository, digest)
        : this.#list(base, repository, digest);
    const failing = reading.then(
      () => undefined,
      (error: unknown) => (isAway(error) ? error : undefined),
    );
    if (first === undefined) this.#first.set(base, failing);
    const failure = await failing;
    if (failure !== undefined) this.#first.set(base, Promise.resolve(failure));
    return reading;
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async #begin(base: string, repository: string, digest: Digest): Promise<readonly Uint8Array[]> {
    const url = new URL(base);
    if (url.protocol === 'file:' && !(await isFolder(pathOf(url)))) {
      throw new BundleError('NOT_FOUND', `there is no folder ${pathOf(url)}`, {
        hint: 'Check the path in registries.d, and that the file system is mounted.',
      });
    }
    return this.#list(base, repository, digest);
  }

  async #list(base: string, repository: string, digest: Digest): Promise<readonly Uint8Array[]> {
    const folder = new URL(base);
    const above = folder.pathname.replace(/\/+$/, '');
    folder.pathname = `${above}/${repository}@sha256=${hexOf(digest)}/`;
    const found: Uint8Array[] = [];
    for (let number = 1; number <= MAX_SIGNATURES; number += 1) {
      const url = new URL(folder);
      url.pathname += `signature-${number}`;
      const bytes = await this.#one(url);
      if (bytes === undefined) return found;
      found.push(bytes);
      // Every packet of OpenPGP begins so; a page that a server has for everything does not.
      if (((bytes[0] ?? 0) & 0x80) === 0) return found;
    }
    throw new BundleError(
      'CONTENT_MISMATCH',
      `${shownUrl(folder.href)} has more than ${MAX_SIGNATURES} signatures`,
    );
  }

  async #one(url: URL): Promise<Uint8Array | undefined> {
    if (url.protocol === 'file:')
      return ifThere(readSmallFile(pathOf(url), MAX_SIGNATURE_BYTES), ['ENOENT', 'ENOTDIR']);
    const limit = MAX_SIGNATURE_BYTES;
    return fetchPublicFile(this.#http, url, { limit, signal: this.#signal });
  }
}

/** Another question would be answered the same. */
function isAway(error: unknown): error is BundleError {
  return hasCode(error, 'NETWORK') || hasCode(error, 'NOT_FOUND');
}

function pathOf(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new BundleError('CONFIGURATION', `not a place of signatures: ${shownUrl(url.href)}`, {
      cause,
      hint: 'Write file:///FOLDER, without a host.',
    });
  }
}
