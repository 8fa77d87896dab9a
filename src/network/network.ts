import { join } from 'node:path';

import type { CredentialSource } from '../core/credentials.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import type { RepositoryName } from '../core/reference.ts';
import type { ReadOnlyStore, RemovableRepository, Store } from '../core/store.ts';
import { shownUrl } from '../core/text.ts';
import { VERSION } from '../core/version.ts';
import { openAuthFiles } from '../credentials/auth-file.ts';
import {
  credentialsOf,
  type HelmRepositories,
  readHelmRepositories,
} from '../credentials/helm-repositories.ts';
import { TemporaryFolder } from '../files/temporary/folder.ts';
import { loadMirrorSets, withMirrorSets } from '../mirrors/mirror-sets.ts';
import { blocked, MirroredStore } from '../mirrors/mirrored-store.ts';
import { loadRegistriesD, lookasideOf, type RegistriesD } from '../mirrors/registries-d.ts';
import { loadRegistriesConf } from '../mirrors/registries-conf.ts';
import { pullPlaces, pushPlace, type RegistryRule } from '../mirrors/rules.ts';
import { KeepingStore } from '../stores/kept/keeping-store.ts';
import { KeptManifests } from '../stores/kept/kept-manifests.ts';
import { systemCertificates } from '../stores/registry/http/certificates.ts';
import { RegistryClient, type RepositoryOptions } from '../stores/registry/client.ts';
import { CertificateFolders } from '../stores/registry/http/host-certificates.ts';
import type { RepositoryProbe } from '../stores/registry/probe.ts';
import { proxyFromEnvironment } from '../stores/registry/http/proxy.ts';
import type { HeldContent } from '../stores/oc/held-content.ts';
import { type HeldPlace, openHeldPlace } from '../stores/oc/open.ts';
import { fetchPublicFile, type FileLogin } from '../stores/registry/http/public-file.ts';
import { Transport, type TransportOptions } from '../stores/registry/http/transport.ts';
import { LookasideStores } from '../stores/lookaside.ts';
import { fetchSignatures } from '../stores/signature-store.ts';
import { baseFolder, type Context, type Environment } from '../core/context.ts';
import type { CollectedSignatures, LookasideAnswer, Sources } from '../kinds/sources.ts';

/** How hosts are reached, and what proves who they are. */
export interface ConnectionOptions {
  readonly caFiles: readonly string[];
  /** Another `certs.d` folder, or one whose files are for all registries. */
  readonly certificateFolder?: string | undefined;
  readonly insecureRegistries: readonly string[];
  /** How long the answer to a small request may take, in milliseconds; two minutes unless told. */
  readonly answerMs?: number | undefined;
  /** How often a request is tried; ten times unless told. */
  readonly attempts?: number | undefined;
}

export interface NetworkOptions extends ConnectionOptions {
  /** For both sides, where a side has none of its own. */
  readonly authfile?: string | undefined;
  readonly sourceAuthfile?: string | undefined;
  readonly targetAuthfile?: string | undefined;
  /** `--mirror`: those that fit decide alone. */
  readonly mirrors: readonly RegistryRule[];
  /** Instead of podman's. */
  readonly registriesConf?: string | undefined;
  /** The folder that says where signatures are kept beside registries; instead of podman's. */
  readonly registriesD?: string | undefined;
  /** Files with ImageDigestMirrorSets and their like. */
  readonly mirrorSetFiles: readonly string[];
  /** The file that has users and passwords of chart repositories, as helm keeps them. */
  readonly helmRepositories?: string | undefined;
}

/** The configuration of the site for registries, beside the command line. */
interface SiteRules {
  readonly options: readonly RegistryRule[];
  readonly rules: readonly RegistryRule[];
  /** Where signatures are kept beside registries: read when the first are looked for. */
  readonly registriesD: () => Promise<RegistriesD>;
}

/** Everything that is read and made before the first request. */
interface NetworkParts {
  readonly client: RegistryClient;
  readonly targetCredentials: CredentialSource;
  readonly transport: TransportOptions;
  readonly site: SiteRules;
  readonly observe: Observe;
  readonly kept: KeptManifests;
  readonly charts: ChartLogins;
}

/** Where credentials of chart repositories come from. */
interface ChartLogins {
  readonly named: HelmRepositories;
  readonly others: CredentialSource;
}

