import { digestOf, type Digest } from '../../../core/digest.ts';
import type { Descriptor } from '../../../core/descriptor.ts';
import { BundleError, hasCode } from '../../../core/errors.ts';
import {
  asArray,
  asObject,
  isObject,
  type JsonObject,
  parseStrictJson,
} from '../../../core/json.ts';
import { MAX_MANIFEST_BYTES, MAX_REFERRERS } from '../../../core/limits.ts';
import {
  artifactTypeOf,
  parseDescriptor,
  parseManifest,
  referrersTagOf,
} from '../../../core/manifest.ts';
import { OCI_INDEX } from '../../../core/media-types.ts';
import { formatRepository } from '../../../core/reference.ts';
import { pathOf, type RepositoryAccess } from '../auth/access.ts';
import { getManifest, putManifest } from './manifests.ts';
import { nextPage } from '../http/next-page.ts';
import { discard } from '../http/transport.ts';
import { readWhole } from '../http/whole.ts';

/** A list of referrers: an OCI index whose entries say more of each than a descriptor does. */
interface Listing {
  readonly document: JsonObject;
  readonly entries: readonly { readonly json: JsonObject; readonly descriptor: Descriptor }[];
}

export interface ReferrerOptions {
  /** What the manifest refers to. */
  readonly subject: Digest;
  /** The subject that the registry has taken note of itself. */
  readonly noted: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const EMPTY: Listing = { document: { schemaVersion: 2, mediaType: OCI_INDEX }, entries: [] };

/**
 * The referrers of the manifests of one repository (distribution-spec 1.1, "Listing Referrers").
 * The registry lists them; if it has no API for that, they are read from a tag for each subject,
 * which clients that push have to maintain.
 */
export class Referrers {
  readonly #access: RepositoryAccess;
  readonly #name: string;
  #hasApi: boolean | undefined;
  /** Changes of a subject's list that wait for each other, so that none is lost. */
  readonly #changes = new Map<Digest, Promise<unknown>>();

  readonly #isUnlisted: (tag: string, signal: AbortSignal | undefined) => Promise<boolean>;

  /** @param isUnlisted whether a tag that was refused is known not to exist. */
  constructor(
    access: RepositoryAccess,
    isUnlisted: (tag: string, signal: AbortSignal | undefined) => Promise<boolean>,
  ) {
    this.#access = access;
    this.#isUnlisted = isUnlisted;
    this.#name = formatRepository(access.name);
  }

  /**
   * @throws BundleError REGISTRY for a list that is none, or does not end; NOT_ALLOWED, NETWORK.
   */
  async list(subject: Digest, signal: AbortSignal | undefined): Promise<readonly Descriptor[]> {
    if (this.#hasApi !== false) {
      const listed = await this.#ask(subject, signal);
      this.#hasApi = listed !== undefined;
      if (listed !== undefined) return listed;
    }
    const listing = await this.#tagged(subject, signal);
    return listing === undefined || listing === 'something else'
      ? []
      : listing.entries.map(({ descriptor }) => descriptor);
  }

