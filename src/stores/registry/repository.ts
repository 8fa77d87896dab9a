import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { digestOf, type Digest, isDigest } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { type Manifest, parseManifest, subjectOf } from '../../core/manifest.ts';
import { isManifestType } from '../../core/media-types.ts';
import { formatRepository, isTag, type RepositoryName } from '../../core/reference.ts';
import type {
  FetchOptions,
  PushOptions,
  ReadOnlyStore,
  Store,
  StoreOptions,
} from '../../core/store.ts';
import { serverText } from '../../core/http/secrets.ts';
import { readVerified } from '../../transfer/verified.ts';
import { pathOf, type RepositoryAccess } from './auth/access.ts';
import { isOfTokenServer } from './http/answers.ts';
import { download } from './blobs/download.ts';
import { holding } from './blobs/held.ts';
import { ManifestCache } from './manifests/manifest-cache.ts';
import { listTags } from './manifests/tag-list.ts';
import { confirmManifest, getManifest, manifestPath, putManifest } from './manifests/manifests.ts';
import { Referrers } from './manifests/referrers.ts';
import { uploadBlob } from './blobs/upload.ts';
import { mountBlob } from './blobs/upload-session.ts';

/** What is wrong may have been altered on the way, once. */
const WRONG_CONTENT_ATTEMPTS = 2;

/** One repository of a registry. Made by RegistryClient. */
export class RegistryRepository implements Store {
  /** `quay.io/openshift-release-dev/ocp-release`. */
  readonly name: string;
  readonly #repository: RepositoryName;
  readonly #access: RepositoryAccess;
  readonly #manifests = new ManifestCache();
  readonly #referrers: Referrers;
  /** What the registry said that it has stored. */
  readonly #accepted = new Set<Digest>();
  /** Blobs that it gave cut off, or as something else. */
  readonly #damaged = new Set<Digest>();
  readonly #willPush: boolean;
  #listed: Promise<ReadonlySet<string>> | undefined;

  /** @param willPush it is about to be written to: what may not be read there is not there yet. */
  constructor(access: RepositoryAccess, willPush = false) {
    this.#willPush = willPush;
    this.#repository = access.name;
    this.name = formatRepository(access.name);
    this.#access = access;
    this.#referrers = new Referrers(access, async (tag, signal) => this.#isUnlisted(tag, signal));
  }

