import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, digestOf, hexOf, isDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { signatureTagOf } from '../../core/manifest.ts';
import { formatRepository, parseReference, type RepositoryName } from '../../core/reference.ts';
import type { FetchOptions, ReadOnlyStore, StoreOptions } from '../../core/store.ts';
import type { CollectedSignatures, LookasideAnswer, Sources } from '../../kinds/sources.ts';
import type { TemporaryFolder } from '../../files/temporary/folder.ts';
import type { HeldContent } from '../../stores/oc/held-content.ts';
import type { HeldPlace } from '../../stores/oc/open.ts';
import { type AnyLockForm, type Lock, LOCK_FORMS } from './lock.ts';

/** What tags named, and what was attached to images, when a lock was written. */
interface LockedNames {
  /** By `registry/repository:tag`. */
  readonly tags: ReadonlyMap<string, Digest>;
  /** Signature images by their tags, which are made of what they sign. */
  readonly signatures: ReadonlyMap<string, Digest>;
  readonly referrers: ReadonlyMap<Digest, readonly Digest[]>;
  /** Signatures that are kept beside registries, by the digits of what they sign. */
  readonly lookaside: ReadonlyMap<string, ReadonlySet<Digest>>;
}

/**
 * Registries as they were when a lock was written: every tag names what it named then, and an image
 * has the signatures that it had. All content is asked for by digest, and hashed as ever.
 */
export class LockedSources implements Sources {
  readonly #sources: Sources;
  readonly #names: LockedNames;
  readonly #stores = new Map<string, ReadOnlyStore>();

  constructor(sources: Sources, lock: Lock) {
    this.#sources = sources;
    this.#names = namesIn(lock);
  }

  source(name: RepositoryName): ReadOnlyStore {
    const key = formatRepository(name);
    const store =
      this.#stores.get(key) ?? new LockedStore(key, this.#sources.source(name), this.#names);
    this.#stores.set(key, store);
    return store;
  }

  held(place: HeldPlace): Promise<HeldContent> {
    return this.#sources.held(place);
  }

  scratch(): Promise<TemporaryFolder> {
    return this.#sources.scratch();
  }

  signatures(stores: readonly string[], digest: Digest): Promise<CollectedSignatures> {
    return this.#sources.signatures(stores, digest);
  }

  async lookaside(name: RepositoryName, digest: Digest): Promise<LookasideAnswer> {
    const wanted = this.#names.lookaside.get(hexOf(digest));
    if (wanted === undefined) return { signatures: [], failures: [] };
    const { signatures, failures } = await this.#sources.lookaside(name, digest);
    return { signatures: signatures.filter((message) => wanted.has(digestOf(message))), failures };
  }

  publicFile(url: string, limit: number): Promise<Uint8Array | undefined> {
    return this.#sources.publicFile(url, limit);
  }

  chartFile(repository: string, url: string, limit: number): Promise<Uint8Array | undefined> {
    return this.#sources.chartFile(repository, url, limit);
  }
}

class LockedStore implements ReadOnlyStore {
  readonly name: string;
  readonly isSteady: boolean;
  readonly #repository: string;
  readonly #store: ReadOnlyStore;
  readonly #names: LockedNames;

  constructor(repository: string, store: ReadOnlyStore, names: LockedNames) {
    this.#repository = repository;
    this.#store = store;
    this.#names = names;
    this.name = store.name;
    this.isSteady = store.isSteady === true;
  }

  placeOf(digest: Digest): string | undefined {
    return this.#store.placeOf?.(digest);
  }

  fetch(descriptor: Descriptor, options?: FetchOptions): ByteStream {
    return this.#store.fetch(descriptor, options);
  }

  exists(descriptor: Descriptor, options?: StoreOptions): Promise<boolean> {
    return this.#store.exists(descriptor, options);
  }

  async resolve(reference: string, options?: StoreOptions): Promise<Descriptor> {
    if (isDigest(reference)) return this.#store.resolve(reference, options);
    const { tags, signatures } = this.#names;
    const name = `${this.#repository}:${reference}`;
    const digest = tags.get(name) ?? signatures.get(reference);
    if (digest === undefined)
      throw new BundleError('NOT_FOUND', `the lock does not say what ${name} was`, {
        subject: name,
        hint: 'Write a new lock.',
      });
    try {
      return await this.#store.resolve(digest, options);
    } catch (error) {
      if (!(error instanceof BundleError) || error.code !== 'NOT_FOUND') throw error;
      throw new BundleError(
        'NOT_FOUND',
        `what ${name} was is not there any more: ${error.message}`,
        {
          ...{ cause: error, subject: name, expected: digest },
          hint: 'Fetch it from a mirror that has it still (--mirror), or write a new lock.',
        },
      );
    }
  }

  tags(options?: StoreOptions): Promise<readonly string[]> {
    return this.#store.tags(options);
  }

  /** Those of the lock, whether they are listed still or not. */
  async referrers(subject: Digest, options?: StoreOptions): Promise<readonly Descriptor[]> {
    const found: Descriptor[] = [];
    for (const digest of this.#names.referrers.get(subject) ?? [])
      found.push(await this.#store.resolve(digest, options));
    return found;
  }
}

/** @throws BundleError USAGE for a reference that is none */
export function namesIn(lock: Lock): LockedNames {
  const tags = new Map<string, Digest>();
  for (const [section, form] of Object.entries(LOCK_FORMS))
    for (const row of lock[section as keyof typeof LOCK_FORMS])
      for (const [tag, digest] of (form as AnyLockForm).tagsIn(row)) tags.set(tag, digest);
  const signatures = new Map<string, Digest>();
  const referrers = new Map<Digest, Digest[]>();
  for (const { source, attached, subject } of lock.contents) {
    const { digest } = parseReference(source);
    if (subject === undefined || digest === undefined) continue;
    if (attached === 'tag') signatures.set(signatureTagOf(subject), digest);
    else referrers.set(subject, [...(referrers.get(subject) ?? []), digest]);
  }
  const lookaside = new Map<string, Set<Digest>>();
  for (const { path, digest } of lock.files) {
    const [, signed] = /^signatures\/([0-9a-f]{64})\//.exec(path) ?? [];
    if (signed !== undefined)
      lookaside.set(signed, (lookaside.get(signed) ?? new Set()).add(digest));
  }
  return { tags, signatures, referrers, lookaside };
}
