import { utf8 } from '../../../core/bytes.ts';
import { Credentials } from '../../../core/credentials.ts';
import { BundleError } from '../../../core/errors.ts';
import { keepSecret } from '../../../core/http/secrets.ts';
import { isObject, type Json, type JsonObject } from '../../../core/json.ts';
import { MAX_TOKEN_BODY_BYTES } from '../../../core/limits.ts';
import { answerError, type Attempt } from '../http/answers.ts';
import {
  discard,
  headerOf,
  type HttpRequest,
  type HttpResponse,
  type Peer,
  type Transport,
  withoutQuery,
} from '../http/transport.ts';
import { readWhole } from '../http/whole.ts';

export interface TokenRequest {
  /** The registry that named the token server. */
  readonly registry: Peer;
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  readonly attempt: Attempt;
}

export interface Token {
  readonly value: string;
  /**
   * When to get another one, on the clock of `performance.now()`: before it expires, so that it
   * lasts for the request.
   */
  readonly renewAt: number;
}

/** The distribution token specification: what holds where a server does not say, and at least. */
const SHORTEST_LIFE_S = 60;

/**
 * How a token server without "OAuth 2" refuses a POST: by the specification, as Google's does, as
 * Artifactory does.
 */
const NO_POST = [405, 404, 401];
const MAX_REDIRECTS = 10;

/**
 * Gets a bearer token: GET with Basic credentials (distribution, "Token Authentication"), or POST
 * with the refresh token where there is one ("OAuth 2"). A server that knows no POST gets that
 * token as the password of a GET.
 * @throws BundleError NOT_ALLOWED, REGISTRY, NETWORK.
 */
export async function requestToken(transport: Transport, request: TokenRequest): Promise<Token> {
  const started = performance.now();
  const { attempt, realm } = request;
  const { response, body } = await readWhole(async () => ask(transport, request), {
    transport,
    limit: MAX_TOKEN_BODY_BYTES,
    what: `the token of ${realm.host}`,
  });
  if (body === undefined) {
    throw await answerError(response, {
      ...attempt,
      atTokenServer: true,
      action: `get a token from ${withoutQuery(realm)} to ${attempt.action}`,
    });
  }
  const answer = parseAnswer(body, realm);
  const value = [answer['token'], answer['access_token']].find(
    (token) => typeof token === 'string' && token !== '',
  );
  // A token with characters that a header must not have would make the HTTP client throw later.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value))
    throw unusable(realm, 'it holds no token');
  const life =
    typeof answer['expires_in'] === 'number'
      ? Math.max(answer['expires_in'], SHORTEST_LIFE_S)
      : SHORTEST_LIFE_S;
  return { value, renewAt: started + life * 0.8 * 1000 };
}

/**
 * Redirects are followed within the origin of the token server: its credentials go nowhere else,
 * not to another port either, where somebody else may listen. A POST is sent again only where the
 * redirect keeps method and body.
 */
async function send(transport: Transport, request: HttpRequest): Promise<HttpResponse> {
  let { url } = request;
  for (let redirects = 0; ; redirects++) {
    const response = await transport.sendRepeatedly({ ...request, url });
    const followed = request.method === 'GET' ? [301, 302, 303, 307, 308] : [307, 308];
    const location = headerOf(response, 'location');
    if (!followed.includes(response.status) || location === undefined) return response;
    if (redirects === MAX_REDIRECTS || !URL.canParse(location, url.href)) return response;
    const next = new URL(location, url);
    if (next.origin !== url.origin && !isWithTls(next, url)) return response;
    await discard(response);
    url = next;
  }
}

/** The same server at the same port, or at the usual one of either protocol, now with TLS. */
function isWithTls(next: URL, url: URL): boolean {
  const isUpgrade = url.protocol === 'http:' && next.protocol === 'https:';
  return isUpgrade && next.hostname === url.hostname && next.port === url.port;
}

async function ask(transport: Transport, request: TokenRequest): Promise<HttpResponse> {
  const { credentials } = request;
  if (credentials?.identityToken === undefined) return send(transport, basic(request, credentials));
  const { username, password, identityToken } = credentials;
  const response = await send(transport, refresh(request, identityToken));
  if (!NO_POST.includes(response.status) || username === '') return response;
  await discard(response);
  return send(
    transport,
    basic(request, new Credentials(username, password === '' ? identityToken : password)),
  );
}

function basic(
  { registry, realm, service, scopes }: TokenRequest,
  credentials: Credentials | undefined,
): HttpRequest {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.append('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credentials === undefined) return { method: 'GET', url, registry };
  url.searchParams.append('account', credentials.username);
  return {
    method: 'GET',
    url,
    registry,
    headers: { authorization: basicAuthorization(credentials) },
  };
}

function refresh(
  { registry, realm, service, scopes }: TokenRequest,
  identityToken: string,
): HttpRequest {
  keepSecret(identityToken);
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    service: service ?? '',
    scope: scopes.join(' '),
    client_id: 'bundle',
    refresh_token: identityToken,
  });
  return {
    method: 'POST',
    url: realm,
    registry,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
  };
}

export function basicAuthorization({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function parseAnswer(bytes: Uint8Array, realm: URL): JsonObject {
  let answer: Json;
  try {
    answer = JSON.parse(utf8(bytes)) as Json;
  } catch {
    throw unusable(realm, 'it is not JSON');
  }
  if (!isObject(answer)) throw unusable(realm, 'it is not an object');
  return answer;
}

function unusable(realm: URL, why: string): BundleError {
  return new BundleError(
    'REGISTRY',
    `the token answer of ${withoutQuery(realm)} cannot be used: ${why}`,
    {
      hint:
        `Check that ${realm.host} is the token server of the registry, and that no proxy or login ` +
        'page of the network answers in its place.',
    },
  );
}
