import type { Descriptor } from '../../src/core/descriptor.ts';
import { type Digest, parseDigest } from '../../src/core/digest.ts';
import { asString } from '../../src/core/json.ts';
import type { ReadOnlyStore } from '../../src/core/store.ts';
import { type Kind, type PartRequest, partRequest } from '../../src/kinds/kind.ts';
import type { Place, Proof } from '../../src/transfer/image.ts';

/** A part of one image, about which everything can be said. */
export interface SampleSeed {
  readonly name: string;
  readonly digest: Digest;
  readonly place: Place;
  readonly proof: Proof;
}

export interface SampleRequest extends Partial<Pick<SampleSeed, 'place' | 'proof'>> {
  readonly name: string;
  readonly image: Descriptor;
  readonly store: ReadOnlyStore;
}

/** Names of samples, in the order that samples have in a bundle. */
const COUNTED = ['one', 'two', 'three'];

/** A kind of part that no program knows but the one that is tested. */
export const sampleKind: Kind<SampleRequest, SampleSeed, SampleSeed> = {
  name: 'sample',
  find: async ({ name, image, store, place = 'entry', proof = 'publisher' }) => ({
    seed: { name, digest: image.digest, place, proof },
    content: { root: store, storeOf: () => store },
  }),
  read: async ({ name, digest, place, proof }) => ({
    name: asString(name, 'name'),
    digest: parseDigest(digest),
    place: place === 'entry' ? 'entry' : 'content',
    proof: proof === 'publisher' ? 'publisher' : 'signer',
  }),
  labelOf: ({ name }) => `sample ${asString(name, 'name')}`,
  namesOf: ({ name }) => [asString(name, 'name')],
  packWords: (claims) => claims.map(({ name }) => asString(name, 'name')),
  digestOf: ({ digest }) => digest,
  expand: async (seed, content, { walker, attached, signal }) => {
    const { name, digest, place, proof } = seed;
    const image = await walker.walkOne({
      ...{ name, role: 'sample', tags: [name], place, proof, order: 'last' },
      descriptor: await content.root.resolve(digest, { signal }),
      source: `example.com/samples@${digest}`,
      store: content.root,
    });
    return {
      kind: 'sample',
      label: `sample ${name}`,
      names: [name, digest],
      facts: seed,
      claim: { ...seed },
      images: await attached.addTo([image]),
      files: [{ path: `config/${name}.yaml`, role: 'sample', bytes: Buffer.from(`${name}\n`) }],
      leading: [],
    };
  },
  compare: (a, b) => COUNTED.indexOf(a.name) - COUNTED.indexOf(b.name),
  bundleName: (parts) => (parts.length === 1 ? parts[0]!.name : 'samples'),
  newerThan: () => [],
  resources: () => ({
    ...{ files: [], mirrors: [] },
    ...{ section: () => [] },
  }),
};

export function samplePart(request: SampleRequest): PartRequest {
  return partRequest(sampleKind, request);
}
