import { beforeAll, describe, expect, it } from 'vitest';

import { type Closure, contentsOf, labelsOf, selectParts } from '../../../src/kinds/closure.ts';
import { partSizes } from '../../../src/kinds/part-sizes.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { sampleClosure } from '../../support/sample-parts.ts';
import { configOf, keep, layerOf, manifestOf } from '../transfer/images.ts';

const shared = layerOf('shared by all');
const own = [layerOf('of one'), layerOf('of the second'), layerOf('of the third one')] as const;
const names = ['one', 'two', 'three'] as const;
const images = names.map((name, at) => manifestOf(name, [shared, own[at]!]));

let closure: Closure;
beforeAll(async () => {
  const store = new MemoryStore();
  await keep(store, shared, ...own, ...names.map(configOf), ...images);
  closure = await sampleClosure(
    names.map((name, at) => ({ name, image: images[at]!.descriptor, store })),
  );
});

const labels = ({ parts }: Closure): readonly string[] => parts.map(({ label }) => label);

describe('selectParts', () => {
  it('takes all parts where none is named', () => {
    expect(selectParts(closure, [])).toEqual(closure);
  });

  it('takes those that are named, by any name, once each and in the order of the bundle', () => {
    const digest = images[2]!.descriptor.digest;
    const selected = selectParts(closure, [digest, 'one', 'three']);
    expect(labels(selected)).toEqual(['sample one', 'sample three']);
    expect(selected.content.images.map(({ name, parts }) => [name, parts])).toEqual([
      ['one', [0]],
      ['three', [1]],
    ]);
    const digests = new Set(selected.content.blobs.map(({ descriptor }) => descriptor.digest));
    const layers = [shared, ...own].map((layer) => digests.has(layer.descriptor.digest));
    expect(layers).toEqual([true, true, false, true]);
  });

  it.each(['four', 'sample one', 'on', ''])('refuses %j, and says what there is', (name) => {
    expect(() => selectParts(closure, ['one', name])).toThrow(
      expect.objectContaining({
        code: 'NOT_FOUND',
        exitStatus: 23,
        expected: name,
        got: 'sample one, sample two, sample three',
      }) as Error,
    );
  });
});

describe('labelsOf', () => {
  it('says of an image which parts it belongs to', () => {
    const { content } = closure;
    expect(content.images.map((image) => labelsOf(image, closure))).toEqual([
      ['sample one'],
      ['sample two'],
      ['sample three'],
    ]);
    expect(labelsOf({ parts: [0, 2] }, closure)).toEqual(['sample one', 'sample three']);
  });
});

describe('contentsOf', () => {
  it('has a row for each part and each image, and every file and blob once', () => {
    const contents = contentsOf('samples', closure);
    expect(contents.name).toBe('samples');
    expect(contents.parts.map(({ kind, claim }) => [kind, claim['name']])).toEqual(
      names.map((name) => ['sample', name]),
    );
    expect(contents.images[1]).toEqual({
      ...images[1]!.descriptor,
      ...{ name: 'two', role: 'sample', tags: ['two'], parts: [1] },
      source: `example.com/samples@${images[1]!.descriptor.digest}`,
    });
    expect(contents.files.map(({ path }) => path)).toEqual(
      names.map((name) => `config/${name}.yaml`),
    );
    expect(contents.manifests).toHaveLength(3);
    const digests = contents.blobs.map(({ descriptor }) => descriptor.digest);
    expect(digests).toHaveLength(7);
    expect(new Set(digests).size).toBe(7);
  });
});

describe('partSizes', () => {
  it('says what a part weighs, what only it needs, and what it adds', () => {
    const ownOf = (at: number): number =>
      [images[at]!, configOf(names[at]!), own[at]!].reduce(
        (total, { descriptor }) => total + descriptor.size,
        0,
      );
    const { size } = shared.descriptor;
    expect(partSizes(closure)).toEqual(
      names.map((_, at) => ({
        bytes: ownOf(at) + size,
        own: ownOf(at),
        added: ownOf(at) + (at === 0 ? size : 0),
      })),
    );
    const sizes = [...closure.content.manifests, ...closure.content.blobs];
    const all = sizes.reduce((total, { descriptor }) => total + descriptor.size, 0);
    expect(partSizes(closure).reduce((total, { added }) => total + added, 0)).toBe(all);
  });

  it('counts nothing as shared in one part alone', () => {
    const [alone] = partSizes(selectParts(closure, ['two']));
    expect(alone).toEqual({ bytes: alone!.bytes, own: alone!.bytes, added: alone!.bytes });
  });
});
