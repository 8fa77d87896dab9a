import { describe, expect, it } from 'vitest';

import { type Digest, digestOf, hexOf } from '../../../../src/core/digest.ts';
import { signatureTagOf } from '../../../../src/core/manifest.ts';
import { OCI_MANIFEST } from '../../../../src/core/media-types.ts';
import type { ReadOnlyStore } from '../../../../src/core/store.ts';
import type { Sources } from '../../../../src/kinds/sources.ts';
import type { Lock } from '../../../../src/packing/lock/lock.ts';
import { LockedSources } from '../../../../src/packing/lock/locked-sources.ts';
import { MemoryStore } from '../../../../src/stores/memory.ts';

const [then, now, signature, sbom] = ['then', 'now', 'signature', 'sbom'].map((text) =>
  digestOf(text),
) as [Digest, Digest, Digest, Digest];
const [kept, later] = [Buffer.from('kept'), Buffer.from('later')];

const LOCK: Lock = {
  ...{ signatures: true, referrers: true, parts: [], releases: [], graph: [], catalogs: [] },
  ...{ charts: [], blobs: [] },
  images: [{ reference: 'quay.io/team/tool:1.4', digest: then, path: 'team/tool', tag: '1.4' }],
  contents: [
    {
      ...{ name: 'a', role: 'signature', source: `quay.io/team/tool@${signature}`, bytes: 1 },
      ...{ attached: 'tag', subject: then },
    },
    {
      ...{ name: 'b', role: 'referrer', source: `quay.io/team/tool@${sbom}`, bytes: 1 },
      ...{ attached: 'referrer', subject: then },
    },
  ],
  files: [
    { path: `signatures/${hexOf(then)}/0123`, role: 'lookaside-signature', digest: digestOf(kept) },
  ],
};

/** A registry in which all tags name something else by now. */
function registry(held: readonly Digest[]): ReadOnlyStore {
  const store: ReadOnlyStore = new MemoryStore('quay.io/team/tool');
  return Object.assign(store, {
    resolve: async (reference: string) => {
      const digest = held.find((own) => own === reference);
      if (digest === undefined && reference.startsWith('sha256:'))
        return new MemoryStore('quay.io/team/tool').resolve(reference);
      return { mediaType: OCI_MANIFEST, digest: digest ?? now, size: 1 };
    },
    referrers: async () => [{ mediaType: OCI_MANIFEST, digest: now, size: 1 }],
  });
}

function locked(held: readonly Digest[]): LockedSources {
  const sources: Sources = {
    source: () => registry(held),
    held: () => Promise.reject(new Error('there are no folders')),
    signatures: async () => ({ signatures: [], failures: [] }),
    lookaside: async () => ({ signatures: [kept, later], failures: [] }),
    scratch: () => Promise.reject(new Error('nothing large is made')),
    publicFile: async () => undefined,
    chartFile: async () => undefined,
  };
  return new LockedSources(sources, LOCK);
}

const TOOL = { registry: 'quay.io', repository: 'team/tool' };

describe('registries as they were when a lock was written', () => {
  it('give what tags named then', async () => {
    const store = locked([then, signature, sbom]).source(TOOL);
    expect(await store.resolve('1.4')).toMatchObject({ digest: then });
    expect(await store.resolve(signatureTagOf(then))).toMatchObject({ digest: signature });
    expect(await store.referrers(then)).toMatchObject([{ digest: sbom }]);
    expect(await store.referrers(now)).toEqual([]);
  });

  it('have no tags that the lock does not name, and no signatures that were made since', async () => {
    const store = locked([then]).source(TOOL);
    await expect(store.resolve('1.5')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(store.resolve(signatureTagOf(now))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('say what is gone, by its name and its digest', async () => {
    const gone = { code: 'NOT_FOUND', expected: then, subject: 'quay.io/team/tool:1.4' };
    await expect(locked([]).source(TOOL).resolve('1.4')).rejects.toMatchObject(gone);
  });

  it('have those signatures beside them that they had', async () => {
    const sources = locked([then]);
    expect(await sources.lookaside(TOOL, then)).toEqual({ signatures: [kept], failures: [] });
    expect(await sources.lookaside(TOOL, now)).toEqual({ signatures: [], failures: [] });
  });
});
