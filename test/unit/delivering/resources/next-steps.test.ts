import { describe, expect, it } from 'vitest';

import { nextSteps, type Step, stepsFor } from '../../../../src/delivering/resources/next-steps.ts';
import { formatRepository } from '../../../../src/core/reference.ts';
import { parseTarget, planDestinations } from '../../../../src/kinds/destinations.ts';
import type { DeliveredPaths, PartResources } from '../../../../src/kinds/kind.ts';
import {
  EFFECTS,
  type Effect,
  resourceFile,
  type ResourceFile,
} from '../../../../src/kinds/resource-file.ts';

const paths: DeliveredPaths = {
  mirrorSet: 'cluster-resources/idms.yaml',
  install: ['install/image-digest-sources.yaml'],
  of: (name: string) => name,
};
const destinations = planDestinations({ to: parseTarget('r.example.com:5000/ocp4') });

function part(name: string): PartResources {
  return {
    ...{ files: [], mirrors: [] },
    section: (at) => [`${name} is at the target`, `  oc use ${at.mirrorSet}`],
  };
}

function text(
  parts: readonly PartResources[],
  more: {
    newer?: { kind: string; names: string[] }[];
    steps?: readonly Step[];
    trustsCertificate?: boolean;
    others?: readonly string[];
  } = {},
): string {
  const { newer = [], steps = [], trustsCertificate = true, others = [] } = more;
  return nextSteps(parts, {
    folder: "/srv/it's here",
    destinations,
    repositories: [...[destinations.entry, destinations.content].map(formatRepository), ...others],
    newer,
    steps,
    extras: [],
    trustsCertificate,
    paths,
  });
}

type Typed = ResourceFile & { typed: string };
function file(
  name: string,
  effect: Effect,
  audience: ResourceFile['audience'] = 'every-cluster',
): Typed {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } };
  return { ...resourceFile(name, [object], effect, { audience }), typed: name };
}
const signature = file('signature.yaml', EFFECTS.releaseSignature);
const idms = file('idms.yaml', EFFECTS.digestMirrors);
const icsp = file('for-4.12/icsp.yaml', EFFECTS.digestMirrors, 'before-4.13');
const configMap = file('trust/ca.yaml', EFFECTS.trustedCa);
const patch = file('trust/image-config.yaml', EFFECTS.trustedCa);

function steps(
  files: readonly Typed[],
  versions: readonly number[] = [17],
  sourcePolicy?: 'NeverContactSource',
): readonly Step[] {
  return stepsFor(files, { versions, sourcePolicy });
}

describe('nextSteps', () => {
  it('has a section for each part, in their order, each behind a rule', () => {
    const lines = text([part('one'), part('two')]).split('\n');
    const rules = [...lines.keys()].filter((at) => /^={20,}$/.test(lines[at]!));
    expect(rules.map((at) => lines.slice(at + 1, at + 3))).toEqual([
      ['one is at the target', '  oc use cluster-resources/idms.yaml'],
      ['two is at the target', '  oc use cluster-resources/idms.yaml'],
    ]);
    expect(lines.join('\n')).not.toContain('WARNING');
  });

  it('fits a console of 80 columns, except for what is copied', () => {
    const all = text([part('one')], {
      steps: steps([signature, idms, icsp, configMap, patch], [13]),
    });
    const long = all.split('\n').filter((line) => line.length > 78);
    expect(long.filter((line) => !/^ +(?:oc|bundle|cd) /.test(line))).toEqual([]);
    expect(all).toContain('\n   yours has one already: leave');
  });

  it('has the commands with the names of this registry and this folder, and no placeholder', () => {
    const all = text([part('one')]);
    expect(all).toContain('bundle check-registry r.example.com:5000/ocp4 --cluster-authfile');
    expect(all).toContain(`cd '/srv/it'\\''s here'`);
    expect(all).toContain('r.example.com:5000/ocp4/openshift/release-images');
    expect(all).not.toContain('REGISTRY');
  });

  it('says which of the repositories the command for the pull secret looks at', () => {
    expect(text([part('one')])).toContain('This command tells whether that is so:');
    const all = text([part('one')], { others: ['r.example.com:5000/ocp4/ops/index'] });
    expect(all).toContain(
      'This command tries the repositories of releases and of the update graph only.',
    );
    expect(all).not.toContain('tells whether that is so');
  });

  it('warns of what the registry holds already before the first command', () => {
    const newer = [{ kind: 'release', names: ['4.17.5-x86_64', '4.17.9-x86_64'] }];
    const [before = ''] = text([part('one')], { newer }).split('====');
    expect(before.replace(/\s+/g, ' ')).toContain(
      'holds a newer release: 4.17.9-x86_64, 4.17.5-x86_64.',
    );
  });

  it('numbers what is done once on a cluster, before all parts', () => {
    const all = text([part('one')], { steps: steps([signature, idms]) });
    expect(all.indexOf('1. Let the cluster check')).toBeGreaterThan(0);
    expect(all.indexOf('2. Tell the cluster')).toBeGreaterThan(
      all.indexOf('oc apply -f signature'),
    );
    expect(all.indexOf('one is at the target')).toBeGreaterThan(all.indexOf('oc apply -f idms'));
  });
});

