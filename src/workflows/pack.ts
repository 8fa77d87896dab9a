import { basename, dirname } from 'node:path';

import { volumeNames } from '../bundle/format/names.ts';
import type { DescribedBundle, Seal } from '../bundle/format/plan.ts';
import { encodeSignatureFile } from '../bundle/format/signature-file.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { PlannedBlob } from '../transfer/plan.ts';
import type { Architecture } from '../kinds/release/architecture.ts';
import { type KeyType, SigningKey } from '../trust/keys.ts';
import type { ReleaseSignature } from '../trust/release-signature.ts';
import { findBegun, sealOf } from '../packing/resume/begun.ts';
import { BegunContent } from '../packing/resume/begun-content.ts';
import { contradiction } from '../opening/bundle-files.ts';
import type { Context } from '../core/context.ts';
import { bundleFolder, bundlePath, checkSpace, prepareFolder, type Space } from '../files/disk.ts';
import { locateRelease } from '../kinds/release/locate.ts';
import { withLock } from '../files/lock.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import { patchContent, wholeContent } from '../packing/patch.ts';
import { planVolumes } from '../packing/plan-volumes.ts';
import { loadReleaseKeys, proveRelease } from '../kinds/release/prove.ts';
import { canonicalRepository, planRelease, type PlannedRelease } from '../kinds/release/release.ts';
import { askOfficialSources } from '../kinds/release/official-sources.ts';
import { type KeySource, loadSigningKey, makeOwnKey, ownKeyPath } from '../packing/signing-key.ts';
import {
  firstOfSet,
  forgetCompletedSet,
  forgetSet,
  recallSet,
  rememberSet,
} from '../packing/resume/started-sets.ts';
import { dropBegun, type Kept, writeBundle } from '../packing/write-bundle.ts';

/** Which release, from where, and what proves it. */
export interface ReleaseRequest {
  readonly version: string | undefined;
  readonly architecture: Architecture;
  /** A reference or `oci:DIR`; the official repository if it is left out. */
  readonly from: string | undefined;
  readonly releaseKeyFiles: readonly string[];
  readonly signatureStores: readonly string[];
  readonly allowUnsignedRelease: boolean;
  /** Whether what refers to the images is looked for too. */
  readonly referrers: boolean;
}

export interface PackRequest {
  readonly release: ReleaseRequest;
  /** A folder, or a file that is called like a bundle. */
  readonly output: string;
  readonly key: KeySource;
  readonly network: NetworkOptions;
  /** Bytes that a volume may have; one file is written if it is left out. */
  readonly volumeSize?: number | undefined;
  /**
   * How many volumes this run finishes at most; a later run goes on, with another medium if need
   * be.
   */
  readonly stopAfter?: number | undefined;
  /** Bytes per second at which layers are fetched at most. */
  readonly limitRate?: number | undefined;
  /** A damage map: then only what it lists is packed, as a patch for the bundle that it is of. */
  readonly repairFile?: string | undefined;
  /** Drops what an earlier run has left under the same name. */
  readonly restart: boolean;
  readonly dryRun: boolean;
}

export interface PackReport {
  /** Of the bundle; volumes are numbered behind it. */
  readonly path: string;
  /** Bytes of all volumes. */
  readonly size: number;
  readonly bundleDigest: Digest;
  /** The files of this run; without a digest where nothing was written. */
  readonly volumes: readonly {
    readonly path: string;
    readonly size: number;
    readonly digest?: Digest;
  }[];
  /**
   * Volumes that earlier runs have finished, elsewhere by now perhaps, and those that are left for
   * a later one.
   */
  readonly before: number;
  readonly left: number;
  /** `id` is missing where a dry run planned with a key that is yet to be made. */
  readonly signer: { readonly id: string | undefined; readonly algorithm: string };
  readonly release: PlannedRelease;
  /** `undefined` for a pipe. */
  readonly space: Space | undefined;
  /** What an earlier run had done already. */
  readonly kept: Kept;
  readonly dryRun: boolean;
}

/** The kind of key that is made on first use; a dry run plans with it and makes none. */
const OWN_KEY_TYPE: KeyType = 'ecdsa-p256';

/**
 * Makes a bundle of a release: locate, prove, plan to the byte, sign, then fetch and append every
 * layer once.
 */
