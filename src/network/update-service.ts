import type { Context } from '../core/context.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { MAX_GRAPH_BYTES } from '../core/limits.ts';
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
    if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
      throw new BundleError('USAGE', `not the URL of an update service: ${url}`, {
        hint: 'Give one that begins with https:// or http://.',
      });
    }
    return new UpdateService(new Transport(await transportOptions(options, context)), new URL(url));
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
    const what = `the graph of ${channel} (${architecture}) from ${this.#url.host}`;
    // One type alone: the service does not read a list of them.
    const bytes = await fetchPublicFile(this.#http, url, {
      ...{ limit: MAX_GRAPH_BYTES, accept: 'application/json', signal },
    }).catch((error: unknown): never => {
      const isUnreachable = hasCode(error, 'NETWORK') || hasCode(error, 'REGISTRY');
      throw isUnreachable ? error.withHint(OFFLINE) : error;
    });
    if (bytes !== undefined) return parseGraph(bytes, what);
    throw new BundleError('REGISTRY', `${this.#url.host} has no update service (404)`, {
      hint: 'Check --graph-url: it ends with /graph for most services.',
    });
  }

  async close(): Promise<void> {
    await this.#http.close();
  }
}

const OFFLINE =
  'Check --graph-url and the proxy. Without a connection, save the answer of an update service ' +
  'elsewhere, and name the file with --graph.';
