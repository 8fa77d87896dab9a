import { describe, expect, it } from 'vitest';

import { BundleError } from '../../../src/core/errors.ts';
import {
  type DestinationOptions,
  forEachRepository,
  parseTarget,
  planDestinations,
  repositoryAt,
} from '../../../src/kinds/destinations.ts';

const usage = expect.objectContaining({ code: 'USAGE' }) as unknown as Error;

function paths(to: string, more: Partial<DestinationOptions> = {}): [string, string] {
  const { entry, content } = planDestinations({ to: parseTarget(to), ...more });
  return [`${entry.registry}/${entry.repository}`, `${content.registry}/${content.repository}`];
}

describe('parseTarget', () => {
  it.each([
    ['registry:5000', 'registry:5000', undefined],
    ['registry', 'registry', undefined],
    ['r.example.com/ocp4', 'r.example.com', 'ocp4'],
    ['r.example.com:8443/a/b/', 'r.example.com:8443', 'a/b'],
    ['docker://r.example.com/ocp4', 'r.example.com', 'ocp4'],
    ['[::1]:5000/ocp4', '[::1]:5000', 'ocp4'],
  ])('reads %s', (text, registry, namespace) => {
    expect(parseTarget(text)).toEqual({ registry, namespace });
  });

  it.each([
    '',
    '/',
    'docker://',
    'r.example.com//a',
    'r.example.com/A',
    'r.example.com/a:tag',
    'https://r.example.com/a',
    'r.example.com/../a',
    'user@r.example.com/a',
    'REGISTRY/ocp4',
  ])('refuses %j', (text) => {
    expect(() => parseTarget(text)).toThrow(usage);
  });
});

describe('a target that has something in it that does not belong there', () => {
  it.each([
    ['http://r.example.com/a/', 'a scheme (http://)', 'r.example.com/a'],
    [
      'HTTPS://R.example.com:5000/OCP4',
      'a scheme (HTTPS://) and capital letters',
      'r.example.com:5000/ocp4',
    ],
    ['r.example.com/OCP4', 'capital letters', 'r.example.com/ocp4'],
    ['r.example.com:5000/a:4.17', 'a tag (:4.17)', 'r.example.com:5000/a'],
    ['r.example.com/a//', 'a slash at its end', 'r.example.com/a'],
    [`r.example.com/a@sha256:${'0'.repeat(64)}`, 'a digest', 'r.example.com/a'],
    [`r.example.com/a:b@sha256:${'0'.repeat(64)}`, 'a digest and a tag (:b)', 'r.example.com/a'],
  ])('is told what that is, and how it is without: %s', (text, what, right) => {
    expect(hintOf(text)).toBe(`It has ${what}. Write ${right}.`);
  });

  it.each(['user@r.example.com/a', 'r.example.com//a', 'REGISTRY/ocp4', ''])(
    'is not guessed where more is wrong: %s',
    (text) => {
      expect(hintOf(text)).toContain('Write HOST[:PORT] or HOST[:PORT]/NAMESPACE, as in ');
    },
  );
});

function hintOf(text: string): string | undefined {
  try {
    parseTarget(text);
  } catch (error) {
    if (error instanceof BundleError) return error.hint;
    throw error;
  }
  return undefined;
}

