import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { ImageLayout } from '../../../../src/stores/layout/layout.ts';
import { PathInLayout } from '../../../../src/stores/layout/path-in-layout.ts';
import { MemoryStore } from '../../../../src/stores/memory.ts';
import { held, imageManifest } from '../../../contract/content.ts';
import { fill, storeContract } from '../../../contract/store.ts';

storeContract('PathInLayout', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-path-'));
  const layout = await ImageLayout.create(join(folder, 'layout'));
  return {
    store: new PathInLayout(layout, 'team/tool'),
    close: async () => rm(folder, { recursive: true }),
  };
});

it('keeps tags of one path apart from those of another, and from names of the place', async () => {
  const place = new MemoryStore('oci:/srv/layout');
  const [one, other] = ['team/tool', 'team/tool-2'].map((path) => new PathInLayout(place, path));
  const config = held('application/vnd.oci.image.config.v1+json', '{}');
  const manifest = imageManifest('application/vnd.oci.image.manifest.v1+json', config, []);
  const { descriptor } = manifest;
  await fill(place, { blobs: [config], manifests: [manifest], tags: { '4.17.3': descriptor } });
  await one!.tag(descriptor, '1.4');
  expect(await place.tags()).toEqual(expect.arrayContaining(['team/tool:1.4', '4.17.3']));
  expect(await one!.tags()).toEqual(['1.4']);
  expect(await other!.tags()).toEqual([]);
  await expect(other!.resolve('1.4')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(one!.name).toBe('oci:/srv/layout:team/tool');
});
