import type { Digest } from '../../core/digest.ts';
import { formatRepository } from '../../core/reference.ts';
import { digest, listOf, objectOf, oneOf, text, yesOrNo } from './fields.ts';
import type { LockForm } from './lock-form.ts';
import { type Architecture, ARCHITECTURES } from '../release/architecture.ts';
import { OFFICIAL_RELEASES } from '../release/official.ts';
import type { ReleaseFacts } from '../release/payload/release-image.ts';
import { releaseKind } from '../release/release.ts';
import type { ReleaseRequest } from '../release/request.ts';

/** A release in a lock. All of its components follow from its digest. */
export interface LockedRelease {
  readonly version: string;
  readonly architecture: Architecture;
  readonly digest: Digest;
  /** Where the release image was: as `--from` takes it, without tag and digest. */
  readonly from: string;
  /** The digests of the messages that have proved it. */
  readonly signatures: readonly Digest[];
  /** Where its KubeVirt image is wanted too: its digest follows from that of the release. */
  readonly kubeVirt?: boolean;
}

export const releaseLock: LockForm<LockedRelease, ReleaseRequest, ReleaseFacts> = {
  kind: releaseKind,
  rowOf: ({ facts }, { from }) => ({
    version: facts.version,
    architecture: facts.architecture,
    digest: facts.digest,
    from: placeIn(from),
    signatures: facts.signatures.map((signature) => signature.digest),
    ...(facts.kubeVirt !== undefined && { kubeVirt: true }),
  }),
  read: objectOf<LockedRelease>({
    version: text,
    architecture: oneOf(ARCHITECTURES),
    digest,
    from: text,
    signatures: listOf(digest),
    kubeVirt: { optional: yesOrNo },
  }),
  requestOf: (row, { proof }) => ({
    version: row.version,
    architecture: row.architecture,
    from: `${row.from}@${row.digest}`,
    expected: row.digest,
    messages: row.signatures,
    kubeVirt: row.kubeVirt,
    ...proof,
  }),
  tagsIn: () => [],
};

/** A place without the tag or the digest of the release in it. */
function placeIn(from: string | undefined): string {
  if (from === undefined) return formatRepository(OFFICIAL_RELEASES);
  const place = from.replace(/@sha256:[0-9a-f]*$/, '');
  return /^(?:oci|file|oc-mirror):/.test(place) ? place : place.replace(/:[^/:]*$/, '');
}
