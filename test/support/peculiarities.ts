import { errors, type Odd, type OddRegistry, type OddRequest } from './odd-registry.ts';

/** What one command makes of a peculiarity. */
export interface Expectation {
  /** 0 unless told. */
  readonly status?: number;
  /** What it says, on stdout or stderr; lines are joined by a space. */
  readonly says?: RegExp | readonly RegExp[];
  readonly not?: RegExp;
  /** What is true of the registry afterwards. */
  readonly then?: (registry: OddRegistry) => void;
}

export interface Row {
  readonly name: string;
  /** Where this behaviour was seen. */
  readonly source?: string;
  /** A fresh one for each registry, which is at this URL. */
  readonly odd: (url: string) => Odd;
  /** The user has some. */
  readonly credentials?: true;
  readonly at: Readonly<Record<string, Expectation>>;
  /** Commands that it does not concern. */
  readonly skips?: readonly string[];
}

const PAGE = '<!DOCTYPE html><html><body>Welcome</body></html>';
const HTML = { 'content-type': 'text/html; charset=utf-8' };
const AT_TARGET = ['pack'];

const isGreeting = ({ url }: OddRequest): boolean => /^\/v2\/?$/.test(url);
const isTag = ({ url }: OddRequest): boolean => /\/manifests\/(?!sha256:)/.test(url);
const isRead = ({ method }: OddRequest): boolean => ['GET', 'HEAD'].includes(method);
const repositoryIn = ({ url }: OddRequest): string =>
  /^\/v2\/(.+?)\/(?:blobs|manifests|tags|referrers)\//.exec(url)?.[1] ?? '';

/** Whatever it asks, a command ends so. */
const all = (expectation: Expectation): Row['at'] =>
  Object.fromEntries(
    ['pack', 'unpack', 'mirror', 'check-registry', 'login'].map((name) => [name, expectation]),
  );
const atTarget = (expectation: Expectation): Row['at'] => ({
  unpack: expectation,
  mirror: expectation,
  'check-registry': expectation,
});
const moving = (expectation: Expectation): Row['at'] => ({
  unpack: expectation,
  mirror: expectation,
});

const isWhole = ({ state }: OddRegistry): void => {
  const names = [...state.tags.keys()].map((key) => key.replace(/:.*/, ''));
  if (names.length < 2) throw new Error(`tags: ${[...state.tags.keys()].join(' ')}`);
};

/** A registry that asks for tokens, and how far each token reaches. */
function withTokens(
  url: string,
  refuse: (request: OddRequest, scopes: readonly string[]) => boolean,
  granted: (scopes: readonly string[]) => void = () => undefined,
): Odd {
  return (request) => {
    const { headers } = request;
    const asked = new URL(request.url, url);
    if (asked.pathname === '/v2/auth') {
      if (headers.authorization === undefined) return { status: 401, body: errors('UNAUTHORIZED') };
      const scopes = asked.searchParams.getAll('scope').flatMap((scope) => scope.split(' '));
      granted(scopes);
      const token = Buffer.from(JSON.stringify(scopes)).toString('base64url');
      return { status: 200, body: JSON.stringify({ token, expires_in: 300 }) };
    }
    const bearer = /^Bearer (.*)$/.exec(headers.authorization ?? '')?.[1];
    const challenge = {
      'www-authenticate': `Bearer realm="${url}/v2/auth",service="registry"`,
    };
    const scopes =
      bearer === undefined
        ? undefined
        : (JSON.parse(Buffer.from(bearer, 'base64url').toString()) as string[]);
    if (scopes === undefined || refuse(request, scopes))
      return { status: 401, headers: challenge, body: errors('UNAUTHORIZED') };
    return undefined;
  };
}

