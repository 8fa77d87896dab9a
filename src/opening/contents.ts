import type { BundledImage, BundledRelease } from '../bundle/format/manifest.ts';
import type { BundleContents } from '../bundle/format/plan.ts';
import type { PlannedImage } from '../transfer/plan.ts';
import { signatureConfigMap } from '../kinds/release/config-map.ts';
import type { PlannedRelease } from '../kinds/release/release.ts';

/**
 * A planned release as the contents of a bundle. Packing writes what this says; reading derives the
 * release again from its digest and compares with what this says.
 */
export function contentsOf(release: PlannedRelease): BundleContents {
  const { version, architecture, digest, reference, created, signatures, content } = release;
  const bundled: BundledRelease = {
    version,
    architecture,
    digest,
    reference,
    created,
    signatures: signatures.map((signature) => signature.digest),
  };
  const messages = signatures.map(({ message }) => message);
  const configMap = messages.length > 0 ? signatureConfigMap(digest, messages) : undefined;
  return {
    releases: [bundled],
    images: content.images.map(bundledImage),
    configMaps: configMap ? [{ path: `config/${configMap.name}`, bytes: configMap.text }] : [],
    metadata: content.metadata,
    layers: content.layers.map(({ descriptor }) => descriptor),
  };
}

function bundledImage({
  name,
  role,
  descriptor,
  source,
  tags,
  subject,
}: PlannedImage): BundledImage {
  const { mediaType, digest, size } = descriptor;
  return {
    name,
    role,
    digest,
    size,
    mediaType,
    source,
    tags,
    ...(subject !== undefined && { subject }),
  };
}
