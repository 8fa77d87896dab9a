import type { Digest } from '../../core/digest.ts';
import type { Piece } from '../../files/piece.ts';

/** A release signature, or a config map with some, that another program has put beside images. */
export interface HeldSignatures {
  /** The digits that the digest of the release begins with: all of them, or the first 16. */
  readonly hex: string;
  readonly piece: Piece;
  /** How people find it: the path of the file, or of the archive and the entry in it. */
  readonly place: string;
  readonly form: 'message' | 'config-map';
}

/** What a folder or archives of another program hold: names and places, and nothing of it checked. */
export interface Holdings {
  /** How people call the place: `file:/srv/oc`. */
  readonly name: string;
  readonly blobs: ReadonlyMap<Digest, Piece>;
  /** What may be a manifest, by repositories. Some of it may be missing. */
  readonly manifests: ReadonlyMap<string, ReadonlySet<Digest>>;
  /** The digests that tags name, by the repositories that have the tag. */
  readonly tags: ReadonlyMap<string, ReadonlyMap<string, Digest>>;
  readonly signatures: readonly HeldSignatures[];
  /** What to do where something is missing. */
  readonly hint: string;
}

/** Holdings that are being read. */
export class HoldingsList {
  readonly blobs = new Map<Digest, Piece>();
  readonly manifests = new Map<string, Set<Digest>>();
  readonly tags = new Map<string, Map<string, Digest>>();
  readonly signatures: HeldSignatures[] = [];

  /** The place that was found first stays. */
  addBlob(digest: Digest, piece: Piece): void {
    if (!this.blobs.has(digest)) this.blobs.set(digest, piece);
  }

  addManifest(repository: string, digest: Digest): void {
    const known = this.manifests.get(repository) ?? new Set<Digest>();
    known.add(digest);
    this.manifests.set(repository, known);
  }

  /** A repository has a tag once: what was found last counts, as it does for who writes it. */
  addTag(tag: string, repository: string, digest: Digest): void {
    const named = this.tags.get(tag) ?? new Map<string, Digest>();
    named.set(repository, digest);
    this.tags.set(tag, named);
  }

  /** Adds what was found later. */
  addAll(later: HoldingsList): void {
    for (const [digest, piece] of later.blobs) this.addBlob(digest, piece);
    for (const [repository, digests] of later.manifests)
      for (const digest of digests) this.addManifest(repository, digest);
    for (const [tag, named] of later.tags)
      for (const [repository, digest] of named) this.addTag(tag, repository, digest);
    this.signatures.push(...later.signatures);
  }
}
