import type { Context } from '../core/context.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { MAX_GRAPH_BYTES } from '../core/limits.ts';
import { shownUrl } from '../core/text.ts';
import { fetchPublicFile } from '../stores/registry/http/public-file.ts';
import { Transport } from '../stores/registry/http/transport.ts';
import { parseGraph, type UpdateGraph } from '../updates/graph.ts';
import { type ConnectionOptions, transportOptions } from './network.ts';

/** What a graph is asked for. */
export interface GraphQuery {
  readonly channel: string;
  /** As in image configs: `amd64`; or `multi`. */
  readonly architecture: string;
}

/** An update service (Cincinnati): it knows the releases of a channel and the updates between. */
export class UpdateService {
  readonly #http: Transport;
  readonly #url: URL;

  private constructor(http: Transport, url: URL) {
    this.#http = http;
    this.#url = url;
  }

  /** @throws BundleError USAGE for what is no URL; CONFIGURATION for certificates or a proxy. */
  static async open(
    url: string,
    options: ConnectionOptions,
    context: Context,
  ): Promise<UpdateService> {
    const parsed = serviceUrl(url);
    return new UpdateService(new Transport(await transportOptions(options, context)), parsed);
  }

  /**
   * The graph of a channel. The service answers a channel that it does not know with an empty one.
   * @throws BundleError NETWORK, REGISTRY; CONTENT_MISMATCH, UNSUPPORTED_CONTENT for an answer that
   * is no graph.
   */
  async graph({ channel, architecture }: GraphQuery, signal: AbortSignal): Promise<UpdateGraph> {
    const url = new URL(this.#url);
    url.searchParams.set('channel', channel);
    url.searchParams.set('arch', architecture);
    // One type alone: the service does not read a list of them.
    const bytes = await this.#ask(url, 'application/json', signal);
    const what = `the graph of ${channel} (${architecture}) from ${this.#url.host}`;
    if (bytes !== undefined) return parseGraph(bytes, what);
    throw new BundleError('REGISTRY', `${this.#url.host} has no update service (404)`, {
      hint: 'Check --graph-url: it ends with /graph for most services.',
    });
  }

  /**
   * The graph data that the service decides with: a tarball.
   * @throws BundleError NETWORK, REGISTRY
   */
  async graphData(signal: AbortSignal): Promise<Uint8Array> {
    const url = graphDataUrl(this.#url);
    const bytes = await this.#ask(url, undefined, signal);
    if (bytes !== undefined) return bytes;
    throw new BundleError('REGISTRY', `${shownUrl(url.href)} does not exist (404)`, {
      hint:
        'Name a folder or a tarball with graph data: with --graph for bundle releases, with ' +
        '--graph-data for bundle pack.',
    });
  }

  async #ask(
    url: URL,
    accept: string | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    return fetchPublicFile(this.#http, url, { limit: MAX_GRAPH_BYTES, accept, signal }).catch(
      (error: unknown): never => {
        const isUnreachable = hasCode(error, 'NETWORK') || hasCode(error, 'REGISTRY');
        throw isUnreachable ? error.withHint(OFFLINE) : error;
      },
    );
  }

  async close(): Promise<void> {
    await this.#http.close();
  }
}

const OFFLINE =
  'Check the proxy, and --graph-url if you gave it. Without a connection, save the answer of an ' +
  'update service on another host, and name the file with --graph.';

/** @throws BundleError USAGE for what is no URL. */
export function serviceUrl(url: string): URL {
  if (/^https?:\/\//i.test(url) && URL.canParse(url)) return new URL(url);
  throw new BundleError('USAGE', `not the URL of an update service: ${shownUrl(url)}`, {
    hint: 'Give one that begins with https:// or http://.',
  });
}

/** Beside the graph, without its version: `…/upgrades_info/graph-data`. */
export function graphDataUrl(service: URL): URL {
  const url = new URL(service);
  url.pathname =
    url.pathname.replace(/(?:\/v1)?\/graph\/?$/, '').replace(/\/$/, '') + '/graph-data';
  url.search = '';
  return url;
}
