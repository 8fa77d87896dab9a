import { mapLimited } from '../../core/concurrency.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asString, isObject, parseStrictJson } from '../../core/json.ts';
import {
  type ContentPlan,
  type ImageRequest,
  type ManifestTree,
  ManifestWalker,
  planContent,
  type PlanOptions,
  type WalkedImage,
} from '../../transfer/plan.ts';
import { formatReference, parseReference, type RepositoryName } from '../../core/reference.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import { readVerified, twiceIfWrong } from '../../transfer/verified.ts';
import { type Architecture, architectureOfOci } from './architecture.ts';
import { tagOf } from '../destinations.ts';
import { type ImageReferences, parsePayload } from './payload/image-references.ts';
import { readPayload } from './payload/payload.ts';
import type { ReleaseSignature } from '../../trust/release-signature.ts';
import { type AttachedOptions, withAttached } from '../attached.ts';

/**
 * A release image whose digest is settled and, unless that was waived, proven by a release
 * signature.
 */
export interface ProvenRelease {
  readonly descriptor: Descriptor;
  /** The signatures that were found good; none only where an unsigned release was allowed. */
  readonly signatures: readonly ReleaseSignature[];
  readonly architecture: Architecture;
  /** What the payload has to be, where that was asked for. */
  readonly version?: string | undefined;
  /** The repository that the world knows the release image by. */
  readonly canonical: RepositoryName;
}

/** Where the content of a release is fetched from. */
export interface ReleaseSource {
  readonly releaseImage: ReadOnlyStore;
  /** @param name as image-references has it; a mirror of it may answer. */
  storeOf(name: RepositoryName): ReadOnlyStore;
}

/** A release with everything it consists of, down to the last layer. */
export interface PlannedRelease {
  readonly version: string;
  readonly architecture: Architecture;
  readonly digest: Digest;
  /** `registry/repository@digest`, as the signature knows it. */
  readonly reference: string;
  /** RFC 3339 in UTC, whole seconds. */
  readonly created: string;
  readonly signatures: readonly ReleaseSignature[];
  readonly references: ImageReferences;
  readonly content: ContentPlan;
}

/**
 * The repository of a proven release: what its first signature says, else `fallback`.
 * @throws BundleError SIGNATURE_INVALID when it names none.
 */
export function canonicalRepository(
  signatures: readonly ReleaseSignature[],
  fallback: RepositoryName,
): RepositoryName {
  const [first] = signatures;
  if (first === undefined) return fallback;
  try {
    const { registry, repository } = parseReference(first.dockerReference);
    return { registry, repository };
  } catch (cause) {
    throw new BundleError(
      'SIGNATURE_INVALID',
      `the release signature names no repository: ${first.dockerReference}`,
      {
        cause,
        hint: 'It is genuine, but cannot be used: ask whoever signed the release.',
      },
    );
  }
}

/**
 * Follows the chain from a release digest to the last layer: release image, payload, components by
 * digest, their manifests, and what hangs on them: cosign signature images and, where they are
 * wanted, referrers.
 *
 * The same function plans a pack and re-derives what a bundle must hold, so that nothing a bundle
 * says of itself is believed.
 * @throws BundleError NOT_FOUND naming the image; CONTENT_MISMATCH when the payload is of another
 * version or architecture than asked for.
 */
