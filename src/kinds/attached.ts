import { mapLimited } from '../core/concurrency.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { MAX_ALL_REFERRERS, MAX_REFERRER_DEPTH, MAX_REFERRERS } from '../core/limits.ts';
import { signatureTagOf } from '../core/manifest.ts';
import { isManifestType } from '../core/media-types.ts';
import {
  type ImageRequest,
  manifestsOf,
  type ManifestWalker,
  type PlanOptions,
  type WalkedImage,
} from '../transfer/plan.ts';
import { formatReference, parseReference } from '../core/reference.ts';

export interface AttachedOptions extends PlanOptions {
  /** Whether referrers are looked for. */
  readonly referrers: boolean;
}

/** A manifest that something may hang on, and the image that it belongs to. */
interface Subject {
  readonly digest: Digest;
  readonly image: WalkedImage;
}

/**
 * Puts behind each image what hangs on its manifests: first the signature images that cosign keeps
 * under tags, then the referrers, each with what hangs on it in turn. The order follows from the
 * digests alone, whatever order a store lists them in.
 * @throws BundleError CONTENT_MISMATCH for a referrer that is about something else than what it is
 * listed for; UNSUPPORTED_CONTENT for what cannot be carried, or does not end.
 */
export async function withAttached(
  images: readonly WalkedImage[],
  walker: ManifestWalker,
  options: AttachedOptions,
): Promise<WalkedImage[]> {
  const hanging = new Map<WalkedImage, WalkedImage[]>();
  const asked = new Set<Digest>();
  let count = 0;
  let bearers: readonly WalkedImage[] = images;
  for (let depth = 0; bearers.length > 0; depth++) {
    const subjects = subjectsIn(bearers, asked);
    const signatures = (
      await mapLimited(subjects, options.concurrency, signatureRequest, options.signal)
    ).flat();
    const referrers = options.referrers
      ? (await mapLimited(subjects, options.concurrency, referrerRequests, options.signal)).flat()
      : [];
    count += referrers.length;
    if (count > MAX_ALL_REFERRERS)
      throw unending(`there are more than ${MAX_ALL_REFERRERS} referrers`);
    if (referrers.length > 0 && depth === MAX_REFERRER_DEPTH) {
      throw unending(
        `referrers refer to referrers more than ${MAX_REFERRER_DEPTH} deep, as ${referrers[0]!.request.name} does`,
      );
    }
    const found = [...signatures, ...referrers];
    const walked = await walker.walk(found.map(({ request }) => request));
    for (const [index, image] of walked.entries()) {
      const { owner } = found[index]!;
      const others = hanging.get(owner);
      if (others === undefined) hanging.set(owner, [image]);
      else others.push(image);
    }
    bearers = walked.slice(signatures.length);
    bearers.forEach(checkSubject);
  }
  const withAll = (image: WalkedImage): WalkedImage[] => [
    image,
    ...(hanging.get(image) ?? []).flatMap(withAll),
  ];
  return images.flatMap(withAll);
}

/** The manifests of images that nothing was asked about yet. */
function subjectsIn(images: readonly WalkedImage[], asked: Set<Digest>): readonly Subject[] {
  const subjects: Subject[] = [];
  for (const image of images) {
    for (const { descriptor } of manifestsOf(image.tree)) {
      if (asked.has(descriptor.digest)) continue;
      asked.add(descriptor.digest);
      subjects.push({ digest: descriptor.digest, image });
    }
  }
  return subjects;
}

interface Found {
  readonly owner: WalkedImage;
  readonly request: ImageRequest;
}

async function signatureRequest(
  { digest: subject, image }: Subject,
  signal: AbortSignal,
): Promise<Found[]> {
  const { store } = image.request;
  const tag = signatureTagOf(subject);
  try {
    const descriptor = await store.resolve(tag, { signal });
    const request = {
      name: tag,
      role: 'signature',
      descriptor,
      source: sourceOf(image, descriptor.digest),
      tags: [tag],
      subject,
      store,
    };
    return [{ owner: image, request }];
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return []; // it has none; any other failure is one
    throw error instanceof BundleError
      ? error.about(`signature of image ${image.request.name}`)
      : error;
  }
}

async function referrerRequests(
  { digest: subject, image }: Subject,
  signal: AbortSignal,
): Promise<Found[]> {
  const { store, name } = image.request;
  try {
    const listed = await store.referrers(subject, { signal });
    if (listed.length > MAX_REFERRERS)
      throw unending(`${store.name} lists ${listed.length} referrers of ${subject}`);
    const distinct = new Map(listed.map((descriptor) => [descriptor.digest, descriptor]));
    const sorted = [...distinct.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
    return sorted.map((descriptor) => {
      const { digest, mediaType } = descriptor;
      if (!isManifestType(mediaType)) {
        throw new BundleError(
          'UNSUPPORTED_CONTENT',
          `${digest}, which refers to ${subject}, is of type ${mediaType}`,
          {
            hint: 'Such referrers cannot be carried. Leave --referrers out to carry the rest.',
          },
        );
      }
      const request = {
        name: digest,
        role: 'referrer',
        descriptor,
        source: sourceOf(image, digest),
        tags: [],
        subject,
        store,
      };
      return { owner: image, request };
    });
  } catch (error) {
    throw error instanceof BundleError ? error.about(`referrers of image ${name}`) : error;
  }
}

/** What hangs on an image is known by the same repository. */
function sourceOf({ request }: WalkedImage, digest: Digest): string {
  const { registry, repository } = parseReference(request.source);
  return formatReference({ registry, repository, digest });
}

/** A list may say anything; a manifest says for itself what it is about. */
function checkSubject({ request, tree }: WalkedImage): void {
  const { subject } = tree.manifest;
  if (subject === request.subject) return;
  throw new BundleError(
    'CONTENT_MISMATCH',
    `${request.name} is listed as a referrer of ${request.subject!}, but is about something else`,
    {
      expected: request.subject,
      got: subject ?? 'no subject',
      subject: request.name,
      hint: `${request.store.name} lists what is not so: do not take referrers from there.`,
    },
  );
}

function unending(why: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', why, {
    hint: 'No real image has as many: the list is not what it should be. Leave --referrers out to carry the rest.',
  });
}
