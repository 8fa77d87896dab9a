import { readAll } from '../../src/core/bytes.ts';
import type { Digest } from '../../src/core/digest.ts';
import { type Closure, contentsOf } from '../../src/kinds/closure.ts';
import type { Sources } from '../../src/kinds/sources.ts';
import { findParts } from '../../src/packing/find-parts.ts';
import { MemoryStore } from '../../src/stores/memory.ts';
import type { SigningKey } from '../../src/trust/keys.ts';
import { contextIn } from './context.ts';
import type { Ingredients } from './crafted-bundle.ts';
import { samplePart, type SampleRequest } from './sample-kind.ts';

/** Repositories, and nothing else. */
export function sourcesOf(source: Sources['source']): Sources {
  return {
    source,
    held: () => Promise.reject(new Error('there are no folders')),
    scratch: () => Promise.reject(new Error('nothing large is made')),
    signatures: async () => ({ signatures: [], failures: [] }),
    lookaside: async () => ({ signatures: [], failures: [] }),
    publicFile: async () => undefined,
    chartFile: async () => undefined,
  };
}

const NO_SOURCES = sourcesOf(({ repository }) => new MemoryStore(repository));

/** Parts of the sample kind, and all that follows from them. */
export async function sampleClosure(requests: readonly SampleRequest[]): Promise<Closure> {
  const { parts, content } = await findParts(
    { parts: requests.map(samplePart), referrers: false },
    NO_SOURCES,
    contextIn('/'),
  );
  return { parts, content };
}

/** What a bundle of some parts is made of. */
export async function ingredientsOf(
  name: string,
  closure: Closure,
  key: SigningKey,
): Promise<Ingredients> {
  const contents = contentsOf(name, closure);
  const blobs = new Map<Digest, Uint8Array>(
    contents.manifests.map(({ descriptor, bytes }) => [descriptor.digest, bytes]),
  );
  for (const { descriptor, store } of contents.blobs)
    blobs.set(descriptor.digest, await readAll(store.fetch(descriptor), descriptor.size, 'a blob'));
  return { contents, blobs, key };
}
