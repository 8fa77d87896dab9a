import { expect, it } from 'vitest';

import { BundleError } from '../../../src/core/errors.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { DOCKER_LAYER, DOCKER_MANIFEST } from '../../../src/core/media-types.ts';
import { type Kind, partRequest } from '../../../src/kinds/kind.ts';
import { findParts } from '../../../src/packing/find-parts.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { held, imageManifest } from '../../contract/content.ts';
import { fill } from '../../contract/store.ts';
import { contextIn } from '../../support/context.ts';
import { sampleKind, type SampleRequest, type SampleSeed } from '../../support/sample-kind.ts';
import { sourcesOf } from '../../support/sample-parts.ts';

/** Finds a part of one image whose row of `bundle.json` is this one. */
async function partsWith(claim: (own: JsonObject) => JsonObject): Promise<unknown> {
  const store = new MemoryStore('samples');
  const [config, layer] = [held(DOCKER_LAYER, '{}'), held(DOCKER_LAYER, 'a layer')];
  const manifest = imageManifest(DOCKER_MANIFEST, config, [layer]);
  await fill(store, { blobs: [config, layer], manifests: [manifest], tags: {} });
  const kind: Kind<SampleRequest, SampleSeed, SampleSeed> = {
    ...sampleKind,
    expand: async (...given) => {
      const part = await sampleKind.expand(...given);
      return { ...part, claim: claim(part.claim) };
    },
  };
  const parts = [partRequest(kind, { name: 'one', image: manifest.descriptor, store })];
  const sources = sourcesOf(() => store);
  return findParts({ parts, referrers: false }, sources, contextIn('/'));
}

it('refuses a part whose row its own reader would not take', async () => {
  expect(await partsWith((own) => own)).toMatchObject({ parts: [{ label: 'sample one' }] });
  await expect(partsWith((own) => ({ ...own, digest: 'none' }))).rejects.toMatchObject({
    code: 'UNSUPPORTED_CONTENT',
    message: 'a bundle cannot hold sample one',
    subject: 'sample one',
  });
});

it.each([
  ['where images may be left out', 'NOT_FOUND', false, /^Look. .*add --incomplete: /],
  ['but not where a lock names all', 'NOT_FOUND', true, /^Look\.$/],
  ['but not where the host may be wrong', 'NETWORK', false, /^Look\.$/],
] as const)('says how to go on without an image, %s', async (_, code, isWhole, hint) => {
  const failure = new BundleError(code, 'not there', { hint: 'Look.' });
  const kind: Kind<SampleRequest, SampleSeed, SampleSeed> = {
    ...sampleKind,
    find: async (_request, _sources, { absent }) => {
      absent?.excuse('quay.io/a/b:1', failure);
      throw failure;
    },
  };
  const store = new MemoryStore('samples');
  const image = held(DOCKER_MANIFEST, '{}').descriptor;
  const parts = [partRequest(kind, { name: 'one', image, store })];
  const request = { parts, referrers: false, isWhole };
  await expect(
    findParts(
      request,
      sourcesOf(() => store),
      contextIn('/'),
    ),
  ).rejects.toMatchObject({ code, hint: expect.stringMatching(hint) as string });
});
