import { mapLimited } from '../core/concurrency.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, type ErrorCode, hasCode } from '../core/errors.ts';
import { MAX_ALL_REFERRERS, MAX_REFERRER_DEPTH, MAX_REFERRERS } from '../core/limits.ts';
import { signatureTagOf } from '../core/manifest.ts';
import { isIndexType, isManifestType } from '../core/media-types.ts';
import { formatReference, parseReference } from '../core/reference.ts';
import type { ReadOnlyStore } from '../core/store.ts';
import { type ImageRequest, manifestsOf, type WalkedImage } from '../transfer/image.ts';
import { isSignature } from '../trust/image-statements.ts';
import type { ManifestWalker, WalkOptions } from '../transfer/walk.ts';

/** A manifest that something may be attached to, and the image that it belongs to. */
interface Subject {
  readonly digest: Digest;
  readonly image: WalkedImage;
}

/** What was found beside an image, and where: not every repository with the image has it. */
interface Attachment {
  readonly descriptor: Descriptor;
  readonly store: ReadOnlyStore;
}

/** What is looked for beside images. */
export interface AttachedOptions {
  /** All that refers to them, and what refers to that: SBOMs and attestations too. */
  readonly referrers: boolean;
  /** `false` where nothing is looked for at all, signatures neither. */
  readonly signatures?: boolean | undefined;
}

/** What may be wrong with a signature that refers to an image, or with the list of them. */
const LEFT_OUT: readonly ErrorCode[] = [
  'BLOCKED',
  'CONTENT_MISMATCH',
  'NOT_ALLOWED',
  'NOT_FOUND',
  'REGISTRY',
  'UNSUPPORTED_CONTENT',
];

/**
 * Finds what is attached to images: their signatures, under cosign's tags and among what refers to
 * them, and where they are wanted all other referrers. One store is asked for each manifest,
 * whichever parts have it: what another repository has beside the same image is not looked for.
 */
export class AttachedImages {
  readonly #walker: ManifestWalker;
  readonly #options: WalkOptions & AttachedOptions;
  readonly #signatures = new Map<Digest, Promise<Attachment | undefined>>();
  readonly #referrers = new Map<Digest, Promise<readonly Attachment[]>>();
  /** The signatures among the referrers. */
  readonly #signing = new Map<Digest, Promise<readonly Attachment[]>>();
  /** Repositories that it was told of. */
  readonly #told = new Set<string>();

  /** @param options what is looked for, beside how many requests run at a time. */
  constructor(walker: ManifestWalker, options: WalkOptions & AttachedOptions) {
    this.#walker = walker;
    this.#options = options;
  }

