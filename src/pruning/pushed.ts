import type { BundledPart } from '../bundle/format/manifest.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { KeptBundle } from '../history/entry.ts';
import { type Destinations, repositoryAt } from '../kinds/destinations.ts';
import type { Kind } from '../kinds/kind.ts';

/** A part of which it is shown that this program has pushed it, in whatever bundle. */
export interface PushedPart {
  /** Two rows with one key are one part. */
  readonly key: string;
  readonly kind: string;
  readonly label: string;
  /** All by which somebody may call it. */
  readonly names: readonly string[];
  readonly claim: BundledPart['claim'];
  /** The rows of bundles that it is in. */
  readonly rows: readonly { readonly bundle: Digest; readonly number: number }[];
  /** Which bundle it came with last: higher is later. */
  readonly order: number;
}

/** An image of pushed parts, in the repository that it went to. */
export interface PushedImage {
  readonly name: string;
  readonly descriptor: Descriptor;
  readonly tags: readonly string[];
  /** The manifest that it is attached to. */
  readonly subject: Digest | undefined;
  /** Keys of the parts that it belongs to. */
  readonly parts: readonly string[];
}

/** All that this program has pushed to a target. */
export interface Pushed {
  readonly parts: readonly PushedPart[];
  /** By their repositories, as full paths. */
  readonly images: ReadonlyMap<string, readonly PushedImage[]>;
  /** Manifests that the bundles hold themselves. */
  readonly manifests: ReadonlyMap<Digest, Uint8Array>;
}

/** A bundle, and which of its parts have arrived. */
export interface PushedBundle {
  readonly kept: KeptBundle;
  /** Their numbers; `undefined` where all have. */
  readonly parts: ReadonlySet<number> | undefined;
}

/** @param bundles the oldest first. */
export function pushedBy(
  bundles: readonly PushedBundle[],
  at: Destinations,
  kinds: readonly Kind[],
): Pushed {
  const parts = new Map<string, PushedPart>();
  const images = new Map<string, PushedImage[]>();
  const manifests = new Map<Digest, Uint8Array>();
  for (const [order, { kept, parts: arrived }] of bundles.entries()) {
    const { digest: bundle, manifest, places } = kept;
    const keys = manifest.parts.map((row) => keyOf(row, kinds));
    for (const [number, row] of manifest.parts.entries()) {
      if (arrived?.has(number) === false) continue;
      const key = keys[number]!;
      const rows = [...(parts.get(key)?.rows ?? []), { bundle, number }];
      parts.set(key, { ...described(row, kinds), key, rows, order });
    }
    for (const [digest, bytes] of kept.manifests) manifests.set(digest, bytes);
    for (const [row, image] of manifest.images.entries()) {
      const { repository } = repositoryAt(at, places[row]!);
      const { name, digest, size, mediaType, tags, subject } = image;
      const own = image.parts.filter((number) => arrived?.has(number) !== false);
      if (own.length === 0) continue;
      const list = images.get(repository) ?? [];
      images.set(repository, list);
      const of = own.map((number) => keys[number]!);
      list.push({ name, descriptor: { digest, size, mediaType }, tags, subject, parts: of });
    }
  }
  return { parts: [...parts.values()], images, manifests };
}

function described(
  { kind: name, claim }: BundledPart,
  kinds: readonly Kind[],
): Pick<PushedPart, 'kind' | 'label' | 'names' | 'claim'> {
  const kind = kinds.find((one) => one.name === name);
  const label = kind?.labelOf(claim) ?? name;
  const digest = claim['digest'];
  const names = [label, ...(kind?.namesOf(claim) ?? [])];
  return {
    ...{ kind: name, label, claim },
    names: typeof digest === 'string' ? [...names, digest] : names,
  };
}

function keyOf({ kind: name, claim }: BundledPart, kinds: readonly Kind[]): string {
  const kind = kinds.find((one) => one.name === name);
  const own = claim['digest'];
  const digest = kind?.digestOfClaim?.(claim) ?? (typeof own === 'string' ? own : undefined);
  return `${name} ${digest ?? JSON.stringify(claim)}`;
}

export function versionOf({ claim }: PushedPart): string {
  const version = claim['version'];
  return typeof version === 'string' ? version : '0.0.0';
}
