import { gzipSync } from 'node:zlib';
import { digestOf, type Digest } from '../../../core/digest.ts';
import { type BundleError, hasCode } from '../../../core/errors.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../../core/media-types.ts';
import { formatRepository } from '../../../core/reference.ts';
import { pathOf, type RepositoryAccess } from '../auth/access.ts';
import { startSession } from '../blobs/upload-session.ts';
import { registryCodes } from '../http/answers.ts';
import { discard } from '../http/transport.ts';
import { confirmManifest, LACKING_CODES, manifestPath } from './manifests.ts';

/** A family of media types, and what a release needs it for. */
interface Family {
  readonly name: 'Docker' | 'OCI';
  readonly image: string;
  readonly list: string;
  readonly config: string;
  readonly layer: string;
}

const FAMILIES: readonly Family[] = [
  {
    name: 'Docker',
    image: DOCKER_MANIFEST,
    list: DOCKER_LIST,
    config: DOCKER_CONFIG,
    layer: DOCKER_LAYER,
  },
  {
    name: 'OCI',
    image: OCI_MANIFEST,
    list: OCI_INDEX,
    config: OCI_CONFIG,
    layer: OCI_LAYER_GZIP,
  },
];

/** What a registry makes of the manifests that a release may have. */
export interface TypeFindings {
  readonly taken: readonly string[];
  /** Whether it keeps a list of an image that it does not have. */
  readonly takesSparse: boolean;
  readonly refused: readonly {
    /** `Docker image`, `OCI list`. */
    readonly what: string;
    readonly isList: boolean;
    readonly error: BundleError;
  }[];
  /** What could not be deleted again, without a tag; and why. */
  readonly left: { readonly digests: readonly Digest[]; readonly why: string } | undefined;
}

interface Probe {
  readonly access: RepositoryAccess;
  readonly action: string;
  readonly signal: AbortSignal;
  /** Manifests that the registry has kept. */
  readonly kept: Digest[];
  /** Blobs that it has kept. */
  readonly blobs: Digest[];
  /** For each family whether it has kept a list of an image that it does not have. */
  readonly sparse: boolean[];
}

/**
 * Finds out which manifests a registry takes. It is given some whose content it cannot have: one
 * that takes the type says so, and keeps nothing. If it says anything else, it is given a tiny
 * image. What it keeps is deleted again.
 * @throws BundleError NETWORK; NOT_ALLOWED, REGISTRY where not even a blob can be pushed.
 */
export async function probeTypes(
  access: RepositoryAccess,
  signal: AbortSignal,
): Promise<TypeFindings> {
  const action = `push a manifest to ${formatRepository(access.name)}`;
  const probe: Probe = { access, action, signal, kept: [], blobs: [], sparse: [] };
  const taken: string[] = [];
  const refused: { what: string; isList: boolean; error: BundleError }[] = [];
  for (const family of FAMILIES) {
    for (const kind of ['image', 'list'] as const) {
      const what = `${family.name} ${kind}`;
      const error = await refusal(probe, family, kind);
      if (error === undefined) taken.push(what);
      else refused.push({ what, isList: kind === 'list', error });
    }
  }
  const takesSparse = probe.sparse.length === 0 ? false : probe.sparse.every((one) => one);
  return { taken, takesSparse, refused, left: await removeKept(probe) };
}

/**
 * Finds out whether a repository keeps a list of an image that it does not have, and deletes the
 * list again. @returns the refusal; `undefined` where it keeps such lists. @throws BundleError
 * NETWORK
 */
export async function probeSparse(
  access: RepositoryAccess,
  type: string,
  signal: AbortSignal,
): Promise<BundleError | undefined> {
  const family = FAMILIES.find(({ list }) => list === type)!;
  const action = `push a list of an image that is not there to ${formatRepository(access.name)}`;
  const probe: Probe = { access, action, signal, kept: [], blobs: [], sparse: [] };
  const error = await put(probe, family.list, danglingList(access, family));
  await removeKept(probe);
  return error;
}

function danglingList({ name }: RepositoryAccess, family: Family): Buffer {
  return listOf(family, { digest: digestOf(`${name.repository} ${family.list}`), size: 1 });
}

