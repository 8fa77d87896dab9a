import type { ByteStream } from '../../../core/bytes.ts';
import type { Descriptor } from '../../../core/descriptor.ts';
import { Digester } from '../../../core/digest.ts';
import { hasCode, isTemporary } from '../../../core/errors.ts';
import { isManifestType } from '../../../core/media-types.ts';
import type { RepositoryAccess } from '../auth/access.ts';
import { networkError } from '../http/faults.ts';
import { abandon, discard, headerOf, type HttpResponse } from '../http/transport.ts';

/** Content up to this size is read whole: that costs no more than its last byte. */
const WHOLE_BYTES = 16 * 1024;
/** A body that breaks so often in a row is one that the registry does not have. */
const BODY_ATTEMPTS = 3;
/** A storage that cannot be reached from here is not waited for: a redirect to it is an answer. */
const STORAGE_ATTEMPTS = 2;
/** How registries and storages say that there is nothing, or nothing at this byte. */
const ABSENT = [404, 410, 416];

/** Whether a registry gives content. What it gives may be cut off, or something else. */
export type Holding = 'held' | 'absent' | 'damaged';

export interface HeldRequest {
  readonly descriptor: Descriptor;
  /** The path at the registry. */
  readonly path: string;
  readonly accept: string;
  /** In the infinitive, for messages. */
  readonly action: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Whether the registry gives the content when it is asked for it. HEAD is not asked: registries
 * answer it from a cache after a garbage collection took the blob away, and storages refuse it
 * where a URL is signed for GET. Manifests and small blobs are fetched and hashed. Of others the
 * last byte is fetched, so a blob that was cut off, or has another size, does not count. A registry
 * that gives no parts of its blobs has to give the whole of them.
 *
 * Some storages behind a registry cannot be reached from here, though the registry can. Then the
 * redirect to the storage counts as a yes, and a notice says so.
 */
export async function holding(access: RepositoryAccess, request: HeldRequest): Promise<Holding> {
  const { action, signal } = request;
  const patience = access.transport.patience(BODY_ATTEMPTS);
  for (;;) {
    const response = await answerOf(access, request);
    if (response === 'behind a redirect') return 'held';
    const { status } = response;
    if (ABSENT.includes(status)) {
      await discard(response);
      return status === 416 ? 'damaged' : 'absent';
    }
    if (status !== 200 && status !== 206) throw await access.failure(response, action);
    const begun = performance.now();
    try {
      return (await isRight(response, request.descriptor)) ? 'held' : 'damaged';
    } catch (thrown) {
      const error = networkError(thrown, response.url);
      if (!isTemporary(error)) throw error;
      access.transport.broke(error, begun);
      if (!(await patience.again({ what: action, cause: error.message, signal }))) return 'damaged';
    } finally {
      abandon(response);
    }
  }
}

/** The answer to a request for the content, or for its end. */
async function answerOf(
  access: RepositoryAccess,
  { descriptor, path, accept, action, signal }: HeldRequest,
): Promise<HttpResponse | 'behind a redirect'> {
  const range = startOf(descriptor) > 0 && { range: `bytes=${startOf(descriptor)}-` };
  const request = { method: 'GET', action, access: 'pull', signal } as const;
  const headers = { accept, ...range };
  const response = await access.send({ ...request, to: path, headers, staysHere: true });
  const storage = access.redirectOut(response, action);
  if (storage === undefined) return response;
  await discard(response);
  if (access.storages.isClosed(storage.host)) return 'behind a redirect';
  try {
    const answer = await access.send({
      ...request,
      to: storage,
      headers,
      attempts: STORAGE_ATTEMPTS,
    });
    if (answer.status !== 401 && answer.status !== 403) return answer;
    await discard(answer);
    access.storages.close(storage.host, `it answered ${answer.status}`);
  } catch (error) {
    if (!hasCode(error, 'NETWORK') || signal?.aborted === true) throw error;
    access.storages.close(storage.host, error.message);
  }
  return 'behind a redirect';
}

/** The byte from which on content is asked for. */
function startOf({ mediaType, size }: Descriptor): number {
  return isManifestType(mediaType) || size <= WHOLE_BYTES ? 0 : size - 1;
}

/** Whether a body is the content, or the last byte of as many as it has. */
async function isRight(response: HttpResponse, descriptor: Descriptor): Promise<boolean> {
  const { size, digest } = descriptor;
  const start = startOf(descriptor);
  const isPart = response.status === 206;
  if (isPart && !isRangeOf(headerOf(response, 'content-range'), start, size)) return false;
  if (isPart && start > 0) return (await countBytes(response.body as ByteStream, 1)) === 1;
  // A registry that gives no parts is read to the end: the size that it tells may be remembered
  // from before it lost the rest.
  const digester = new Digester();
  for await (const chunk of response.body as ByteStream) {
    digester.update(chunk);
    if (digester.size > size) return false;
  }
  return digester.size === size && digester.digest() === digest;
}

function isRangeOf(header: string | undefined, start: number, size: number): boolean {
  const [, first, total] = /^bytes ([0-9]+)-[0-9]+\/([0-9]+|\*)$/.exec(header ?? '') ?? [];
  return Number(first) === start && (total === '*' || Number(total) === size);
}

/** The bytes that come; counting stops above `most`. */
async function countBytes(content: ByteStream, most: number): Promise<number> {
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > most) break;
  }
  return bytes;
}