export async function pack(request: PackRequest, context: Context): Promise<PackReport> {
  if (!request.dryRun) await prepareFolder(await bundleFolder(request.output));
  const network = await Network.open(request.network, context);
  try {
    const ownKey = await loadSigningKey(request.key, context.configFolder);
    const release = await findRelease(request.release, network, context, (digest) =>
      begunContent(request, digest, ownKey, context),
    );
    const { repairFile } = request;
    const content =
      repairFile === undefined ? wholeContent(release) : await patchContent(release, repairFile);
    const signing =
      ownKey === undefined ? await firstKey(request, context) : { key: ownKey, made: undefined };
    const path = await bundlePath(request.output, `${bundleName(release)}${content.suffix}`);
    if (contradiction(path, release) !== undefined) {
      throw new BundleError(
        'USAGE',
        `${basename(path)} is the name of another bundle than ${bundleName(release)}`,
        {
          hint: 'Nobody could verify it under that name: name a folder, or choose another name.',
        },
      );
    }
    const job: Job = { path, release, ...content, ...signing };
    return request.dryRun
      ? await dryRun(job, request, context)
      : await withLock(path, context.signal, (signal) =>
          write(job, request, { ...context, signal }),
        );
  } finally {
    await network.close();
  }
}

/** A release that is about to be packed under a name, and the key that signs it. */
interface Job {
  readonly path: string;
  readonly release: PlannedRelease;
  readonly described: DescribedBundle;
  /** Those that go in: all of the release, unless it is a patch. */
  readonly layers: readonly PlannedBlob[];
  readonly key: SigningKey;
  /** The key was made for this run: kept from now on, or only planned with. */
  readonly made: 'now' | 'planned' | undefined;
}

async function dryRun(job: Job, request: PackRequest, context: Context): Promise<PackReport> {
  const { path, release, described, key, made } = job;
  const { plan } = await planVolumes(
    described,
    sealWith(key, key.placeholder),
    path,
    request.volumeSize,
    context.observe,
  );
  const space = await checkSpace(
    dirname(path),
    plan.size,
    (await findBegun(path)).map((file) => file.path),
  );
  const signer = {
    id: made === 'planned' ? undefined : key.public.id,
    algorithm: key.public.algorithm,
  };
  const volumes = volumeNames(path, plan.volumes.length).map((name, index) => ({
    path: name,
    size: plan.volumes[index]!.size,
  }));
  const kept = { layers: 0, bytes: 0, finished: false };
  return {
    path,
    size: plan.size,
    bundleDigest: plan.bundleDigest,
    volumes,
    before: 0,
    left: 0,
    signer,
    release,
    space,
    kept,
    dryRun: true,
  };
}

async function write(job: Job, request: PackRequest, context: Context): Promise<PackReport> {
  const { path, release, described, layers, key } = job;
  const { volumeSize: asked, stopAfter, limitRate } = request;
  let begun = await findBegun(path);
  if (request.restart) {
    await dropBegun(path, begun);
    if (stopAfter !== undefined) await forgetSet(path, context);
    begun = [];
  }
  const set =
    stopAfter === undefined || asked === undefined
      ? undefined
      : await recallSet(path, described, asked, key, context);
  const seal =
    set?.seal ??
    (await sealOf(begun, described.bundleDigest, key)) ??
    sealWith(key, key.sign(described.sums));
  const { plan, volumeSize } = await planVolumes(described, seal, path, asked, context.observe);
  const { images } = release.content;
  context.observe({
    type: 'planned',
    blobs: layers.length,
    bytes: amountOf(layers),
    images: images.length,
  });

  const count = plan.volumes.length;
  const done = [...(set?.done ?? [])];
  const start = done.length;
  const goal = set !== undefined && set.until > start ? set.until : start + (stopAfter ?? count);
  const until = Math.min(goal, count);
  const remember = async (): Promise<void> => {
    if (asked !== undefined && stopAfter !== undefined) {
      await rememberSet(
        path,
        described.bundleDigest,
        { seal, volumeSize: asked, done, until },
        context,
      );
    }
  };
  if (start > 0) {
    const folders = [...new Set(done.map((volume) => dirname(volume.path)))].join(', ');
    context.observe({
      type: 'noticed',
      message: `volumes 1 to ${start} of ${count} were written earlier, to ${folders}; --restart begins anew`,
    });
  }
  await remember();
  const { volumes, space, kept } = await writeBundle(
    {
      path,
      plan,
      volumeSize,
      layers,
      begun,
      publicKey: key.public.pem,
      only: { start, end: until },
      before: [...done],
      finished: async (volume) => {
        done.push(volume);
        await remember();
      },
      limitRate,
    },
    context,
  );
  if (until === count && stopAfter !== undefined) await forgetSet(path, context);
  if (stopAfter === undefined && asked !== undefined)
    await forgetCompletedSet(path, described.bundleDigest, asked, context);
  const signer = { id: key.public.id, algorithm: key.public.algorithm };
  const { size, bundleDigest } = plan;
  return {
    path,
    size,
    bundleDigest,
    volumes,
    before: start,
    left: count - until,
    signer,
    release,
    space,
    kept,
    dryRun: false,
  };
}

