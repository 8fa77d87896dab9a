import { createSecureContext, type SecureContext } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { BundleError } from '../../core/errors.ts';
import type { ProxySettings } from './proxy.ts';

const CONNECT_MS = 30_000;

export interface AgentOptions {
  readonly ca: readonly string[];
  readonly concurrency: number;
  /** How long the body of an answer may bring no byte. */
  readonly stalledMs: number;
  readonly proxy: ProxySettings | undefined;
}

/** Connections that verify certificates, and connections that do not. */
export interface Agents {
  readonly verifying: Dispatcher;
  readonly trusting: Dispatcher;
}

/** @throws BundleError CONFIGURATION for a proxy that is no URL. */
export function makeAgents({ ca, ...options }: AgentOptions): Agents {
  // One context for all connections: reading some hundred certificates takes longer than the handshake.
  const secureContext = createSecureContext({ ca: [...ca] });
  const agent = (tls: Verification): Dispatcher => makeAgent(tls, options);
  return { verifying: agent({ secureContext, rejectUnauthorized: true }), trusting: agent({ secureContext, rejectUnauthorized: false }) };
}

interface Verification {
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: boolean;
}

function makeAgent(tls: Verification, { concurrency, proxy, stalledMs }: Omit<AgentOptions, 'ca'>): Dispatcher {
  const options = {
    // A copy inside one registry has a download open for each upload: with fewer, all could wait for each other.
    connections: 2 * concurrency + 2,
    pipelining: 1,
    bodyTimeout: stalledMs,
    connect: { ...tls, timeout: CONNECT_MS },
  };
  if (proxy?.http === undefined && proxy?.https === undefined) return new Agent(options);
  for (const url of [proxy.http, proxy.https]) if (url !== undefined) checkProxy(url);
  // Undici would take `undefined` as leave to look into the environment itself.
  const { http = '', https = '', except } = proxy;
  return new EnvHttpProxyAgent({
    ...options,
    httpProxy: http,
    httpsProxy: https,
    noProxy: except,
    requestTls: options.connect,
    proxyTls: { secureContext: tls.secureContext, timeout: CONNECT_MS },
  });
}

function checkProxy(url: string): void {
  if (/^https?:\/\//i.test(url) && URL.canParse(url)) return;
  // The URL itself may hold a password.
  throw new BundleError('CONFIGURATION', 'HTTP_PROXY or HTTPS_PROXY is not the URL of an HTTP proxy', {
    hint: 'It has to be of the form http://HOST:PORT.',
  });
}
