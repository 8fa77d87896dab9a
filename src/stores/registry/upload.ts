import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { BundleError } from '../../core/errors.ts';
import { verified } from '../../core/verified.ts';
import { pathOf, type RepositoryAccess } from './access.ts';
import { discard, UPLOAD_ANSWER_MS } from './transport.ts';

/** How long the cancellation of an upload may take; registries drop abandoned ones by themselves in time. */
const CANCEL_MS = 5000;

/**
 * Uploads a blob in one request (distribution-spec, "POST then PUT"). The bytes are hashed on their way; the request is
 * complete only if they were right. On any failure the upload is given up, and its session closed as well as that can be done.
 * @throws BundleError CONTENT_MISMATCH; REGISTRY, NETWORK (`temporary` where a new attempt with a new stream may succeed); NOT_ALLOWED.
 */
export async function uploadBlob(
  access: RepositoryAccess,
  descriptor: Descriptor,
  content: ByteStream,
  action: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const session = await startUpload(access, action, signal);
  try {
    const to = new URL(session);
    to.search += `${to.search === '' ? '?' : '&'}digest=${encodeURIComponent(descriptor.digest)}`;
    const response = await access.send({
      method: 'PUT',
      to,
      action,
      access: 'push',
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(descriptor.size) },
      body: verified(content, descriptor),
      answerWithin: UPLOAD_ANSWER_MS,
      signal,
    });
    if (response.status < 200 || response.status > 299) throw mayPass(await access.failure(response, action), response.status);
    await discard(response);
  } catch (error) {
    await cancelUpload(access, session, action);
    throw error;
  }
}

/**
 * Tries to take a blob over from another repository of the same registry (distribution-spec, "Mounting a blob from another
 * repository"). `false` where the registry would rather have it uploaded, or does not let us read there.
 */
export async function mountBlob(
  access: RepositoryAccess,
  descriptor: Descriptor,
  from: string,
  action: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const query = new URLSearchParams({ mount: descriptor.digest, from });
  const response = await access.send({
    method: 'POST',
    to: `/v2/${pathOf(access.name)}/blobs/uploads/?${query.toString()}`,
    action,
    access: 'push',
    alsoPull: from,
    headers: { 'content-length': '0' },
    signal,
  });
  if ([201, 202, 401, 403, 404, 405].includes(response.status)) await discard(response);
  if (response.status === 201) return true;
  if (response.status === 202) await cancelUpload(access, await access.uploadUrl(response, action), action);
  else if (![401, 403, 404, 405].includes(response.status)) throw await access.failure(response, action);
  return false;
}

/** Opens an upload session, and gives its URL. */
async function startUpload(access: RepositoryAccess, action: string, signal: AbortSignal | undefined): Promise<URL> {
  const response = await access.send({
    method: 'POST',
    to: `/v2/${pathOf(access.name)}/blobs/uploads/`,
    action,
    access: 'push',
    headers: { 'content-length': '0' },
    signal,
  });
  if (response.status !== 202) throw await access.failure(response, action);
  await discard(response);
  return access.uploadUrl(response, action);
}

/** Best effort: a failure to cancel must not hide the failure that led to it. */
async function cancelUpload(access: RepositoryAccess, session: URL, action: string): Promise<void> {
  try {
    await discard(await access.send({ method: 'DELETE', to: session, action, access: 'push', signal: AbortSignal.timeout(CANCEL_MS) }));
  } catch {
    // Left to the registry's own clean-up.
  }
}

/**
 * An upload session that is gone, a token that ran out, a digest that the registry did not find in the bytes we had checked:
 * all may be otherwise the next time.
 */
function mayPass(error: BundleError, status: number): BundleError {
  if (error.temporary || ![400, 401, 404, 416].includes(status)) return error;
  const code = status === 404 ? 'REGISTRY' : error.code;
  return new BundleError(code, error.message, { hint: error.hint, cause: error.cause, temporary: true });
}
