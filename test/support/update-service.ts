import { createServer } from 'node:http';

import { serve } from './served.ts';

const EMPTY = JSON.stringify({ version: 1, nodes: [], edges: [], conditionalEdges: [] });

/** An update service on this machine. */
export interface UpdateServer {
  readonly url: string;
  readonly host: string;
  /** What it was asked, in order. */
  readonly asked: { readonly url: string; readonly accept: string | undefined }[];
  /** Answers that it gives instead of the next graphs. */
  readonly failures: { readonly status: number; readonly body: string }[];
  stop(): Promise<void>;
}

/**
 * @param graphs answers by channel and architecture: `stable-4.17 amd64`.
 * @param graphData what it decides with; none if it is left out.
 */
export async function startUpdateService(
  graphs: Readonly<Record<string, string>>,
  graphData?: Uint8Array,
): Promise<UpdateServer> {
  const asked: UpdateServer['asked'] = [];
  const failures: UpdateServer['failures'] = [];
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://service');
    asked.push({ url: request.url!, accept: request.headers.accept });
    const failure = failures.shift();
    const key = `${searchParams.get('channel')!} ${searchParams.get('arch')!}`;
    if (pathname === '/graph-data' && failure === undefined) {
      response.statusCode = graphData === undefined ? 404 : 200;
      response.end(graphData);
      return;
    }
    response.statusCode = failure?.status ?? 200;
    response.end(failure?.body ?? graphs[key] ?? EMPTY);
  });
  const { host, url, stop } = await serve(server);
  return { url: `${url}/graph`, host, asked, failures, stop };
}
