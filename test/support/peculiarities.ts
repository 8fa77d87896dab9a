import {
  digestOfBytes,
  errors,
  type Odd,
  type OddRegistry,
  type OddRequest,
} from './odd-registry.ts';

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
  /** Of commands that bring something to a registry. */
  readonly options?: readonly string[];
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
    ['pack', 'unpack', 'mirror', 'check-registry', 'login', 'verify --at'].map((name) => [
      name,
      expectation,
    ]),
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

const moved = (url: string): string => `${url}${url.includes('?') ? '&' : '?'}moved=yes`;

const isWhole = ({ state }: OddRegistry): void => {
  const names = [...state.tags.keys()].map((key) => key.replace(/:.*/, ''));
  if (names.length < 2) throw new Error(`tags: ${[...state.tags.keys()].join(' ')}`);
};

/** Whatever HEAD says, a cluster fetches with GET. */
const holdsAllThatItsManifestsName = ({ state }: OddRegistry): void => {
  for (const [key, { bytes }] of state.manifests) {
    const [repository = ''] = key.split('@');
    const { config, layers = [] } = JSON.parse(bytes.toString()) as {
      readonly config?: { readonly digest: string };
      readonly layers?: readonly { readonly digest: string }[];
    };
    for (const { digest } of [...(config ? [config] : []), ...layers])
      if (!state.blobs.has(`${repository}@${digest}`)) throw new Error(`${key} lacks ${digest}`);
  }
};

const isUntouched = ({ state }: OddRegistry): void => {
  if (state.tags.size > 0) throw new Error(`tags: ${[...state.tags.keys()].join(' ')}`);
};