export const PECULIARITIES: readonly Row[] = [
  { name: 'nothing odd', odd: () => () => undefined, at: moving({ then: isWhole }) },

  // What answers instead of a registry.
  {
    name: 'a web page in place of everything',
    source: 'goharbor/harbor#23882, containers/skopeo#1253',
    odd: () => () => ({ status: 200, headers: HTML, body: PAGE }),
    at: all({ status: 25, says: [/is no container registry/, /\/v2\/ answered 200/, /web page/] }),
  },
  {
    name: 'a web page without a media type',
    odd: () => () => ({ status: 200, body: PAGE }),
    at: all({ status: 25, says: /is no container registry/ }),
  },
  {
    name: 'a redirect to the login page of a portal',
    odd: (url) => (request) =>
      request.url.startsWith('/portal')
        ? { status: 200, headers: HTML, body: PAGE }
        : { status: 302, headers: { location: `${url}/portal?next=1` } },
    at: all({ status: 25, says: /is no container registry: http:\/\/[^ ]*\/portal answered 200/ }),
  },
  {
    name: 'a proxy that refuses with a web page',
    odd: () => () => ({ status: 403, headers: HTML, body: PAGE }),
    at: all({ status: 25, says: /is no container registry: .*answered 403 with a web page/ }),
  },
  {
    name: 'a server that has no registry',
    odd: () => () => ({ status: 404, body: '404 page not found' }),
    at: all({ status: 25, says: /is no container registry: .*answered 404/ }),
  },
  {
    name: 'redirects in a circle',
    odd: () => () => ({ status: 307, headers: { location: '/v2/' } }),
    at: all({ status: 25, says: /is no container registry: it redirects 10 times/ }),
  },
  {
    name: 'a redirect to a file',
    odd: () => (request) =>
      isGreeting(request)
        ? undefined
        : { status: 302, headers: { location: 'file:///etc/passwd' } },
    at: {
      pack: { status: 25, says: /redirects to file:\/\/\/etc\/passwd/ },
      unpack: { status: 25, says: /redirects to file:\/\/\/etc\/passwd/ },
      mirror: { status: 25, says: /redirects to file:\/\/\/etc\/passwd/ },
      'check-registry': { status: 25, says: /redirects to file:\/\/\/etc\/passwd/ },
    },
  },
  {
    name: 'a greeting that is refused, in the words of a registry',
    odd: () => (request) =>
      isGreeting(request) ? { status: 403, body: errors('DENIED') } : undefined,
    at: { login: { status: 24, says: /DENIED/ } },
  },

  // Repositories that are not there yet.
  {
    name: 'Quay, a robot that may create: a token to pull from nothing is refused',
    source: 'quay/quay endpoints/v2/v2auth.py; distribution/distribution#1291',
    credentials: true,
    odd: (url) => {
      const existing = new Set<string>();
      return withTokens(
        url,
        (request) => !isGreeting(request) && !existing.has(repositoryIn(request)),
        (scopes) => {
          for (const scope of scopes) {
            const [, name = '', actions = ''] = scope.split(':');
            if (actions.includes('push')) existing.add(name);
          }
        },
      );
    },
    at: {
      ...atTarget({ not: /cannot|NO / }),
      ...moving({ then: isWhole, not: /cannot/ }),
    },
    skips: AT_TARGET,
  },
  {
    name: 'Artifactory: a tag that does not exist is refused',
    source: 'google/go-containerregistry#1691, sigstore/cosign#2973',
    odd:
      () =>
      (request, { tags }) => {
        const [, repository = '', tag = ''] =
          /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(request.url) ?? [];
        return isRead(request) && isTag(request) && !tags.has(`${repository}:${tag}`)
          ? { status: 403, body: errors('UNAUTHORIZED', 'The client does not have permission') }
          : undefined;
      },
    at: moving({ then: isWhole, not: /not read/ }),
  },
  {
    name: 'credentials that may write and not read',
    odd: () => (request) =>
      isRead(request) && !isGreeting(request) && !request.url.includes('/uploads/')
        ? { status: 403, body: errors('DENIED') }
        : undefined,
    at: {
      ...moving({ then: isWhole, says: /can be written to, but not read/ }),
      'check-registry': { says: /can be written to, but not read/ },
    },
    skips: AT_TARGET,
  },
  {
    name: 'credentials that may not write',
    odd: () => (request) =>
      isRead(request) ? undefined : { status: 403, body: errors('DENIED', 'read only') },
    at: atTarget({ status: 24, says: [/DENIED: read only/, /Both ocp4|Both [^ ]*ocp4/] }),
    skips: AT_TARGET,
  },
];
