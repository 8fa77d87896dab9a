import type { Digest } from '../core/digest.ts';
import type { RepositoryName } from '../core/reference.ts';
import type { ReadOnlyStore, Store } from '../core/store.ts';
import { openAuthFiles } from '../credentials/auth-file.ts';
import { systemCertificates } from '../stores/registry/certificates.ts';
import { RegistryClient } from '../stores/registry/client.ts';
import { fetchSignatures, type FetchedSignatures } from '../stores/signature-store.ts';
import type { Context } from './context.ts';
import { mirrored, type MirrorRule } from './mirror-rules.ts';

export interface NetworkOptions {
  readonly authfile?: string | undefined;
  readonly caFiles: readonly string[];
  readonly insecureRegistries: readonly string[];
  readonly mirrors: readonly MirrorRule[];
}

/** The registries and signature stores that a run may talk to. */
export class Network {
  readonly #client: RegistryClient;
  readonly #ca: readonly string[];
  readonly #rules: readonly MirrorRule[];
  readonly #context: Context;

  private constructor(client: RegistryClient, ca: readonly string[], rules: readonly MirrorRule[], context: Context) {
    this.#client = client;
    this.#ca = ca;
    this.#rules = rules;
    this.#context = context;
  }

  /** Reads auth files and certificates; talks to nobody yet. @throws BundleError CONFIGURATION, NOT_FOUND */
  static async open(options: NetworkOptions, context: Context): Promise<Network> {
    const { environment, concurrency, observe, signal } = context;
    const ca = await systemCertificates(environment.env, options.caFiles);
    const credentials = await openAuthFiles({ authfile: options.authfile, environment });
    const client = new RegistryClient({ credentials, ca, insecure: options.insecureRegistries, concurrency, observe, signal });
    return new Network(client, ca, options.mirrors, context);
  }

  /** A repository to read from, or the mirror of it that was named. */
  source(name: RepositoryName): ReadOnlyStore {
    return this.#client.repository(mirrored(name, this.#rules));
  }

  /** A repository to write to. */
  target(name: RepositoryName): Store {
    return this.#client.repository(name);
  }

  /** The release signatures that the stores have, unchecked. */
  async signatures(stores: readonly string[], digest: Digest): Promise<FetchedSignatures> {
    const { signal, observe } = this.#context;
    return fetchSignatures(stores, digest, { ca: this.#ca, signal, observe });
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
