import type { Digest } from '../../../core/digest.ts';
import { BundleError, hasCode } from '../../../core/errors.ts';
import { asString, isObject, parseStrictJson } from '../../../core/json.ts';
import type { ImageManifest } from '../../../core/manifest.ts';
import { isTag } from '../../../core/reference.ts';
import { compareText } from '../../../core/text.ts';
import type { HeldContent, HeldManifest } from '../../../stores/oc/held-content.ts';
import { readVerified } from '../../../transfer/verified.ts';
import { compareVersions } from '../../../updates/version-order.ts';
import { type Architecture, ARCHITECTURES, architectureOfOci } from '../architecture.ts';
import { plainTag } from '../tags.ts';

/** The label that the config of each release image has: its version. */
const VERSION_LABEL = 'io.openshift.release';
/** The config of a component has some KiB. */
const MAX_CONFIG_BYTES = 1024 * 1024;
/** Releases that a message names. */
const LISTED = 12;

/** A release image in a folder, as its own config calls it; nothing proves that yet. */
export interface HeldRelease {
  readonly version: string;
  readonly architecture: Architecture;
  readonly digest: Digest;
}

/**
 * The release images that a folder holds, the lowest version first. They are told from other images
 * by their configs, so that they are found without tags too.
 * @throws BundleError CONTENT_MISMATCH for content with other bytes than its digest says.
 */
export async function releasesIn(
  store: HeldContent,
  signal: AbortSignal,
): Promise<readonly HeldRelease[]> {
  const images = new Map<Digest, HeldRelease>();
  const indexes: HeldManifest[] = [];
  for await (const held of store.manifests(signal)) {
    const { manifest, descriptor } = held;
    if (manifest.kind === 'index') indexes.push(held);
    else {
      const named = await namedBy(manifest, store);
      if (named !== undefined) images.set(descriptor.digest, { ...named, ...descriptor });
    }
  }
  const releases = new Map(images);
  for (const { descriptor, manifest } of indexes) {
    const children = manifest.kind === 'index' ? manifest.manifests : [];
    const first = children.flatMap(({ digest }) => images.get(digest) ?? [])[0];
    if (first === undefined) continue;
    const { digest } = descriptor;
    releases.set(digest, { version: first.version, architecture: 'multi', digest });
    for (const child of children) releases.delete(child.digest);
  }
  const found = [...releases.values()].map(({ version, architecture, digest }) => ({
    ...{ version, architecture, digest },
  }));
  return found.sort(
    (a, b) =>
      compareVersions(a.version, b.version) ||
      ARCHITECTURES.indexOf(a.architecture) - ARCHITECTURES.indexOf(b.architecture) ||
      compareText(a.digest, b.digest),
  );
}

/** `undefined` for an image that is no release image, or whose config is not there. */
async function namedBy(
  { config }: ImageManifest,
  store: HeldContent,
): Promise<Pick<HeldRelease, 'version' | 'architecture'> | undefined> {
  if (config.size > MAX_CONFIG_BYTES) return undefined;
  try {
    const document = parseStrictJson(await readVerified(store.fetch(config), config), 'config');
    if (!isObject(document) || !isObject(document['config'])) return undefined;
    const { Labels: labels } = document['config'];
    const version = isObject(labels) ? labels[VERSION_LABEL] : undefined;
    const architecture = architectureOfOci(asString(document['architecture'], 'architecture'));
    if (typeof version !== 'string' || !isTag(plainTag(version))) return undefined;
    return architecture === undefined ? undefined : { version, architecture };
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND') || hasCode(error, 'UNSUPPORTED_CONTENT')) return undefined;
    throw error instanceof BundleError ? error.about(`image config ${config.digest}`) : error;
  }
}

/** What is there, for a hint. */
export function listed(releases: readonly HeldRelease[]): string {
  if (releases.length === 0) return 'It has no release image at all: check the folder.';
  const shown = releases
    .slice(-LISTED)
    .map(({ version, architecture }) => `${version} (${architecture})`);
  const more = releases.length > LISTED ? `, and ${releases.length - LISTED} more` : '';
  return `These exist: ${shown.join(', ')}${more}.`;
}