  /**
   * Asks about an image, while others are still being fetched. What it finds, and what goes wrong,
   * {@link addTo} says.
   */
  async lookAhead(image: WalkedImage, signal: AbortSignal): Promise<void> {
    if (this.#options.signatures === false) return;
    for (const { descriptor } of manifestsOf(image.tree)) {
      const subject = { digest: descriptor.digest, image };
      for (const { request } of await this.#signatureRequests(subject, signal)) {
        await this.#walker.walkOne(request);
      }
      await (this.#options.referrers
        ? this.#referrersOf(subject, signal)
        : this.#signingReferrers(subject, signal));
    }
  }

  /**
   * Puts behind each image what is attached to its manifests: first the signature images, then the
   * referrers, each with what is attached to it in turn. The order follows from the digests alone,
   * whatever order a store lists them in.
   * @throws BundleError CONTENT_MISMATCH for a referrer that names another subject than the one it
   * is listed for; UNSUPPORTED_CONTENT for what cannot be carried, or does not end.
   */
  async addTo(images: readonly WalkedImage[]): Promise<WalkedImage[]> {
    const { concurrency, signal, referrers: wanted, signatures: signed } = this.#options;
    if (signed === false) return [...images];
    const attached = new Map<WalkedImage, WalkedImage[]>();
    const asked = new Set<Digest>();
    let count = 0;
    let bearers: readonly WalkedImage[] = images;
    for (let depth = 0; bearers.length > 0; depth += 1) {
      const subjects = subjectsIn(bearers, asked);
      const signatures = await mapLimited(subjects, concurrency, this.#signatureRequests, signal);
      const referrers = await mapLimited(subjects, concurrency, this.#referrerRequests, signal);
      const found = [...signatures.flat(), ...referrers.flat()];
      const first = referrers.flat()[0];
      count += referrers.flat().length;
      if (count > MAX_ALL_REFERRERS)
        throw unending(`there are more than ${MAX_ALL_REFERRERS} referrers`);
      if (first !== undefined && depth === MAX_REFERRER_DEPTH) {
        throw unending(
          `referrers refer to referrers more than ${MAX_REFERRER_DEPTH} deep, ` +
            `as ${first.request.name} does`,
        );
      }
      const walked = await this.#walker.walk(found.map(({ request }) => request));
      for (const [index, image] of walked.entries()) {
        const { owner } = found[index]!;
        const others = attached.get(owner);
        if (others === undefined) attached.set(owner, [image]);
        else others.push(image);
      }
      const referring = walked.slice(signatures.flat().length);
      referring.forEach(checkSubject);
      // A signature of a signature is one of what refers to referrers.
      bearers = wanted ? referring : [];
    }
    const withAll = (image: WalkedImage): WalkedImage[] => [
      image,
      ...(attached.get(image) ?? []).flatMap(withAll),
    ];
    return images.flatMap(withAll);
  }

  readonly #signatureRequests = async (
    subject: Subject,
    signal: AbortSignal,
  ): Promise<Request[]> => {
    const attachment = await this.#signatureOf(subject, signal);
    if (attachment === undefined) return [];
    const tag = signatureTagOf(subject.digest);
    return [requestFor(subject, attachment, { name: tag, role: 'signature', attachment: 'tag' })];
  };

  readonly #referrerRequests = async (
    subject: Subject,
    signal: AbortSignal,
  ): Promise<Request[]> => {
    const referrers = await (this.#options.referrers
      ? this.#referrersOf(subject, signal)
      : this.#signingReferrers(subject, signal));
    return referrers.map((attachment) => referrerRequest(subject, attachment));
  };

  /**
   * Those of the referrers that are signatures. What else refers to an image is not wanted, and
   * ends no run: a list that cannot be read, or what it lists, is told and left out.
   */
  #signingReferrers(subject: Subject, signal: AbortSignal): Promise<readonly Attachment[]> {
    return once(this.#signing, subject.digest, async () => {
      const signing: Attachment[] = [];
      try {
        for (const attachment of await this.#referrersOf(subject, signal))
          if (await this.#isSigning(subject, attachment)) signing.push(attachment);
      } catch (error) {
        this.#leaveOut(subject, error);
      }
      return signing;
    });
  }

  async #isSigning(subject: Subject, attachment: Attachment): Promise<boolean> {
    if (isIndexType(attachment.descriptor.mediaType)) return false;
    const { request } = referrerRequest(subject, attachment);
    try {
      const image = await this.#walker.walkOne(request);
      if (!isSignature(image.tree.bytes)) return false;
      checkSubject(image);
      return true;
    } catch (error) {
      this.#leaveOut(subject, error);
      return false;
    }
  }

  #leaveOut({ image }: Subject, error: unknown): void {
    if (!(error instanceof BundleError) || !LEFT_OUT.includes(error.code)) throw error;
    const { name: repository } = image.request.store;
    if (this.#told.has(repository)) return;
    this.#told.add(repository);
    const cause = error.message;
    this.#options.observe?.({ type: 'noticed', code: 'signatures-not-read', repository, cause });
  }

  #signatureOf({ digest, image }: Subject, signal: AbortSignal): Promise<Attachment | undefined> {
    const { store, name } = image.request;
    return once(this.#signatures, digest, async () => {
      try {
        return { descriptor: await store.resolve(signatureTagOf(digest), { signal }), store };
      } catch (error) {
        // It has none; any other failure is one.
        if (hasCode(error, 'NOT_FOUND')) return undefined;
        throw error instanceof BundleError ? error.about(`signature of image ${name}`) : error;
      }
    });
  }

