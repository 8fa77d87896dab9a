import type { Descriptor } from '../../../core/descriptor.ts';
import { BundleError } from '../../../core/errors.ts';
import type { ReadOnlyStore } from '../../../core/store.ts';
import type { ManifestTree } from '../../../transfer/image.ts';
import type { ContentSource } from '../../sources.ts';
import { ociArchitecture } from '../architecture.ts';
import { componentRequest } from '../expand.ts';
import type { ImageWalk, ReleaseImage } from '../payload/release-image.ts';

/** An image whose layers can be read. */
export interface ComponentImage {
  /** Base layer first. */
  readonly layers: readonly Descriptor[];
  readonly store: ReadOnlyStore;
}

/** The architectures (GOARCH) of the images of a release, amd64 first if it is one of them. */
export function imageArchitectures({ facts, image }: ReleaseImage): readonly string[] {
  const own = ociArchitecture(facts.architecture);
  if (own !== undefined) return [own];
  const { manifest } = image.tree;
  const all = manifest.kind === 'index' ? manifest.manifests : [];
  const named = all.flatMap(({ platform }) => platform?.architecture ?? []);
  return [...new Set([...named.filter((name) => name === 'amd64'), ...named])];
}

/** The platform of a release, as `oc` has it: `linux/amd64`, `multi (linux/amd64)`. */
export function platformOf(release: ReleaseImage): string {
  const [first] = imageArchitectures(release);
  return release.facts.architecture === 'multi' ? `multi (linux/${first})` : `linux/${first}`;
}

/**
 * The image of a component, for one architecture where it has several.
 * @param architecture GOARCH.
 * @returns `undefined` if the release has no such component, or not for that architecture.
 */
export async function openComponent(
  name: string,
  architecture: string,
  { release, content }: { readonly release: ReleaseImage; readonly content: ContentSource },
  walk: ImageWalk,
): Promise<ComponentImage | undefined> {
  const component = release.references.components.find((other) => other.name === name);
  if (component === undefined) return undefined;
  const store = content.storeOf(component.reference);
  const { proof } = release.image.request;
  try {
    const { signal } = walk;
    const descriptor = await store.resolve(component.reference.digest, { signal });
    const request = componentRequest(component, { ...release.facts, proof }, descriptor, store);
    const { tree } = await walk.walker.walkOne(request);
    const found = imageIn(tree, architecture);
    return found?.manifest.kind === 'manifest'
      ? { layers: found.manifest.layers, store }
      : undefined;
  } catch (error) {
    throw error instanceof BundleError ? error.about(`image ${name}`) : error;
  }
}

function imageIn(tree: ManifestTree, architecture: string): ManifestTree | undefined {
  const { manifest, children } = tree;
  if (manifest.kind === 'manifest') return tree;
  const index = manifest.manifests.findIndex(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  );
  return children[index];
}
