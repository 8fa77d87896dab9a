import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { parseTarget, planDestinations } from '../../../../src/kinds/destinations.ts';
import type { DeliveredPaths, Part } from '../../../../src/kinds/kind.ts';
import type { Architecture } from '../../../../src/kinds/release/architecture.ts';
import { signatureConfigMap } from '../../../../src/kinds/release/config-map.ts';
import type { ReleaseFacts } from '../../../../src/kinds/release/payload/release-image.ts';
import { releaseKind } from '../../../../src/kinds/release/release.ts';
import type { ReleaseRequest } from '../../../../src/kinds/release/request.ts';
import { releasePart } from '../../../support/release-part.ts';

function request(
  version: string | undefined,
  architecture: Architecture = 'x86_64',
): ReleaseRequest {
  return {
    ...{ version, architecture, from: undefined },
    ...{ releaseKeyFiles: [], signatureStores: [], allowUnsignedRelease: false },
  };
}

function part(version: string, architecture: Architecture = 'x86_64'): Part<ReleaseFacts> {
  return releasePart(version, { architecture });
}

describe('the name of a bundle of releases', () => {
  it.each<[string, readonly ReleaseRequest[], string | undefined]>([
    ['one', [request('4.17.3')], 'ocp-4.17.3-x86_64'],
    ['one of another architecture', [request('4.17.3', 'multi')], 'ocp-4.17.3-multi'],
    [
      'a path, whatever order it was asked for in',
      [request('4.17.3'), request('4.16.20'), request('4.17.0-rc.1')],
      'ocp-4.16.20..4.17.3-x86_64',
    ],
    [
      'versions that are no text in order',
      [request('4.9.20'), request('4.10.3')],
      'ocp-4.9.20..4.10.3-x86_64',
    ],
    [
      'one version for several architectures, in the order of these',
      [request('4.17.3', 'aarch64'), request('4.17.3')],
      'ocp-4.17.3-x86_64-aarch64',
    ],
    [
      'several of both',
      [request('4.17.3', 's390x'), request('4.16.20'), request('4.17.3')],
      'ocp-4.16.20..4.17.3-x86_64-s390x',
    ],
    ['one twice', [request('4.17.3'), request('4.17.3')], 'ocp-4.17.3-x86_64'],
    ['one whose version is not known yet', [request(undefined)], undefined],
    [
      'several, of which one version is not known yet',
      [request('4.17.3'), request(undefined)],
      undefined,
    ],
    ['none', [], undefined],
  ])('of %s', (_, releases, expected) => {
    expect(releaseKind.bundleName(releases)).toBe(expected);
  });

  it('is the same by what was asked for and by what was found', () => {
    const facts = [part('4.17.3').facts, part('4.16.20').facts];
    expect(releaseKind.bundleName(facts)).toBe('ocp-4.16.20..4.17.3-x86_64');
  });
});

describe('the order of releases in a bundle', () => {
  it('is that of their versions, build metadata after them, then that of architectures', () => {
    const expected = [
      part('4.9.0'),
      part('4.17.0-rc.1'),
      part('4.17.0', 'x86_64'),
      part('4.17.0', 'aarch64'),
      part('4.17.0', 'multi'),
      part('4.17.0+a'),
      part('4.17.0+b'),
    ].map(({ facts }) => facts);
    const orders = [expected.toReversed(), [...expected.slice(3), ...expected.slice(0, 3)]];
    for (const order of orders)
      expect(order.sort((a, b) => releaseKind.compare(a, b))).toEqual(expected);
  });
});

describe('what is newer at a target than a bundle', () => {
  const tags = [
    ...['4.16.20-x86_64', '4.17.3-x86_64', '4.17.10-x86_64', '4.18.0-rc.1-x86_64'],
    ...['4.19.0-aarch64', '4.17.3-x86_64-cli', '4.18.1-x86_64-etcd', 'latest', 'v5-x86_64'],
    `sha256-${'0'.repeat(64)}.sig`,
  ];

  it('is what has a higher version and the same architecture, lowest first', () => {
    expect(releaseKind.newerThan([part('4.17.3')], tags)).toEqual(['4.17.10', '4.18.0-rc.1']);
  });

  it('is newer than the newest of several releases', () => {
    expect(releaseKind.newerThan([part('4.17.10'), part('4.16.20')], tags)).toEqual([
      '4.18.0-rc.1',
    ]);
    expect(releaseKind.newerThan([part('4.18.0'), part('4.17.3')], tags)).toEqual([]);
  });

  it('is asked for each architecture of its own', () => {
    const parts = [part('4.18.0'), part('4.17.3', 'aarch64')];
    expect(releaseKind.newerThan(parts, tags)).toEqual(['4.19.0']);
    expect(releaseKind.newerThan([part('4.0.0', 'ppc64le')], tags)).toEqual([]);
  });

  it('is a version with a + too, which tags have as _', () => {
    expect(releaseKind.newerThan([part('4.17.3')], ['4.17.4_a-x86_64'])).toEqual(['4.17.4_a']);
  });

  it('is nothing where there are no releases, or no tags', () => {
    expect(releaseKind.newerThan([], tags)).toEqual([]);
    expect(releaseKind.newerThan([part('4.17.3')], [])).toEqual([]);
  });
});

describe('a release', () => {
  it('is called by its version and architecture, checked or not', () => {
    expect(releaseKind.labelOf({ version: '4.17.3', architecture: 'multi' })).toBe(
      '4.17.3 for multi',
    );
  });

  const at = planDestinations({ to: parseTarget('r.io/ocp4') });
  const paths: DeliveredPaths = {
    mirrorSet: 'cluster-resources/idms.yaml',
    install: ['install/image-digest-sources.yaml'],
    of: (name: string) => name,
  };

  it('gives the cluster its signature, and the command that upgrades by digest', () => {
    const release = releasePart('4.17.3', { signatures: ['a signed message'] });
    const resources = releaseKind.resources(release, at);
    const { name, object, text } = signatureConfigMap(release.facts.digest, [
      Buffer.from('a signed message'),
    ]);
    expect(resources.files).toEqual([
      {
        ...{ name, objects: [object], text, audience: 'every-cluster' },
        effect: { stage: 'signatures', whenNew: 'nothing', whenChanged: 'nothing' },
      },
    ]);
    expect(parse(Buffer.from(text).toString())).toEqual(object);
    const pinned = `r.io/ocp4/openshift/release-images@${release.facts.digest}`;
    expect(resources.update!(paths)).toEqual([
      `oc adm upgrade --allow-explicit-upgrade --to-image ${pinned}`,
    ]);
    expect(resources.section(paths).join('\n')).toContain(pinned);
  });

  it('without a signature has nothing to apply, and no command that upgrades to it', () => {
    const resources = releaseKind.resources(releasePart('4.17.3', { signatures: [] }), at);
    expect([resources.files, resources.update!(paths)]).toEqual([[], []]);
    expect(resources.section(paths).join('\n')).not.toContain('--force');
  });

  it.each([
    ['4.17.3', 17],
    ['4.9.0-rc.1', 9],
    ['4.19.0-okd-scos.2', 19],
    ['5.0.0', undefined],
  ])('%s is of the minor version %s', (version, minor) => {
    expect(releaseKind.resources(releasePart(version), at).minor).toBe(minor);
  });
});
