/** The HTTP proxies of a site, as its environment names them. */
export interface ProxySettings {
  /** For `http:` URLs; a URL, `undefined` for none. */
  readonly http: string | undefined;
  /** For `https:` URLs. */
  readonly https: string | undefined;
  /** Hosts that are reached without, as in `$NO_PROXY`: `example.com,.example.org,10.0.0.1:5000`. */
  readonly except: string;
}

/** Never asked of a proxy: it would be another loopback. */
const LOOPBACK = 'localhost,127.0.0.1,[::1]';

/** What `$HTTPS_PROXY`, `$HTTP_PROXY` and `$NO_PROXY` say; the lower-case names win, as in curl. A proxy without scheme is an HTTP one. */
export function proxyFromEnvironment(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const url = (name: string): string | undefined => {
    const value = either(env, name);
    return value === undefined || value.includes('://') ? value : `http://${value}`;
  };
  const except = either(env, 'no_proxy');
  return {
    http: url('http_proxy'),
    https: url('https_proxy'),
    except: except === undefined ? LOOPBACK : `${LOOPBACK},${except}`,
  };
}

function either(env: Readonly<Record<string, string | undefined>>, name: string): string | undefined {
  return [env[name], env[name.toUpperCase()]].find((value) => value !== undefined && value !== '');
}
