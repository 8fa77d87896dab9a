import { describeBundle } from '../bundle/format/plan.ts';
import type { BundledPart, BundleManifest, RequiredBundle } from '../bundle/format/manifest.ts';
import type { BundleContent } from '../bundle/reading/reader.ts';
import type { Context } from '../core/context.ts';
import { BundleError } from '../core/errors.ts';
import { isDamage } from '../bundle/reading/fault.ts';
import { hexOf } from '../core/digest.ts';
import { AttachedImages } from '../kinds/attached.ts';
import { type Closure, closureOf, contentsOf, leadingBlobs } from '../kinds/closure.ts';
import type { Kind, Part, Walk } from '../kinds/kind.ts';
import { readLookaside, withLookaside } from '../kinds/signatures/lookaside.ts';
import { ManifestWalker } from '../transfer/walk.ts';
import type { ReleaseKeys } from '../trust/release-keys.ts';
import { type Asked, commandOn } from './commands.ts';
import { listedHoles } from './incomplete/listed-holes.ts';
import { type DerivedParts, type LostPart, onlyParts, type Listed } from './some-parts.ts';
import { type Signers, unknownSigner } from './signers.ts';

/** The hint for a bundle that contradicts itself, even if its signer is trusted. */
const FOREIGN = 'This program did not make the bundle from this content: do not use it.';

/** The inputs for deriving a bundle. */
export interface Derivation {
  readonly kinds: readonly Kind[];
  /** OpenPGP keys that publishers may have signed with. */
  readonly releaseKeys: ReleaseKeys;
  /** Damage of one part ends the reading of all: nothing of a pipe can be read again. */
  readonly needsAll?: boolean;
}

/**
 * Derives the parts of a bundle again from their digests, and compares the result with everything
 * that the bundle says of them. A part that cannot be derived for damage does not hinder others.
 * @throws the damage, where no part can be derived.
 * @throws BundleError SIGNER_UNKNOWN, SIGNATURE_MISSING, SIGNATURE_INVALID, BUNDLE_UNUSABLE,
 * CLOSURE_MISMATCH, UNSUPPORTED_CONTENT
 */
export async function deriveParts(
  bundle: BundleContent,
  { signer, standing }: Signers,
  derivation: Derivation,
  context: Context,
): Promise<DerivedParts> {
  const { lookups, signal, now, observe } = context;
  const { manifest, files } = bundle;
  refuseUnknownKinds(manifest, derivation.kinds);
  const walker = new ManifestWalker({
    ...{ concurrency: lookups, signal },
    observe: (event) => {
      if (event.type === 'counted') observe(event);
    },
  });
  const attached = new AttachedImages(walker, { concurrency: lookups, signal, referrers: true });
  const walk: Walk = { walker, attached, lookups, signal, observe: () => undefined };
  const parts: Part[] = [];
  const rows: number[] = [];
  const lost: LostPart[] = [];
  const seen = new Set<string>();
  try {
    for (const [number, row] of manifest.parts.entries()) {
      const { kind: name, claim } = row;
      observe({
        type: 'phase',
        what: `checking what belongs to ${labelOf(row, derivation.kinds)}`,
      });
      const kind = derivation.kinds.find((candidate) => candidate.name === name)!;
      const { releaseKeys } = derivation;
      const own = readLookaside(claim, files);
      const seed = await kind.read(own.claim, files, { releaseKeys, now });
      refuseTwice(`${name} ${kind.digestOf(seed)}`, seen);
      const place = { root: bundle, storeOf: () => bundle, holdsMade: true };
      try {
        const holes = listedHoles(manifest, number);
        const bare = await kind.expand(seed, place, { ...walk, holes });
        parts.push(withLookaside(bare, own.messages));
        rows.push(number);
      } catch (error) {
        if (!isDamage(error) || derivation.needsAll === true) throw error;
        const label = labelOf(row, derivation.kinds);
        lost.push({ number, label, error: error.retold(`${label}: ${error.message}`) });
      }
    }
    const [first] = lost;
    if (first !== undefined && parts.length === 0) throw first.error;
    const closure = closureOf(parts);
    const listed = first === undefined ? bundle : onlyParts(rows, bundle, closure);
    checkClosure(closure, listed, first === undefined);
    if (standing === 'unknown') refuseUncovered(closure, signer);
    return { closure, lost };
  } catch (error) {
    if (!(error instanceof BundleError) || !['NOT_FOUND', 'USAGE'].includes(error.code))
      throw error;
    throw new BundleError(
      'CLOSURE_MISMATCH',
      `the bundle lacks content of its parts: ${error.message}`,
      { cause: error, hint: FOREIGN },
    );
  }
}

/** Packing makes one part of what is asked for twice: a bundle has one form. */
function refuseTwice(part: string, seen: Set<string>): void {
  if (seen.has(part)) {
    throw new BundleError('CLOSURE_MISMATCH', `bundle.json lists the ${part} twice`, {
      hint: FOREIGN,
    });
  }
  seen.add(part);
}

