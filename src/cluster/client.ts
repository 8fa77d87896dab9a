import type { OutgoingHttpHeaders } from 'node:http';
import type { Agent, RequestOptions } from 'node:https';

import type { KubernetesObjectApi, RequestContext, ResponseContext } from '@kubernetes/client-node';
import type * as Package from './client-node.ts';

import { keepAuthorization } from '../core/http/secrets.ts';
import { isObject, type JsonObject } from '../core/json.ts';
import type { ClusterAccess } from './access.ts';
import { checkApplied, checkForm, checkList, checkName } from './answer.ts';
import { API_PATIENCE, ask, OddAnswer } from './api-http.ts';
import {
  type Doing,
  failureOf,
  isDiscovery,
  isExpired,
  isUnknownKind,
  isUnknownObject,
} from './failure.ts';
import type { ApiObject, ObjectName } from './object.ts';

/** The name under which an API server remembers which fields are this program's. */
export const FIELD_MANAGER = 'ocp-bundle';
/** So many objects a page of a list has, as `kubectl` asks for them. */
const PAGE = 500;
/** More objects than this of a sort that is looked at here, no cluster has. */
const MAX_OBJECTS = 100_000;

/** The API server of one cluster. What it throws is what {@link failureOf} makes of it. */
export interface ClusterClient {
  /** The context, and `HOST:PORT` of the API server. */
  readonly context: string;
  readonly host: string;
  /** @returns `undefined` where there is no such object, or not even its kind. */
  read(name: ObjectName): Promise<ApiObject | undefined>;
  /** @returns `undefined` where the cluster does not know this kind. */
  list(apiVersion: string, kind: string): Promise<readonly ApiObject[] | undefined>;
  /**
   * Makes the fields that the object has what they are in it, and leaves all others alone
   * (server-side apply). A field that somebody else has set to another value is a conflict.
   * @param dryRun lets the API server check and compute everything, and keep nothing.
   * @returns the object as it is then, or would be.
   */
  apply(object: ObjectName, dryRun: boolean): Promise<ApiObject>;
}

/**
 * Makes a client; nothing is asked yet. The package is loaded here, and not before: it takes a
 * tenth of a second, which every other command would take longer to start.
 */
export async function connect(
  access: ClusterAccess,
  signal: AbortSignal,
  patience = API_PATIENCE,
): Promise<ClusterClient> {
  const node = await import('./client-node.ts');
  const { authorization } = access.headers;
  if (typeof authorization === 'string') keepAuthorization(authorization);
  const agent = await agentOf(access, node);
  const send = async (request: RequestContext): Promise<ResponseContext> => {
    const url = new URL(request.getUrl());
    const { status, headers, body } = await ask(
      {
        url,
        method: request.getHttpMethod().toString(),
        headers: { ...request.getHeaders(), ...access.headers } as OutgoingHttpHeaders,
        body: request.getBody() as string | undefined,
        agent,
        patience,
      },
      signal,
    );
    const said = checkForm(body, isDiscovery(url.pathname));
    // It is JSON, whatever the server calls it: the package does without no Content-Type.
    const known = { ...headers, 'content-type': 'application/json' };
    return new node.ResponseContext(status, known, bodyOf(keepingNext(said, body)));
  };
  const api = new node.KubernetesObjectApi(
    node.createConfiguration({
      baseServer: new node.ServerConfiguration(access.server.href.replace(/\/$/, ''), {}),
      httpApi: node.wrapHttpLibrary({ send }),
    }),
  );
  const { context, server, user } = access;
  const about = { context, host: server.host, user };
  /** An interruption stays one, whatever a broken connection looks like. */
  const failure = (error: unknown, doing: Pick<Doing, 'verb' | 'object'>): unknown =>
    signal.aborted ? signal.reason : failureOf(error, { ...about, ...doing });
  return {
    context,
    host: server.host,
    async read(name) {
      try {
        const got = asSaid(await api.read<Spec>(specOf(name)));
        checkName(got, name);
        return got;
      } catch (error) {
        if (isUnknownKind(error) || isUnknownObject(error)) return undefined;
        throw failure(error, { verb: 'read', object: name });
      }
    },
    async list(apiVersion, kind) {
      try {
        const items = await listed(api, apiVersion, kind);
        return items.map((item) => asSaid({ ...item, apiVersion, kind }));
      } catch (error) {
        if (isUnknownKind(error)) return undefined;
        const object = { apiVersion, kind, metadata: { name: '' } };
        throw failure(error, { verb: 'list', object });
      }
    },
    async apply(object, dryRun) {
      try {
        const got = asSaid(
          await api.patch(
            specOf(object),
            ...([undefined, dryRun ? 'All' : undefined, FIELD_MANAGER, false] as const),
            node.PatchStrategy.ServerSideApply,
          ),
        );
        checkApplied(got, object);
        return got;
      } catch (error) {
        throw failure(error, { verb: 'apply', object });
      }
    },
  };
}

