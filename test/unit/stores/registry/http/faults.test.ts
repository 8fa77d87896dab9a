import { createRequire } from 'node:module';
import { errors } from 'undici';
import { describe, expect, it } from 'vitest';
import { BundleError } from '../../../../../src/core/errors.ts';
import { attemptsAt, networkError } from '../../../../../src/stores/registry/http/faults.ts';
import { proxyFromEnvironment, proxyRoute } from '../../../../../src/stores/registry/http/proxy.ts';

const { ERROR } = createRequire(import.meta.url)('undici/lib/llhttp/constants.js') as {
  ERROR: Readonly<Record<string, number>>;
};
const URL_ASKED = new URL('https://registry.example.com:5000/v2/');

/**
 * What becomes of an error: `retried` and `once` are failures of the network (25), with and without
 * further attempts; `not HTTP` and `silent` are retried twice. A mistake of ours stays as it is, and ends as a
 * bug; so does an abort, whose reason is reported by whoever aborted.
 */
type Fate = 'retried' | 'once' | 'not HTTP' | 'silent' | 'ours';

const UNDICI: Readonly<Record<string, Fate>> = {
  AbortError: 'ours',
  BalancedPoolMissingUpstreamError: 'once',
  BodyTimeoutError: 'retried',
  ClientClosedError: 'once',
  ClientDestroyedError: 'once',
  ConnectTimeoutError: 'retried',
  HTTPParserError: 'not HTTP',
  HeadersOverflowError: 'not HTTP',
  HeadersTimeoutError: 'silent',
  InformationalError: 'retried',
  InvalidArgumentError: 'ours',
  InvalidReturnValueError: 'once',
  MaxOriginsReachedError: 'once',
  MessageSizeExceededError: 'once',
  NotSupportedError: 'ours',
  RequestAbortedError: 'ours',
  RequestContentLengthMismatchError: 'ours',
  RequestRetryError: 'once',
  ResponseContentLengthMismatchError: 'retried',
  ResponseError: 'once',
  ResponseExceededMaxSizeError: 'once',
  SecureProxyConnectionError: 'once',
  SocketError: 'retried',
  Socks5ProxyError: 'once',
  UndiciError: 'once',
};

/** Of sockets, name servers and TLS, as Node hands them on. */
const NODE: Readonly<Record<string, Fate>> = {
  CERT_HAS_EXPIRED: 'once',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'once',
  EACCES: 'once',
  EADDRNOTAVAIL: 'retried',
  EAI_AGAIN: 'retried',
  EAI_FAIL: 'once',
  ECONNABORTED: 'retried',
  ECONNREFUSED: 'retried',
  ECONNRESET: 'retried',
  EHOSTDOWN: 'retried',
  EHOSTUNREACH: 'retried',
  EMFILE: 'once',
  ENETDOWN: 'retried',
  ENETRESET: 'retried',
  ENETUNREACH: 'retried',
  ENOBUFS: 'retried',
  ENOTCONN: 'retried',
  ENOTFOUND: 'once',
  EPERM: 'once',
  EPIPE: 'retried',
  EPROTO: 'once',
  ERR_ASSERTION: 'not HTTP',
  ERR_INVALID_ARG_TYPE: 'ours',
  ERR_SOCKET_CLOSED: 'retried',
  ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: 'retried',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'once',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'once',
  ERR_SSL_UNEXPECTED_EOF_WHILE_READING: 'retried',
  ERR_SSL_WRONG_VERSION_NUMBER: 'once',
  ERR_STREAM_DESTROYED: 'retried',
  ERR_STREAM_PREMATURE_CLOSE: 'retried',
  ERR_TLS_CERT_ALTNAME_INVALID: 'once',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'retried',
  ESHUTDOWN: 'retried',
  ETIMEDOUT: 'retried',
};

function fateOf(error: Error): Fate {
  const made = networkError(error, URL_ASKED);
  if (made === error) return 'ours';
  if (!(made instanceof BundleError)) throw new Error(`made into ${String(made)}`);
  expect(made).toMatchObject({ code: 'NETWORK', exitStatus: 25 });
  expect(made.message).toContain('registry.example.com:5000');
  expect(made.hint).not.toBe(undefined);
  const most = attemptsAt(made);
  if (most === undefined) return made.temporary ? 'retried' : 'once';
  expect({ most, temporary: made.temporary }).toEqual({ most: 3, temporary: true });
  return made.message.includes('not HTTP') ? 'not HTTP' : 'silent';
}

describe('an error of the connection', () => {
  const classes = errors as unknown as Readonly<
    Record<string, new (...args: unknown[]) => Error & { code?: string }>
  >;

  it('is known, whatever class of undici it has', () => {
    expect(Object.keys(UNDICI).sort()).toEqual(Object.keys(classes).sort());
  });

  it.each(Object.entries(UNDICI))('of undici, %s: %s', (name, fate) => {
    const error = new classes[name]!('what happened', 'A_CODE', {});
    expect(fateOf(error)).toBe(fate);
  });

  it.each(Object.keys(ERROR))('of its parser, HPE_%s, is no HTTP', (name) => {
    expect(fateOf(new classes['HTTPParserError']!('what happened', name))).toBe('not HTTP');
  });

  it.each(Object.entries(NODE))('of Node, %s: %s', (code, fate) => {
    expect(fateOf(Object.assign(new Error('what happened'), { code }))).toBe(fate);
  });

  it('of several addresses that were tried is the first of them', () => {
    const refused = Object.assign(new AggregateError([new Error('a'), new Error('b')]), {
      code: 'ECONNREFUSED',
    });
    expect(fateOf(refused)).toBe('retried');
  });
});

describe('a host that cannot be reached', () => {
  const hintOf = (env: Readonly<Record<string, string>>, code = 'ENOTFOUND', url = URL_ASKED) => {
    const cause = Object.assign(new Error(code), { code });
    const failure = networkError(cause, url, proxyRoute(url, proxyFromEnvironment(env)));
    return (failure as BundleError).hint ?? '';
  };
  const PROXY = 'http://packer:secret@proxy.example.com:3128';

  it.each([
    [{}, 'No proxy is used: HTTPS_PROXY is not set.'],
    [{ HTTP_PROXY: PROXY }, 'No proxy is used: HTTPS_PROXY is not set.'],
    [
      { https_proxy: PROXY, NO_PROXY: '.example.com' },
      'No proxy is used: NO_PROXY leaves out the one of https_proxy for this host.',
    ],
    [
      { HTTPS_PROXY: PROXY },
      'The way leads through the proxy proxy.example.com:3128 (HTTPS_PROXY). ' +
        'If registry.example.com can be reached without the proxy, name it in NO_PROXY.',
    ],
  ])('is reported with what %j says about proxies', (env, words) => {
    const hint = hintOf(env);
    expect(hint).toMatch(/^Check the name and the name servers of this host\. /);
    expect(hint.slice(hint.indexOf('. ') + 2)).toBe(words);
  });

  it('is reported without proxies where these have nothing to do with it', () => {
    expect(hintOf({}, 'CERT_HAS_EXPIRED')).not.toContain('proxy');
    expect(hintOf({ HTTPS_PROXY: PROXY }, 'EMFILE')).not.toContain('proxy');
    const loopback = new URL('https://localhost:5000/v2/');
    expect(hintOf({ HTTPS_PROXY: PROXY }, 'ECONNREFUSED', loopback)).not.toContain('proxy');
  });
});