/** The registries and signature stores that a run may talk to. */
export class Network implements Sources {
  readonly #client: RegistryClient;
  readonly #transport: TransportOptions;
  readonly #targetCredentials: CredentialSource;
  readonly #site: SiteRules;
  readonly #observe: Observe;
  readonly #kept: KeptManifests;
  readonly #charts: ChartLogins;
  readonly #unreachable = new Map<string, BundleError>();
  readonly #sources = new Map<string, ReadOnlyStore>();
  readonly #held = new Map<string, Promise<HeldContent>>();
  #lookaside: LookasideStores | undefined;
  #scratch: Promise<TemporaryFolder> | undefined;

  private constructor(parts: NetworkParts) {
    this.#client = parts.client;
    this.#targetCredentials = parts.targetCredentials;
    this.#transport = parts.transport;
    this.#site = parts.site;
    this.#observe = parts.observe;
    this.#kept = parts.kept;
    this.#charts = parts.charts;
  }

  /**
   * Reads auth files, certificates and rules for registries; talks to nobody yet. @throws
   * BundleError CONFIGURATION, NOT_FOUND
   */
  static async open(options: NetworkOptions, context: Context): Promise<Network> {
    const { environment, observe } = context;
    const { env, home } = environment;
    const transport = await transportOptions(options, context);
    const conf = await loadRegistriesConf({ file: options.registriesConf, env, home });
    const registriesD = once(() => loadRegistriesD({ folder: options.registriesD, home }));
    const rules = withMirrorSets(conf.rules, await loadMirrorSets(options.mirrorSetFiles));
    const open = async (authfile: string | undefined): Promise<CredentialSource> =>
      openAuthFiles({
        authfile: authfile ?? options.authfile,
        helpers: conf.credentialHelpers,
        environment,
        observe,
      });
    const sources = await open(options.sourceAuthfile);
    const targetCredentials =
      options.sourceAuthfile === options.targetAuthfile
        ? sources
        : await open(options.targetAuthfile);
    const client = new RegistryClient({ ...transport, credentials: sources });
    const site = { options: options.mirrors, rules, registriesD };
    const kept = new KeptManifests(manifestFolder(environment), observe);
    const { helmRepositories: file } = options;
    const named = file === undefined ? new Map<string, never>() : await readHelmRepositories(file);
    const charts = { named, others: sources };
    return new Network({ client, targetCredentials, transport, site, observe, kept, charts });
  }

  /**
   * A repository to read from, wherever the site keeps its content. The same store for the same
   * name.
   */
  source(name: RepositoryName): ReadOnlyStore {
    const key = `${name.registry}/${name.repository}`;
    const store =
      this.#sources.get(key) ??
      new KeepingStore(
        this.#openSource({ registry: name.registry, repository: name.repository }),
        this.#kept,
      );
    this.#sources.set(key, store);
    return store;
  }

  /** @throws BundleError NOT_FOUND, CONTENT_MISMATCH, UNSUPPORTED_CONTENT, DISK */
  held(place: HeldPlace): Promise<HeldContent> {
    const key = `${place.writer}:${place.folder}`;
    const store = this.#held.get(key) ?? openHeldPlace(place, this.#transport.signal);
    this.#held.set(key, store);
    return store;
  }

  /** A repository to write to. @throws BundleError BLOCKED */
  target(name: RepositoryName): Store {
    return this.#client.repository(name, { ...this.#targetOptions(name), willPush: true });
  }

  /** A repository that was written to, to read what it holds now. @throws BundleError BLOCKED */
  written(name: RepositoryName): ReadOnlyStore {
    return this.#client.repository(name, this.#targetOptions(name));
  }

  /** For finding out what can be done with a repository to write to. @throws BundleError BLOCKED */
  probe(name: RepositoryName): RepositoryProbe {
    return this.#client.probe(name, this.#targetOptions(name));
  }

  /** @throws BundleError DISK */
  async scratch(): Promise<TemporaryFolder> {
    this.#scratch ??= TemporaryFolder.make();
    return this.#scratch;
  }

  /** For taking away what was written to a repository. @throws BundleError BLOCKED */
  removal(name: RepositoryName): RemovableRepository {
    return this.#client.removal(name, this.#targetOptions(name));
  }