  #referrersOf({ digest, image }: Subject, signal: AbortSignal): Promise<readonly Attachment[]> {
    const { store, name } = image.request;
    return once(this.#referrers, digest, async () => {
      try {
        const { referrers } = this.#options;
        const listed = await listedReferrers(store, digest, signal, referrers);
        return listed.map((descriptor) => ({ descriptor, store }));
      } catch (error) {
        throw error instanceof BundleError ? error.about(`referrers of image ${name}`) : error;
      }
    });
  }
}

interface Request {
  readonly owner: WalkedImage;
  readonly request: ImageRequest;
}

/** Answers every caller with the result of one request. */
function once<T>(answers: Map<Digest, Promise<T>>, key: Digest, ask: () => Promise<T>): Promise<T> {
  let answer = answers.get(key);
  if (answer === undefined) {
    answer = ask();
    // The next caller sees the failure; a request made ahead of need must not end the run.
    answer.catch(() => undefined);
    answers.set(key, answer);
  }
  return answer;
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

/**
 * An attached image goes to the same repository as its subject, and is named by the same source.
 */
function requestFor(
  { digest: subject, image }: Subject,
  { descriptor, store }: Attachment,
  own: Pick<ImageRequest, 'name' | 'role'> & Required<Pick<ImageRequest, 'attachment'>>,
): Request {
  const { source, place, order } = image.request;
  const { registry, repository } = parseReference(source);
  const request: ImageRequest = {
    ...own,
    descriptor,
    source: formatReference({ registry, repository, digest: descriptor.digest }),
    tags: own.attachment === 'tag' ? [own.name] : [],
    place,
    proof: 'signer',
    order,
    subject,
    store,
  };
  return { owner: image, request };
}

function referrerRequest(subject: Subject, attachment: Attachment): Request {
  const { digest: name } = attachment.descriptor;
  return requestFor(subject, attachment, { name, role: 'referrer', attachment: 'referrer' });
}

/** @param isAll whether something that cannot be carried is an error, or is left out. */
async function listedReferrers(
  store: ReadOnlyStore,
  subject: Digest,
  signal: AbortSignal,
  isAll: boolean,
): Promise<readonly Descriptor[]> {
  const listed = await store.referrers(subject, { signal });
  if (listed.length > MAX_REFERRERS) {
    throw unending(`${store.name} lists ${listed.length} referrers of ${subject}`);
  }
  const distinct = new Map(listed.map((descriptor) => [descriptor.digest, descriptor]));
  for (const { digest, mediaType } of distinct.values()) {
    if (isManifestType(mediaType)) continue;
    distinct.delete(digest);
    if (!isAll) continue;
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `${digest}, which refers to ${subject}, is of type ${mediaType}`,
      {
        hint:
          'This program cannot carry such a referrer. ' +
          'Without --referrers it carries everything else.',
      },
    );
  }
  return [...distinct.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
}

/** A list may say anything; a manifest says for itself what its subject is. */
function checkSubject({ request, tree }: WalkedImage): void {
  const { subject } = tree.manifest;
  if (subject === request.subject) return;
  throw new BundleError(
    'CONTENT_MISMATCH',
    `${request.name} is listed as a referrer of ${request.subject!}, but names another subject`,
    {
      expected: request.subject,
      got: subject ?? 'no subject',
      subject: request.name,
      hint: `The list of ${request.store.name} is wrong: do not use --referrers with it.`,
    },
  );
}

function unending(why: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', why, {
    hint:
      'No real image has that many: the list is wrong. Without --referrers, ' +
      'everything else is carried.',
  });
}
