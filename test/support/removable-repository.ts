import { type Digest, digestOf } from '../../src/core/digest.ts';
import { BundleError } from '../../src/core/errors.ts';
import { parseManifest, successors } from '../../src/core/manifest.ts';
import { isManifestType, OCI_INDEX } from '../../src/core/media-types.ts';
import type { RawManifest, RemovableRepository, Removal } from '../../src/core/store.ts';

/** How registries differ. */
export interface Ways {
  /** What comes of removing one tag of several: nothing, that tag, or the manifest with all tags. */
  readonly tags?: 'unsupported' | 'alone' | 'with-manifest';
  /** A manifest that is removed leaves the tags that name it, which still give it. */
  readonly keepsTags?: boolean;
  /** It says that it has removed a manifest, and gives it still. */
  readonly keepsManifests?: boolean;
  /** It takes with a manifest all that it names. */
  readonly takesChildren?: boolean;
  /** It removes nothing. */
  readonly isReadOnly?: boolean;
  /** It lists only so many of its tags. */
  readonly listsTags?: number;
  /** After so many removals it answers with an error. */
  readonly failsAfter?: number;
}

/** A repository in memory, as registries are. */
export class MemoryRepository implements RemovableRepository {
  readonly name = 'registry.example.com/ocp4/content';
  readonly #ways: Ways;
  readonly manifests = new Map<Digest, { bytes: Uint8Array; mediaType: string }>();
  readonly tagged = new Map<string, Digest>();
  /** Bytes that tags give without their manifest. */
  readonly #copies = new Map<Digest, { bytes: Uint8Array; mediaType: string }>();
  #removals = 0;
  /** Told of each request that changes something. */
  onChange: (what: string) => void = () => undefined;

  constructor(ways: Ways = {}) {
    this.#ways = ways;
  }

  async product(): Promise<undefined> {
    return undefined;
  }

  add(manifest: object & { mediaType: string }, ...tags: readonly string[]): Digest {
    const bytes = Buffer.from(JSON.stringify(manifest));
    const digest = digestOf(bytes);
    this.manifests.set(digest, { bytes, mediaType: manifest.mediaType });
    for (const tag of tags) this.tagged.set(tag, digest);
    return digest;
  }

  async tags(): Promise<readonly string[]> {
    return [...this.tagged.keys()].slice(0, this.#ways.listsTags);
  }

  async manifest(reference: string): Promise<RawManifest | undefined> {
    const tagged = this.tagged.get(reference);
    const digest = tagged ?? (reference as Digest);
    const found =
      this.manifests.get(digest) ?? (tagged === undefined ? undefined : this.#copies.get(digest));
    return found && { ...found, digest };
  }

  async referrers(subject: Digest): Promise<readonly Digest[]> {
    return [...this.manifests].flatMap(([digest, { bytes, mediaType }]) =>
      parseManifest(bytes, mediaType).subject === subject ? [digest] : [],
    );
  }

  async put(
    { bytes, mediaType }: RawManifest & { mediaType: string },
    under: string,
  ): Promise<void> {
    this.onChange(`put ${under}`);
    const digest = digestOf(bytes);
    for (const child of successors(parseManifest(bytes, mediaType)))
      if (isManifestType(child.mediaType) && !this.manifests.has(child.digest))
        throw new BundleError('REGISTRY', 'MANIFEST_BLOB_UNKNOWN');
    this.manifests.set(digest, { bytes, mediaType });
    if (under !== digest) this.tagged.set(under, digest);
  }

  async remove(reference: string): Promise<Removal> {
    const { tags = 'alone', isReadOnly, failsAfter = Infinity } = this.#ways;
    if (isReadOnly === true) return 'unsupported';
    if (this.#removals >= failsAfter) throw new BundleError('REGISTRY', 'status 500');
    const tagged = this.tagged.get(reference);
    if (!reference.startsWith('sha256:') && tags === 'unsupported') return 'unsupported';
    if (tagged === undefined && !this.manifests.has(reference as Digest)) return 'absent';
    this.onChange(`remove ${reference}`);
    this.#removals += 1;
    if (tagged !== undefined && tags === 'alone') this.tagged.delete(reference);
    else this.#removeManifest(tagged ?? (reference as Digest));
    return 'removed';
  }

  #removeManifest(digest: Digest): void {
    const { keepsTags = false, keepsManifests = false, takesChildren = false } = this.#ways;
    if (keepsManifests) return;
    const found = this.manifests.get(digest);
    if (found === undefined) return;
    this.manifests.delete(digest);
    if (keepsTags) this.#copies.set(digest, found);
    else for (const [tag, one] of this.tagged) if (one === digest) this.tagged.delete(tag);
    if (!takesChildren) return;
    for (const child of successors(parseManifest(found.bytes, found.mediaType)))
      if (isManifestType(child.mediaType)) this.#removeManifest(child.digest);
  }
}

/** The list of referrers that clients maintain where a registry has no API for it. */
export function referrersList(digests: readonly { digest: Digest; size: number }[]): {
  mediaType: string;
} {
  const manifests = digests.map((one) => ({ ...one, mediaType: OCI_MANIFEST_TYPE }));
  return { schemaVersion: 2, mediaType: OCI_INDEX, manifests } as { mediaType: string };
}

const OCI_MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
