import { createPrivateKey, createPublicKey, randomUUID, sign, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { USER } from './registry.ts';

/** The refresh token that the server takes. */
export const IDENTITY_TOKEN = 'an identity token';

export interface SeenTokenRequest {
  readonly method: string;
  readonly parameters: URLSearchParams;
  readonly authorization: string | undefined;
}

export interface TokenServer {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  readonly requests: readonly SeenTokenRequest[];
  /** All that were given. */
  readonly tokens: readonly string[];
  readonly stop: () => Promise<void>;
}

export interface TokenServerOptions {
  /** How many seconds the tokens say they last: those for the n-th request, from 1. */
  readonly life?: (nth: number) => number | undefined;
  /**
   * How many seconds the registry takes them for; it adds 60 of its own, so that anything down to
   * -60 makes sense.
   */
  readonly validFor?: number;
  /** The status that every POST is answered with: a server that knows no "OAuth 2". */
  readonly refusePost?: number;
}

/**
 * A token server (distribution, "Token Authentication" and "OAuth 2") whose tokens the real
 * registry takes when it was given the certificate. Gives {@link USER} all that is asked for, and
 * nobody else anything but `pull` of `public/…`.
 */
export async function startTokenServer(
  files: { certificate: string; key: string },
  { life = () => 300, validFor = 600, refusePost }: TokenServerOptions = {},
): Promise<TokenServer> {
  const key = createPrivateKey(await readFile(files.key));
  const certificate = new X509Certificate(await readFile(files.certificate)).raw.toString('base64');
  const requests: SeenTokenRequest[] = [];
  const tokens: string[] = [];
  const service = 'test registry';
  const issuer = 'test issuer';
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const { method = '', headers } = incoming;
      const query = new URL(incoming.url ?? '', 'http://token').searchParams;
      const parameters = method === 'POST' ? new URLSearchParams(await bodyOf(incoming)) : query;
      requests.push({ method, parameters, authorization: headers.authorization });
      if (method === 'POST' && refusePost !== undefined) {
        outgoing.writeHead(refusePost).end();
        return;
      }
      const basicOf = (password: string): string =>
        `Basic ${Buffer.from(`${USER.username}:${password}`).toString('base64')}`;
      const known = [basicOf(USER.password), basicOf(IDENTITY_TOKEN)];
      const isUser =
        method === 'POST'
          ? parameters.get('refresh_token') === IDENTITY_TOKEN
          : known.includes(headers.authorization ?? '');
      if (!isUser && (headers.authorization !== undefined || method === 'POST')) {
        outgoing.writeHead(401).end('{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}');
        return;
      }
      const scopes = parameters.getAll('scope').flatMap((scope) => scope.split(' '));
      const token = jwt({
        iss: issuer,
        aud: service,
        access: scopes.flatMap((scope) => granted(scope, isUser)),
      });
      tokens.push(token);
      outgoing.writeHead(200, { 'content-type': 'application/json' });
      outgoing.end(
        JSON.stringify({
          [method === 'POST' ? 'access_token' : 'token']: token,
          expires_in: life(requests.length),
        }),
      );
    })();
  });
  const jwt = (claims: object): string => {
    const now = Math.floor(Date.now() / 1000);
    const encode = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const head = encode({ typ: 'JWT', alg: 'ES256', x5c: [certificate] });
    const text = `${head}.${encode({ ...claims, sub: '', jti: randomUUID(), nbf: now - 120, iat: now, exp: now + validFor })}`;
    return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
  if (createPublicKey(key).asymmetricKeyType !== 'ec')
    throw new Error('the key of a token server has to be on P-256');
  const host = await listenOnLoopback(server);
  return {
    realm: `http://${host}/token?kept=yes`,
    service,
    issuer,
    requests,
    tokens,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function granted(scope: string, isUser: boolean): object[] {
  const [type, name = '', actions = ''] = scope.split(':');
  const allowed = actions
    .split(',')
    .filter((action) => isUser || (action === 'pull' && name.startsWith('public/')));
  return allowed.length === 0 ? [] : [{ type, name, actions: allowed }];
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