const writeOnly: Row['odd'] = () => (request) =>
  isRead(request) && !isGreeting(request) && !request.url.includes('/uploads/')
    ? { status: 403, body: errors('DENIED') }
    : undefined;

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
      'verify --at': { status: 25, says: /redirects to file:\/\/\/etc\/passwd/ },
    },
  },
  {
    name: 'a greeting that is refused, in the words of a registry',
    odd: () => (request) =>
      isGreeting(request) ? { status: 403, body: errors('DENIED') } : undefined,
    at: { login: { status: 24, says: /DENIED/ } },
  },

  // Waits that nobody would wait for: they end the run at once, and are told.
  {
    name: 'an hour is asked for, for everything',
    odd: () => () => ({ status: 429, headers: { 'retry-after': '3600' } }),
    at: all({ status: 25, says: /429, it asks to wait 60 minutes/, not: /retry 1/ }),
  },
  {
    name: 'the moment is told in place of the seconds, for what is moved',
    source: 'docker/hub-feedback#2459',
    odd: () => (request) =>
      isGreeting(request)
        ? undefined
        : {
            status: 429,
            headers: { 'retry-after': String(Math.floor(Date.now() / 1000) + 6 * 3600) },
            body: errors('TOOMANYREQUESTS'),
          },
    at: {
      ...all({
        status: 25,
        says: /TOOMANYREQUESTS: a message, it asks to wait 6 hours/,
        not: /retry 1/,
      }),
      login: {},
    },
  },
  {
    name: 'a date far away is asked for, for blobs',
    odd: () => (request) =>
      request.url.includes('/blobs/')
        ? { status: 503, headers: { 'retry-after': 'Fri, 01 Jan 2100 00:00:00 GMT' } }
        : undefined,
    at: {
      ...all({ status: 25, says: /503, it asks to wait [0-9]+ days/, not: /retry 1/ }),
      login: {},
    },
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
      'verify --at': { status: 24, says: /same answer for a repository that does not exist/ },
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
    odd: writeOnly,
    at: {
      ...moving({
        status: 24,
        says: [/can be written to, but not read .* one of \d+ tags/, /DENIED/, /--replace-tags/],
        then: isUntouched,
      }),
      'check-registry': { says: /can be written to, but not read, so only with --replace-tags/ },
      'verify --at': { status: 24, says: /DENIED/ },
    },
    skips: AT_TARGET,
  },
  {
    name: 'credentials that may write and not read, where tags may be replaced',
    odd: writeOnly,
    options: ['--replace-tags'],
    at: {
      ...moving({ then: isWhole, says: /can be written to, but not read/ }),
      'verify --at': { status: 24, says: /DENIED/ },
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

  // Redirects.
  {
    name: 'a POST that begins an upload is redirected',
    source: 'opencontainers/distribution-spec#607',
    odd: () => (request) =>
      request.method === 'POST' && !request.url.includes('moved=')
        ? { status: 307, headers: { location: moved(request.url) } }
        : undefined,
    at: moving({ then: isWhole }),
    skips: AT_TARGET,
  },
  {
    name: 'every write is redirected',
    odd: () => (request) =>
      !isRead(request) && !request.url.includes('moved=')
        ? { status: 308, headers: { location: moved(request.url) } }
        : undefined,
    at: moving({ then: isWhole }),
    skips: AT_TARGET,
  },
  {
    name: 'a POST is redirected as browsers do it',
    odd: () => (request) =>
      request.method === 'POST'
        ? { status: 301, headers: { location: 'https://other.example.com/v2/?secret' } }
        : undefined,
    at: atTarget({
      status: 25,
      says: /answered 301, a redirect to https:\/\/other\.example\.com\/v2\//,
      not: /secret/,
    }),
    skips: AT_TARGET,
  },
  {
    name: 'the token server redirects within its host',
    credentials: true,
    odd: (url) => {
      const tokens = withTokens(url, () => false);
      return (request, state) =>
        request.url.startsWith('/v2/auth') && !request.url.includes('moved=')
          ? { status: 302, headers: { location: moved(request.url) } }
          : tokens(request, state);
    },
    at: moving({ then: isWhole }),
  },
  {
    name: 'the token server redirects to another host',
    credentials: true,
    odd: (url) => {
      const tokens = withTokens(url, () => false);
      return (request, state) =>
        request.url.startsWith('/v2/auth')
          ? { status: 302, headers: { location: 'https://other.example.com/token' } }
          : tokens(request, state);
    },
    at: {
      pack: { status: 25, says: /302, a redirect to https:\/\/other\.example\.com\/token/ },
      ...atTarget({ status: 25, says: /302, a redirect to https:\/\/other\.example\.com\/token/ }),
      login: { status: 25, says: /302, a redirect to https:\/\/other\.example\.com\/token/ },
      'verify --at': { status: 25, says: /302, a redirect to https:\/\/other\.example\.com/ },
    },
  },
  {
    name: 'blobs are given by a storage whose URLs are signed for GET alone',
    source: 'pulp/pulp_container#579',
    odd: () => (request) => {
      if (request.method === 'HEAD') return { status: 403 };
      return request.method === 'GET' &&
        request.url.includes('/blobs/sha256:') &&
        !request.url.includes('moved=')
        ? { status: 302, headers: { location: moved(request.url) } }
        : undefined;
    },
    at: moving({ then: isWhole }),
  },

  // What a registry has, and says.
  {
    name: 'HEAD is answered from a cache that knows everything, though all was lost',
    source: 'distribution/distribution#1803, distribution/distribution#4269',
    odd: () => {
      let isLost = false;
      return ({ method }, { blobs }) => {
        if (!isLost) blobs.clear();
        isLost = true;
        return method === 'HEAD' ? { status: 200 } : undefined;
      };
    },
    at: {
      ...moving({
        then: (registry) => {
          isWhole(registry);
          holdsAllThatItsManifestsName(registry);
        },
      }),
      'verify --at': { status: 23, says: [/2 of 2 images not whole/, /not there/] },
    },
    skips: AT_TARGET,
  },
  {
    name: 'the storage was cut off, and the sizes come from a cache',
    source: 'distribution/distribution#2945',
    odd: () => {
      const cut = new Set<string>();
      return (request, { blobs }) => {
        const digest = /\/blobs\/(sha256:[0-9a-f]+)/.exec(request.url)?.[1];
        const key = `${repositoryIn(request)}@${digest}`;
        const bytes = blobs.get(key);
        if (!isRead(request) || bytes === undefined) return undefined;
        if (request.method === 'HEAD')
          return { status: 200, headers: { 'content-length': String(bytes.length) } };
        // Each blob is cut the first time that somebody wants it.
        if (!cut.has(key)) blobs.set(key, bytes.subarray(0, Math.floor(bytes.length / 2)));
        cut.add(key);
        return undefined;
      };
    },
    at: { 'verify --at': { status: 20, says: [/2 of 2 images not whole/, /damaged/] } },
    skips: ['pack', 'unpack', 'mirror', 'check-registry', 'login'],
  },
  {
    name: 'what was pushed lacks for a moment',
    source: 'Azure/acr#588, goharbor/harbor#15234',
    odd: () => {
      let lacking = 3;
      return (request, { blobs }) => {
        if (request.method !== 'PUT' || !request.url.includes('/manifests/')) return undefined;
        if (request.url.includes('/release/') && lacking-- > 0) {
          for (const key of blobs.keys()) if (key.includes('/release@')) blobs.delete(key);
        }
        return undefined;
      };
    },
    at: moving({ then: isWhole }),
    skips: AT_TARGET,
  },
  {
    name: 'the disk of the registry is full',
    source: 'distribution/distribution#4896',
    odd:
      () =>
      ({ method, url }) =>
        method === 'PUT' && url.includes('/blobs/uploads/')
          ? {
              status: 500,
              body: errors('UNKNOWN', 'unknown error', {
                DriverName: 'filesystem',
                Enclosed: { Op: 'write', Path: '/var/lib/registry/data', Err: 28 },
              }),
            }
          : undefined,
    at: moving({
      status: 25,
      says: [
        ...[/"Err":28/, /storage of the registry is full: free some space/],
        /(?:stays? there|no image is complete at \S+ yet).*: when the cause is mended, run the same command again/,
      ],
      not: /retry/,
    }),
    skips: AT_TARGET,
  },
  {
    name: 'the storage is full, by its status',
    odd:
      () =>
      ({ method }) =>
        method === 'PUT' ? { status: 507 } : undefined,
    at: atTarget({ status: 25, says: /storage of the registry is full/, not: /retry/ }),
    skips: AT_TARGET,
  },
  {
    name: 'Harbor: the quota is used up',
    source: 'goharbor/harbor#17390',
    odd:
      () =>
      ({ method }) =>
        method === 'PUT'
          ? {
              status: 403,
              body: errors(
                'DENIED',
                'adding 29.0 MiB of storage resource, which when updated to current usage of 152.4 ' +
                  'MiB will exceed the configured upper limit of 160.0 MiB.',
              ),
            }
          : undefined,
    at: atTarget({
      status: 25,
      says: [/exceed the configured upper limit/, /quota is used up/],
      not: /Check the credentials|have to exist/,
    }),
    skips: AT_TARGET,
  },
  {
    name: 'zot without the types of Docker',
    source: 'project-zot/zot#622, project-zot/zot#724',
    odd:
      () =>
      ({ method, url, headers }) =>
        method === 'PUT' &&
        url.includes('/manifests/') &&
        (headers['content-type'] ?? '').includes('docker')
          ? { status: 415, body: errors('MANIFEST_INVALID', 'manifest invalid') }
          : undefined,
    at: atTarget({ status: 25, says: /"compat": \["docker2s2"\]/ }),
    skips: AT_TARGET,
  },
  {
    name: 'Nexus with "Disable redeploy"',
    source: 'GoogleContainerTools/jib#3057',
    odd:
      () =>
      ({ method, url }) =>
        method === 'PUT' && url.includes('/manifests/')
          ? {
              status: 400,
              body: errors(
                'BLOB_UPLOAD_INVALID',
                'blob upload invalid',
                'Repository does not allow updating assets: ocp4',
              ),
            }
          : undefined,
    at: atTarget({ status: 25, says: [/does not allow updating assets/, /"Allow redeploy"/] }),
    skips: AT_TARGET,
  },
  {
    name: 'a registry that does not look whether it has what a manifest names, and deletes nothing',
    odd:
      () =>
      (request, { manifests, tags }) => {
        const { method, url, headers, body } = request;
        if (method === 'DELETE') return { status: 405, body: errors('UNSUPPORTED') };
        const [, repository = '', name = ''] = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(url) ?? [];
        if (method !== 'PUT' || name === '') return undefined;
        const digest = digestOfBytes(body);
        manifests.set(`${repository}@${digest}`, {
          type: headers['content-type'] ?? '',
          bytes: body,
        });
        if (!name.startsWith('sha256:')) tags.set(`${repository}:${name}`, digest);
        return { status: 201 };
      },
    at: {
      ...moving({ then: isWhole }),
      'check-registry': {
        says: /4 tiny manifests or blobs .*stay there \(DELETE was answered 405/,
      },
    },
    skips: AT_TARGET,
  },
  {
    name: 'a firewall refuses the storage that the registry leads to',
    odd: (url) => (request) => {
      const storage = url.replace('127.0.0.1', 'localhost');
      if ((request.headers.host ?? '').startsWith('localhost'))
        return { status: 403, headers: HTML, body: PAGE };
      return request.method === 'GET' && request.url.includes('/blobs/sha256:')
        ? { status: 307, headers: { location: `${storage}${request.url}` } }
        : undefined;
    },
    at: {
      pack: {
        status: 24,
        says: [/localhost:\d+ answered 403, a web page/, /have localhost:\d+ allowed/],
      },
    },
    skips: ['unpack', 'mirror', 'check-registry', 'login'],
  },
  {
    name: 'nothing where content should be',
    odd: () => (request) =>
      request.method === 'GET' && request.url.includes('/manifests/') ? { status: 204 } : undefined,
    at: {
      pack: { status: 25, says: [/answered 204/, /answers without content/] },
      ...moving({ status: 25, says: [/answered 204/, /answers without content/] }),
      'verify --at': { status: 25, says: [/answered 204/, /answers without content/] },
    },
  },
  {
    name: 'manifests are given by their tags, and something else by their digests',
    odd: () => (request) =>
      request.method === 'GET' && request.url.includes('/manifests/sha256:')
        ? { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' }
        : undefined,
    at: { 'verify --at': { status: 20, says: [/2 of 2 images not whole/, /manifest damaged/] } },
    skips: ['pack', 'unpack', 'mirror', 'check-registry', 'login'],
  },
  {
    name: 'blobs are redirected in a circle',
    odd: () => (request) =>
      request.url.includes('/blobs/sha256:')
        ? { status: 307, headers: { location: request.url } }
        : undefined,
    at: { 'verify --at': { status: 25, says: /more than 10 redirects/, not: /not whole/ } },
    skips: ['pack', 'unpack', 'mirror', 'check-registry', 'login'],
  },
  {
    name: 'another protocol is wanted',
    odd: () => (request) =>
      isGreeting(request) ? undefined : { status: 426, headers: { upgrade: 'TLS/1.3' } },
    at: {
      pack: { status: 25, says: /wants TLS\/1\.3 instead of HTTP\/1\.1/ },
      ...atTarget({ status: 25, says: /wants TLS\/1\.3 instead of HTTP\/1\.1/ }),
      'verify --at': { status: 25, says: /wants TLS\/1\.3 instead of HTTP\/1\.1/ },
    },
  },
  {
    name: 'a token that is no JSON',
    credentials: true,
    odd: (url) => {
      const tokens = withTokens(url, () => false);
      return (request, state) =>
        request.url.startsWith('/v2/auth') ? { status: 200, body: PAGE } : tokens(request, state);
    },
    at: {
      pack: { status: 25, says: [/it is not JSON/, /is the token server of the registry/] },
      ...atTarget({ status: 25, says: [/it is not JSON/, /is the token server of the registry/] }),
      login: { status: 25, says: [/it is not JSON/, /is the token server of the registry/] },
      'verify --at': { status: 25, says: [/it is not JSON/, /is the token server/] },
    },
  },
  {
    name: 'a mirror of the site refuses',
    odd: () => (request) =>
      isGreeting(request) ? undefined : { status: 403, body: errors('DENIED', 'not yours') },
    at: {
      pack: {
        status: 24,
        says: [/not yours/, /No credentials for 127/],
        not: /Red Hat's registries/,
      },
      'verify --at': { status: 24, says: [/not yours/, /No credentials for 127/] },
    },
    skips: ['unpack', 'mirror', 'check-registry', 'login'],
  },
  {
    name: 'a mirror refuses signatures that it does not have',
    source: 'containers/image#1299',
    odd: () => (request) =>
      request.url.includes('/manifests/sha256-') || request.url.includes('/tags/list')
        ? { status: 401, body: errors('UNAUTHORIZED') }
        : undefined,
    at: { pack: { says: /Packed/ } },
    skips: ['unpack', 'mirror', 'check-registry', 'login'],
  },
];