  /** The release signatures that the stores have, unchecked. */
  async signatures(stores: readonly string[], digest: Digest): Promise<CollectedSignatures> {
    return fetchSignatures(stores, digest, this.#transport);
  }

  /**
   * What is kept for the names that the image is fetched under, and then for its own: the first
   * place that has any. A host that the site keeps from being asked is not asked for these either.
   */
  async lookaside(name: RepositoryName, digest: Digest): Promise<LookasideAnswer> {
    const { rules, options, registriesD } = this.#site;
    const said = await registriesD();
    const places = pullPlaces(name, digest, rules, options)
      .filter(({ blockedBy }) => blockedBy === undefined)
      .map((place) => place.name);
    const named = [...places, name].map((one) => ({
      repository: one.repository,
      base: lookasideOf(one, digest, {
        ...said,
        builtIn: places.some((place) => isSame(place, one)),
      }),
    }));
    const failures: LookasideAnswer['failures'][number][] = [];
    const asked = new Set<string>();
    for (const { repository, base } of named) {
      if (base === undefined || asked.has(`${base} ${repository}`)) continue;
      asked.add(`${base} ${repository}`);
      this.#lookaside ??= new LookasideStores(this.#transport);
      try {
        const signatures = await this.#lookaside.read(base, repository, digest);
        if (signatures.length > 0) return { signatures, failures };
      } catch (error) {
        if (!(error instanceof BundleError) || this.#transport.signal?.aborted === true)
          throw error;
        failures.push({ place: shownUrl(base), error });
      }
    }
    return { signatures: [], failures };
  }

  async publicFile(url: string, limit: number): Promise<Uint8Array | undefined> {
    return this.#file(new URL(url), limit);
  }

  async chartFile(repository: string, url: string, limit: number): Promise<Uint8Array | undefined> {
    const [file, home] = [new URL(url), new URL(repository)];
    // The index may name archives anywhere: only who keeps the repository knows its password.
    const isHome = file.origin === home.origin;
    const name = { registry: home.host, repository: home.pathname.replace(/^\/+|\/+$/g, '') };
    return this.#file(file, limit, {
      known: isHome ? credentialsOf(this.#charts.named, repository) : undefined,
      lookup: async () => (isHome ? this.#charts.others.lookup(name) : undefined),
      hint: isHome ? CHART_LOGIN : FOREIGN_CHART,
    });
  }

  async #file(url: URL, limit: number, login?: FileLogin): Promise<Uint8Array | undefined> {
    const http = new Transport(this.#transport);
    try {
      return await fetchPublicFile(http, url, { limit, login, signal: this.#transport.signal });
    } finally {
      await http.close();
    }
  }

  async close(): Promise<void> {
    await this.#kept.close();
    await this.#lookaside?.close();
    await this.#client.close();
    // One that could not be made was told of where it was wanted.
    const scratch = await this.#scratch?.catch(() => undefined);
    await scratch?.remove();
  }

  #targetOptions(name: RepositoryName): RepositoryOptions {
    const { insecure, blockedBy } = pushPlace(name, this.#site.rules);
    if (blockedBy !== undefined) throw blocked(name, blockedBy);
    return { insecure, credentials: this.#targetCredentials };
  }

  #openSource(name: RepositoryName): ReadOnlyStore {
    const { rules, options } = this.#site;
    if (rules.length === 0 && options.length === 0) return this.#client.repository(name);
    return new MirroredStore({
      name,
      placesFor: (reference) => pullPlaces(name, reference, rules, options),
      open: (place) => this.#client.repository(place.name, { insecure: place.insecure }),
      observe: this.#observe,
      unreachable: this.#unreachable,
    });
  }
}

const CHART_LOGIN =
  'Name a file that has the user and the password of this repository with --helm-repositories, as ' +
  'helm repo add writes it (repositories.yaml), or add an entry for its host to the auth file.';

const FOREIGN_CHART =
  'The index of the chart repository names an archive at another server. The password of the ' +
  'repository is not shown to that: fetch the archive, and name the file with --chart.';

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

function isSame(one: RepositoryName, other: RepositoryName): boolean {
  return one.registry === other.registry && one.repository === other.repository;
}

/** Where manifests are kept between runs: the folder for what can be fetched again (XDG). */
export function manifestFolder(environment: Environment): string {
  return join(baseFolder(environment, 'XDG_CACHE_HOME'), 'bundle', 'manifests');
}

/** @throws BundleError CONFIGURATION for certificates or a proxy that cannot be used. */
export async function transportOptions(
  options: ConnectionOptions,
  context: Context,
): Promise<TransportOptions> {
  const { environment, concurrency, lookups, observe, signal } = context;
  const { env, home } = environment;
  return {
    ca: await systemCertificates(env, options.caFiles),
    certificateFolders: new CertificateFolders({
      named: options.certificateFolder,
      folders: [
        join(home, '.config/containers/certs.d'),
        '/etc/containers/certs.d',
        '/etc/docker/certs.d',
      ],
    }),
    insecure: options.insecureRegistries,
    answerMs: options.answerMs,
    attempts: options.attempts,
    proxy: proxyFromEnvironment(env),
    userAgent: `bundle/${VERSION}`,
    limits: [concurrency, lookups],
    observe,
    signal,
  };
}