export async function planRelease(
  proven: ProvenRelease,
  source: ReleaseSource,
  options: AttachedOptions,
): Promise<PlannedRelease> {
  const { descriptor, architecture, signatures, canonical } = proven;
  const walker = new ManifestWalker(options);
  const reference = formatReference({ ...canonical, digest: descriptor.digest });
  const unnamed: ImageRequest = {
    name: proven.version === undefined ? descriptor.digest : `${proven.version}-${architecture}`,
    role: 'release',
    descriptor,
    source: reference,
    tags: [],
    store: source.releaseImage,
  };
  const [walked] = await walker.walk([unnamed]);
  const { tree } = walked!;
  const images = payloadFirst(tree);
  const payloadImage = images[0];
  if (payloadImage?.manifest.kind !== 'manifest') {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the release image ${descriptor.digest} is an index without images`,
    );
  }
  const { config: configDescriptor, layers } = payloadImage.manifest;
  const { signal, observe } = options;
  const config = await twiceIfWrong(
    async () => readImageConfig(configDescriptor, source.releaseImage, signal),
    configDescriptor.digest,
    observe,
  );
  checkArchitecture(tree, config.architecture, architecture);
  const payload = await twiceIfWrong(
    async () => readPayload(layers, source.releaseImage, { signal }),
    `payload of ${unnamed.name}`,
    observe,
  );
  const { references } = parsePayload(payload);
  const { version } = references;
  if (proven.version !== undefined && proven.version !== version) {
    throw new BundleError(
      'CONTENT_MISMATCH',
      `the release image is version ${version}, not ${proven.version}`,
      {
        expected: proven.version,
        got: version,
        hint: 'The tag and the payload disagree: ask for the version that the payload has, or for another tag.',
      },
    );
  }

  const releaseTag = tagOf({ role: 'release', version, architecture });
  const release: WalkedImage = {
    request: { ...unnamed, name: releaseTag, tags: [releaseTag] },
    tree,
  };
  const components = await walker.walk(
    await componentRequests(references, architecture, source, options),
  );
  const all = await withAttached([release, ...components], walker, options);
  const leading = images.flatMap(({ manifest }) =>
    manifest.kind === 'manifest' ? manifest.layers.toReversed() : [],
  );
  return {
    version,
    architecture,
    digest: descriptor.digest,
    reference,
    created: wholeSeconds(references.created ?? config.created ?? new Date(0)),
    signatures,
    references,
    content: await planContent(all, leading, options),
  };
}

/**
 * The images of a release image, the one whose payload counts first: the amd64 child of an index,
 * else the first.
 */
function payloadFirst(tree: ManifestTree): readonly ManifestTree[] {
  if (tree.manifest.kind === 'manifest') return [tree];
  const preferred = tree.manifest.manifests.findIndex(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === 'amd64',
  );
  const first = tree.children[Math.max(preferred, 0)];
  return first ? [first, ...tree.children.filter((child) => child !== first)] : [];
}

function checkArchitecture(tree: ManifestTree, found: string, asked: Architecture): void {
  const got = tree.manifest.kind === 'index' ? 'multi' : (architectureOfOci(found) ?? found);
  if (got === asked) return;
  throw new BundleError('CONTENT_MISMATCH', `the release image is for ${got}, not for ${asked}`, {
    expected: asked,
    got,
    hint: `Ask for --arch ${got}, or for another release image.`,
  });
}

async function readImageConfig(
  descriptor: Descriptor,
  store: ReadOnlyStore,
  signal: AbortSignal | undefined,
): Promise<{ architecture: string; created: Date | undefined }> {
  const bytes = await readVerified(
    store.fetch(descriptor, { ...(signal && { signal }) }),
    descriptor,
  );
  const config = parseStrictJson(bytes, 'image config');
  const architecture = isObject(config)
    ? asString(config['architecture'], 'architecture of the image config')
    : '';
  const created =
    isObject(config) && typeof config['created'] === 'string'
      ? new Date(config['created'])
      : undefined;
  return {
    architecture,
    created: created && Number.isNaN(created.getTime()) ? undefined : created,
  };
}

async function componentRequests(
  references: ImageReferences,
  architecture: Architecture,
  source: ReleaseSource,
  { concurrency, signal }: PlanOptions,
): Promise<ImageRequest[]> {
  const resolved = new Map<Digest, Promise<Descriptor>>();
  return mapLimited(
    references.components,
    concurrency,
    async ({ name, reference }, combined): Promise<ImageRequest> => {
      const store = source.storeOf(reference);
      const tag = tagOf({ role: 'component', version: references.version, architecture, name });
      let descriptor = resolved.get(reference.digest);
      if (descriptor === undefined) {
        descriptor = store.resolve(reference.digest, { signal: combined });
        resolved.set(reference.digest, descriptor);
      }
      try {
        return {
          name: tag,
          role: 'component',
          descriptor: await descriptor,
          source: formatReference(reference),
          tags: [tag],
          store,
        };
      } catch (error) {
        throw error instanceof BundleError ? error.about(`image ${tag}`) : error;
      }
    },
    signal,
  );
}

function wholeSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}
