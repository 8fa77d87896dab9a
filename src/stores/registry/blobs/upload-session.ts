import type { Digest } from '../../../core/digest.ts';
import { pathOf, type RepositoryAccess } from '../auth/access.ts';
import { discard, headerOf, type HttpResponse } from '../http/transport.ts';

/**
 * How long the cancellation of an upload may take; registries drop abandoned ones by themselves in
 * time.
 */
const CANCEL_MS = 5000;

/** An upload that was begun at the registry. */
export interface Session {
  /** Where the next request goes; registries name another one with each answer. */
  readonly url: URL;
  /** The least bytes of every chunk but the last (distribution-spec, `OCI-Chunk-Min-Length`). */
  readonly leastChunk: number | undefined;
}

/** Opens an upload session. @throws BundleError NOT_ALLOWED, NOT_FOUND, REGISTRY, NETWORK. */
export async function startSession(
  access: RepositoryAccess,
  action: string,
  signal?: AbortSignal,
): Promise<Session> {
  const response = await access.send({
    method: 'POST',
    to: `/v2/${pathOf(access.name)}/blobs/uploads/`,
    action,
    access: 'push',
    headers: { 'content-length': '0' },
    signal,
  });
  if (response.status !== 202) throw await access.failure(response, action);
  const least = Number(
    /^[0-9]{1,12}$/.exec(headerOf(response, 'oci-chunk-min-length') ?? '')?.[0] ?? Number.NaN,
  );
  await discard(response);
  return {
    url: await access.uploadUrl(response, action),
    leastChunk: Number.isNaN(least) ? undefined : least,
  };
}

/** Where a session is: how many bytes it holds. `undefined` where there is none any more. */
export async function askSession(
  access: RepositoryAccess,
  session: Session,
  action: string,
  signal?: AbortSignal,
): Promise<{ session: Session; held: number } | undefined> {
  const response = await access.send({
    method: 'GET',
    to: session.url,
    action,
    access: 'push',
    signal,
  });
  await discard(response);
  if (response.status !== 204 && response.status !== 200) return undefined;
  const moved = headerOf(response, 'location') !== undefined;
  const url = moved ? await access.uploadUrl(response, action) : session.url;
  return { session: { ...session, url }, held: heldBy(response) ?? 0 };
}

/**
 * Bytes that a session holds by its own account: `Range: 0-LAST`. `0-0` says nothing of one byte:
 * registries mean none by it.
 */
export function heldBy(response: HttpResponse): number | undefined {
  const last = /^(?:bytes=)?0-([0-9]{1,15})$/.exec(headerOf(response, 'range') ?? '')?.[1];
  if (last === undefined) return undefined;
  return last === '0' ? 0 : Number(last) + 1;
}

/** Best effort: a registry that does not cancel drops the session by itself in time. */
export async function cancelSession(
  access: RepositoryAccess,
  session: URL,
  action: string,
): Promise<void> {
  try {
    await discard(
      await access.send({
        method: 'DELETE',
        to: session,
        action,
        access: 'push',
        signal: AbortSignal.timeout(CANCEL_MS),
      }),
    );
  } catch {
    // Left to the registry's own clean-up.
  }
}

/** A blob that another repository of the same registry has. */
export interface Mount {
  readonly digest: Digest;
  /** Path of the repository that has it. */
  readonly from: string;
  /** In the infinitive, for messages. */
  readonly action: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Tries to take a blob over from another repository of the same registry (distribution-spec,
 * "Mounting a blob from another repository"). `false` where the registry would rather have it
 * uploaded, or does not let us read there.
 */
export async function mountBlob(access: RepositoryAccess, mount: Mount): Promise<boolean> {
  const { action } = mount;
  const response = await mountRequest(access, mount);
  if ([201, 202, 401, 403, 404, 405].includes(response.status)) await discard(response);
  if (response.status === 201) return true;
  if (response.status === 202)
    await cancelSession(access, await access.uploadUrl(response, action), action);
  else if (![401, 403, 404, 405].includes(response.status))
    throw await access.failure(response, action);
  return false;
}

/**
 * Asks for a blob to be mounted: 201 where it is there now, 202 where an upload was started
 * instead.
 */
export async function mountRequest(
  access: RepositoryAccess,
  { digest, from, action, signal }: Mount,
): Promise<HttpResponse> {
  const query = new URLSearchParams({ mount: digest, from });
  return access.send({
    method: 'POST',
    to: `/v2/${pathOf(access.name)}/blobs/uploads/?${query.toString()}`,
    action,
    access: 'push',
    alsoPull: from,
    headers: { 'content-length': '0' },
    signal,
  });
}
