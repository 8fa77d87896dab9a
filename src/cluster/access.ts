import type { Environment } from '../core/context.ts';
import { BundleError } from '../core/errors.ts';
import { isObject, type Json } from '../core/json.ts';
import { MAX_KUBE_CREDENTIAL_BYTES } from '../core/limits.ts';
import { readGivenFile } from '../files/small-file.ts';
import { askPlugin } from './exec-plugin.ts';
import { entryFault, type KubeContext, type KubeEntry, pathOf, textOf } from './kubeconfig.ts';

/** How an API server is reached, and as who. */
export interface ClusterAccess {
  /** The context, for messages. */
  readonly context: string;
  /** `undefined` where nobody in particular asks. */
  readonly user: string | undefined;
  readonly server: URL;
  readonly tls: {
    /** PEM. */
    readonly ca: Buffer | undefined;
    readonly certificate: Buffer | undefined;
    readonly key: Buffer | undefined;
    /** The name that the certificate has to be for, instead of the host's. */
    readonly serverName: string | undefined;
    readonly isUnchecked: boolean;
  };
  /** A URL; `undefined` for none. */
  readonly proxy: string | undefined;
  /** Credentials, and who to act for. They stand in no message. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

export interface AccessOptions {
  readonly environment: Environment;
  readonly signal: AbortSignal;
  /** Whether a program may ask the user something, and be answered. */
  readonly canAsk: boolean;
  /** The proxy of this host's environment for a URL. */
  readonly proxyFor: (url: URL) => string | undefined;
  /** The CAs that this host trusts, as PEM: for a kubeconfig that names none. */
  readonly hostCas: () => Promise<readonly string[]>;
}

/** What the credentials of a user come to. */
interface Credential {
  readonly header?: string | undefined;
  readonly certificate?: Buffer | undefined;
  readonly key?: Buffer | undefined;
}

/**
 * Reads what a context names: certificates, tokens, and what a plugin answers. As in kubectl, data
 * in the kubeconfig counts before a file that it names, and a token before a plugin.
 * @throws BundleError CONFIGURATION; NOT_ALLOWED where a credential cannot be had
 */
export async function accessOf(
  { name, cluster, user }: KubeContext,
  options: AccessOptions,
): Promise<ClusterAccess> {
  const server = serverOf(cluster);
  const isUnchecked = cluster.said['insecure-skip-tls-verify'] === true;
  const ca = await dataOf(cluster, 'certificate-authority');
  if (isUnchecked && ca !== undefined) {
    throw entryFault(
      cluster,
      'it names a CA, and says that none is to be checked',
      'Remove insecure-skip-tls-verify from the kubeconfig: the CA is enough.',
    );
  }
  if (server.protocol === 'http:' && user !== undefined) refusePlainToken(server, user);
  const credential = user === undefined ? {} : await credentialOf(user, cluster, options);
  const proxy = textOf(cluster, 'proxy-url');
  if (proxy !== undefined && !/^(?:https?|socks5h?):\/\/./.test(proxy)) {
    throw entryFault(
      cluster,
      'its proxy-url is no URL of a proxy',
      'It has to be of the form http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT.',
    );
  }
  return {
    context: name,
    user: user?.name,
    server,
    tls: {
      ca: ca ?? (isUnchecked ? undefined : Buffer.from((await options.hostCas()).join('\n'))),
      certificate: credential.certificate,
      key: credential.key,
      serverName: textOf(cluster, 'tls-server-name'),
      isUnchecked,
    },
    proxy: proxy ?? options.proxyFor(server),
    headers: {
      ...(credential.header !== undefined && { authorization: credential.header }),
      ...(user && actingFor(user)),
    },
  };
}

function serverOf(cluster: KubeEntry): URL {
  const server = textOf(cluster, 'server');
  if (server === undefined) throw entryFault(cluster, 'it has no server');
  const full = server.includes('://') ? server : `https://${server}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '') return url;
  throw entryFault(
    cluster,
    'its server is no URL of an API server',
    'It has to be of the form https://HOST:PORT.',
  );
}

/** What an entry of a user may have that would be sent in a header. */
const SENT_AS_HEADER = ['token', 'tokenFile', 'username', 'exec', 'auth-provider'];

/**
 * Anybody on the way reads a header that is not encrypted, and could then act as this user. oc and
 * kubectl leave such credentials out, so that the server would not know who asks: this says why.
 */
function refusePlainToken(server: URL, user: KubeEntry): void {
  const given = SENT_AS_HEADER.find((key) => (user.said[key] ?? '') !== '');
  if (given === undefined) return;
  throw entryFault(
    user,
    `the kubeconfig would send a token or password (${given}) over plain HTTP to ${server.host}, ` +
      'where anybody on the way can read it',
    `Give the server of the cluster as https://${server.host}; for a server that asks for ` +
      'no login, remove the user from the context.',
  );
}

