import { BundleError } from '../../core/errors.ts';
import {
  asObject,
  isObject,
  type Json,
  type JsonObject,
  parseStrictJson,
} from '../../core/json.ts';
import { MAX_LOCK_BYTES, MAX_LOCK_DEPTH } from '../../core/limits.ts';
import { readGivenFile } from '../../files/small-file.ts';
import type { OffersRequest } from '../../kinds/graph/offers.ts';
import {
  digest,
  listOf,
  objectOf,
  oneOf,
  type Reader,
  size,
  text,
  yesOrNo,
} from '../../kinds/lock/fields.ts';
import {
  type Lock,
  LOCK_FORMS,
  LOCK_KIND,
  type LockedBlob,
  type LockedContent,
  type LockedFile,
  type LockedPart,
} from './lock.ts';

const anything: Reader<JsonObject> = (value, what) => {
  if (depthOf(value, MAX_LOCK_DEPTH) <= MAX_LOCK_DEPTH) return asObject(value, what);
  throw new BundleError('UNSUPPORTED_CONTENT', `${what} is nested too deeply`);
};

const readFields = objectOf<Lock>({
  name: { optional: text },
  volumeSize: { optional: size },
  signatures: yesOrNo,
  referrers: yesOrNo,
  offers: {
    optional: objectOf<OffersRequest>({
      channel: text,
      update: { optional: objectOf({ from: text, to: text }) },
    }),
  },
  config: { optional: anything },
  parts: listOf(
    objectOf<LockedPart>({ label: text, row: digest, images: size, bytes: size, added: size }),
  ),
  releases: listOf(LOCK_FORMS.releases.read),
  graph: listOf(LOCK_FORMS.graph.read),
  catalogs: listOf(LOCK_FORMS.catalogs.read),
  charts: listOf(LOCK_FORMS.charts.read),
  images: listOf(LOCK_FORMS.images.read),
  contents: listOf(
    objectOf<LockedContent>({
      name: text,
      role: text,
      source: text,
      bytes: size,
      attached: { optional: oneOf(['tag', 'referrer']) },
      subject: { optional: digest },
    }),
  ),
  files: listOf(objectOf<LockedFile>({ path: text, role: text, digest })),
  blobs: listOf(objectOf<LockedBlob>({ digest, size })),
});

/**
 * Reads a lock. Nothing in it is believed: it only says what to ask for.
 * @throws BundleError CONFIGURATION for what is no lock; NOT_FOUND, DISK
 */
export async function readLock(path: string): Promise<Lock> {
  return parseLock(await readGivenFile(path, MAX_LOCK_BYTES, 'the lock'), path);
}

/** @param path for messages. @throws BundleError CONFIGURATION */
export function parseLock(content: Uint8Array, path: string): Lock {
  try {
    const document = asObject(parseStrictJson(content, path), path);
    if (document['kind'] !== LOCK_KIND) throw noLock(document, path);
    return readFields(
      Object.fromEntries(Object.entries(document).filter(([key]) => key !== 'kind')),
      path,
    );
  } catch (error) {
    if (!(error instanceof BundleError) || error.code !== 'UNSUPPORTED_CONTENT') throw error;
    throw new BundleError('CONFIGURATION', error.message, {
      cause: error,
      subject: path,
      hint: 'Use it as bundle pack --lock FILE has written it, and do not edit it; or write a new one.',
    });
  }
}

function noLock({ kind }: JsonObject, path: string): BundleError {
  const isNewer = typeof kind === 'string' && /^bundle lock \d+$/.test(kind);
  return new BundleError(
    'CONFIGURATION',
    isNewer ? `${path} is a lock of another version of this program` : `${path} is no lock`,
    {
      expected: LOCK_KIND,
      got: typeof kind === 'string' ? kind.slice(0, 100) : 'no kind',
      subject: path,
      hint: isNewer
        ? 'Use the version that has written it, or write a new one.'
        : 'Name a file that bundle pack --lock FILE has written.',
    },
  );
}

/** Counted no further than a limit. */
function depthOf(value: Json, limit: number): number {
  if (limit < 0 || (!isObject(value) && !Array.isArray(value))) return 0;
  const inner = Object.values(value as object) as readonly Json[];
  return 1 + inner.reduce<number>((most, own) => Math.max(most, depthOf(own, limit - 1)), 0);
}
