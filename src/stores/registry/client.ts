import type { CredentialSource } from '../../core/credentials.ts';
import { formatRepository, type RepositoryName } from '../../core/reference.ts';
import { RepositoryAccess } from './access.ts';
import { Authorizer } from './authorizer.ts';
import { RegistryHost } from './host.ts';
import { RegistryRepository } from './repository.ts';
import { Transport, type TransportOptions } from './transport.ts';

export interface RegistryClientOptions extends TransportOptions {
  readonly credentials: CredentialSource;
}

/** Everything one run has to do with registries: connections, credentials, tokens. Close it at the end. */
export class RegistryClient {
  readonly #transport: Transport;
  readonly #credentials: CredentialSource;
  readonly #hosts = new Map<string, RegistryHost>();
  readonly #repositories = new Map<string, RegistryRepository>();

  constructor({ credentials, ...options }: RegistryClientOptions) {
    this.#transport = new Transport(options);
    this.#credentials = credentials;
  }

  /** The repository as a store: the same object for the same name. Nothing is sent yet. */
  repository({ registry, repository }: RepositoryName): RegistryRepository {
    const name: RepositoryName = { registry, repository };
    const key = formatRepository(name);
    const known = this.#repositories.get(key);
    if (known) return known;
    const host = this.#hosts.get(registry) ?? new RegistryHost(registry, this.#transport);
    this.#hosts.set(registry, host);
    const authorizer = new Authorizer(name, host, this.#transport, this.#credentials);
    const made = new RegistryRepository(new RepositoryAccess(name, host, this.#transport, authorizer));
    this.#repositories.set(key, made);
    return made;
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }
}