/** An object as the package wants it, which always asks for a namespace. */
interface Spec {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { name: string; namespace: string };
}

/** The package writes into what it is given. */
function specOf(name: ObjectName): Spec {
  return structuredClone(name) as Spec;
}

/** A list as the package gives it, with what {@link keepingNext} adds. */
interface Page {
  readonly kind?: string;
  readonly items: readonly object[];
  readonly next?: string;
}

/** All objects of a kind. A server may end a page early, and name what comes next. */
async function listed(
  api: KubernetesObjectApi,
  apiVersion: string,
  kind: string,
): Promise<readonly object[]> {
  const all = [undefined, undefined, undefined, undefined, undefined, undefined] as const;
  const items: object[] = [];
  let next: string | undefined;
  do {
    let page: Page;
    try {
      page = await api.list(apiVersion, kind, ...all, PAGE, next);
    } catch (error) {
      if (next === undefined || !isExpired(error)) throw error;
      // The list has changed too much for further pages of it: then it is asked for whole.
      page = await api.list(apiVersion, kind);
      items.length = 0;
    }
    checkList(page, kind);
    items.push(...page.items);
    if (page.next === next && next !== undefined) throw new OddAnswer('the same page twice');
    if (items.length > MAX_OBJECTS) throw new OddAnswer(`more than ${MAX_OBJECTS} objects`);
    next = page.next;
  } while (next !== undefined);
  return items;
}

/**
 * The package makes the metadata of an object of the metadata of a list, and loses what names the
 * next page. What it does not know at the top it leaves as it is.
 */
function keepingNext(said: JsonObject, body: string): string {
  const { metadata, items } = said;
  const next = items !== undefined && isObject(metadata) ? metadata['continue'] : undefined;
  return typeof next === 'string' && next !== '' ? JSON.stringify({ ...said, next }) : body;
}

/** The package makes classes and dates of some members: here they are as the API server said. */
function asSaid(object: object): ApiObject {
  return JSON.parse(JSON.stringify(object)) as ApiObject;
}

function bodyOf(body: string): ResponseContext['body'] {
  return { text: async () => body, binary: async () => Buffer.from(body) };
}

/**
 * What connections are made with: TLS, client certificate and proxy. The package knows how to go
 * through proxies of all sorts; what a kubeconfig says is read by {@link accessOf}, since the
 * package reads some of it in another way than oc and kubectl.
 */
async function agentOf(
  { server, tls, proxy, context }: ClusterAccess,
  { KubeConfig }: Pick<typeof Package, 'KubeConfig'>,
): Promise<Agent | undefined> {
  const config = new KubeConfig();
  const base64 = (data: Buffer | undefined): string | undefined => data?.toString('base64');
  const cluster = {
    name: context,
    server: server.href,
    // Of a server without TLS the package wants to hear that nothing is to be checked.
    skipTLSVerify: tls.isUnchecked || server.protocol === 'http:',
    caData: base64(tls.ca),
    tlsServerName: tls.serverName,
    proxyUrl: proxy,
  };
  const user = { name: context, certData: base64(tls.certificate), keyData: base64(tls.key) };
  config.loadFromClusterAndUser(withoutGaps(cluster), withoutGaps(user));
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return options.agent as Agent | undefined;
}

/** The same object without members that are `undefined`. */
function withoutGaps<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
