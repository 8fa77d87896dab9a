import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import {
  mirroredRepositories,
  mirrorSets,
} from '../../../../src/delivering/resources/mirror-sets.ts';
import { parseTarget } from '../../../../src/kinds/destinations.ts';
import type { KnownBy, MirrorRow } from '../../../../src/kinds/mirror-row.ts';
import { violations } from '../../../support/crds.ts';

const OCP_RELEASE = 'quay.io/openshift-release-dev/ocp-release';
const ART_DEV = 'quay.io/openshift-release-dev/ocp-v4.0-art-dev';
const RELEASES = 'r.example.com:5000/ocp4/openshift/release-images';
const COMPONENTS = 'r.example.com:5000/ocp4/openshift/release';

function row(source: string, mirror: string, knownBy: KnownBy = 'digest'): MirrorRow {
  return { source, mirror, knownBy, group: 'release' };
}

const target = parseTarget('r.example.com:5000/ocp4');
const release = row(OCP_RELEASE, RELEASES, 'both');
const component = row(ART_DEV, COMPONENTS);
const mirrored = [
  { source: OCP_RELEASE, mirrors: [RELEASES] },
  { source: ART_DEV, mirrors: [COMPONENTS] },
];
const idmsName = (to: string, rows = [release, component]): string =>
  mirrorSets(rows, parseTarget(to), undefined).digests.name;

describe('mirroredRepositories', () => {
  it('names each source once, sorted, whatever the order of the rows', () => {
    expect(mirroredRepositories([component, release, component], ['digest', 'both'])).toEqual(
      mirrored,
    );
    const rows = [release, component, row('a.io/b', COMPONENTS)];
    expect(mirroredRepositories(rows, ['digest', 'both']).map(({ source }) => source)).toEqual([
      ...['a.io/b', OCP_RELEASE, ART_DEV],
    ]);
  });

  it('gives a source both mirrors when it held release images and components', () => {
    expect(
      mirroredRepositories([release, row(OCP_RELEASE, COMPONENTS)], ['digest', 'both']),
    ).toEqual([{ source: OCP_RELEASE, mirrors: [RELEASES, COMPONENTS] }]);
  });

  it('names one mirror once when both kinds go to one repository', () => {
    const rows = [release, row(OCP_RELEASE, RELEASES)];
    expect(mirroredRepositories(rows, ['digest', 'both'])).toEqual([mirrored[0]]);
  });
});

describe('mirrorSets', () => {
  it('are the object that oc prints, without a policy, named after the target', () => {
    const { digests } = mirrorSets([release, component], target, undefined);
    expect(digests.name).toMatch(/^idms-r-example-com-5000-ocp4-[0-9a-f]{8}\.yaml$/);
    expect(parse(String(digests.text))).toEqual({
      apiVersion: 'config.openshift.io/v1',
      kind: 'ImageDigestMirrorSet',
      metadata: { name: digests.name.replace(/\.yaml$/, '') },
      spec: { imageDigestMirrors: mirrored },
    });
  });

  it('are the same for clusters before 4.13, in a folder of their own', () => {
    const { policy } = mirrorSets([release, component], target, 'NeverContactSource');
    expect(policy.name).toMatch(/^for-4\.12\/icsp-r-example-com-5000-ocp4-[0-9a-f]{8}\.yaml$/);
    expect(policy.audience).toBe('before-4.13');
    expect(parse(String(policy.text))).toMatchObject({
      apiVersion: 'operator.openshift.io/v1alpha1',
      kind: 'ImageContentSourcePolicy',
      spec: { repositoryDigestMirrors: mirrored },
    });
  });

  it('are for tags only where an image has nothing but a tag', () => {
    expect(mirrorSets([release, component], target, undefined).tags).toBeUndefined();
    const tagged = row('docker.io/library/nginx', 'r.example.com:5000/ocp4/nginx', 'tag');
    const { digests, tags } = mirrorSets([component, tagged], target, undefined);
    expect(digests.objects[0]!['spec']).toEqual({ imageDigestMirrors: [mirrored[1]] });
    expect(tags!.effect.whenNew).toBe('drain');
    expect(tags!.objects[0]).toMatchObject({
      kind: 'ImageTagMirrorSet',
      spec: { imageTagMirrors: [{ source: tagged.source, mirrors: [tagged.mirror] }] },
    });
  });

  it('have the policy that is wanted in every entry, under the same name', () => {
    const { digests } = mirrorSets([release, component], target, 'NeverContactSource');
    const { imageDigestMirrors: entries } = digests.objects[0]!['spec'] as {
      imageDigestMirrors: { mirrorSourcePolicy: string }[];
    };
    expect(entries.map(({ mirrorSourcePolicy }) => mirrorSourcePolicy)).toEqual([
      ...['NeverContactSource', 'NeverContactSource'],
    ]);
    expect(digests.name).toBe(idmsName('r.example.com:5000/ocp4'));
  });

  it.each([undefined, 'AllowContactingSource', 'NeverContactSource'] as const)(
    'keep to their definitions, with the policy %s',
    (policy) => {
      const tagged = row('quay.io/a/b', 'r.io/a/b', 'tag');
      const sets = mirrorSets([release, component, tagged], target, policy);
      for (const file of [sets.digests, sets.tags!, sets.policy]) {
        expect(file.objects.flatMap(violations)).toEqual([]);
        expect([parse(String(file.text))]).toEqual(file.objects);
      }
    },
  );

  it.each([
    'R.Example.com:5000',
    '[2001:db8::1]:5000',
    'localhost',
    `${'long-label.'.repeat(12)}example.com`,
    `${'a'.repeat(48)}.example.com`,
  ])('have a name that Kubernetes takes: %s', (to) => {
    const { digests } = mirrorSets([release], parseTarget(to), undefined);
    expect(digests.objects[0]!.metadata.name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  });

  it('have another name for each registry, path and set of sources, and the same for the same', () => {
    const long = 'a-very-long-label-of-a-site.'.repeat(4);
    const targets = [
      'r.example.com/ocp4',
      'r.example.com/ocp5',
      'r.example.com:5000/ocp4',
      'r-example-com-5000.io/ocp4',
      'r.example.com/ocp4/a',
      'r.example.com/ocp4-a',
      `${long}one.example.com/ocp4`,
      `${long}two.example.com/ocp4`,
    ];
    const names = targets.map((to) => idmsName(to));
    expect(new Set(names).size).toBe(targets.length);
    expect(targets.map((to) => idmsName(to))).toEqual(names);
    expect(idmsName('r.example.com/ocp4', [release])).not.toBe(names[0]);
  });

  it('have no anchors where one list of mirrors is used twice', () => {
    const same = [release, row('quay.io/other', RELEASES)];
    expect(mirrorSets(same, target, undefined).digests.text).not.toMatch(/[&*]/);
  });
});
