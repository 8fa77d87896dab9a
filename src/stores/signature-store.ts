import { fileURLToPath } from 'node:url';
import { mapLimited } from '../core/concurrency.ts';
import { type Digest, digestOf, hexOf } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { MAX_SIGNATURE_BYTES } from '../core/limits.ts';
import { shownUrl } from '../core/text.ts';
import { ifThere, isFolder } from '../files/look.ts';
import { readSmallFile } from '../files/small-file.ts';
import { fetchPublicFile } from './registry/http/public-file.ts';
import { Transport, type TransportOptions } from './registry/http/transport.ts';

/** A limit: a store that never ends its list holds something other than signatures. */
const MAX_SIGNATURES = 100;
const STORES_AT_ONCE = 4;

export interface FetchedSignatures {
  /** Each different one once, in the order of the stores. **Not** checked. */
  readonly signatures: readonly Uint8Array[];
  /** The failure of each store that could not be read to its end. */
  readonly failures: readonly BundleError[];
}

/**
 * Collects the release signatures of `digest` from stores laid out as
 * `<store>/sha256=<hex>/signature-<N>`, N from 1 on until one is missing (containers/image,
 * "signature storage"). A store is an http, https or file URL; what they hold is proven by its own
 * signature, so plain HTTP will do.
 * @throws BundleError CONFIGURATION for anything that is no such URL; an abort.
 */
export async function fetchSignatures(
  stores: readonly string[],
  digest: Digest,
  options: TransportOptions,
): Promise<FetchedSignatures> {
  const folders = stores.map((store) => parseStore(store, digest));
  const http = new Transport(options);
  const read = async (folder: URL, signal: AbortSignal): Promise<FetchedSignatures> =>
    readStore(folder, http, signal);
  const answers = await mapLimited(folders, STORES_AT_ONCE, read, options.signal).finally(
    async () => http.close(),
  );
  const different = new Map<Digest, Uint8Array>();
  for (const bytes of answers.flatMap(({ signatures }) => signatures))
    different.set(digestOf(bytes), bytes);
  return {
    signatures: [...different.values()],
    failures: answers.flatMap(({ failures }) => failures),
  };
}

/** The folder of one digest in a store. */
function parseStore(store: string, digest: Digest): URL {
  if (!/^(?:https?|file):\/\//i.test(store) || !URL.canParse(store)) {
    throw new BundleError('CONFIGURATION', `not a signature store: ${shownUrl(store)}`, {
      hint: 'A signature store is a URL that begins with https://, http:// or file:///.',
    });
  }
  const url = new URL(store);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/sha256=${hexOf(digest)}/`;
  return url;
}

async function readStore(
  folder: URL,
  http: Transport,
  signal: AbortSignal,
): Promise<FetchedSignatures> {
  const signatures: Uint8Array[] = [];
  try {
    for (let number = 1; number <= MAX_SIGNATURES; number++) {
      const url = new URL(`signature-${number}`, folder);
      const bytes =
        url.protocol === 'file:'
          ? await readStored(pathOf(url))
          : await fetchPublicFile(http, url, { limit: MAX_SIGNATURE_BYTES, signal });
      if (bytes === undefined) break;
      signatures.push(bytes);
    }
    const store = new URL('..', folder);
    if (store.protocol === 'file:' && signatures.length === 0) await checkThere(pathOf(store));
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    return { signatures, failures: [error] };
  }
  return { signatures, failures: [] };
}

/** A store that is a folder gives what is too large the code that one on the network gives it. */
async function readStored(path: string): Promise<Uint8Array | undefined> {
  try {
    return await ifThere(readSmallFile(path, MAX_SIGNATURE_BYTES));
  } catch (error) {
    if (!hasCode(error, 'CONFIGURATION')) throw error;
    throw new BundleError('CONTENT_MISMATCH', error.message, { cause: error, hint: error.hint });
  }
}

/** A folder that is not there says nothing about signatures: it is misspelt, or not mounted. */
async function checkThere(folder: string): Promise<void> {
  if (await isFolder(folder)) return;
  throw new BundleError('NOT_FOUND', `there is no signature store at ${folder}`, {
    hint: 'Check the path, and that the file system is mounted.',
    subject: folder,
  });
}

function pathOf(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new BundleError('CONFIGURATION', `not a signature store: ${shownUrl(url.href)}`, {
      cause,
      hint: 'Write file:///FOLDER, without a host.',
    });
  }
}
