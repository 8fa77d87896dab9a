import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

import { hasCode } from '../../../src/core/errors.ts';
import type { Store } from '../../../src/core/store.ts';

export interface MemoryRegistry {
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/**
 * Serves stores over the registry protocol, for reading: so many images that a real registry would
 * take an hour to be filled with them.
 * @param stores by the name of their repository.
 */
export async function serveStores(
  stores: Readonly<Record<string, Store>>,
): Promise<MemoryRegistry> {
  const server = createServer((request, response) => {
    const { method = '', url = '' } = request;
    answer(stores, { path: url.split('?')[0]!, isHead: method === 'HEAD' }, response).catch(
      (error: unknown) => {
        response.writeHead(hasCode(error, 'NOT_FOUND') ? 404 : 500).end();
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  stores: Readonly<Record<string, Store>>,
  { path, isHead }: { readonly path: string; readonly isHead: boolean },
  response: ServerResponse,
): Promise<void> {
  const [, repository = '', reference = ''] =
    /^\/v2\/(.+)\/(?:manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
  const store = stores[repository];
  if (store === undefined) {
    response.writeHead(path === '/v2/' ? 200 : 404).end();
    return;
  }
  const descriptor = await store.resolve(reference);
  response.writeHead(200, {
    'content-type': descriptor.mediaType,
    'content-length': descriptor.size,
    'docker-content-digest': descriptor.digest,
  });
  response.end(isHead ? undefined : await buffer(store.fetch(descriptor)));
}
