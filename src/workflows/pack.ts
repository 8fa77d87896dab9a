import { basename, dirname, join } from 'node:path';

import { type BundlePlan, describeBundle, type DescribedBundle, planBundle, type Seal } from '../bundle/plan.ts';
import { encodeSignatureFile } from '../bundle/signature-file.ts';
import { BundleWriter, writeWhole } from '../bundle/writer.ts';
import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { PlannedBlob } from '../core/plan.ts';
import { RateLimit } from '../core/rate.ts';
import { readAhead } from '../core/read-ahead.ts';
import type { Architecture } from '../release/architecture.ts';
import { type KeyType, SigningKey } from '../trust/keys.ts';
import type { ReleaseSignature } from '../trust/release-signature.ts';
import { contentsOf } from './contents.ts';
import type { Context } from './context.ts';
import { bundleFolder, bundlePath, checkSpace, prepareFolder, type Space } from './disk.ts';
import { locateRelease } from './locate.ts';
import { withLock } from './lock.ts';
import { Network, type NetworkOptions } from './network.ts';
import { loadReleaseKeys, proveRelease } from './prove.ts';
import { canonicalRepository, planRelease, type PlannedRelease } from './release.ts';
import { checkFinished, findSeal, resume } from './resume.ts';
import { type KeySource, loadSigningKey, makeOwnKey, ownKeyPath } from './signing-key.ts';

/** Which release, from where, and what proves it. */
export interface ReleaseRequest {
  readonly version: string | undefined;
  readonly architecture: Architecture;
  /** A reference or `oci:DIR`; the official repository if it is left out. */
  readonly from: string | undefined;
  readonly releaseKeyFiles: readonly string[];
  readonly signatureStores: readonly string[];
  readonly allowUnsignedRelease: boolean;
}

export interface PackRequest {
  readonly release: ReleaseRequest;
  /** A folder, or a file that is called like a bundle. */
  readonly output: string;
  readonly key: KeySource;
  readonly network: NetworkOptions;
  /** Bytes per second at which layers are fetched at most. */
  readonly limitRate?: number | undefined;
  /** Drops what an earlier run has left under the same name. */
  readonly restart: boolean;
  readonly dryRun: boolean;
}

export interface PackReport {
  readonly path: string;
  /** Bytes of the bundle. */
  readonly size: number;
  readonly bundleDigest: Digest;
  /** SHA-256 of the file; `undefined` when nothing was written. */
  readonly fileDigest: Digest | undefined;
  /** `id` is missing where a dry run planned with a key that is yet to be made. */
  readonly signer: { readonly id: string | undefined; readonly algorithm: string };
  readonly release: PlannedRelease;
  readonly space: Space;
  /** What an earlier run had done already. */
  readonly kept: Kept;
  readonly dryRun: boolean;
}

/** Layers that were there already, their bytes, and whether that was all. */
export interface Kept {
  readonly layers: number;
  readonly bytes: number;
  readonly finished: boolean;
}

/** The kind of key that is made on first use; a dry run plans with it and makes none. */
const OWN_KEY_TYPE: KeyType = 'ecdsa-p256';

/** Makes a bundle of a release: locate, prove, plan to the byte, sign, then fetch and append every layer once. */
export async function pack(request: PackRequest, context: Context): Promise<PackReport> {
  if (!request.dryRun) await prepareFolder(await bundleFolder(request.output));
  const network = await Network.open(request.network, context);
  try {
    const release = await findRelease(request.release, network, context);
    const described = describeBundle(contentsOf(release));
    const signing = await signingKey(request, context);
    const path = await bundlePath(request.output, bundleName(release));
    const job: Job = { path, release, described, ...signing };
    return request.dryRun ? await dryRun(job) : await withLock(path, () => write(job, request, context));
  } finally {
    await network.close();
  }
}

/** A release that is about to be packed under a name, and the key that signs it. */
interface Job {
  readonly path: string;
  readonly release: PlannedRelease;
  readonly described: DescribedBundle;
  readonly key: SigningKey;
  /** The key was made for this run: kept from now on, or only planned with. */
  readonly made: 'now' | 'planned' | undefined;
}

async function dryRun({ path, release, described, key, made }: Job): Promise<PackReport> {
  const plan = planBundle(described, sealWith(key, key.placeholder));
  const space = await checkSpace(path, plan.size);
  const signer = { id: made === 'planned' ? undefined : key.public.id, algorithm: key.public.algorithm };
  const kept = { layers: 0, bytes: 0, finished: false };
  return { path, size: plan.size, bundleDigest: plan.bundleDigest, fileDigest: undefined, signer, release, space, kept, dryRun: true };
}

async function write({ path, release, described, key }: Job, request: PackRequest, context: Context): Promise<PackReport> {
  const found = request.restart ? undefined : await findBegun(path, described, key);
  const plan = planBundle(described, found?.seal ?? sealWith(key, key.sign(described.sums)));
  const space = await checkSpace(path, plan.size);
  const { layers, images } = release.content;
  context.observe({ type: 'planned', blobs: layers.length, bytes: amountOf(layers).bytes, images: images.length });
  const { fileDigest, kept } = await writeBundle(path, plan, release, found?.state, request.limitRate, context);
  await writeSideFiles(path, fileDigest, key);
  const signer = { id: key.public.id, algorithm: key.public.algorithm };
  return { path, size: plan.size, bundleDigest: plan.bundleDigest, fileDigest, signer, release, space, kept, dryRun: false };
}

