import { isIP } from 'node:net';
import {
  checkServerIdentity,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
} from 'node:tls';
import { Agent, type buildConnector, type Dispatcher, Pool, ProxyAgent } from 'undici';
import { NO_ALTERNATIVE_NAME, ProxyFailure } from './faults.ts';
import type { CertificateFolders, HostCertificates } from './host-certificates.ts';
import { proxyFor, type ProxySettings } from './proxy.ts';

const CONNECT_MS = 30_000;

/**
 * Every certificate that somebody has named is trusted for itself, as with Go's programs: an
 * intermediate one without its root, and that of a server.
 */
const ANCHORS = { allowPartialTrustChain: true } as const;

export interface AgentOptions {
  /** Every CA that is trusted, as PEM. */
  readonly ca: readonly string[];
  readonly certificateFolders?: CertificateFolders | undefined;
  readonly concurrency: number;
  /** How long the body of an answer may bring no byte, in milliseconds. */
  readonly stalledMs: number;
  readonly proxy?: ProxySettings | undefined;
}

/** How one connection is to be made. */
export interface Route {
  readonly url: URL;
  /**
   * Where anything else than the URL's own host stands behind a request: a registry's CA counts for
   * its token server and its storage.
   */
  readonly registry?: string | undefined;
  readonly verified: boolean;
}

/**
 * The connections of a run: kept apart where they differ in what is trusted, in the client
 * certificate or in the proxy.
 */
export class Agents {
  readonly #options: AgentOptions;
  readonly #made = new Map<string, Dispatcher>();

  constructor(options: AgentOptions) {
    this.#options = options;
  }

  /** @throws BundleError CONFIGURATION for certificates of the host that cannot be used. */
  async dispatcher({ url, registry, verified }: Route): Promise<Dispatcher> {
    const { certificateFolders: folders, proxy: settings } = this.#options;
    const own = await folders?.of(namesOf(url));
    const behind = registry === undefined ? undefined : await folders?.of([registry]);
    const proxy = settings && proxyFor(url, settings);
    const key = JSON.stringify([own?.folder, behind?.folder, verified, proxy]);
    const made = this.#made.get(key) ?? this.#make(own, behind, verified, proxy);
    this.#made.set(key, made);
    return made;
  }

  /** Closes all connections, also those in use. */
  async close(): Promise<void> {
    await Promise.all([...this.#made.values()].map(async (dispatcher) => dispatcher.destroy()));
  }

  #make(
    own: HostCertificates | undefined,
    behind: HostCertificates | undefined,
    rejectUnauthorized: boolean,
    proxy: string | undefined,
  ): Dispatcher {
    const { ca, concurrency, stalledMs } = this.#options;
    const secureContext = createSecureContext({
      ...ANCHORS,
      ca: [...new Set([...ca, ...(own?.ca ?? []), ...(behind?.ca ?? [])])],
      // A client certificate is shown to nobody but the host that it was made for.
      ...(own &&
        own.client.length > 0 && {
          cert: own.client.map((pair) => pair.certificate),
          key: own.client.map((pair) => pair.key),
        }),
    });
    const connect = { ...tls(secureContext), rejectUnauthorized };
    // A copy inside one registry has a download open for each upload: with fewer, all could wait
    // for each other.
    const options = { connections: 2 * concurrency + 2, pipelining: 1, bodyTimeout: stalledMs };
    if (proxy === undefined) return new Agent({ ...options, connect });
    return new ProxyAgent({
      ...options,
      uri: proxy,
      // Plain HTTP is asked of the proxy itself, as curl does: few let a tunnel through to any port
      // but 443.
      proxyTunnel: false,
      requestTls: connect,
      proxyTls: tls(createSecureContext({ ...ANCHORS, ca: [...ca] })),
      clientFactory: (origin, { connect: connector }: { connect: buildConnector.connector }) =>
        new Pool(origin, { connect: asProxy(origin.host, connector) }),
    });
  }
}

/**
 * One context for all connections: reading some hundred certificates takes longer than the
 * handshake.
 */
function tls(secureContext: SecureContext): buildConnector.BuildOptions {
  return { secureContext, timeout: CONNECT_MS, checkServerIdentity: checkIdentity };
}

/**
 * As Node does it, but for a certificate that has a common name alone: clusters refuse those, so
 * that a push would be in vain.
 */
function checkIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subjectaltname !== undefined) return checkServerIdentity(host, certificate);
  return Object.assign(new Error('the certificate has no subject alternative name'), {
    code: NO_ALTERNATIVE_NAME,
  });
}

/** A failure to reach the proxy would look like one of the host behind it. */
function asProxy(host: string, connector: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    // undici would greet an address by name, which TLS does not know.
    const servername =
      isIP(options.hostname.replace(/^\[|\]$/g, '')) === 0 ? {} : { servername: '' };
    connector(
      { ...options, ...servername },
      (...[error, socket]: Parameters<buildConnector.Callback>) => {
        if (error === null) callback(error, socket);
        else callback(new ProxyFailure(host, error), null);
      },
    );
  };
}

/** The names that the host's folder may have: with or without the port of HTTPS. */
function namesOf(url: URL): readonly string[] {
  return url.port === '' ? [url.hostname, `${url.hostname}:443`] : [url.host];
}
