import { type Digest, digestOf } from '../../../core/digest.ts';
import { BundleError, hasCode } from '../../../core/errors.ts';
import { asObject, isObject, type Json, parseStrictJson } from '../../../core/json.ts';
import { MAX_MANIFEST_BYTES } from '../../../core/limits.ts';
import { MANIFEST_TYPES } from '../../../core/media-types.ts';
import { formatRepository } from '../../../core/reference.ts';
import { pathOf, type RepositoryAccess } from '../auth/access.ts';
import { registryCodes } from '../http/answers.ts';
import { discard, headerOf, type HttpResponse } from '../http/transport.ts';
import { readWhole } from '../http/whole.ts';

/** How registries say that they have stored something (distribution-spec, "Pushing Manifests"). */
export const CREATED = 201;
/** Stands for the digest of what the credentials may not read. */
const NOT_TO_BE_READ = 'not to be read';
/** So often it is looked whether what was pushed is there. */
const CONFIRMING_ATTEMPTS = 3;
/** A manifest is refused so often in all for something that it lacks. */
const LACKING_ATTEMPTS = 5;
/**
 * How registries say that they lack what a manifest points to. distribution says DIGEST_INVALID
 * where it reads the link to a blob while another upload of the blob writes that link anew.
 */
export const LACKING_CODES: readonly string[] = [
  'BLOB_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_UNKNOWN',
];

/** Where a manifest is found under a tag or digest. */
export function manifestPath(access: RepositoryAccess, reference: string): string {
  return `/v2/${pathOf(access.name)}/manifests/${reference}`;
}

/**
 * The manifest that a tag or digest names, unchecked, with the media type of the answer.
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
  /** Brings what the manifest points to once more, where the registry lacks it. */
  readonly restore?: (() => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Puts a manifest under its digest or a tag. Where the registry says that it lacks what the
 * manifest points to, that is brought once more and the manifest is put again, five times in all:
 * another run that pushes the same blobs hides them from it for moments, and a garbage collection
 * takes them away.
 * @returns the subject that the registry says it will list it for, if it says so (`OCI-Subject`).
 * @throws BundleError REGISTRY where it was stored as something else, NOT_ALLOWED, NETWORK.
 */
export async function putManifest(
  access: RepositoryAccess,
  { mediaType, digest, bytes }: Manifest,
  { under, action, restore, signal }: PutOptions,
): Promise<string | undefined> {
  const patience = access.transport.patience(LACKING_ATTEMPTS);
  const send = async (): Promise<HttpResponse> =>
    access.send({
      method: 'PUT',
      to: manifestPath(access, under),
      action,
      access: 'push',
      headers: { 'content-type': mediaType },
      body: bytes,
      signal,
    });
  let response = await send();
  while (response.status < 200 || response.status > 299) {
    const error = await access.failure(response, action);
    const codes = registryCodes(error).filter((code) => LACKING_CODES.includes(code));
    const foreign = foreignLayerIn(bytes);
    if (foreign !== undefined && response.status === 500)
      throw error.withHint(foreignLayerHint(foreign));
    if (codes.length === 0) throw refusedType(error, mediaType, response.status);
    const cause = `status ${response.status}, ${codes.join(', ')}`;
    if (!(await patience.again({ what: action, cause, error, signal }))) throw lacking(error);
    await restore?.();
    response = await send();
  }
  const stored = headerOf(response, 'docker-content-digest');
  const subject = headerOf(response, 'oci-subject');
  await discard(response);
  if (stored !== undefined && stored !== digest)
    throw alteredByRegistry(formatRepository(access.name), digest, stored);
  // A proxy or a login page may have answered in place of the registry.
  if (response.status !== CREATED || stored === undefined)
    await confirmManifest(access, { digest }, { under, action, signal });
  return subject;
}

/**
 * Makes sure that a manifest can be had under the name that it was put under. Credentials that may
 * only write are believed.
 * @throws BundleError REGISTRY where it cannot, or something else is there.
 */
export async function confirmManifest(
  access: RepositoryAccess,
  { digest }: Pick<Manifest, 'digest'>,
  { under, action, signal }: PutOptions,
): Promise<void> {
  const patience = access.transport.patience(CONFIRMING_ATTEMPTS);
  let got: string;
  do {
    got = await digestUnder(access, under, action, signal);
    if (got === digest || got === NOT_TO_BE_READ) return;
    // Replicas learn of it a moment later.
  } while (await patience.again({ what: action, cause: `${got} is there yet`, signal }));
  const name = formatRepository(access.name);
  throw new BundleError('REGISTRY', `${name} does not have what was pushed as ${under}`, {
    expected: digest,
    got,
    hint:
      'The registry, or a proxy or login page before it, says yes to an upload and does not keep ' +
      'it. Look at what is between here and the registry, and at its log.',
  });
}

async function digestUnder(
  access: RepositoryAccess,
  under: string,
  action: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  try {
    return digestOf((await getManifest(access, under, action, signal)).bytes);
  } catch (error) {
    if (hasCode(error, 'NOT_ALLOWED')) return NOT_TO_BE_READ;
    if (hasCode(error, 'NOT_FOUND')) return 'nothing';
    throw error;
  }
}

function mediaTypeOf(response: HttpResponse): string | undefined {
  return headerOf(response, 'content-type')?.split(';')[0]?.trim().toLowerCase();
}

/** A layer that is meant to stay where its URLs lead (OCI image-spec, "Non-Distributable Layers"). */
function foreignLayerIn(bytes: Uint8Array): string | undefined {
  const { layers } = asObject(parseStrictJson(bytes, 'manifest'), 'manifest');
  const found = Array.isArray(layers)
    ? (layers as readonly Json[]).filter(isObject).find(({ urls }) => Array.isArray(urls))
    : undefined;
  return typeof found?.['digest'] === 'string' ? found['digest'] : undefined;
}

function foreignLayerHint(digest: string): string {
  return (
    `The layer ${digest} names addresses of its own to be fetched from ("foreign layer"), and ` +
    'registries take such images only if they are told to: distribution by ' +
    'validation.manifests.urls.allow in its configuration.'
  );
}

/** Registries that know only the media types of OCI say little about it. */
function refusedType(error: BundleError, mediaType: string, status: number): BundleError {
  const isInvalid = registryCodes(error).includes('MANIFEST_INVALID');
  const isDocker = mediaType.startsWith('application/vnd.docker.');
  if (!isDocker || (status !== 415 && !(status === 400 && isInvalid))) return error;
  return error.withHint(dockerTypesHint);
}

/** What lets a registry take the manifests of OpenShift. */
export const dockerTypesHint =
  'The images of OpenShift have media types of Docker, and this registry seems to take only those ' +
  'of OCI. zot takes them with "compat": ["docker2s2"] in the section "http" of its ' +
  'configuration, from version 2.1.2 on.';

function lacking(error: BundleError): BundleError {
  return error.withHint(
    'The registry loses content that was pushed. If another run pushes to it, or if it collects ' +
      'garbage, wait until that has ended. Then run the same command again.',
  );
}

function alteredByRegistry(name: string, expected: Digest, got: string): BundleError {
  return new BundleError(
    'REGISTRY',
    `${name} stored the manifest ${expected} under another digest`,
    {
      expected,
      got,
      hint:
        'The registry, or something on the way, changes manifests: ' +
        'images that are pushed there cannot be pulled by digest.',
    },
  );
}
