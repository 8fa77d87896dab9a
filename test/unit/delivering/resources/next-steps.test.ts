import { describe, expect, it } from 'vitest';
import { firstSteps, nextSteps } from '../../../../src/delivering/resources/next-steps.ts';
import type { DeliveredPaths, PartResources } from '../../../../src/kinds/kind.ts';

const paths: DeliveredPaths = {
  mirrorSet: 'cluster-resources/idms.yaml',
  install: 'install/image-digest-sources.yaml',
  of: (name) => `cluster-resources/${name}`,
};

function part(name: string): PartResources {
  return {
    files: [],
    mirrors: [],
    section: (at) => [`${name} is at the target`, `  oc use ${at.of(name)}`],
    before: (at) => [`oc before ${at.of(name)}`],
    after: (at) => [`oc after ${at.install}`],
  };
}

describe('nextSteps', () => {
  it('has a section for each part, in their order, each behind a rule', () => {
    const text = nextSteps([part('one'), part('two')], paths);
    const lines = text.split('\n');
    const rules = [...lines.keys()].filter((at) => /^={20,}$/.test(lines[at]!));
    expect(rules.map((at) => lines.slice(at + 1, at + 3))).toEqual([
      ['one is at the target', '  oc use cluster-resources/one'],
      ['two is at the target', '  oc use cluster-resources/two'],
    ]);
    expect(text).toContain('--cluster-authfile');
    expect(text).not.toContain('WARNING');
  });

  it('warns of what the registry holds already before the first command', () => {
    const newer = [{ kind: 'release', names: ['4.17.5-x86_64', '4.17.9-x86_64'] }];
    const [before = ''] = nextSteps([part('one')], paths, newer).split('====');
    expect(before).toContain('holds a newer release: 4.17.9-x86_64, 4.17.5-x86_64.');
  });
});

describe('firstSteps', () => {
  it('lets the mirror set follow what has to be there first, and what uses it follow that', () => {
    expect(firstSteps([part('one')], paths)).toEqual([
      'oc before cluster-resources/one',
      'oc diff -f cluster-resources/idms.yaml',
      'oc apply -f cluster-resources/idms.yaml',
      'oc after install/image-digest-sources.yaml',
    ]);
  });

  it('starts no update where there are several to choose from', () => {
    expect(firstSteps([part('one'), part('two')], paths)).toEqual([
      'oc before cluster-resources/one',
      'oc before cluster-resources/two',
      'oc diff -f cluster-resources/idms.yaml',
      'oc apply -f cluster-resources/idms.yaml',
    ]);
  });

  it('gives paths as a shell takes them', () => {
    const odd = { ...paths, mirrorSet: "it's here/idms.yaml" };
    expect(firstSteps([], odd)).toContain(`oc apply -f 'it'\\''s here/idms.yaml'`);
  });
});
