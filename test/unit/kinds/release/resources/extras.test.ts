import { describe, expect, it } from 'vitest';

import { parseTarget, planDestinations } from '../../../../../src/kinds/destinations.ts';
import { releaseExtras } from '../../../../../src/kinds/release/resources/extras.ts';
import type { Extras } from '../../../../../src/kinds/resource-file.ts';
import { releasePart } from '../../../../support/release-part.ts';

const at = planDestinations({ to: parseTarget('r.example.com:5000/ocp4') });
const usage = expect.objectContaining({ code: 'USAGE' }) as Error;
const old = releasePart('4.16.20');
const middle = releasePart('4.17.3');
const target = releasePart('4.18.1', { components: { cli: 100, etcd: 300 } });

function extras(parts = [old, middle, target], runningRelease?: string): Extras {
  return releaseExtras(parts, at, { clusterImageSets: false, runningRelease });
}

describe('what is written for releases where it is wanted', () => {
  it('is nothing where nothing is', () => {
    expect(extras().files).toEqual([]);
    expect(extras().section((name) => name)).toEqual([]);
  });

  it('is a ClusterImageSet for each release, by digest, for the hub', () => {
    const wanted = { clusterImageSets: true, runningRelease: undefined };
    const { files, section } = releaseExtras([old, middle], at, wanted);
    expect(files.map(({ name, audience }) => [name, audience])).toEqual([
      ['for-acm/img4.16.20-x86-64-appsub.yaml', 'hub'],
      ['for-acm/img4.17.3-x86-64-appsub.yaml', 'hub'],
    ]);
    expect(files[0]!.objects).toEqual([
      {
        ...{ apiVersion: 'hive.openshift.io/v1', kind: 'ClusterImageSet' },
        metadata: { name: 'img4.16.20-x86-64-appsub', labels: { visible: 'true' } },
        spec: {
          releaseImage: `r.example.com:5000/ocp4/openshift/release-images@${old.facts.digest}`,
        },
      },
    ]);
    expect(section((name) => `a/${name}`).join('\n')).toContain('oc apply -f a/for-acm/img4.17.3');
  });

  it('are pinned images of the highest version, less what the running release has', () => {
    const { files, notes, shown, section } = extras(undefined, '4.16.20');
    const [master] = files;
    expect(master!.name).toBe('pinned-images/ocp-4-18-1-x86-64-master.yaml');
    expect(master!.effect).toEqual({ stage: 'images', whenNew: 'pull', whenChanged: 'pull' });
    expect((master!.objects[0]!['spec'] as { pinnedImages: unknown[] }).pinnedImages).toHaveLength(
      2,
    );
    expect(notes.join('\n')).toMatch(
      /2 images of 4\.18\.1.*\n.*17\.[0-9] GB free for all sets together/,
    );
    const [step, ...others] = shown((name) => name);
    expect(others).toEqual([]);
    expect(step!.condition).toContain('oc get crd pinnedimagesets');
    expect(step!.files).toEqual(files.map(({ name }) => name));
    expect(step!.commands.slice(0, 2)).toEqual([
      'oc apply -f pinned-images/ocp-4-18-1-x86-64-master.yaml',
      'oc apply -f pinned-images/ocp-4-18-1-x86-64-worker.yaml',
    ]);
    expect(step!.commands.join('\n')).toContain('PinnedImageSetsProgressing=False');
    expect(section((name) => name).join('\n')).toContain('v1alpha1');
  });

  it('are refused where clusters run a newer release than those that are held', () => {
    expect(() => extras(undefined, '4.19.0')).toThrow(usage);
    expect(() => extras([old, middle], '4.17.3')).toThrow(usage);
  });

  it('are all images where the running release is not held, and that is said', () => {
    const { files, notes } = extras([target], '4.17.9');
    const { pinnedImages } = files[0]!.objects[0]!['spec'] as { pinnedImages: unknown[] };
    expect(pinnedImages).toHaveLength(3);
    expect(notes.join('\n')).toContain('4.17.9 is not held here');
  });

  it('are none where nodes have all images already', () => {
    const same = { ...target, facts: { ...target.facts, version: '4.18.0' }, names: ['4.18.0'] };
    const { files, notes } = extras([same, target], '4.18.0');
    expect(files).toEqual([]);
    expect(notes).toEqual(['Nodes have all images of 4.18.1 already.']);
  });

  it.each([
    ['a release that is no version', [target], 'sha256:none'],
    ['a release with nothing to update to', [old], '4.16.20'],
    [
      'two architectures of one version',
      [target, releasePart('4.18.1', { architecture: 'aarch64' })],
      '4.17.9',
    ],
  ] as const)('is refused for %s', (_, parts, running) => {
    expect(() => extras([...parts], running)).toThrow(usage);
  });
});
