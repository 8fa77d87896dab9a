import { utf8 } from '../../core/bytes.ts';
import type { Credentials } from '../../core/credentials.ts';
import { BundleError } from '../../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import { MAX_TOKEN_BODY_BYTES } from '../../core/limits.ts';
import { answerError, type Attempt } from './answers.ts';
import { type HttpRequest, type Transport, withoutQuery } from './transport.ts';
import { readWhole } from './whole.ts';

export interface TokenRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  readonly attempt: Attempt;
}

export interface Token {
  readonly value: string;
  /** When to get another one, on the clock of `performance.now()`: before it expires, so that it lasts for the request. */
  readonly renewAt: number;
}

/** The distribution token specification: what holds where a server does not say, and at least. */
const SHORTEST_LIFE_S = 60;

/**
 * Gets a bearer token: GET with Basic credentials (distribution, "Token Authentication"), or POST with the refresh
 * token where there is one ("OAuth 2").
 * @throws BundleError NOT_ALLOWED, REGISTRY, NETWORK.
 */
export async function requestToken(transport: Transport, request: TokenRequest): Promise<Token> {
  const started = performance.now();
  const { credentials, attempt, realm } = request;
  const asked = credentials?.identityToken === undefined ? basic(request) : refresh(request);
  const { response, body } = await readWhole(async () => transport.sendRepeatedly(asked), {
    transport,
    limit: MAX_TOKEN_BODY_BYTES,
    what: `the token of ${realm.host}`,
  });
  if (body === undefined) {
    throw await answerError(response, { ...attempt, action: `get a token from ${withoutQuery(realm)} to ${attempt.action}` });
  }
  const answer = parseAnswer(body, realm);
  const value = [answer['token'], answer['access_token']].find((token) => typeof token === 'string' && token !== '');
  // What cannot stand in a header would be an exception of the HTTP client later on.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) throw unusable(realm, 'it holds no token');
  const life = typeof answer['expires_in'] === 'number' ? Math.max(answer['expires_in'], SHORTEST_LIFE_S) : SHORTEST_LIFE_S;
  return { value, renewAt: started + life * 0.8 * 1000 };
}

function basic({ realm, service, scopes, credentials }: TokenRequest): HttpRequest {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.append('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credentials === undefined) return { method: 'GET', url };
  url.searchParams.append('account', credentials.username);
  return { method: 'GET', url, headers: { authorization: basicAuthorization(credentials) } };
}

function refresh({ realm, service, scopes, credentials }: TokenRequest): HttpRequest {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    service: service ?? '',
    scope: scopes.join(' '),
    client_id: 'bundle',
    refresh_token: credentials?.identityToken ?? '',
  });
  return {
    method: 'POST',
    url: realm,
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
  return new BundleError('REGISTRY', `the token answer of ${withoutQuery(realm)} cannot be used: ${why}`);
}
