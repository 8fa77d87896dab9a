import { digestOf } from '../../src/core/digest.ts';
import { formatReference, parseReference } from '../../src/core/reference.ts';
import type { CatalogFacts } from '../../src/kinds/catalog/expand.ts';
import type { Part } from '../../src/kinds/kind.ts';
import type { WalkedImage } from '../../src/transfer/image.ts';

export interface CatalogPartOptions {
  /** At a target; else as `reference` has it. */
  readonly place?: string;
  /** Images of bundles, as bundles name them. */
  readonly related?: readonly string[];
}

/** A catalog as it is delivered: what resources are made of, and no content. */
export function catalogPart(
  reference: string,
  { place, related = [] }: CatalogPartOptions = {},
): Part<CatalogFacts> {
  const { repository, tag = 'latest' } = parseReference(reference);
  const [, path = '', placeTag = tag] = /^([^:]*)(?::(.*))?$/.exec(place ?? repository) ?? [];
  const digest = digestOf(`${reference} ${place ?? ''}`);
  const images = related.map((name) => {
    const own = parseReference(name);
    const source = formatReference({
      ...{ registry: own.registry, repository: own.repository },
      digest: own.digest ?? digestOf(name),
    });
    return { name, isByTag: own.digest === undefined, source, place: `/${own.repository}` };
  });
  return {
    ...{ kind: 'catalog', label: `catalog ${reference}`, names: [reference, digest] },
    facts: {
      ...{ digest, reference, from: digestOf(reference), path, tag: placeTag, packages: [] },
      askedByTag: images.filter(({ isByTag }) => isByTag).map(({ source }) => source),
      relatedImages: images.length,
      ...{ profile: 'runnable', filter: 'strict', isRunnable: true, configs: '/configs' },
      ...{ findings: [], skipRelated: [], skippedImages: [], skippedBundles: [] },
    },
    ...{ claim: {}, files: [], leading: [] },
    images: images.map(
      ({ source, place: at }) =>
        ({
          request: { role: 'operator-image', source, place: at, tags: ['x'], order: 'first' },
        }) as unknown as WalkedImage,
    ),
  };
}