/** What an earlier run has left of the release that is to be packed. */
async function begunContent(
  { output, release, restart, repairFile, stopAfter }: PackRequest,
  digest: Digest,
  key: SigningKey | undefined,
  context: Context,
): Promise<BegunContent | undefined> {
  const { version, architecture } = release;
  // Without a version nobody knows yet what the bundle is called.
  if (key === undefined || version === undefined || restart || repairFile !== undefined)
    return undefined;
  const path = await bundlePath(output, bundleName({ version, architecture }));
  const firsts = (await findBegun(path))
    .filter(({ number }) => number === 1)
    .map((file) => file.path);
  const elsewhere = stopAfter === undefined ? undefined : await firstOfSet(path, context);
  const begun = await BegunContent.open(
    [...firsts, ...(elsewhere === undefined ? [] : [elsewhere])],
    digest,
    key,
  );
  if (begun !== undefined)
    context.observe({ type: 'phase', what: `reading the manifests of ${basename(begun.path)}` });
  return begun;
}

/**
 * The steps that pack and mirror share: from a version to a release that is proven and planned.
 * @param begunOf finds what an earlier run has left of a release: what is there is not fetched
 * again.
 */
export async function findRelease(
  request: ReleaseRequest,
  network: Network,
  context: Context,
  begunOf?: (digest: Digest) => Promise<BegunContent | undefined>,
): Promise<PlannedRelease> {
  const { observe, signal, concurrency, now } = context;
  const keys = await loadReleaseKeys(request.releaseKeyFiles);
  observe({ type: 'phase', what: 'finding the release' });
  if (request.from === undefined && request.version !== undefined)
    await askOfficialSources(network, signal);
  const located = await locateRelease(request.from, request.version, request.architecture, network);
  const { digest } = located.descriptor;
  observe({ type: 'phase', what: 'checking the release signature' });
  const { signatures: messages, failures } = await network.signatures(
    request.signatureStores,
    digest,
  );
  let signatures: readonly ReleaseSignature[] = [];
  try {
    signatures = await proveRelease(digest, messages, failures, keys, now);
  } catch (error) {
    if (!request.allowUnsignedRelease || !(error instanceof BundleError)) throw error;
    observe({
      type: 'noticed',
      message: `THE RELEASE IS NOT PROVEN (--allow-unsigned-release): ${error.message}`,
    });
  }
  observe({ type: 'phase', what: 'reading the manifests' });
  const canonical = canonicalRepository(signatures, located.repository);
  const { architecture, version } = request;
  const proven = { descriptor: located.descriptor, signatures, architecture, version, canonical };
  const begun = await begunOf?.(digest);
  try {
    return await planRelease(proven, begun?.before(located.source) ?? located.source, {
      concurrency,
      signal,
      observe,
      referrers: request.referrers,
    });
  } finally {
    await begun?.close();
  }
}

/** `ocp-<version>-<arch>`. */
export function bundleName({
  version,
  architecture,
}: {
  readonly version: string;
  readonly architecture: string;
}): string {
  return `ocp-${version}-${architecture}`;
}

/** A key for somebody who has none: it is made when there is something to sign. */
export async function firstKey(
  { key: source, dryRun }: Pick<PackRequest, 'key' | 'dryRun'>,
  { configFolder, observe }: Context,
): Promise<{ key: SigningKey; made: 'now' | 'planned' | undefined }> {
  if (dryRun) return { key: SigningKey.generate(OWN_KEY_TYPE), made: 'planned' };
  let own: SigningKey;
  try {
    own = await makeOwnKey(configFolder);
  } catch (error) {
    const other = hasCode(error, 'USAGE') ? await loadSigningKey(source, configFolder) : undefined;
    if (other === undefined) throw error;
    return { key: other, made: undefined }; // another run has made it meanwhile
  }
  observe({
    type: 'noticed',
    message: `made a signing key for you: ${ownKeyPath(configFolder)} (${own.public.algorithm}, key id ${own.public.id})`,
  });
  return { key: own, made: 'now' };
}

export function sealWith(key: SigningKey, signature: Uint8Array): Seal {
  return { signature: encodeSignatureFile(signature), publicKey: Buffer.from(key.public.pem) };
}

function amountOf(layers: readonly PlannedBlob[]): number {
  return layers.reduce((total, { descriptor }) => total + descriptor.size, 0);
}