/** What an earlier run has left under this name, finished or not, whose signature can be kept. */
async function findBegun(
  path: string,
  { bundleDigest }: DescribedBundle,
  key: SigningKey,
): Promise<{ seal: Seal; state: 'finished' | 'begun' } | undefined> {
  const begun = await findSeal(BundleWriter.partialOf(path), bundleDigest, key);
  if (begun !== undefined) return { seal: begun, state: 'begun' };
  const finished = await findSeal(path, bundleDigest, key);
  return finished && { seal: finished, state: 'finished' };
}

/** The steps that pack and mirror share: from a version to a release that is proven and planned. */
export async function findRelease(request: ReleaseRequest, network: Network, context: Context): Promise<PlannedRelease> {
  const { observe, signal, concurrency, now } = context;
  const keys = await loadReleaseKeys(request.releaseKeyFiles);
  observe({ type: 'phase', what: 'finding the release' });
  const located = await locateRelease(request.from, request.version, request.architecture, network);
  const { digest } = located.descriptor;
  observe({ type: 'phase', what: 'checking the release signature' });
  const { signatures: messages, failures } = await network.signatures(request.signatureStores, digest);
  let signatures: readonly ReleaseSignature[] = [];
  try {
    signatures = await proveRelease(digest, messages, failures, keys, now);
  } catch (error) {
    if (!request.allowUnsignedRelease || !(error instanceof BundleError)) throw error;
    observe({ type: 'noticed', message: `THE RELEASE IS NOT PROVEN (--allow-unsigned-release): ${error.message}` });
  }
  observe({ type: 'phase', what: 'reading the manifests' });
  return planRelease(
    {
      descriptor: located.descriptor,
      signatures,
      architecture: request.architecture,
      version: request.version,
      canonical: canonicalRepository(signatures, located.repository),
    },
    located.source,
    { concurrency, signal, observe },
  );
}

/** `ocp-<version>-<arch>`. */
export function bundleName({ version, architecture }: { readonly version: string; readonly architecture: string }): string {
  return `ocp-${version}-${architecture}`;
}

async function signingKey(
  { key: source, dryRun }: PackRequest,
  { configFolder, observe }: Context,
): Promise<{ key: SigningKey; made: 'now' | 'planned' | undefined }> {
  const key = await loadSigningKey(source, configFolder);
  if (key !== undefined) return { key, made: undefined };
  if (dryRun) return { key: SigningKey.generate(OWN_KEY_TYPE), made: 'planned' };
  const own = await makeOwnKey(configFolder);
  observe({
    type: 'noticed',
    message: `made a signing key for you: ${ownKeyPath(configFolder)} (${own.public.algorithm}, key id ${own.public.id})`,
  });
  return { key: own, made: 'now' };
}

function sealWith(key: SigningKey, signature: Uint8Array): Seal {
  return { signature: encodeSignatureFile(signature), publicKey: Buffer.from(key.public.pem) };
}

async function writeBundle(
  path: string,
  plan: BundlePlan,
  release: PlannedRelease,
  state: 'finished' | 'begun' | undefined,
  limitRate: number | undefined,
  context: Context,
): Promise<{ fileDigest: Digest; kept: Kept }> {
  const { signal, observe, concurrency } = context;
  const { layers } = release.content;
  if (state === 'finished') {
    const fileDigest = await checkFinished(path, plan, layers, context);
    if (fileDigest !== undefined) return { fileDigest, kept: { ...amountOf(layers), finished: true } };
    observe({ type: 'noticed', message: `${basename(path)} is damaged: packing it again` });
  }
  const resumed = state === 'begun' ? await resume(path, plan, layers, context) : undefined;
  const writer = resumed?.writer ?? (await BundleWriter.create(path, plan));
  const rest = resumed?.rest ?? layers;
  const kept = { ...(resumed?.kept ?? amountOf([])), finished: false };
  if (kept.layers > 0) observe({ type: 'noticed', message: `kept ${kept.layers} layers (${kept.bytes} bytes) of an earlier run` });
  observe({ type: 'phase', what: `packing ${basename(path)}` });
  try {
    await readAhead(rest, (blob, content) => writer.append(blob.descriptor, content), {
      concurrency,
      signal,
      observe,
      limit: limitRate === undefined ? undefined : new RateLimit(limitRate),
    });
    return { fileDigest: await writer.finish(), kept };
  } catch (error) {
    await writer.close();
    if (signal.aborted) {
      observe({ type: 'noticed', message: `what is done so far is left in ${writer.partialPath}: the same command continues it` });
    }
    throw error;
  } finally {
    await resumed?.close();
  }
}

function amountOf(layers: readonly PlannedBlob[]): { layers: number; bytes: number } {
  return { layers: layers.length, bytes: layers.reduce((total, { descriptor }) => total + descriptor.size, 0) };
}

/** Beside the bundle: what `sha256sum -c` wants, and the key that signed it. */
async function writeSideFiles(path: string, fileDigest: Digest, key: SigningKey): Promise<void> {
  const name = basename(path).replace(/\.tar\.zst$/, '');
  await writeWhole(join(dirname(path), `${name}.sha256`), `${hexOf(fileDigest)}  ${basename(path)}\n`);
  await writeWhole(join(dirname(path), `${name}.pub`), key.public.pem);
}
