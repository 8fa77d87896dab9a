import { BlockList, isIP, isIPv6 } from 'node:net';
import { BundleError } from '../../../core/errors.ts';

/** The HTTP proxies of a site, as its environment names them. */
export interface ProxySettings {
  /** For `http:` URLs; a URL, `undefined` for none. */
  readonly http: string | undefined;
  /** For `https:` URLs. */
  readonly https: string | undefined;
  /**
   * Hosts that are reached without, as in `$NO_PROXY`:
   * `example.com,.example.org,10.0.0.0/8,10.0.0.1:5000`.
   */
  readonly except: string;
  /** The variables that say so, in capitals or small letters as they are set. */
  readonly variables: { readonly http: string; readonly https: string; readonly except: string };
}

/**
 * Reads `$HTTPS_PROXY`, `$HTTP_PROXY` and `$NO_PROXY`; the lower-case names win, as in curl. A
 * proxy without scheme is an HTTP one.
 * @throws BundleError CONFIGURATION for a proxy that is no URL, or whose user name or password has
 * characters that do not stand in one; never with the value, which may hold a password.
 */
export function proxyFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): ProxySettings {
  const url = (wanted: string): string | undefined => {
    const name = given(env, wanted);
    if (name === undefined) return undefined;
    const value = env[name]!.trim();
    const full = value.includes('://') ? value : `http://${value}`;
    checkUserInfo(full, name);
    if (/^https?:\/\//i.test(full) && URL.canParse(full)) return full;
    throw new BundleError('CONFIGURATION', `${name} is not the URL of an HTTP proxy`, {
      hint:
        'It has to be of the form http://HOST:PORT. A user name, a colon, a password and an @ ' +
        'stand before HOST if the proxy asks for them.',
      subject: name,
    });
  };
  const except = given(env, 'no_proxy');
  return {
    http: url('http_proxy'),
    https: url('https_proxy'),
    except: except === undefined ? '' : env[except]!,
    variables: {
      http: given(env, 'http_proxy') ?? 'HTTP_PROXY',
      https: given(env, 'https_proxy') ?? 'HTTPS_PROXY',
      except: except ?? 'NO_PROXY',
    },
  };
}

/** What ends the user name or the password, or the host, where it stands for itself in a URL. */
const RESERVED: Readonly<Record<string, string>> = {
  '%': 'percent sign',
  '\\': 'backslash',
  '#': 'number sign',
  '/': 'slash',
  '?': 'question mark',
  ' ': 'space',
};

/**
 * A password with a `#` would cut the URL there, `DOMAIN\user` would make a host of the domain, and
 * a `%` that no two digits follow stands for nothing.
 */
function checkUserInfo(url: string, variable: string): void {
  const [, user = ''] = /^[^:]*:\/\/(.*)@/s.exec(url) ?? [];
  const wrong = Object.keys(RESERVED).filter((character) =>
    character === '%' ? !isEncoded(user) : user.includes(character),
  );
  if (wrong.length === 0) return;
  const names = wrong.map((character) => RESERVED[character]!);
  const forms = wrong.map((character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase();
    return `%${code} for the ${RESERVED[character]!}`;
  });
  throw new BundleError(
    'CONFIGURATION',
    `${variable} has a ${names.join(' and a ')} in the user name or the password of the proxy`,
    {
      expected: 'a percent-encoded user name and password',
      hint: `Write ${forms.join(', ')}.`,
      subject: variable,
    },
  );
}

/** Whether each `%` begins a character. */
function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The proxy by which `url` is reached; `undefined` for none. Loopback never is: it would be the
 * proxy's own.
 */
export function proxyFor(url: URL, { http, https, except }: ProxySettings): string | undefined {
  const proxy = url.protocol === 'https:' ? https : http;
  if (proxy === undefined || isLoopbackName(bareHost(url))) return undefined;
  return except.split(',').some((entry) => matches(entry.trim().toLowerCase(), url))
    ? undefined
    : proxy;
}

/** How a host is reached: by which proxy, if any, and which variables decide that. */
export interface ProxyRoute {
  /** `HOST:PORT`, without user and password. */
  readonly proxy: string | undefined;
  /** What names the proxy for such a URL, or would. */
  readonly variable: string;
  /** What lists hosts that are reached without; `isSpared` if that one is among them. */
  readonly except: string;
  readonly isSpared: boolean;
}

/** `undefined` on loopback, which no proxy is for. */
export function proxyRoute(url: URL, settings: ProxySettings): ProxyRoute | undefined {
  if (isLoopbackName(bareHost(url))) return undefined;
  const { http, https, variables } = settings;
  const isSecure = url.protocol === 'https:';
  const used = proxyFor(url, settings);
  return {
    proxy: used === undefined ? undefined : new URL(used).host,
    variable: isSecure ? variables.https : variables.http,
    except: variables.except,
    isSpared: used === undefined && (isSecure ? https : http) !== undefined,
  };
}

/**
 * Whether an entry of `$NO_PROXY` stands for the host, as podman, oc and curl read it:
 * `example.com` with all below it, `.example.com` and `*.example.com` for what is below, an
 * address, a network (`10.0.0.0/8`), each with `:port` where one is meant; `*` for all.
 */
function matches(entry: string, url: URL): boolean {
  if (entry === '*') return true;
  const host = bareHost(url);
  const [, network, prefix] = /^([0-9a-f.:]+)\/([0-9]{1,3})$/.exec(entry) ?? [];
  if (network !== undefined) return isIP(host) !== 0 && isInNetwork(host, network, Number(prefix));
  const [, bracketed, plain, port] =
    /^(?:\[([0-9a-f:.]+)\]|([^:]+|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*))(?::([0-9]+))?$/.exec(
      entry,
    ) ?? [];
  const named = bracketed ?? plain;
  if (named === undefined || (port !== undefined && port !== portOf(url))) return false;
  if (isIP(named) !== 0)
    return isIP(host) !== 0 && isInNetwork(host, named, isIPv6(named) ? 128 : 32);
  const below = `.${named.replace(/^\*?\./, '')}`;
  return host.endsWith(below) || (/^[^.*]/.test(named) && host === named);
}

function isInNetwork(address: string, network: string, prefix: number): boolean {
  const family = isIPv6(network) ? 'ipv6' : 'ipv4';
  if (isIP(network) === 0 || prefix > (family === 'ipv6' ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, family);
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether an address is one of this very host. */
export function isLoopbackAddress(address: string): boolean {
  return isIP(address) !== 0 && loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

function isLoopbackName(host: string): boolean {
  return host === 'localhost' || isLoopbackAddress(host);
}

/** An IPv6 address without its brackets. */
function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

export function portOf(url: URL): string {
  return url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
}

/** The name under which a variable is set; an empty one is as good as none. */
function given(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
): string | undefined {
  return [name, name.toUpperCase()].find((either) => (env[either] ?? '') !== '');
}
