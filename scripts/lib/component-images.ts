import { mapLimited } from '../../src/core/concurrency.ts';
import { type Image, type ImageKind, makeImage, makeIndex } from './image.ts';
import { type Layer, randomLayer } from './layer.ts';
import type { Shape } from './shape.ts';

/** Which components were built again since the release that a light z-stream follows. */
export interface Rebuild {
  /** Tells this build from others. */
  readonly name: string;
  /** The share of the components that were: 0.1 to 0.25 in real z-streams (fixtures/stats). */
  readonly share: number;
}

/** What the bytes of a made release depend on. */
export interface Ingredients {
  readonly seed: string;
  readonly shape: Shape;
  /** Architectures of the images; with more than one, each component is an index. */
  readonly platforms: readonly string[];
  readonly rebuild?: Rebuild;
  /** Makes the layer of client programs that a component has for an architecture, if any. */
  readonly programs?: (component: string, platform: string) => Layer | undefined;
}

export interface Component {
  readonly name: string;
  readonly image: Image;
  /** The images of an index, or nothing. */
  readonly children: readonly Image[];
}

/** The layers that all images of one architecture begin with. */
export type BaseLayers = ReadonlyMap<string, readonly Layer[]>;

/** Real images have a layer of this size, that no scale makes smaller. */
const TINY_BASE_LAYER = 1438;
/** Every so many components, one is the same image as the component before it. */
const TWIN_EVERY = 45;
const FIRST_TWIN = 3;
const PARALLEL = 2;

/** The layers of the shape, and a tiny one behind the first, for each architecture. */
export async function makeBaseLayers({ seed, shape, platforms }: Ingredients): Promise<BaseLayers> {
  const [first, ...others] = shape.base;
  const sizes = [first!, TINY_BASE_LAYER, ...others];
  const layersOf = async (platform: string): Promise<readonly Layer[]> =>
    mapLimited(sizes, PARALLEL, async (size) =>
      randomLayer(`${seed} base ${sizes.indexOf(size)} ${platform}`, 'usr/lib', size),
    );
  return new Map(
    await mapLimited(
      platforms,
      1,
      async (platform) => [platform, await layersOf(platform)] as const,
    ),
  );
}

/**
 * The component images of a release, each handed to `publish` as soon as it is made. Docker and OCI
 * images take turns; a few components are one image under two names.
 */
export async function makeComponents(
  names: readonly string[],
  ingredients: Ingredients,
  base: BaseLayers,
  publish: (image: Image) => Promise<void>,
): Promise<readonly Component[]> {
  const { platforms, programs } = ingredients;
  const isTwin = (index: number): boolean =>
    index % TWIN_EVERY === FIRST_TWIN && programs?.(names[index]!, platforms[0]!) === undefined;
  const made = await mapLimited(
    [...names.entries()],
    PARALLEL,
    async ([index, name]): Promise<Component | undefined> => {
      if (isTwin(index)) return undefined;
      const component = await makeComponent(
        { name, kind: kindOf(index), size: ingredients.shape.own(index) },
        seedOf(index, ingredients),
        ingredients,
        base,
      );
      await publish(component.image);
      return component;
    },
  );
  return names.map((name, index) => made[index] ?? { ...made[index - 1]!, name });
}

/** The bytes of a component follow from this: those that were built again have another seed. */
function seedOf(index: number, { seed, rebuild }: Ingredients): string {
  const isAnew = rebuild !== undefined && isRebuilt(index, rebuild.share);
  return isAnew ? `${seed} rebuilt as ${rebuild.name}` : seed;
}

/** Spread evenly over the list, as a share of any first N components. */
export function isRebuilt(index: number, share: number): boolean {
  return Math.floor((index + 1) * share) > Math.floor(index * share) || index === 0;
}

async function makeComponent(
  { name, kind, size }: { readonly name: string; readonly kind: ImageKind; readonly size: number },
  seed: string,
  { platforms, programs }: Ingredients,
  base: BaseLayers,
): Promise<Component> {
  const images = await mapLimited(platforms, 1, async (architecture) => {
    const own = await randomLayer(`${seed} ${name} ${architecture}`, `usr/share/${name}`, size);
    const tools = programs?.(name, architecture);
    const layers = [...base.get(architecture)!, own, ...(tools === undefined ? [] : [tools])];
    return { architecture, image: makeImage(kind, architecture, layers, labelsOf(name)) };
  });
  if (images.length === 1) return { name, image: images[0]!.image, children: [] };
  return { name, image: makeIndex(kind, images), children: images.map(({ image }) => image) };
}

function labelsOf(name: string): Record<string, string> {
  return { name: `openshift/ose-${name}`, 'io.k8s.display-name': name, vendor: 'Nobody' };
}

function kindOf(index: number): ImageKind {
  return index % 2 === 0 ? 'docker' : 'oci';
}