async function refusal(
  probe: Probe,
  family: Family,
  kind: 'image' | 'list',
): Promise<BundleError | undefined> {
  const nowhere = digestOf(`${probe.access.name.repository} ${family[kind]}`);
  const dangling =
    kind === 'image'
      ? imageOf(family, { digest: nowhere, size: 1 }, { digest: nowhere, size: 1 })
      : listOf(family, { digest: nowhere, size: 1 });
  const error = await put(probe, family[kind], dangling);
  if (kind === 'list') probe.sparse.push(error === undefined);
  if (error === undefined || registryCodes(error).some((code) => LACKING_CODES.includes(code)))
    return undefined;
  // Registries say in many ways that content lacks: only a real image tells.
  const config = await pushBlob(probe, CONFIG);
  const layer = await pushBlob(probe, LAYER);
  const image = imageOf(family, config, layer);
  const ofImage = await put(probe, family.image, image);
  if (ofImage !== undefined || kind === 'image') return ofImage;
  return put(probe, family.list, listOf(family, { digest: digestOf(image), size: image.length }));
}

/** The same bytes each time: if they cannot be deleted, they stay once. */
const EMPTY_TAR = Buffer.alloc(1024);
const LAYER = gzipSync(EMPTY_TAR);
const CONFIG = Buffer.from(
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: { 'check-registry': 'this image may be deleted' } },
    rootfs: { type: 'layers', diff_ids: [digestOf(EMPTY_TAR)] },
  }),
);

interface Piece {
  readonly digest: Digest;
  readonly size: number;
}

function imageOf(family: Family, config: Piece, layer: Piece): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: family.image,
      config: { mediaType: family.config, ...config },
      layers: [{ mediaType: family.layer, ...layer }],
    }),
  );
}

function listOf(family: Family, image: Piece): Buffer {
  const platform = { architecture: 'amd64', os: 'linux' };
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: family.list,
      manifests: [{ mediaType: family.image, ...image, platform }],
    }),
  );
}

/** The refusal, if it is refused. */
async function put(
  { access, action, signal, kept }: Probe,
  type: string,
  bytes: Buffer,
): Promise<BundleError | undefined> {
  const digest = digestOf(bytes);
  const response = await access.send({
    method: 'PUT',
    to: manifestPath(access, digest),
    action,
    access: 'push',
    headers: { 'content-type': type },
    body: bytes,
    signal,
  });
  if (response.status < 200 || response.status > 299) return access.failure(response, action);
  await discard(response);
  try {
    // A proxy or a login page may have answered in place of the registry.
    await confirmManifest(access, { digest }, { under: digest, action, signal });
  } catch (error) {
    if (!hasCode(error, 'REGISTRY')) throw error;
    return error;
  }
  kept.push(digest);
  return undefined;
}

async function pushBlob({ access, action, signal, blobs }: Probe, bytes: Buffer): Promise<Piece> {
  const digest = digestOf(bytes);
  if (!blobs.includes(digest)) {
    const { url } = await startSession(access, action, signal);
    const to = new URL(url);
    to.searchParams.set('digest', digest);
    const headers = { 'content-type': 'application/octet-stream' };
    const response = await access.send({
      ...{ method: 'PUT', to, action, access: 'push', headers, body: bytes, signal },
    });
    if (response.status < 200 || response.status > 299)
      throw await access.failure(response, action);
    await discard(response);
    blobs.push(digest);
  }
  return { digest, size: bytes.length };
}

/** Lists before the images in them, and those before their blobs. */
async function removeKept({
  access,
  action,
  signal,
  kept,
  blobs,
}: Probe): Promise<TypeFindings['left']> {
  const left: Digest[] = [];
  let why = '';
  const paths = [
    ...kept.toReversed().map((digest) => ({ digest, to: manifestPath(access, digest) })),
    ...blobs.map((digest) => ({ digest, to: `/v2/${pathOf(access.name)}/blobs/${digest}` })),
  ];
  for (const { digest, to } of paths) {
    try {
      const response = await access.send({
        method: 'DELETE',
        to,
        action,
        access: 'delete',
        signal,
      });
      await discard(response);
      if (response.status <= 299 || response.status === 404) continue;
      why = `DELETE was answered ${response.status}`;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Error)) throw error;
      why = error.message;
    }
    left.push(digest);
  }
  return left.length === 0 ? undefined : { digests: left, why };
}
