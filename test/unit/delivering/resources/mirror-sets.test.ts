import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import {
  imageDigestMirrorSet,
  imageDigestSources,
  mirroredRepositories,
} from '../../../../src/delivering/resources/mirror-sets.ts';
import { parseTarget } from '../../../../src/kinds/destinations.ts';
import type { MirrorRow } from '../../../../src/kinds/mirror-row.ts';

const OCP_RELEASE = 'quay.io/openshift-release-dev/ocp-release';
const ART_DEV = 'quay.io/openshift-release-dev/ocp-v4.0-art-dev';
const RELEASES = 'r.example.com:5000/ocp4/openshift/release-images';
const COMPONENTS = 'r.example.com:5000/ocp4/openshift/release';

function row(source: string, mirror: string): MirrorRow {
  return { source, mirror, askedBy: 'digest', group: 'release' };
}

const target = parseTarget('r.example.com:5000/ocp4');
const release = row(OCP_RELEASE, RELEASES);
const component = row(ART_DEV, COMPONENTS);
const mirrored = [
  { source: OCP_RELEASE, mirrors: [RELEASES] },
  { source: ART_DEV, mirrors: [COMPONENTS] },
];

describe('mirroredRepositories', () => {
  it('names each source once, sorted, whatever the order of the rows', () => {
    expect(mirroredRepositories([component, release, component])).toEqual(mirrored);
    const first = row('a.io/b', COMPONENTS);
    expect(mirroredRepositories([release, component, first]).map(({ source }) => source)).toEqual([
      'a.io/b',
      OCP_RELEASE,
      ART_DEV,
    ]);
  });

  it('gives a source both mirrors when it held release images and components', () => {
    expect(mirroredRepositories([release, row(OCP_RELEASE, COMPONENTS)])).toEqual([
      { source: OCP_RELEASE, mirrors: [RELEASES, COMPONENTS] },
    ]);
  });

  it('names one mirror once when both kinds go to one repository', () => {
    expect(mirroredRepositories([release, row(OCP_RELEASE, RELEASES)])).toEqual([mirrored[0]]);
  });
});

describe('imageDigestMirrorSet', () => {
  it('is the object that oc prints, without a policy, named after the target', () => {
    const { name, text } = imageDigestMirrorSet(target, mirrored);
    expect(name).toMatch(/^idms-r-example-com-5000-ocp4-[0-9a-f]{8}\.yaml$/);
    expect(parse(String(text))).toEqual({
      apiVersion: 'config.openshift.io/v1',
      kind: 'ImageDigestMirrorSet',
      metadata: { name: name.replace(/\.yaml$/, '') },
      spec: { imageDigestMirrors: mirrored },
    });
  });

  it.each([
    'R.Example.com:5000',
    '[2001:db8::1]:5000',
    'localhost',
    `${'long-label.'.repeat(12)}example.com`,
    `${'a'.repeat(48)}.example.com`,
  ])('has a name that Kubernetes takes: %s', (to) => {
    const { metadata } = parse(String(imageDigestMirrorSet(parseTarget(to), mirrored).text)) as {
      metadata: { name: string };
    };
    expect(metadata.name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  });

  it('has another name for each registry, path and set of sources, and the same for the same', () => {
    const long = 'a-very-long-label-of-a-site.'.repeat(4);
    const at = (to: string): string => imageDigestMirrorSet(parseTarget(to), mirrored).name;
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
    const names = targets.map(at);
    expect(new Set(names).size).toBe(targets.length);
    expect(targets.map(at)).toEqual(names);
    const other = [{ source: 'quay.io/other', mirrors: ['r.example.com/ocp4'] }];
    const nameOf = (sets: typeof mirrored): string => imageDigestMirrorSet(target, sets).name;
    expect(nameOf(other)).not.toBe(nameOf(mirrored));
  });

  it('has no anchors where one list of mirrors is used twice', () => {
    const same = [mirrored[0]!, { source: 'quay.io/other', mirrors: mirrored[0]!.mirrors }];
    expect(imageDigestMirrorSet(target, same).text).not.toMatch(/[&*]/);
    expect(imageDigestSources(same)).not.toMatch(/[&*]/);
  });
});

describe('imageDigestSources', () => {
  it('is the block for install-config.yaml', () => {
    expect(parse(imageDigestSources(mirrored))).toEqual({ imageDigestSources: mirrored });
  });
});
