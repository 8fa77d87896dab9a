import { type Digest, digestOf } from '../../../core/digest.ts';
import { BundleError, hasCode } from '../../../core/errors.ts';
import { formatRepository } from '../../../core/reference.ts';
import type { Removal, RawManifest, RemovableRepository } from '../../../core/store.ts';
import type { RepositoryAccess } from '../auth/access.ts';
import { registryCodes } from '../http/answers.ts';
import { discard } from '../http/transport.ts';
import { getManifest, manifestPath, putManifest } from './manifests.ts';
import { Referrers } from './referrers.ts';
import { listTags } from './tag-list.ts';

/** How registries say that a manifest or a tag is gone: 202 in the specification, 200 and 204. */
const REMOVED = [200, 202, 204];

/** One repository of a registry, of which manifests and tags are taken away. */
export class RegistryRemoval implements RemovableRepository {
  readonly name: string;
  readonly #access: RepositoryAccess;
  readonly #referrers: Referrers;

  constructor(access: RepositoryAccess) {
    this.name = formatRepository(access.name);
    this.#access = access;
    // All tags are read: one that is refused is a reason to stop.
    this.#referrers = new Referrers(access, async () => false);
  }

  async product(): Promise<string | undefined> {
    return (await this.#access.contact()).quirk?.product;
  }

  async tags(signal?: AbortSignal): Promise<readonly string[]> {
    return listTags(this.#access, { ...(signal && { signal }), mustEnd: true });
  }

  async manifest(reference: string, signal?: AbortSignal): Promise<RawManifest | undefined> {
    const action = `read ${this.name} ${reference}`;
    try {
      const { bytes, mediaType } = await getManifest(this.#access, reference, action, signal);
      const digest = digestOf(bytes);
      if (!reference.startsWith('sha256:') || reference === digest)
        return { bytes, mediaType, digest };
      throw new BundleError('CONTENT_MISMATCH', `${this.name} gives another manifest`, {
        expected: reference,
        got: digest,
        hint: 'Nothing is removed from a registry that gives wrong content: look at its storage.',
      });
    } catch (error) {
      if (hasCode(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async referrers(subject: Digest, signal?: AbortSignal): Promise<readonly Digest[]> {
    return (await this.#referrers.list(subject, signal)).map(({ digest }) => digest);
  }

  async put(
    { bytes, mediaType }: RawManifest & { readonly mediaType: string },
    under: string,
    signal?: AbortSignal,
  ): Promise<void> {
    const digest = digestOf(bytes);
    const action = `put ${digest} to ${this.name} ${under}`;
    await putManifest(this.#access, { mediaType, digest, bytes }, { under, action, signal });
  }

  async remove(reference: string, signal?: AbortSignal): Promise<Removal> {
    const action = `delete ${reference} from ${this.name}`;
    const response = await this.#access.send({
      method: 'DELETE',
      to: manifestPath(this.#access, reference),
      action,
      access: 'delete',
      signal,
    });
    if (REMOVED.includes(response.status)) {
      await discard(response);
      return 'removed';
    }
    const error = await this.#access.failure(response, action);
    if (response.status === 404) return 'absent';
    const codes = registryCodes(error);
    if (response.status === 405 || codes.includes('UNSUPPORTED')) return 'unsupported';
    // distribution before version 3 takes a tag for a digest that is wrong.
    const isTag = !reference.startsWith('sha256:');
    if (isTag && response.status === 400) return 'unsupported';
    throw error;
  }
}