  /**
   * Follows redirects, and continues a transfer that broke. Nothing is asked for before the first
   * chunk is.
   */
  async *fetch(
    descriptor: Descriptor,
    { range, signal }: FetchOptions = {},
  ): ByteStream & AsyncGenerator<Uint8Array> {
    const cached = isManifestType(descriptor.mediaType)
      ? this.#manifests.get(descriptor.digest)
      : undefined;
    if (cached) {
      signal?.throwIfAborted();
      yield cached.subarray(range?.start, range?.end);
      return;
    }
    const action = `fetch ${descriptor.digest} from ${this.name}`;
    yield* download({
      transport: this.#access.transport,
      action,
      part: { start: range?.start ?? 0, end: range?.end },
      size: descriptor.size,
      signal,
      open: async (header) => {
        const headers = {
          accept: acceptFor(descriptor),
          ...(header !== undefined && { range: header }),
        };
        const response = await this.#access.send({
          method: 'GET',
          to: this.#pathTo(descriptor),
          action,
          access: 'pull',
          headers,
          signal,
        });
        if (
          [200, 206].includes(response.status) ||
          (response.status === 416 && header !== undefined)
        )
          return response;
        const error = await this.#access.failure(response, action);
        const isLost = response.status === 404 && this.#accepted.has(descriptor.digest);
        throw isLost ? notKept(this.name, descriptor.digest, error) : error;
      },
    });
  }

  async exists(descriptor: Descriptor, { signal }: StoreOptions = {}): Promise<boolean> {
    try {
      const found = await holding(this.#access, {
        descriptor,
        path: this.#pathTo(descriptor),
        accept: acceptFor(descriptor),
        action: `ask ${this.name} for ${descriptor.digest}`,
        signal,
      });
      if (found === 'damaged') this.#damaged.add(descriptor.digest);
      return found === 'held';
    } catch (error) {
      // The push decides: it is refused too, if the credentials are to blame.
      if (this.#willPush && hasCode(error, 'NOT_ALLOWED')) return false;
      throw error;
    }
  }

  /**
   * The descriptor of a tag or digest, computed from the bytes. The bytes are kept, so that a
   * `fetch` soon after costs nothing.
   * @throws BundleError NOT_FOUND; CONTENT_MISMATCH where a digest that was asked for is not that
   * of the bytes.
   */
  async resolve(reference: string, { signal }: StoreOptions = {}): Promise<Descriptor> {
    if (!isDigest(reference) && !isTag(reference)) throw notATag(reference);
    const action = `resolve ${this.name}${isDigest(reference) ? '@' : ':'}${reference}`;
    try {
      return await this.#resolve(reference, action, signal);
    } catch (error) {
      if (!hasCode(error, 'NOT_ALLOWED') || isOfTokenServer(error) || isDigest(reference))
        throw error;
      if (!(await this.#isUnlisted(reference, signal))) throw error;
      throw new BundleError('NOT_FOUND', error.message, { cause: error, hint: error.hint });
    }
  }

  async #resolve(
    reference: string,
    action: string,
    signal: AbortSignal | undefined,
  ): Promise<Descriptor> {
    const patience = this.#access.transport.patience(WRONG_CONTENT_ATTEMPTS);
    let { bytes, mediaType: announced } = await getManifest(
      this.#access,
      reference,
      action,
      signal,
    );
    while (isDigest(reference) && digestOf(bytes) !== reference) {
      const error = anotherManifest(this.name, reference, digestOf(bytes));
      if (!(await patience.again({ what: action, cause: error.message, error, signal })))
        throw error;
      ({ bytes, mediaType: announced } = await getManifest(
        this.#access,
        reference,
        action,
        signal,
      ));
    }
    const digest = digestOf(bytes);
    const { mediaType } = this.#parse(bytes, announced, reference);
    this.#manifests.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /**
   * Whether the list of tags, which may be read, does not have this one: some registries refuse
   * what does not exist. The list is asked for once.
   */
  async #isUnlisted(tag: string, signal: AbortSignal | undefined): Promise<boolean> {
    this.#listed ??= listTags(this.#access, { ...(signal && { signal }) }).then(
      (tags) => new Set(tags),
    );
    try {
      return !(await this.#listed).has(tag);
    } catch (error) {
      this.#listed = undefined;
      if (hasCode(error, 'NOT_ALLOWED')) return false;
      throw error;
    }
  }

  /** A repository that does not exist has no tags. */
  async tags({ signal }: StoreOptions = {}): Promise<readonly string[]> {
    return listTags(this.#access, { ...(signal && { signal }) });
  }

  async referrers(subject: Digest, { signal }: StoreOptions = {}): Promise<readonly Descriptor[]> {
    try {
      return await this.#referrers.list(subject, signal);
    } catch (error) {
      if (this.#willPush && hasCode(error, 'NOT_ALLOWED')) return [];
      throw error;
    }
  }

  /**
   * Uploads what is not there. Without `again` the content is read once and cannot be sent again:
   * where the failure is `temporary`, call again with a new stream. A manifest and its tag are one
   * request.
   */
  async push(
    descriptor: Descriptor,
    content: ByteStream,
    { signal, again, isSteady = false, tag, restore, isAbsent = false }: PushOptions = {},
  ): Promise<void> {
    const action = `push ${descriptor.digest} to ${this.name}${tag === undefined ? '' : `:${tag}`}`;
    if (isManifestType(descriptor.mediaType)) {
      if (tag !== undefined && !isTag(tag)) throw notATag(tag);
      this.#listed = undefined;
      const bytes = await readVerified(content, descriptor);
      const noted = await putManifest(
        this.#access,
        { ...descriptor, bytes },
        { under: tag ?? descriptor.digest, action, restore, signal },
      );
      const subject = subjectOf(bytes, descriptor.mediaType);
      if (subject !== undefined)
        await this.#referrers.add(descriptor, bytes, { subject, noted, signal });
      this.#manifests.set(descriptor.digest, bytes);
      this.#accepted.add(descriptor.digest);
      return;
    }
    const exists = (): Promise<boolean> => this.exists(descriptor, { ...(signal && { signal }) });
    if (!isAbsent && (await exists())) return;
    const job = { access: this.#access, descriptor, content, again, isSteady, exists };
    await uploadBlob({ ...job, action, signal });
    // Some registries take an upload, and keep what they had under its digest.
    if (this.#damaged.has(descriptor.digest) && !(await exists()))
      throw keptDamaged(this.name, descriptor.digest);
    this.#damaged.delete(descriptor.digest);
    this.#accepted.add(descriptor.digest);
  }

  async tag(descriptor: Descriptor, tag: string, { signal }: StoreOptions = {}): Promise<void> {
    if (!isTag(tag)) throw notATag(tag);
    const bytes = await readVerified(
      this.fetch(descriptor, { ...(signal && { signal }) }),
      descriptor,
    );
    const action = `tag ${descriptor.digest} as ${this.name}:${tag}`;
    const manifest = { ...descriptor, bytes };
    await putManifest(this.#access, manifest, { under: tag, action, signal });
    // With such a tag a release counts as delivered: what it names is read once more.
    await confirmManifest(this.#access, manifest, { under: tag, action, signal });
  }

  async confirm({ digest }: Descriptor, { signal }: StoreOptions = {}): Promise<void> {
    const action = `read ${this.name}@${digest}`;
    await confirmManifest(this.#access, { digest }, { under: digest, action, signal });
  }

  /** Only from another repository of the same registry, of the same client. */
  async mount(
    descriptor: Descriptor,
    from: ReadOnlyStore,
    { signal }: StoreOptions = {},
  ): Promise<boolean> {
    if (!(from instanceof RegistryRepository) || from.#access.transport !== this.#access.transport)
      return false;
    if (from.#repository.registry !== this.#repository.registry || from.name === this.name)
      return false;
    if (isManifestType(descriptor.mediaType)) return false;
    try {
      const isMounted = await mountBlob(this.#access, {
        digest: descriptor.digest,
        from: pathOf(from.#repository),
        action: `mount ${descriptor.digest} into ${this.name}`,
        signal,
      });
      // A registry may mount from its cache what its storage does not hold any more.
      return isMounted && (await this.exists(descriptor, { ...(signal && { signal }) }));
    } catch (error) {
      if (hasCode(error, 'NOT_ALLOWED')) return false; // a token server refused the pair of scopes
      throw error;
    }
  }

  /** A manifest that came by name alone may be anything: who gave it has to be said. */
  #parse(bytes: Uint8Array, announced: string | undefined, reference: string): Manifest {
    try {
      return parseManifest(bytes, announced);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      throw noManifest(`${this.name}${isDigest(reference) ? '@' : ':'}${reference}`, error, {
        registry: this.#repository.registry,
        got: announced,
      });
    }
  }

  #pathTo({ mediaType, digest }: Descriptor): string {
    return isManifestType(mediaType)
      ? manifestPath(this.#access, digest)
      : `/v2/${pathOf(this.#repository)}/blobs/${digest}`;
  }
}

function acceptFor({ mediaType }: Descriptor): string {
  return isManifestType(mediaType) ? mediaType : '*/*';
}

function notATag(text: string): BundleError {
  return new BundleError('USAGE', `not a tag: ${text}`, {
    hint: 'A tag has up to 128 letters, digits, dots, dashes and underscores.',
  });
}

/** What was given as a manifest, and is none: often the page of a proxy or of a guest network. */
function noManifest(
  image: string,
  { code, message, cause, hint }: BundleError,
  { registry, got }: { readonly registry: string; readonly got: string | undefined },
): BundleError {
  const page =
    `A web page came instead. Something between here and ${registry} gives it out (a login page ` +
    `of the network, a proxy), or ${registry} is no registry: check the name and the proxy.`;
  const damaged =
    'The registry, or something on the way, gives wrong content: ' +
    'look at its log, or fetch the image from another registry.';
  return new BundleError(code, `${image} cannot be read: ${serverText(message)}`, {
    cause,
    subject: image,
    got,
    expected: 'the manifest of an image',
    hint: hint ?? (got === 'text/html' ? page : damaged),
  });
}

function keptDamaged(name: string, digest: Digest): BundleError {
  return new BundleError('REGISTRY', `${name} keeps a damaged copy of ${digest}`, {
    expected: 'the content that was pushed',
    got: 'what the registry had before',
    hint:
      'It takes the upload, and does not replace what its storage has under this digest: a disk ' +
      'that was full, or a crash, leaves such files. Remove the blob from its storage (for ' +
      'distribution: the folder of that digest in docker/registry/v2/blobs), restart it, and run ' +
      'the same command again.',
  });
}

function notKept(name: string, digest: Digest, cause: BundleError): BundleError {
  return new BundleError(
    'REGISTRY',
    `${name} does not have ${digest}, which it has accepted in this run`,
    {
      cause,
      hint:
        'The registry loses content that was pushed. Look at its log and its storage, and wait ' +
        'until a garbage collection has ended. Then run the same command again.',
    },
  );
}

function anotherManifest(name: string, expected: Digest, got: Digest): BundleError {
  return new BundleError(
    'CONTENT_MISMATCH',
    `${name} gave another manifest for ${expected}: ${got}`,
    {
      expected,
      got,
      hint:
        'The registry, or something on the way, changed the manifest: ' +
        'fetch it from another registry.',
    },
  );
}
