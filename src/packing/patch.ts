import { PATCH_SUFFIX, BUNDLE_SUFFIX } from '../bundle/format/names.ts';
import { type DescribedBundle, describeBundle } from '../bundle/format/plan.ts';
import { hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { PlannedBlob } from '../transfer/plan.ts';
import { contentsOf } from '../opening/contents.ts';
import { readDamage } from '../opening/damage.ts';
import type { PlannedRelease } from '../kinds/release/release.ts';

/** What goes into a file, and what the file is called behind the name of the release. */
export interface PackedContent {
  readonly described: DescribedBundle;
  readonly layers: readonly PlannedBlob[];
  readonly suffix: string;
}

export function wholeContent(release: PlannedRelease): PackedContent {
  return {
    described: describeBundle(contentsOf(release)),
    layers: release.content.layers,
    suffix: '',
  };
}

/**
 * What a damaged bundle lacks: a patch. The damage map is believed in nothing; it only chooses from
 * the release.
 * @throws BundleError USAGE when the map is of another bundle, or nothing has to be packed for it;
 * CONFIGURATION, NOT_FOUND, DISK.
 */
export async function patchContent(
  release: PlannedRelease,
  damageFile: string,
): Promise<PackedContent> {
  const wanted = await readDamage(damageFile);
  const whole = contentsOf(release);
  const { bundleDigest } = describeBundle(whole);
  if (wanted.bundleDigest !== bundleDigest) {
    throw new BundleError(
      'USAGE',
      `${damageFile} is of another bundle than a pack of this release makes now`,
      {
        expected: hexOf(bundleDigest),
        got: hexOf(wanted.bundleDigest),
        hint: 'Name the release that was packed, with the same --signature-store, --release-key and --referrers; if it has changed since, pack it anew.',
      },
    );
  }
  const names = new Set(wanted.blobs);
  const layers = release.content.layers.filter(({ descriptor }) => names.has(descriptor.digest));
  const manifests = release.content.metadata.filter(({ descriptor }) =>
    names.has(descriptor.digest),
  );
  if (layers.length + manifests.length < names.size) {
    throw new BundleError('USAGE', `${damageFile} lists blobs that the bundle does not have`, {
      hint: 'Make it again with bundle verify --damage FILE.',
    });
  }
  if (layers.length === 0 && !wanted.metadata) {
    throw new BundleError('USAGE', 'nothing has to be packed: what is damaged can be computed', {
      hint: 'bundle repair BUNDLE -o DIR writes a whole one, without a patch.',
    });
  }
  const described = describeBundle({
    ...whole,
    repairs: bundleDigest,
    images: [],
    ...(!wanted.metadata && { configMaps: [], metadata: [] }),
    layers: layers.map(({ descriptor }) => descriptor),
  });
  const suffix = `.${hexOf(described.bundleDigest).slice(0, 8)}${PATCH_SUFFIX.slice(0, -BUNDLE_SUFFIX.length)}`;
  return { described, layers, suffix };
}
