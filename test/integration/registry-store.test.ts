import { anonymous } from '../../src/core/credentials.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import { storeContract } from '../contract/store.ts';
import { describeWith } from '../support/needs.ts';
import { startRegistry } from '../support/registry.ts';

describeWith(['docker-registry'], 'a registry in plain HTTP on loopback', () => {
  storeContract('a registry', async () => {
    const registry = await startRegistry();
    const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1 });
    return {
      store: client.repository({ registry: registry.host, repository: 'release/images' }),
      close: async () => {
        await client.close();
        await registry.stop();
      },
    };
  });
});
