import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http';

import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { digestOf } from '../../src/core/digest.ts';

export interface ReferrersApi {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly url: string;
  /** Methods and paths of all requests, in order. */
  readonly requests: readonly string[];
  readonly stop: () => Promise<void>;
}

/** A request, its answer, and the registry that it is for. */
interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly target: URL;
}

/** How many referrers a page has. */
const PAGE = 2;

/**
 * A registry in plain HTTP with the referrers API (distribution-spec 1.1) in front of it, which the
 * registry itself has not: lists in pages, `OCI-Subject` in the answer to a manifest that has a
 * subject.
 */
export async function startReferrersApi(registryUrl: string): Promise<ReferrersApi> {
  const lists = new Map<string, object[]>();
  const requests: string[] = [];
  const target = new URL(registryUrl);
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '' } = incoming;
    requests.push(`${method} ${url}`);
    const [, name, kind] = /^\/v2\/(.+)\/(referrers|manifests)\//.exec(url) ?? [];
    if (kind === 'referrers')
      answerList(url, lists.get(`${name!} ${subjectIn(url)}`) ?? [], outgoing);
    else if (kind === 'manifests' && method === 'PUT')
      void putManifest({ incoming, outgoing, target }, name!, lists);
    else forward({ incoming, outgoing, target });
  });
  const host = await listenOnLoopback(server);
  return {
    host,
    url: `http://${host}`,
    requests,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function subjectIn(url: string): string {
  return /sha256:[0-9a-f]{64}/.exec(url)?.[0] ?? '';
}

function answerList(url: string, all: readonly object[], outgoing: ServerResponse): void {
  const start = Number(new URL(url, 'http://registry').searchParams.get('from') ?? 0);
  const rest =
    all.length > start + PAGE
      ? { link: `<${url.replace(/\?.*/, '')}?from=${start + PAGE}>; rel="next"` }
      : {};
  outgoing.writeHead(200, { 'content-type': 'application/vnd.oci.image.index.v1+json', ...rest });
  const manifests = all.slice(start, start + PAGE);
  outgoing.end(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests,
    }),
  );
}

async function putManifest(
  exchange: Exchange,
  name: string,
  lists: Map<string, object[]>,
): Promise<void> {
  const { incoming } = exchange;
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const { subject, artifactType, config, annotations } = JSON.parse(bytes.toString()) as {
    subject?: { digest: string };
    artifactType?: string;
    config?: { mediaType: string };
    annotations?: object;
  };
  forward(exchange, bytes, (status) => {
    if (subject === undefined || status !== 201) return {};
    const key = `${name} ${subject.digest}`;
    const list = lists.get(key) ?? [];
    const digest = digestOf(bytes);
    const mediaType = incoming.headers['content-type'];
    const entry = {
      mediaType,
      digest,
      size: bytes.length,
      artifactType: artifactType ?? config?.mediaType,
      annotations,
    };
    if (!list.some((other) => 'digest' in other && other.digest === digest)) list.push(entry);
    lists.set(key, list);
    return { 'oci-subject': subject.digest };
  });
}

function forward(
  { incoming, outgoing, target: { hostname, port } }: Exchange,
  body?: Buffer,
  more: (status: number) => Record<string, string> = () => ({}),
): void {
  const { method, url, headers } = incoming;
  const upstream = httpRequest(
    { hostname, port, method, path: url, headers, agent: false },
    (answer) => {
      const status = answer.statusCode ?? 502;
      outgoing.writeHead(status, { ...answer.headers, ...more(status) });
      answer.pipe(outgoing);
      answer.on('error', () => outgoing.destroy());
    },
  );
  upstream.on('error', () => outgoing.destroy());
  incoming.on('aborted', () => upstream.destroy());
  if (body === undefined) incoming.pipe(upstream);
  else upstream.end(body);
}