describe('planDestinations', () => {
  it('uses the names of oc-mirror', () => {
    expect(paths('r.io/ocp4')).toEqual([
      'r.io/ocp4/openshift/release-images',
      'r.io/ocp4/openshift/release',
    ]);
    expect(paths('r.io')).toEqual(['r.io/openshift/release-images', 'r.io/openshift/release']);
  });

  it('takes full paths on the registry instead, also one for both', () => {
    const both = { releaseRepository: 'mirror/all', releaseImagesRepository: 'mirror/all' };
    expect(paths('r.io/ocp4', both)).toEqual(['r.io/mirror/all', 'r.io/mirror/all']);
    expect(() => paths('r.io', { releaseRepository: 'r.io:5000/all' })).toThrow(usage);
  });

  it('takes a path for graph images, but not that of release images', () => {
    const to = parseTarget('r.io/ocp4');
    const repository = 'ocp4/graph';
    expect(planDestinations({ to, graphRepository: repository }).graph).toEqual({
      ...{ registry: 'r.io', repository },
    });
    const both = { graphRepository: repository, releaseImagesRepository: repository };
    expect(() => planDestinations({ to, ...both })).toThrow(usage);
  });

  it.each([
    [1, 'r.io/a-b-openshift-release-images', 'r.io/a-b-openshift-release'],
    [2, 'r.io/a/b-openshift-release-images', 'r.io/a/b-openshift-release'],
    [3, 'r.io/a/b/openshift-release-images', 'r.io/a/b/openshift-release'],
    [4, 'r.io/a/b/openshift/release-images', 'r.io/a/b/openshift/release'],
    [9, 'r.io/a/b/openshift/release-images', 'r.io/a/b/openshift/release'],
  ])('nests at most %i components', (maxNestedPaths, images, components) => {
    expect(paths('r.io/a/b', { maxNestedPaths })).toEqual([images, components]);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses to nest %d components', (maxNestedPaths) => {
    expect(() => paths('r.io', { maxNestedPaths })).toThrow(usage);
  });

  it('does not change a path that was written out', () => {
    expect(() => paths('r.io', { releaseRepository: 'a/b/c', maxNestedPaths: 2 })).toThrow(usage);
  });

  it('keeps what clusters are pointed at apart from what is only pulled by digest', () => {
    const { entry, content, graph } = planDestinations({ to: parseTarget('r.io/ocp4') });
    expect(entry).toEqual({ registry: 'r.io', repository: 'ocp4/openshift/release-images' });
    expect(content).toEqual({ registry: 'r.io', repository: 'ocp4/openshift/release' });
    expect(graph).toEqual({ registry: 'r.io', repository: 'ocp4/openshift/graph-image' });
  });
});

describe('repositoryAt', () => {
  const at = (to: string, more: Partial<DestinationOptions> = {}): readonly string[] => {
    const destinations = planDestinations({ to: parseTarget(to), ...more });
    return (['entry', '/team/a/tool', '/tool'] as const).map(
      (place) => repositoryAt(destinations, place).repository,
    );
  };

  it('is below the namespace for a path', () => {
    expect(at('r.io/ns')).toEqual(['ns/openshift/release-images', 'ns/team/a/tool', 'ns/tool']);
    expect(at('r.io')).toEqual(['openshift/release-images', 'team/a/tool', 'tool']);
  });

  it('has the components of a path joined like those of the others', () => {
    expect(at('r.io/ns', { maxNestedPaths: 2 })).toEqual([
      'ns/openshift-release-images',
      'ns/team-a-tool',
      'ns/tool',
    ]);
  });

  it('is refused where its name is too long for what runs containers', () => {
    const long = 'x'.repeat(255 - 'r.io/ns/'.length);
    const destinations = planDestinations({ to: parseTarget('r.io/ns') });
    expect(repositoryAt(destinations, `/${long}`).repository).toBe(`ns/${long}`);
    const tooLong = expect.objectContaining({
      code: 'USAGE',
      message: expect.stringContaining('the name of a repository is too long') as string,
      got: '256',
    }) as Error;
    expect(() => repositoryAt(destinations, `/${long}x`)).toThrow(tooLong);
    expect(() => planDestinations({ to: parseTarget(`r.io/${'x'.repeat(250)}`) })).toThrow(
      expect.objectContaining({ message: expect.stringContaining('too long') as string }) as Error,
    );
  });

  it('is opened once, whichever places have it', () => {
    const both = { releaseRepository: 'x', releaseImagesRepository: 'x' };
    const destinations = planDestinations({ to: parseTarget('r.io'), ...both });
    const opened: string[] = [];
    const storeAt = forEachRepository(destinations, ({ repository }) => {
      opened.push(repository);
      return { repository };
    });
    expect(storeAt('entry')).toBe(storeAt('content'));
    expect(storeAt('/x')).toBe(storeAt('entry'));
    expect(storeAt('/y')).not.toBe(storeAt('entry'));
    expect(opened).toEqual(['x', 'y']);
  });
});