/** How a part is called, as far as its row tells. */
export function labelOf({ kind: name, claim }: BundledPart, kinds: readonly Kind[]): string {
  return kinds.find((kind) => kind.name === name)?.labelOf(claim) ?? name;
}

/** Rows of parts whose kind this program does not know. */
export function unknownParts(
  { parts }: Pick<BundleManifest, 'parts'>,
  kinds: readonly Kind[],
): readonly BundledPart[] {
  return parts.filter(({ kind }) => kinds.every(({ name }) => name !== kind));
}

function refuseUnknownKinds(manifest: BundleManifest, kinds: readonly Kind[]): void {
  const [unknown] = unknownParts(manifest, kinds);
  if (unknown === undefined) return;
  throw new BundleError(
    'BUNDLE_UNUSABLE',
    `the bundle has a part of the kind ${JSON.stringify(unknown.kind)}, ` +
      'which this program does not know',
    {
      hint:
        'Use a version of bundle that knows this kind. ' +
        'bundle inspect lists the other content of the bundle.',
    },
  );
}

/** From a signer whom nobody knows only what publishers have signed is taken. */
function refuseUncovered({ content }: Closure, signer: Signers['signer']): void {
  const uncovered = content.images.find(
    ({ proof, attachment }) => proof === 'signer' && attachment === undefined,
  );
  if (uncovered === undefined) return;
  throw unknownSigner(
    signer,
    `is not trusted here, and no release signature covers ${uncovered.name} either: ` +
      'nothing proves it',
  );
}

/** The lists in the bundle must be exactly those that a pack of the same parts would make. */
function checkClosure(
  closure: Closure,
  { manifest, metadataDigests }: Listed,
  isAll: boolean,
): void {
  const { requires = [] } = manifest;
  const derived = describeBundle(contentsOf(manifest.name, closure, requires)).manifest;
  const differs = (what: string, expected: readonly unknown[], got: readonly unknown[]): void => {
    const [expectedTexts, gotTexts] = [expected, got].map((list) =>
      list.map((entry) => JSON.stringify(entry)),
    ) as [string[], string[]];
    const at = expectedTexts.findIndex((text, index) => text !== gotTexts[index]);
    if (at === -1 && expectedTexts.length === gotTexts.length) return;
    const first = at === -1 ? expectedTexts.length : at;
    throw new BundleError(
      'CLOSURE_MISMATCH',
      `from number ${first + 1} on, bundle.json lists other ${what} than those of its parts`,
      {
        expected: expectedTexts[first] ?? 'nothing more',
        got: gotTexts[first] ?? 'nothing more',
        hint: FOREIGN,
      },
    );
  };
  differs('parts', derived.parts, manifest.parts);
  differs('images', derived.images, manifest.images);
  differs('missing images', derived.holes ?? [], manifest.holes ?? []);
  differs('files', derived.files, manifest.files);
  differs('blobs', derived.blobs, manifest.blobs);
  const manifests = closure.content.manifests.map(({ descriptor }) => descriptor.digest);
  differs('manifests', manifests, metadataDigests);
  if (isAll) differs('blobs of earlier bundles', requirable(closure, requires), blobsOf(requires));
}

function blobsOf(requires: readonly RequiredBundle[]): readonly object[] {
  return requires.flatMap(({ bundle, blobs }) => blobs.map((blob) => ({ bundle, ...blob })));
}

/**
 * What a bundle with these parts may leave out: of each earlier bundle each blob once, and none
 * that parts lead with. Several earlier bundles may have one blob: each is that of another site.
 */
function requirable(closure: Closure, requires: readonly RequiredBundle[]): readonly object[] {
  const leading = leadingBlobs(closure);
  const all = closure.content.blobs.flatMap(({ descriptor: { digest, size } }) =>
    leading.has(digest) ? [] : { digest, size },
  );
  return requires.flatMap(({ bundle, blobs }) => {
    const named = new Set(blobs.map(({ digest }) => digest));
    return all.flatMap((blob) => (named.has(blob.digest) ? { bundle, ...blob } : []));
  });
}

/** The refusal of a patch where a whole bundle is needed. */
export function refusedPatch({ name, manifest }: BundleContent, asked: Asked): BundleError {
  const of = (verb: string, ...more: readonly string[]): string =>
    `  ${commandOn(verb, { ...asked, paths: ['BUNDLE', ...asked.paths] }, ...more)}`;
  return new BundleError(
    'BUNDLE_UNUSABLE',
    `${name} is a patch for the bundle ${hexOf(manifest.repairs!)}, not a whole bundle`,
    {
      hint: [
        'Use it together with the damaged bundle. This pushes what is in both:',
        of('unpack', '--to', 'REGISTRY/NAMESPACE'),
        'This writes the whole bundle again:',
        of('repair', '-o', 'FOLDER'),
      ].join('\n'),
    },
  );
}