async function credentialOf(
  user: KubeEntry,
  cluster: KubeEntry,
  options: AccessOptions,
): Promise<Credential> {
  const pair = {
    certificate: await dataOf(user, 'client-certificate'),
    key: await dataOf(user, 'client-key'),
  };
  if ((pair.certificate === undefined) !== (pair.key === undefined)) {
    throw entryFault(user, 'of client certificate and key, it has only one');
  }
  const token = await tokenOf(user);
  if (token !== undefined) return { ...pair, header: `Bearer ${token}` };
  const username = textOf(user, 'username');
  if (username !== undefined) {
    const both = Buffer.from(`${username}:${textOf(user, 'password') ?? ''}`);
    return { ...pair, header: `Basic ${both.toString('base64')}` };
  }
  const plugin = user.said['exec'] ?? null;
  if (plugin !== null) {
    if (!isObject(plugin)) throw entryFault(user, 'exec is not an object');
    const answer = await askPlugin(plugin, user, { cluster, ...options });
    return { ...pair, ...answer };
  }
  return pair;
}

/** A token may be in a file that somebody renews: that is the newer one. */
async function tokenOf(user: KubeEntry): Promise<string | undefined> {
  const token = textOf(user, 'token');
  const path = pathOf(user, 'tokenFile');
  if (path !== undefined) {
    try {
      const read = Buffer.from(await credentialFile(path))
        .toString('utf8')
        .trim();
      if (read !== '') return sendable(read, user);
    } catch (error) {
      if (token === undefined) throw error;
    }
    if (token === undefined) throw entryFault(user, `the file of its token is empty: ${path}`);
  }
  if (token !== undefined) return sendable(token, user);
  const provider = user.said['auth-provider'] ?? null;
  if (provider === null) return undefined;
  const config = isObject(provider) ? provider['config'] : undefined;
  const id = isObject(config) ? config['id-token'] : undefined;
  if (isObject(provider) && provider['name'] === 'oidc' && typeof id === 'string')
    return sendable(id, user);
  throw entryFault(
    user,
    'its auth-provider is none that this program knows',
    'Log in with oc login, or use a plugin (exec), as kubectl 1.26 and later ask for.',
  );
}

/** A line feed in a token would end the header that carries it. */
function sendable(token: string, user: KubeEntry): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw entryFault(
    user,
    'its token has characters that no token has',
    'Log in again with oc login.',
  );
}

/** `key-data` in base64, or the file that `key` names; PEM. */
async function dataOf(entry: KubeEntry, key: string): Promise<Buffer | undefined> {
  const data = textOf(entry, `${key}-data`);
  if (data !== undefined) {
    const decoded = Buffer.from(data, 'base64');
    if (decoded.includes('-----BEGIN ')) return decoded;
    throw entryFault(entry, `${key}-data is not PEM in base64`);
  }
  const path = pathOf(entry, key);
  return path === undefined ? undefined : Buffer.from(await credentialFile(path));
}

async function credentialFile(path: string): Promise<Uint8Array> {
  try {
    return await readGivenFile(path, MAX_KUBE_CREDENTIAL_BYTES);
  } catch (cause) {
    if (!(cause instanceof BundleError)) throw cause;
    const hint = 'The kubeconfig names this file: check it, or log in again with oc login.';
    throw new BundleError('NOT_ALLOWED', cause.message, { cause, hint, subject: path });
  }
}

/** Who the user wants to act for: `oc --as`. */
function actingFor(user: KubeEntry): Record<string, string | readonly string[]> {
  const as = textOf(user, 'as');
  const uid = textOf(user, 'as-uid');
  const groups = textsOf(user, user.said['as-groups'], 'as-groups');
  const extra = user.said['as-user-extra'] ?? {};
  if (!isObject(extra)) throw entryFault(user, 'as-user-extra is not an object');
  if (as === undefined) return {};
  return {
    'impersonate-user': as,
    ...(uid !== undefined && { 'impersonate-uid': uid }),
    ...(groups.length > 0 && { 'impersonate-group': groups }),
    ...Object.fromEntries(
      Object.entries(extra).map(([name, values]) => [
        `impersonate-extra-${encodeURIComponent(name.toLowerCase())}`,
        textsOf(user, values, 'as-user-extra'),
      ]),
    ),
  };
}

function textsOf(user: KubeEntry, value: Json | undefined, key: string): readonly string[] {
  const list: readonly Json[] = Array.isArray(value ?? []) ? ((value ?? []) as Json[]) : [null];
  return list.map((item) => {
    if (typeof item === 'string') return item;
    throw entryFault(user, `${key} is not a list of texts`);
  });
}
