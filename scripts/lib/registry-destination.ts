import { anonymous } from '../../src/core/credentials.ts';
import { isRegistry } from '../../src/core/reference.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import type { Destination } from './destination.ts';

/**
 * The repositories of a release at a registry on this machine, called as they are at quay.io.
 * Nobody logs in there.
 * @throws RangeError for anything but `HOST:PORT`.
 */
export function registryDestination(registry: string): {
  destination: Destination & { registry: string };
  close: () => Promise<void>;
} {
  if (!isRegistry(registry)) throw new RangeError(`not a registry: ${registry}`);
  const client = new RegistryClient({ credentials: anonymous, ca: [] });
  const repository = (name: string): Destination['releases'] =>
    client.repository({ registry, repository: `openshift-release-dev/${name}` });
  const destination = {
    registry,
    releases: repository('ocp-release'),
    components: repository('ocp-v4.0-art-dev'),
  };
  return { destination, close: async () => client.close() };
}
