import { MAX_DAMAGE_BYTES, parseDamageMap, type Wanted } from '../bundle/format/damage-map.ts';
import { patchName } from '../bundle/format/names.ts';
import type { RequiredBundle } from '../bundle/format/manifest.ts';
import { type DescribedBundle, describeBundle } from '../bundle/format/plan.ts';
import { hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { readGivenFile } from '../files/small-file.ts';
import { type Closure, contentsOf } from '../kinds/closure.ts';

/** The content of a file, and the name of the file without `.tar.zst`. */
export interface PackedContent {
  readonly described: DescribedBundle;
  readonly fileName: string;
}

export function wholeContent(
  closure: Closure,
  name: string,
  requires?: readonly RequiredBundle[],
): PackedContent {
  return { described: describeBundle(contentsOf(name, closure, requires)), fileName: name };
}

/** What a damage map asks for, and its file. */
export interface WantedPatch {
  readonly file: string;
  readonly wanted: Wanted;
}

/** @throws BundleError CONFIGURATION, NOT_FOUND, DISK */
export async function readWantedPatch(file: string): Promise<WantedPatch> {
  return { file, wanted: parseDamageMap(await readGivenFile(file, MAX_DAMAGE_BYTES), file) };
}

/**
 * The content of a patch for a damaged bundle. The damage map is not trusted: it only selects from
 * the content of the parts.
 * @throws BundleError USAGE when the map is of another bundle, or nothing has to be packed for it.
 */
export function patchContent(
  closure: Closure,
  { file: damageFile, wanted }: WantedPatch,
  requires?: readonly RequiredBundle[],
): PackedContent {
  const whole = contentsOf(wanted.name, closure, requires);
  const { bundleDigest } = describeBundle(whole);
  if (wanted.bundleDigest !== bundleDigest) {
    throw new BundleError(
      'USAGE',
      `${damageFile} belongs to another bundle than the one that these releases make now`,
      {
        expected: hexOf(bundleDigest),
        got: hexOf(wanted.bundleDigest),
        hint:
          'Name the releases of the damaged bundle, with the same --arch, --signature-store, ' +
          '--release-key, --referrers and --no-signatures. An increment that is not in the history ' +
          'here needs its baselines or sites, too: bundle verify prints the bundles (--baseline, ' +
          '--assume-delivered). If anything has changed since, pack a new bundle.',
      },
    );
  }
  const names = new Set(wanted.blobs);
  const blobs = whole.blobs.filter(({ descriptor }) => names.has(descriptor.digest));
  const manifests = whole.manifests.filter(({ descriptor }) => names.has(descriptor.digest));
  if (blobs.length + manifests.length < names.size) {
    throw new BundleError('USAGE', `${damageFile} lists blobs that the bundle does not have`, {
      hint: 'Make it again with bundle verify --damage FILE.',
    });
  }
  if (blobs.length === 0 && !wanted.metadata) {
    throw new BundleError('USAGE', 'no patch is needed: the damaged bytes can be computed', {
      hint: 'Run bundle repair BUNDLE -o FOLDER, which writes a whole bundle without a patch.',
    });
  }
  const described = describeBundle({
    ...whole,
    requires: [],
    repairs: bundleDigest,
    images: [],
    ...(!wanted.metadata && { files: [], manifests: [] }),
    blobs,
  });
  return { described, fileName: patchName(wanted.name, described.bundleDigest) };
}
