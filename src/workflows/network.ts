import { join } from 'node:path';

import type { Digest } from '../core/digest.ts';
import type { RepositoryName } from '../core/reference.ts';
import type { ReadOnlyStore, Store } from '../core/store.ts';
import { VERSION } from '../core/version.ts';
import { openAuthFiles } from '../credentials/auth-file.ts';
import { systemCertificates } from '../stores/registry/certificates.ts';
import { CertificateFolders } from '../stores/registry/host-certificates.ts';
import { RegistryClient } from '../stores/registry/client.ts';
import { proxyFromEnvironment } from '../stores/registry/proxy.ts';
import type { TransportOptions } from '../stores/registry/transport.ts';
import { fetchSignatures, type FetchedSignatures } from '../stores/signature-store.ts';
import type { Context } from './context.ts';
import { mirrored, type MirrorRule } from './mirror-rules.ts';

export interface NetworkOptions {
  readonly authfile?: string | undefined;
  readonly caFiles: readonly string[];
  /** Another `certs.d` folder, or one whose files are for all registries. */
  readonly certificateFolder?: string | undefined;
  readonly insecureRegistries: readonly string[];
  readonly mirrors: readonly MirrorRule[];
}

/** The registries and signature stores that a run may talk to. */
export class Network {
  readonly #client: RegistryClient;
  readonly #transport: TransportOptions;
  readonly #rules: readonly MirrorRule[];

  private constructor(client: RegistryClient, transport: TransportOptions, rules: readonly MirrorRule[]) {
    this.#client = client;
    this.#transport = transport;
    this.#rules = rules;
  }

  /** Reads auth files and certificates; talks to nobody yet. @throws BundleError CONFIGURATION, NOT_FOUND */
  static async open(options: NetworkOptions, context: Context): Promise<Network> {
    const { environment, concurrency, observe, signal } = context;
    const transport: TransportOptions = {
      ca: await systemCertificates(environment.env, options.caFiles),
      certificateFolders: new CertificateFolders({
        named: options.certificateFolder,
        folders: [join(environment.home, '.config/containers/certs.d'), '/etc/containers/certs.d', '/etc/docker/certs.d'],
      }),
      insecure: options.insecureRegistries,
      proxy: proxyFromEnvironment(environment.env),
      userAgent: `bundle/${VERSION}`,
      concurrency,
      observe,
      signal,
    };
    const credentials = await openAuthFiles({ authfile: options.authfile, environment });
    return new Network(new RegistryClient({ ...transport, credentials }), transport, options.mirrors);
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
    return fetchSignatures(stores, digest, this.#transport);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