  /**
   * Sees to it that a manifest is listed that has just been pushed.
   * @throws BundleError TAG_CONFLICT where the tag for the list names something else.
   */
  async add(
    referrer: Descriptor,
    bytes: Uint8Array,
    { subject, noted, signal }: ReferrerOptions,
  ): Promise<void> {
    if (noted === subject) {
      this.#hasApi = true;
      return;
    }
    const before = this.#changes.get(subject) ?? Promise.resolve();
    const change = async (): Promise<void> => this.#extend(subject, referrer, bytes, signal);
    const mine = before.then(change, change);
    this.#changes.set(subject, mine);
    try {
      await mine;
    } finally {
      if (this.#changes.get(subject) === mine) this.#changes.delete(subject);
    }
  }

  /** The answer of the referrers API; `undefined` if the registry has none. */
  async #ask(
    subject: Digest,
    signal: AbortSignal | undefined,
  ): Promise<readonly Descriptor[] | undefined> {
    const action = `list the referrers of ${subject} in ${this.#name}`;
    const found = new Map<Digest, Descriptor>();
    const seen = new Set<string>();
    let next: string | URL | undefined = `/v2/${pathOf(this.#access.name)}/referrers/${subject}`;
    while (next !== undefined) {
      const to: string | URL = next;
      const { response, body } = await readWhole(
        async () =>
          this.#access.send({
            method: 'GET',
            to,
            action,
            access: 'pull',
            headers: { accept: OCI_INDEX },
            signal,
          }),
        {
          transport: this.#access.transport,
          limit: MAX_MANIFEST_BYTES,
          what: `the referrers of ${subject} in ${this.#name}`,
          signal,
        },
      );
      if (response.status === 404 && seen.size === 0) {
        await discard(response);
        return undefined;
      }
      if (body === undefined) throw await this.#access.failure(response, action);
      for (const { descriptor } of parseListing(body, action).entries)
        found.set(descriptor.digest, descriptor);
      seen.add(response.url.href);
      next = nextPage(response);
      if (
        found.size > MAX_REFERRERS ||
        (next !== undefined && seen.has(next.href)) ||
        seen.size > MAX_REFERRERS
      )
        throw endless(action);
    }
    return [...found.values()];
  }

  /**
   * The list that the tag of a subject names. Some name the very image by such a tag, to keep it
   * from being collected (openshift/art-tools, release_gen_payload: all components of OpenShift):
   * that is no list, and neither is anything else that is no OCI index.
   */
  async #tagged(
    subject: Digest,
    signal: AbortSignal | undefined,
  ): Promise<Listing | 'something else' | undefined> {
    const tag = referrersTagOf(subject);
    const action = `read the list of referrers of ${subject} at ${this.#name}:${tag}`;
    try {
      const { bytes, mediaType } = await getManifest(this.#access, tag, action, signal);
      if (digestOf(bytes) === subject || typeOf(bytes, mediaType) !== OCI_INDEX)
        return 'something else';
      const listing = parseListing(bytes, action);
      if (listing.entries.length > MAX_REFERRERS) throw endless(action);
      return listing;
    } catch (error) {
      if (hasCode(error, 'NOT_FOUND')) return undefined;
      if (hasCode(error, 'NOT_ALLOWED') && (await this.#isUnlisted(tag, signal))) return undefined;
      throw error;
    }
  }

  async #extend(
    subject: Digest,
    referrer: Descriptor,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const tag = referrersTagOf(subject);
    const listing = (await this.#tagged(subject, signal)) ?? EMPTY;
    if (listing === 'something else') {
      throw new BundleError(
        'TAG_CONFLICT',
        `${this.#name}:${tag} is not a list of referrers, but the list has to be under this tag`,
        {
          hint:
            'Let the owner of the tag remove it. The registry cannot list referrers itself, ' +
            'so clients look for the list under this tag.',
        },
      );
    }
    if (listing.entries.some(({ descriptor }) => descriptor.digest === referrer.digest)) return;
    const manifests = [...listing.entries.map(({ json }) => json), entryOf(referrer, bytes)];
    const extended = Buffer.from(JSON.stringify({ ...listing.document, manifests }));
    const index = { mediaType: OCI_INDEX, digest: digestOf(extended), bytes: extended };
    const action = `add ${referrer.digest} to the list of referrers at ${this.#name}:${tag}`;
    await putManifest(this.#access, index, { under: tag, action, signal });
  }
}

/** The entry of a referrer in a list (distribution-spec, "Pushing Manifests with Subject"). */
function entryOf({ mediaType, digest, size }: Descriptor, bytes: Uint8Array): JsonObject {
  const manifest = asObject(parseStrictJson(bytes, 'manifest'), 'manifest');
  const artifactType = artifactTypeOf(manifest);
  const { annotations } = manifest;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(isObject(annotations) && { annotations }),
  };
}

/**
 * What it is by its own words, else by those of the answer: some that stand before a registry drop
 * or change the header.
 */
function typeOf(bytes: Uint8Array, announced: string | undefined): string | undefined {
  try {
    return parseManifest(bytes, announced).mediaType;
  } catch (error) {
    if (hasCode(error, 'UNSUPPORTED_CONTENT')) return announced;
    throw error;
  }
}

function parseListing(bytes: Uint8Array, action: string): Listing {
  try {
    const document = asObject(parseStrictJson(bytes, 'it'), 'it');
    const manifests = document['manifests'] ?? []; // some write an empty list as null
    const entries = asArray(manifests, 'manifests').map((entry, index) => {
      const what = `manifests[${index}]`;
      return { json: asObject(entry, what), descriptor: parseDescriptor(entry, what) };
    });
    return { document, entries };
  } catch (cause) {
    if (!hasCode(cause, 'UNSUPPORTED_CONTENT')) throw cause;
    throw new BundleError(
      'REGISTRY',
      `cannot ${action}: the answer is no list of referrers: ${cause.message}`,
      { cause },
    );
  }
}

function endless(action: string): BundleError {
  return new BundleError(
    'REGISTRY',
    `cannot ${action}: the list does not end, or has more than ${MAX_REFERRERS} entries`,
  );
}
