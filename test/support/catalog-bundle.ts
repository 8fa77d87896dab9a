import { makeImage, makeIndex } from '../../scripts/lib/image.ts';
import { Publisher } from '../../scripts/lib/destination.ts';
import { type Layer, textLayer } from '../../scripts/lib/layer.ts';
import { readCatalog } from '../../src/catalogs/reading/read-catalog.ts';
import { streamOf } from '../../src/core/bytes.ts';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { AttachedImages } from '../../src/kinds/attached.ts';
import { CONFIGS_LABEL } from '../../src/kinds/catalog/catalog-config.ts';
import { expandCatalog } from '../../src/kinds/catalog/expand.ts';
import { closureOf } from '../../src/kinds/closure.ts';
import type { Drop } from '../../src/kinds/holes.ts';
import { MemoryStore } from '../../src/stores/memory.ts';
import { ManifestWalker } from '../../src/transfer/walk.ts';
import type { SigningKey } from '../../src/trust/keys.ts';
import type { Ingredients } from './crafted-bundle.ts';
import { ingredientsOf } from './sample-parts.ts';

/** A bundle with a catalog. */
export interface CatalogBundle {
  /** The layers of the image of the catalog, for each architecture: what readers find there. */
  readonly layers: readonly Layer[];
  /** What the packer says it has found there: JSON. */
  readonly said: string;
  /** Nothing was filtered: the image is the one that was named. */
  readonly isWhole?: boolean;
  readonly label?: string;
  readonly architectures?: readonly string[];
  readonly skipRelated?: readonly string[];
  readonly skippedBundles?: Readonly<Record<string, string>>;
  readonly droppedBundles?: Readonly<Record<string, Drop>>;
  readonly mode?: 'strict' | 'oc-mirror';
}

const NAMES = ['foo-bundle', 'foo-operator', 'bar-bundle', 'odd-bundle'] as const;

/** Documents of a catalog whose images {@link catalogIngredients} has. */
export class SampleCatalog {
  readonly #images = new Map<string, ReturnType<typeof makeImage>>();

  constructor() {
    for (const name of NAMES) {
      const content = [Buffer.from(name)];
      const file = { type: 'file', mode: 0o644, mtime: 0, size: name.length } as const;
      const layer = textLayer([{ name, ...file, content }]);
      this.#images.set(name, makeImage('oci', 'amd64', [layer], { name }));
    }
  }

  digest(name: (typeof NAMES)[number]): Digest {
    return this.#images.get(name)!.descriptor.digest;
  }

  byDigest(name: (typeof NAMES)[number]): string {
    return `quay.io/ops/${name}@${this.digest(name)}`;
  }

  /** The documents of a package with one bundle, each on its line. */
  documents(name: string, image: string, related: readonly string[] = []): string {
    const bundle = `${name}.v1.0.0`;
    const documents = [
      { schema: 'olm.package', name, defaultChannel: 'stable' },
      { schema: 'olm.channel', package: name, name: 'stable', entries: [{ name: bundle }] },
      {
        ...{ schema: 'olm.bundle', package: name, name: bundle, image },
        properties: [{ type: 'olm.package', value: { packageName: name, version: '1.0.0' } }],
        relatedImages: related.map((own) => ({ name: '', image: own })),
      },
    ];
    return documents.map((document) => `${JSON.stringify(document)}\n`).join('');
  }

  /** foo, with an image that it names by a tag alone. */
  get foo(): string {
    const related = ['quay.io/ops/foo-operator:v1', this.byDigest('foo-bundle')];
    return this.documents('foo', this.byDigest('foo-bundle'), related);
  }

  get bar(): string {
    return this.documents('bar', this.byDigest('bar-bundle'));
  }

  /** What a bundle is made of that has the catalog, whatever its layers hold. */
  async ingredients(bundle: CatalogBundle, key: SigningKey): Promise<Ingredients> {
    const { layers, said, isWhole = false, label = '/configs', architectures } = bundle;
    const { skipRelated = [], skippedBundles = {}, mode = 'strict' } = bundle;
    const droppedBundles = new Map(Object.entries(bundle.droppedBundles ?? {}));
    const isPinned = said.includes('quay.io/ops/foo-operator:v1') && skipRelated.length === 0;
    const store = new MemoryStore('content');
    const publisher = new Publisher();
    for (const image of this.#images.values()) await publisher.publish(store, image);
    const images = (architectures ?? ['amd64']).map((architecture) => ({
      architecture,
      image: makeImage('docker', architecture, layers, { [CONFIGS_LABEL]: label }),
    }));
    for (const { image } of images) await publisher.publish(store, image);
    const root = architectures === undefined ? images[0]!.image : makeIndex('docker', images);
    await publisher.publish(store, root);
    const { digest } = root.descriptor;
    const read = () => streamOf(Buffer.from(said));
    const tagged = 'quay.io/ops/foo-operator:v1';
    const signal = new AbortController().signal;
    const walker = new ManifestWalker({ concurrency: 2, signal });
    const attached = new AttachedImages(walker, { concurrency: 2, signal, referrers: false });
    const part = await expandCatalog(
      {
        ...{ digest, reference: 'quay.io/ops/index:v1', path: 'ops/index', tag: 'v1' },
        from: isWhole ? digest : digestOf('another'),
        pinned: new Map(isPinned ? [[tagged, this.digest('foo-operator')]] : []),
        ...{ mode, skipRelated, skippedBundles: new Map(Object.entries(skippedBundles)) },
        droppedBundles,
        why: new Map(isWhole ? [] : [['foo/foo.v1.0.0', ['head of stable']]]),
        known: {
          catalog: await readCatalog([{ path: 'catalog.json', read }]),
          ...{ configs: 'configs', isRunnable: true },
        },
      },
      { root: store, storeOf: () => store },
      { walker, attached, lookups: 2, signal, observe: () => undefined },
    );
    return ingredientsOf('catalog', closureOf([part]), key);
  }
}
