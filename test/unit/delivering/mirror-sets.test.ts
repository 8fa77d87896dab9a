import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { digestOf } from '../../../src/core/digest.ts';
import type { Place, PlannedImage } from '../../../src/transfer/image.ts';
import { parseTarget, planDestinations } from '../../../src/kinds/destinations.ts';
import {
  imageDigestMirrorSet,
  imageDigestSources,
  mirroredRepositories,
} from '../../../src/delivering/mirror-sets.ts';

const OCP_RELEASE = 'quay.io/openshift-release-dev/ocp-release';
const ART_DEV = 'quay.io/openshift-release-dev/ocp-v4.0-art-dev';

/** An image as the world knows it. */
function known(repository: string, place: Place, more: Partial<PlannedImage> = {}): Known {
  return { source: `${repository}@${digestOf(repository)}`, place, ...more };
}
type Known = Pick<PlannedImage, 'source' | 'place' | 'attachment'>;

const release = known(OCP_RELEASE, 'entry');
const component = known(ART_DEV, 'content');
const destinations = planDestinations({ to: parseTarget('r.example.com:5000/ocp4') });
const mirrored = [
  {
    source: 'quay.io/openshift-release-dev/ocp-release',
    mirrors: ['r.example.com:5000/ocp4/openshift/release-images'],
  },
  {
    source: 'quay.io/openshift-release-dev/ocp-v4.0-art-dev',
    mirrors: ['r.example.com:5000/ocp4/openshift/release'],
  },
];

describe('mirroredRepositories', () => {
  it('names each source once, sorted', () => {
    expect(mirroredRepositories([release, component, component], destinations)).toEqual(mirrored);
    const first = known('a.io/b', 'content');
    expect(
      mirroredRepositories([release, component, first], destinations).map(({ source }) => source),
    ).toEqual(['a.io/b', ...mirrored.map(({ source }) => source)]);
  });

  it('does not care where something was found that is attached to an image', () => {
    const attached = known('b.io/signatures', 'content', { attachment: 'tag' });
    expect(mirroredRepositories([release, component, attached], destinations)).toEqual(mirrored);
  });

  it('gives a source both mirrors when it held release images and components', () => {
    expect(mirroredRepositories([release, known(OCP_RELEASE, 'content')], destinations)).toEqual([
      { source: mirrored[0]!.source, mirrors: [...mirrored[0]!.mirrors, ...mirrored[1]!.mirrors] },
    ]);
  });

  it('names one mirror once when both kinds go to one repository', () => {
    const one = planDestinations({
      to: parseTarget('r.io'),
      releaseRepository: 'all',
      releaseImagesRepository: 'all',
    });
    expect(mirroredRepositories([release, known(OCP_RELEASE, 'content')], one)).toEqual([
      { source: mirrored[0]!.source, mirrors: ['r.io/all'] },
    ]);
  });
});

describe('imageDigestMirrorSet', () => {
  it('is the object that oc prints, without a policy, named after the registry', () => {
    const { name, text } = imageDigestMirrorSet('r.example.com:5000', mirrored);
    expect(name).toMatch(/^idms-r-example-com-5000-[0-9a-f]{8}\.yaml$/);
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
    `${'a'.repeat(57)}-.example.com`,
  ])('has a name that Kubernetes takes: %s', (registry) => {
    const { metadata } = parse(String(imageDigestMirrorSet(registry, mirrored).text)) as {
      metadata: { name: string };
    };
    expect(metadata.name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  });

  it('has another name for each registry, path and set of sources, and the same for the same', () => {
    const long = 'a-very-long-label-of-a-site.'.repeat(4);
    const at = (to: string): string => {
      const target = parseTarget(to);
      const places = planDestinations({ to: target });
      const images = [release, known(ART_DEV, 'content')];
      const { registry } = places.entry;
      return imageDigestMirrorSet(registry, mirroredRepositories(images, places)).name;
    };
    const targets = [
      'r.example.com/ocp4',
      'r.example.com/ocp5',
      'r.example.com:5000/ocp4',
      'r-example-com-5000.io/ocp4',
      `${long}one.example.com/ocp4`,
      `${long}two.example.com/ocp4`,
    ];
    const names = targets.map(at);
    expect(new Set(names).size).toBe(targets.length);
    expect(targets.map(at)).toEqual(names);
    const other = [{ source: 'quay.io/other', mirrors: ['r.example.com/ocp4'] }];
    const nameOf = (sets: typeof mirrored): string => imageDigestMirrorSet('r.io', sets).name;
    expect(nameOf(other)).not.toBe(nameOf(mirrored));
  });

  it('has no anchors where one list of mirrors is used twice', () => {
    const same = [mirrored[0]!, { source: 'quay.io/other', mirrors: mirrored[0]!.mirrors }];
    expect(imageDigestMirrorSet('r.io', same).text).not.toMatch(/[&*]/);
    expect(imageDigestSources(same).text).not.toMatch(/[&*]/);
  });
});

describe('imageDigestSources', () => {
  it('is the block for install-config.yaml', () => {
    const { name, text } = imageDigestSources(mirrored);
    expect(name).toBe('image-digest-sources.yaml');
    expect(parse(String(text))).toEqual({ imageDigestSources: mirrored });
  });
});
