import type { Credentials, CredentialSource } from '../../core/credentials.ts';
import { formatRepository, type RepositoryName } from '../../core/reference.ts';
import { RepositoryAccess } from './auth/access.ts';
import { Authorizer } from './auth/authorizer.ts';
import { challengesIn } from './host/greeting.ts';
import { RegistryHost } from './host/host.ts';
import { RegistryRemoval } from './manifests/removal.ts';
import { RepositoryProbe } from './probe.ts';
import { RegistryRepository } from './repository.ts';
import { Transport, type TransportOptions } from './http/transport.ts';

export interface RegistryClientOptions extends TransportOptions {
  readonly credentials: CredentialSource;
}

/** How one repository is to be spoken to, where that is not as all others. */
export interface RepositoryOptions {
  /** Instead of the client's own. */
  readonly credentials?: CredentialSource | undefined;
  /** Trusted without a certificate, for this repository's sake. */
  readonly insecure?: boolean;
  /** It is about to be written to: what may not be read there counts as not there yet. */
  readonly willPush?: boolean;
}

/**
 * Everything one run has to do with registries: connections, credentials, tokens. Close it at the
 * end.
 */
export class RegistryClient {
  readonly #transport: Transport;
  readonly #credentials: CredentialSource;
  readonly #hosts = new Map<string, RegistryHost>();
  readonly #repositories = new Map<CredentialSource, Map<string, RegistryRepository>>();

  constructor({ credentials, ...options }: RegistryClientOptions) {
    this.#transport = new Transport(options);
    this.#credentials = credentials;
  }

  /**
   * The repository as a store: the same object for the same name and options. Nothing is sent yet.
   */
  repository(
    { registry, repository }: RepositoryName,
    options: RepositoryOptions = {},
  ): RegistryRepository {
    const { credentials = this.#credentials, insecure = false, willPush = false } = options;
    const name: RepositoryName = { registry, repository };
    const known = this.#repositories.get(credentials) ?? new Map<string, RegistryRepository>();
    this.#repositories.set(credentials, known);
    const key = `${formatRepository(name)} ${String(insecure)} ${String(willPush)}`;
    const made =
      known.get(key) ?? new RegistryRepository(this.#access(name, credentials, insecure), willPush);
    known.set(key, made);
    return made;
  }

  /** For finding out what can be done with a repository. */
  probe(
    { registry, repository }: RepositoryName,
    { credentials = this.#credentials, insecure = false }: RepositoryOptions = {},
  ): RepositoryProbe {
    return new RepositoryProbe(this.#access({ registry, repository }, credentials, insecure));
  }

  /** For taking manifests and tags of a repository away. */
  removal(
    { registry, repository }: RepositoryName,
    { credentials = this.#credentials, insecure = false }: RepositoryOptions = {},
  ): RegistryRemoval {
    return new RegistryRemoval(this.#access({ registry, repository }, credentials, insecure));
  }

  /**
   * Meets a registry, without credentials.
   * @throws BundleError NETWORK; REGISTRY for what is no registry.
   */
  async meet(registry: string): Promise<void> {
    await this.#host(registry, false).contact();
  }

  /**
   * Shows credentials to a registry. `false` where it asked for none, so that nothing is known of
   * them.
   * @throws BundleError NOT_ALLOWED where they are refused; NETWORK; REGISTRY, also for what is no
   * registry.
   */
  async tryCredentials(registry: string, credentials: Credentials): Promise<boolean> {
    const access = this.#access(
      { registry, repository: '' },
      { lookup: async () => credentials, places: [] },
      false,
    );
    const action = `log in to ${registry}`;
    const response = await access.send({ method: 'GET', to: '/v2/', action, access: 'login' });
    if (response.status < 200 || response.status > 299)
      throw await access.failure(response, action);
    await challengesIn(response, registry);
    return (await this.#host(registry, false).contact()).challenges.length > 0;
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  #access(
    name: RepositoryName,
    credentials: CredentialSource,
    insecure: boolean,
  ): RepositoryAccess {
    const host = this.#host(name.registry, insecure);
    return new RepositoryAccess(
      name,
      host,
      this.#transport,
      new Authorizer(name, host, this.#transport, credentials),
    );
  }

  #host(registry: string, insecure: boolean): RegistryHost {
    const key = `${registry} ${String(insecure)}`;
    const host = this.#hosts.get(key) ?? new RegistryHost(registry, this.#transport, insecure);
    this.#hosts.set(key, host);
    return host;
  }
}
