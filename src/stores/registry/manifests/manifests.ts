import type { Digest } from '../../../core/digest.ts';
import { BundleError } from '../../../core/errors.ts';
import { MAX_MANIFEST_BYTES } from '../../../core/limits.ts';
import { MANIFEST_TYPES } from '../../../core/media-types.ts';
import { formatRepository } from '../../../core/reference.ts';
import { pathOf, type RepositoryAccess } from '../auth/access.ts';
import { discard, headerOf, type HttpResponse } from '../http/transport.ts';
import { readWhole } from '../http/whole.ts';

/** Where a manifest is found under a tag or digest. */
export function manifestPath(access: RepositoryAccess, reference: string): string {
  return `/v2/${pathOf(access.name)}/manifests/${reference}`;
}

/**
 * What a tag or digest names, unchecked, with the type that it was announced by.
 * @param action in the infinitive, for messages.
 * @throws BundleError NOT_FOUND, NOT_ALLOWED, REGISTRY, NETWORK; CONTENT_MISMATCH above the limit.
 */
export async function getManifest(
  access: RepositoryAccess,
  reference: string,
  action: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly bytes: Uint8Array; readonly mediaType: string | undefined }> {
  const request = {
    to: manifestPath(access, reference),
    action,
    headers: { accept: MANIFEST_TYPES.join(', ') },
    signal,
  };
  const { response, body } = await readWhole(
    async () => access.send({ method: 'GET', access: 'pull', ...request }),
    {
      transport: access.transport,
      limit: MAX_MANIFEST_BYTES,
      what: `the manifest of ${formatRepository(access.name)}`,
      signal,
    },
  );
  if (body === undefined) throw await access.failure(response, action);
  return { bytes: body, mediaType: mediaTypeOf(response) };
}

export interface Manifest {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

export interface PutOptions {
  /** A tag, or the digest of the manifest. */
  readonly under: string;
  /** In the infinitive, for messages. */
  readonly action: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Puts a manifest under its digest or a tag.
 * @returns the subject that the registry says it will list it for, if it says so (`OCI-Subject`).
 * @throws BundleError REGISTRY where it was stored as something else, NOT_ALLOWED, NETWORK.
 */
export async function putManifest(
  access: RepositoryAccess,
  { mediaType, digest, bytes }: Manifest,
  { under, action, signal }: PutOptions,
): Promise<string | undefined> {
  const response = await access.send({
    method: 'PUT',
    to: manifestPath(access, under),
    action,
    access: 'push',
    headers: { 'content-type': mediaType },
    body: bytes,
    signal,
  });
  if (response.status < 200 || response.status > 299) throw await access.failure(response, action);
  const stored = headerOf(response, 'docker-content-digest');
  const subject = headerOf(response, 'oci-subject');
  await discard(response);
  if (stored !== undefined && stored !== digest)
    throw alteredByRegistry(formatRepository(access.name), digest, stored);
  return subject;
}

function mediaTypeOf(response: HttpResponse): string | undefined {
  return headerOf(response, 'content-type')?.split(';')[0]?.trim().toLowerCase();
}

function alteredByRegistry(name: string, expected: Digest, got: string): BundleError {
  return new BundleError(
    'REGISTRY',
    `${name} stored the manifest ${expected} under another digest`,
    {
      expected,
      got,
      hint: 'The registry, or something on the way, alters manifests; images pushed there cannot be pulled by digest.',
    },
  );
}
