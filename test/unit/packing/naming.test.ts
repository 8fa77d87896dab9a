import { beforeAll, describe, expect, it } from 'vitest';

import type { Closure } from '../../../src/kinds/closure.ts';
import { type PartRequest, partRequest } from '../../../src/kinds/kind.ts';
import { releaseKind } from '../../../src/kinds/release/release.ts';
import { nameBefore, nameOf } from '../../../src/packing/naming.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { samplePart } from '../../support/sample-kind.ts';
import { sampleClosure } from '../../support/sample-parts.ts';
import { configOf, keep, layerOf, manifestOf } from '../transfer/images.ts';

const usage = expect.objectContaining({ code: 'USAGE', exitStatus: 2 }) as Error;
const folder = { folder: '/media', name: undefined };
const file = (name: string) => ({ folder: '/media', name });

const release = (version: string | undefined): PartRequest =>
  partRequest(releaseKind, {
    ...{ version, architecture: 'x86_64', from: undefined },
    ...{ releaseKeyFiles: [], signatureStores: [], allowUnsignedRelease: false },
  });

/** What was found when releases of these versions were asked for, as far as names go. */
function found(...versions: readonly string[]): Closure {
  const parts = versions.map((version) => ({
    ...{ kind: 'release', label: version, names: [version], claim: {} },
    facts: { version, architecture: 'x86_64' },
    ...{ images: [], files: [], leading: [] },
  }));
  return { parts, content: { images: [], manifests: [], blobs: [] } };
}

describe('before the parts are found, a bundle is called', () => {
  const parts = [release('4.17.3')];

  it('what the user said, the file first', () => {
    expect(nameBefore({ parts, name: 'site' }, file('other'))).toBe('other');
    expect(nameBefore({ parts, name: 'site' }, folder)).toBe('site');
  });

  it('what follows from the request, as long as that is known', () => {
    expect(nameBefore({ parts }, folder)).toBe('ocp-4.17.3-x86_64');
    expect(nameBefore({ parts: [release(undefined)] }, folder)).toBeUndefined();
  });

  it('nothing where parts are of several kinds', () => {
    const other = samplePart({
      name: 'a',
      image: layerOf('a').descriptor,
      store: new MemoryStore(),
    });
    expect(nameBefore({ parts: [...parts, other] }, folder)).toBeUndefined();
  });
});

describe('a bundle is called', () => {
  const parts = [release('4.17.3')];

  it('what it would be called, and its site, where there is one for each', () => {
    const each = { parts, isIncrement: true, site: 'plant:5000' };
    expect(nameOf({ parts, site: 'plant-a' }, folder, found('4.17.3'))).toBe(
      'ocp-4.17.3-x86_64-plant-a',
    );
    expect(nameBefore({ parts, site: 'plant-a' }, folder)).toBe('ocp-4.17.3-x86_64-plant-a');
    const named = { ...each, name: 'november' };
    expect(nameOf(named, folder, found('4.17.3'))).toBe('november-plant-5000');
    expect(() => nameOf({ ...named, name: 'n'.repeat(120) }, folder, found('4.17.3'))).toThrow(
      usage,
    );
  });

  it('what its parts are called together', () => {
    expect(nameOf({ parts }, folder, found('4.17.3'))).toBe('ocp-4.17.3-x86_64');
    const path = { parts: [release('4.17.3'), release('4.16.20')] };
    expect(nameOf(path, folder, found('4.17.3', '4.16.20'))).toBe('ocp-4.16.20..4.17.3-x86_64');
    expect(nameOf({ parts: [release(undefined)] }, folder, found('4.18.1'))).toBe(
      'ocp-4.18.1-x86_64',
    );
  });

  it.each(['site', '2024-10', 'ocp', 'ocp-site-4.17', 'ocp-4.17.3-x86_64'])(
    '%s, by --name or by its file',
    (name) => {
      expect(nameOf({ parts, name }, folder, found('4.17.3'))).toBe(name);
      expect(nameOf({ parts }, file(name), found('4.17.3'))).toBe(name);
      expect(nameOf({ parts, name }, file(name), found('4.17.3'))).toBe(name);
    },
  );

  it.each(['ocp-4.17.3-x86_64-site', 'ocp-4.17.3-x86_64.site', 'ocp-4.17.3-x86_64_2'])(
    '%s, which says more than it has to',
    (name) => {
      expect(nameOf({ parts, name }, folder, found('4.17.3'))).toBe(name);
    },
  );

  it.each([
    'ocp-4.17.4-x86_64',
    'ocp-4.17.3',
    'ocp-4.17.3-aarch64',
    'ocp-4.17.30-x86_64',
    'ocp-4.17.3-x86_640',
    'ocp-4.16.20..4.17.3-x86_64',
    'ocp-4',
  ])('but not %s, which reads like another bundle', (name) => {
    const asked = expect.objectContaining({
      ...{ code: 'USAGE', expected: 'ocp-4.17.3-x86_64', got: name },
    }) as Error;
    expect(() => nameOf({ parts, name }, folder, found('4.17.3'))).toThrow(asked);
    expect(() => nameOf({ parts }, file(name), found('4.17.3'))).toThrow(asked);
  });

  it.each(['', '../a', 'a b', '-o', 'n'.repeat(129)])('but not %j', (name) => {
    expect(() => nameOf({ parts, name }, folder, found('4.17.3'))).toThrow(usage);
  });

  it.each(['november.1a2b3c4d.patch', 'november.patch', 'NOVEMBER.PATCH'])(
    'but not %s, which reads like a patch',
    (name) => {
      expect(() => nameOf({ parts, name }, folder, found('4.17.3'))).toThrow(usage);
      expect(() => nameOf({ parts }, file(name), found('4.17.3'))).toThrow(usage);
    },
  );

  describe('with parts of several kinds', () => {
    let mixed: { parts: readonly PartRequest[] };
    let closure: Closure;
    beforeAll(async () => {
      const store = new MemoryStore();
      const image = manifestOf('a', [layerOf('a')]);
      await keep(store, layerOf('a'), configOf('a'), image);
      const sample = { name: 'a', image: image.descriptor, store };
      mixed = { parts: [release('4.17.3'), samplePart(sample)] };
      const { parts: samples, content } = await sampleClosure([sample]);
      closure = { parts: [...found('4.17.3').parts, ...samples], content };
    });

    it('what asks for them, unless the user says another one', () => {
      const asked = { ...mixed, usualName: 'november' };
      expect(nameOf(asked, folder, closure)).toBe('november');
      expect(nameBefore(asked, folder)).toBe('november');
      expect(nameOf({ ...asked, name: 'site' }, folder, closure)).toBe('site');
      expect(nameOf(asked, file('site'), closure)).toBe('site');
      expect(nameBefore(asked, file('site'))).toBe('site');
    });

    it('but no name that a bundle cannot have, or that is one of another bundle', () => {
      const refused = (usualName: string): void => {
        expect(() => nameOf({ ...mixed, usualName }, folder, closure)).toThrow(usage);
      };
      refused('a b');
      expect(nameOf({ ...mixed, usualName: 'a b' }, file('site'), closure)).toBe('site');
      const alone = { ...found('4.17.3') };
      expect(() => nameOf({ parts, usualName: 'ocp-4.18' }, folder, alone)).toThrow(usage);
    });

    it('what the user says, who has to say it', () => {
      expect(nameOf({ ...mixed, name: 'site' }, folder, closure)).toBe('site');
      expect(nameOf(mixed, file('site'), closure)).toBe('site');
      expect(() => nameOf(mixed, folder, closure)).toThrow(usage);
    });
  });
});