describe('stepsFor', () => {
  const commandsOf = (some: readonly Step[]): readonly string[] =>
    some.flatMap(({ commands }) => commands);
  const wordsOf = (some: readonly Step[]): string => some.flatMap(({ after }) => after).join('\n');

  it('lets the cluster check releases first, then trust the registry, then find its images', () => {
    expect(commandsOf(steps([icsp, idms, configMap, patch, signature]))).toEqual([
      'oc apply -f signature.yaml',
      "oc get image.config cluster -o jsonpath='{.spec.additionalTrustedCA.name}'",
      'oc apply -f trust/ca.yaml',
      'oc patch image.config.openshift.io cluster --type=merge ' +
        '--patch-file=trust/image-config.yaml',
      'oc diff -f idms.yaml',
      'oc apply -f idms.yaml',
    ]);
  });

  it('says what drains nodes and what does not', () => {
    expect(wordsOf(steps([idms]))).toContain('A new');
    expect(wordsOf(steps([idms]))).not.toContain('ImageTagMirrorSet');
    expect(wordsOf(steps([idms, file('itms.yaml', EFFECTS.tagMirrors)]))).toContain(
      'so does every ImageTagMirrorSet',
    );
  });

  it('tells clusters before 4.13 what they can take, where there may be some', () => {
    expect(wordsOf(steps([idms, icsp], [13]))).toContain('4.12 has no ImageDigestMirrorSet');
    expect(wordsOf(steps([idms, icsp], [14, 17]))).not.toContain('4.12 has no');
    expect(wordsOf(steps([idms, icsp], [15]))).toContain('from 4.13.27 and 4.14.3 on');
    expect(wordsOf(steps([idms, icsp], [16]))).not.toContain('4.14.3');
    expect(commandsOf(steps([idms, icsp], [13]))).toHaveLength(2);
  });

  it('says that a source is never asked where that was wanted', () => {
    expect(wordsOf(steps([idms], [17], 'NeverContactSource'))).toContain('NeverContactSource');
  });

  it('says which installers do not take the policy for the source', () => {
    const words = (minors: readonly number[]): string =>
      wordsOf(steps([idms], minors, 'NeverContactSource'));
    expect(words([20, 21])).toContain('before 4.21');
    expect(words([21, 22])).not.toContain('before 4.21');
  });

  it('says how a private CA gets into the cluster, where the step for it is missing', () => {
    expect(text([], { trustsCertificate: false })).toContain('--ca-file CA.pem');
    expect(text([], { trustsCertificate: true })).not.toContain('--ca-file');
  });

  it('gives paths as a shell takes them', () => {
    expect(commandsOf(steps([{ ...idms, typed: "it's here/idms.yaml" }]))).toContain(
      `oc apply -f 'it'\\''s here/idms.yaml'`,
    );
  });
});
