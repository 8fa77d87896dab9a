import { describe, expect, it } from 'vitest';

import { mirroredAlready } from '../../../../src/delivering/applying/mirrored.ts';
import { EFFECTS, resourceFile } from '../../../../src/kinds/resource-file.ts';

const HERE = 'registry.example.com:5000/ocp4/openshift';
const entries = [
  { source: 'quay.io/openshift-release-dev/ocp-release', mirrors: [`${HERE}/release-images`] },
  { source: 'quay.io/openshift-release-dev/ocp-v4.0-art-dev', mirrors: [`${HERE}/release`] },
];
const file = resourceFile(
  'idms.yaml',
  [
    {
      apiVersion: 'config.openshift.io/v1',
      kind: 'ImageDigestMirrorSet',
      metadata: { name: 'x' },
      spec: { imageDigestMirrors: entries },
    },
  ],
  EFFECTS.digestMirrors,
);
const known = (source: string, ...mirrors: readonly string[]) => ({
  ...{ kind: 'ImageDigestMirrorSet', name: 'site', source, mirrors },
});

describe('mirroredAlready', () => {
  it.each([
    ['nothing', [], 0],
    ['another registry', [known(entries[0]!.source, 'other.example.com/release')], 0],
    ['one of them', [known(entries[0]!.source, 'other/x', `${HERE}/release-images`)], 1],
    ['all of an organisation', [known('quay.io/openshift-release-dev', HERE)], 0],
    ['a name that only begins so', [known('quay.io/openshift', HERE)], 0],
  ])('counts where nodes ask %s', (_, mirrors, pointing) => {
    expect(mirroredAlready([file], mirrors)).toEqual({ sources: 2, pointing });
  });

  it('follows an entry for a whole path', () => {
    const whole = { source: 'quay.io/a/b', mirrors: ['registry.example.com/a/b'] };
    const objects = file.objects.map((object) => ({
      ...object,
      spec: { imageDigestMirrors: [whole] },
    }));
    const mirrors = [known('quay.io', 'registry.example.com')];
    expect(mirroredAlready([{ ...file, objects }], mirrors)).toEqual({ sources: 1, pointing: 1 });
  });

  it('says nothing of what cannot be read, or where there is nothing to mirror', () => {
    expect(mirroredAlready([file], undefined)).toBeUndefined();
    expect(mirroredAlready([], [])).toBeUndefined();
  });
});
