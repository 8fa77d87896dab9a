import { describe, expect, it } from 'vitest';

import type { ClusterFacts } from '../../../../../src/cluster/facts.ts';
import { digestOf } from '../../../../../src/core/digest.ts';
import { releaseAtCluster } from '../../../../../src/kinds/release/cluster/standing.ts';
import type { ReleaseFacts } from '../../../../../src/kinds/release/payload/release-image.ts';

const digest = digestOf('release');
const image = `registry.example.com/ocp4/openshift/release-images@${digest}`;
const other = `quay.io/openshift-release-dev/ocp-release@${digestOf('other')}`;

const release = (version: string, architecture = 'x86_64'): ReleaseFacts =>
  ({ version, architecture, digest }) as ReleaseFacts;
const cluster = (more: object, architectures: readonly string[] = ['amd64']): ClusterFacts =>
  ({
    architectures,
    version: {
      version: '4.16.20',
      desired: { version: '4.16.20', image: other },
      updates: [],
      risky: [],
      ...more,
    },
  }) as unknown as ClusterFacts;

describe('releaseAtCluster', () => {
  const explicit = ['oc adm upgrade --to-image …'];

  it.each([
    ['running', cluster({ version: '4.17.3', desired: { version: '4.17.3', image } })],
    ['updating', cluster({ desired: { version: '4.17.3', image } })],
    ['older', cluster({ desired: { version: '4.18.0', image: other } })],
    ['other-architecture', cluster({}, ['arm64'])],
    ['other-architecture', cluster({ updates: [{ version: '4.17.3', image: other }] }, ['s390x'])],
  ])('is %s, and there is nothing to do', (standing, facts) => {
    expect(releaseAtCluster(release('4.17.3'), facts, explicit)).toEqual({
      standing,
      commands: [],
    });
  });

  it('is an update that the cluster offers, wherever that says its image is', () => {
    const facts = cluster({ updates: [{ version: '4.17.3', image }] });
    expect(releaseAtCluster(release('4.17.3'), facts, explicit)).toEqual({
      standing: 'recommended',
      commands: ['oc adm upgrade --to 4.17.3'],
    });
  });

  it('is an update with a known issue', () => {
    const risk = { reason: 'SlowStart', message: 'It starts slowly.' };
    const facts = cluster({ risky: [{ version: '4.17.3', image, recommended: 'False', ...risk }] });
    expect(releaseAtCluster(release('4.17.3'), facts, explicit)).toEqual({
      standing: 'risky',
      risk,
      commands: ['oc adm upgrade --to 4.17.3 --allow-not-recommended'],
    });
  });

  it('is not offered, also where another image has its version', () => {
    const facts = cluster({ updates: [{ version: '4.17.3', image: other }] });
    const found = { standing: 'not-offered', commands: explicit };
    expect(releaseAtCluster(release('4.17.3'), facts, explicit)).toEqual(found);
    expect(releaseAtCluster(release('4.17.3', 'multi'), cluster({}, ['arm64']), explicit)).toEqual(
      found,
    );
  });

  it('is not known where the version of the cluster cannot be read', () => {
    const facts = { ...cluster({}), version: undefined };
    expect(releaseAtCluster(release('4.17.3'), facts, explicit)).toEqual({
      standing: 'not-known',
      commands: explicit,
    });
  });

  it.each(['', 'unknown', '4'])('is not known where the cluster says it runs "%s"', (runs) => {
    const facts = cluster({ version: undefined, desired: { version: runs, image: '' } });
    expect(releaseAtCluster(release('4.17.3'), facts, explicit).standing).toBe('not-known');
  });

  it('is older than what the cluster has completed, where it says nothing else', () => {
    const facts = cluster({ version: '4.18.0', desired: { version: '', image: '' } });
    expect(releaseAtCluster(release('4.17.3'), facts, explicit).standing).toBe('older');
  });
});
