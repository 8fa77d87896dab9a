import { type Digest, digestOf } from '../../core/digest.ts';
import type { JsonObject } from '../../core/json.ts';
import { compareText } from '../../core/text.ts';
import { type LockedCatalog, catalogLock } from '../../kinds/lock/catalog.ts';
import { type LockedChart, chartLock } from '../../kinds/lock/chart.ts';
import type { OffersRequest } from '../../kinds/graph/offers.ts';
import { type LockedGraph, graphLock } from '../../kinds/lock/graph.ts';
import { type LockedImage, imageLock } from '../../kinds/lock/image.ts';
import { partSizes } from '../../kinds/part-sizes.ts';
import { type LockedRelease, releaseLock } from '../../kinds/lock/release.ts';
import type { LockForm } from '../../kinds/lock/lock-form.ts';
import type { PlannedImage } from '../../transfer/image.ts';
import type { FoundParts } from '../find-parts.ts';

/** What the first line of a lock says. */
export const LOCK_KIND = 'bundle lock 1';

/** Whether a file begins as a lock of any version does: for those that expect another file. */
export function looksLikeLock(content: Uint8Array): boolean {
  const start = Buffer.from(content.subarray(0, 200)).toString('latin1');
  return /^\s*\{\s*"kind"\s*:\s*"bundle lock \d+"/.test(start);
}

/** Facts about a run that decide what a bundle holds, beside its parts. */
export interface LockedFacts {
  /** The name of the bundle; it is signed with the rest. */
  readonly name?: string;
  /** Bytes of a volume at most. */
  readonly volumeSize?: number;
  /** Whether signatures of images, and all that refers to them, were looked for. */
  readonly signatures: boolean;
  readonly referrers: boolean;
  /** Which updates the update service of the closed side has to offer. */
  readonly offers?: OffersRequest;
  /** What the file for oc-mirror asked for, if there was one. */
  readonly config?: JsonObject;
}

/** Everything that a set came to, by digest. */
export interface Lock extends LockedFacts {
  readonly parts: readonly LockedPart[];
  readonly releases: readonly LockedRelease[];
  readonly graph: readonly LockedGraph[];
  readonly catalogs: readonly LockedCatalog[];
  readonly charts: readonly LockedChart[];
  readonly images: readonly LockedImage[];
  /** All images of all parts. */
  readonly contents: readonly LockedContent[];
  /** Files of parts: signatures of releases, those that are kept beside registries, graph data. */
  readonly files: readonly LockedFile[];
  /** Every manifest, config and layer, once. */
  readonly blobs: readonly LockedBlob[];
}

/** How large a part is: all of it, and what it adds to those before it; and all that is signed of it. */
export interface LockedPart {
  readonly label: string;
  /** The digest of its row in a bundle. */
  readonly row: Digest;
  readonly images: number;
  readonly bytes: number;
  readonly added: number;
}

/** One image, with what is attached to which other one. */
export interface LockedContent {
  readonly name: string;
  readonly role: string;
  /** `registry/repository@digest` */
  readonly source: string;
  readonly bytes: number;
  readonly attached?: 'tag' | 'referrer';
  readonly subject?: Digest;
}

export interface LockedFile {
  readonly path: string;
  readonly role: string;
  readonly digest: Digest;
}

export interface LockedBlob {
  readonly digest: Digest;
  readonly size: number;
}

/** The lists of a lock that have the parts of a kind each. */
export const LOCK_FORMS = {
  releases: releaseLock,
  graph: graphLock,
  catalogs: catalogLock,
  charts: chartLock,
  images: imageLock,
} as const;

/** Any of them, for code that treats all alike. */
export type AnyLockForm = LockForm<object, unknown, unknown>;

/** The lock of parts that were found. The same parts give the same lock. */
export function lockOf(found: FoundParts, facts: LockedFacts): Lock {
  const { content, parts, asked } = found;
  const sizes = partSizes(found);
  const rows = <Row extends object, Request, Facts>(form: LockForm<Row, Request, Facts>): Row[] =>
    parts.flatMap((part, at) =>
      part.kind === form.kind.name
        ? // A part is of the types of its own kind.
          [form.rowOf(part as typeof part & { facts: Facts }, asked[at]!.request as Request)]
        : [],
    );
  return {
    ...facts,
    parts: parts.map(({ label, claim }, at) => {
      const { bytes, added } = sizes[at]!;
      const images = content.images.filter((image) => image.parts.includes(at)).length;
      return { label, row: digestOf(JSON.stringify(claim)), images, bytes, added };
    }),
    releases: rows(releaseLock),
    graph: rows(graphLock),
    catalogs: rows(catalogLock),
    charts: rows(chartLock),
    images: rows(imageLock),
    contents: content.images.map(contentOf),
    files: [...new Map(parts.flatMap(({ files }) => files.map((file) => [file.path, file])))]
      .map(([path, { role, bytes }]) => ({ path, role, digest: digestOf(bytes) }))
      .sort((a, b) => compareText(a.path, b.path)),
    blobs: [...content.manifests, ...content.blobs]
      .map(({ descriptor: { digest, size } }) => ({ digest, size }))
      .sort((a, b) => compareText(a.digest, b.digest)),
  };
}

function contentOf(image: PlannedImage): LockedContent {
  const { name, role, source, manifests, blobs, attachment, subject } = image;
  return {
    ...{ name, role, source },
    bytes: [...manifests, ...blobs].reduce((sum, { size }) => sum + size, 0),
    ...(attachment !== undefined && { attached: attachment }),
    ...(subject !== undefined && { subject }),
  };
}
