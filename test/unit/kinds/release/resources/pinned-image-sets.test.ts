import { describe, expect, it } from 'vitest';

import {
  type PinnedImageSets,
  pinnedImageSets,
} from '../../../../../src/kinds/release/resources/pinned-image-sets.ts';
import type { WalkedImage } from '../../../../../src/transfer/image.ts';
import { violations } from '../../../../support/crds.ts';
import { releasePart } from '../../../../support/release-part.ts';

const GIB = 2 ** 30;

function setsFor(
  images: readonly WalkedImage[],
  running: readonly WalkedImage[] = [],
  minor = 22,
): PinnedImageSets {
  return pinnedImageSets(images, running, { name: 'ocp-4-22-3', minor });
}

function referencesIn({ files }: PinnedImageSets, role: string): string[] {
  return files
    .map(({ objects }) => objects[0]!)
    .filter(({ metadata }) => metadata.labels?.['machineconfiguration.openshift.io/role'] === role)
    .flatMap(({ spec }) => (spec as unknown as { pinnedImages: { name: string }[] }).pinnedImages)
    .map(({ name }) => name);
}

describe('pinnedImageSets', () => {
  const target = releasePart('4.22.3', {
    components: { cli: 1 * GIB, etcd: 2 * GIB, console: 3 * GIB },
    signed: ['release'],
  });

  it('are one for each role, of all images by the names that clusters ask for, sorted', () => {
    const sets = setsFor(target.images);
    expect(sets.files.map(({ name }) => name)).toEqual([
      'pinned-images/ocp-4-22-3-master.yaml',
      'pinned-images/ocp-4-22-3-worker.yaml',
    ]);
    const references = target.images
      .filter(({ request }) => request.attachment === undefined)
      .map(({ request }) => request.source)
      .toSorted();
    expect(references).toHaveLength(4);
    expect(referencesIn(sets, 'master')).toEqual(references);
    expect(referencesIn(sets, 'worker')).toEqual(references);
  });

  it('leave out what the running release has already', () => {
    const running = releasePart('4.22.1', { components: { cli: 1 * GIB, console: 4 * GIB } });
    const sets = setsFor(target.images, running.images);
    expect(sets.images).toBe(3); // the release image, etcd, console
    expect(setsFor(target.images, target.images)).toMatchObject({ files: [], images: 0 });
  });

  it('leave out the disk of virtual machines, which no node runs', () => {
    const [release, ...others] = target.images;
    const disk = { ...others[0]!, request: { ...others[0]!.request, role: 'kubevirt' } };
    const sets = setsFor([release!, disk]);
    expect(referencesIn(sets, 'worker')).toEqual([release!.request.source]);
  });

  it('say how much each node needs: twice the compressed size, and 16 GiB', () => {
    const { compressedBytes, bytesPerNode } = setsFor(target.images);
    expect(compressedBytes).toBe(6 * GIB + 50);
    expect(bytesPerNode).toBe(2 * compressedBytes + 16 * GIB);
  });

  it('are split where a set would hold more than 500 images', () => {
    const components = Object.fromEntries(
      Array.from({ length: 1000 }, (_, index) => [`component-${index}`, index + 1]),
    );
    const sets = setsFor(releasePart('4.22.3', { components }).images);
    expect(sets.files.map(({ name }) => name.replace('pinned-images/ocp-4-22-3-', ''))).toEqual([
      ...['master-1.yaml', 'master-2.yaml', 'master-3.yaml'],
      ...['worker-1.yaml', 'worker-2.yaml', 'worker-3.yaml'],
    ]);
    expect(new Set(referencesIn(sets, 'master')).size).toBe(1001);
    expect(sets.files.flatMap(({ objects }) => objects.flatMap(violations))).toEqual([]);
  });

  it.each([
    [21, 'machineconfiguration.openshift.io/v1alpha1'],
    [22, 'machineconfiguration.openshift.io/v1'],
  ])('have the form that 4.%i knows: %s', (minor, apiVersion) => {
    const { files } = setsFor(target.images, [], minor);
    expect(files.map(({ objects }) => objects[0]!.apiVersion)).toEqual([apiVersion, apiVersion]);
  });

  it('keep to their definition', () => {
    expect(
      setsFor(target.images).files.flatMap(({ objects }) => objects.flatMap(violations)),
    ).toEqual([]);
  });

  it('are refused for an image that the API would refuse', () => {
    const [release, ...others] = target.images;
    const source = release!.request.source.replace('quay.io/', 'quay.io/too/deep/');
    const deep = { ...release!, request: { ...release!.request, source } };
    expect(() => setsFor([deep, ...others])).toThrow(
      expect.objectContaining({ code: 'USAGE' }) as Error,
    );
  });
});
