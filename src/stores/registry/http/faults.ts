import { isIP } from 'node:net';
import { BundleError, systemCode } from '../../../core/errors.ts';
import { serverText } from '../../../core/http/secrets.ts';
import { wordsOfSystem } from '../../../files/disk-error.ts';
import type { ProxyRoute } from './proxy.ts';

/** Failures of a connection that may pass: another attempt is worth it. */
const PASSING = new Set([
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'ENETUNREACH',
  'ENOBUFS',
  'ENOTCONN',
  'EPIPE',
  'ERR_SOCKET_CLOSED',
  'ERR_SSL_BAD_RECORD_TYPE',
  'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC',
  'ERR_SSL_UNEXPECTED_EOF_WHILE_READING',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_TLS_HANDSHAKE_TIMEOUT',
  'ESHUTDOWN',
  'ETIMEDOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_INFO',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_SOCKET',
]);

/** Nobody was met at all: there may be no way but through a proxy, or no way through one. */
const UNREACHED = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/**
 * How undici says that an answer is no HTTP, beside the errors of its parser: it has no error for
 * each case, and stumbles over some (a status of 000).
 */
const NOT_HTTP = new Set(['ERR_ASSERTION', 'UND_ERR_HEADERS_OVERFLOW']);

/** What is no HTTP is another server more often than a disturbance on the way. */
const NOT_HTTP_ATTEMPTS = 3;
/** Each of them takes as long as an answer may: minutes. */
const SILENT_ATTEMPTS = 3;

const NOT_TLS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_HTTP_REQUEST',
  'EPROTO',
]);

/** OpenSSL's X509_V_ERR_* names, as Node hands them on, and Node's own check of the host name. */
const CERTIFICATE =
  /^(?:CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_)|CERT_UNTRUSTED|HOSTNAME_MISMATCH/;

/** No chain leads from the certificate to a CA that is trusted. */
const UNKNOWN_AUTHORITY = new Set([
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** The code of our own check that a certificate has a subject alternative name. */
export const NO_ALTERNATIVE_NAME = 'ERR_TLS_CERT_NO_ALTERNATIVE_NAME';

/** Error codes of a TLS handshake in which the server refuses or misses our client certificate. */
const CLIENT_CERTIFICATE =
  /_ALERT_(?:CERTIFICATE_REQUIRED|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNKNOWN_CA|CERTIFICATE_EXPIRED)$/;

/**
 * How TLS 1.2 says that a client certificate is missing, among other things; with TLS 1.3 the
 * connection is just closed.
 */
const NO_CLIENT_CERTIFICATE = 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE';

/** Mistakes of ours, not of the network. */
const OURS =
  /^(?:ERR_INVALID_|UND_ERR_INVALID_ARG|UND_ERR_NOT_SUPPORTED|UND_ERR_REQ_CONTENT_LENGTH)/;

/** The other end answered a TLS greeting with something else. */
export function isNotTls(error: unknown): boolean {
  return error instanceof Error && NOT_TLS.has(systemCode(error.cause) ?? '');
}

export function isConnectionRefused(error: unknown): boolean {
  return error instanceof Error && systemCode(error.cause) === 'ECONNREFUSED';
}

/**
 * The other end, or something on the way, broke the connection: how a server rids itself of more
 * than it can take.
 */
export function isReset(error: unknown): boolean {
  return (
    error instanceof Error &&
    ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(systemCode(error.cause) ?? '')
  );
}

/**
 * The other end hung up on a TLS greeting that it did not expect or like, or on the request after
 * it.
 */
export function isHandshakeBroken(error: unknown): error is BundleError {
  return (
    error instanceof BundleError &&
    (isReset(error) || systemCode(error.cause) === NO_CLIENT_CERTIFICATE)
  );
}

/** An upload of which nothing was taken for too long. */
export function stalled(url: URL, afterMs: number): BundleError {
  return new BundleError(
    'NETWORK',
    `${url.host}: the transfer stalled: no byte was accepted for ${Math.round(afterMs / 1000)} s`,
    {
      hint: `Check that ${url.host} can be reached from here.`,
      temporary: true,
    },
  );
}

const TOO_SLOW = 'ERR_ANSWER_TOO_SLOW';

/** A small answer of which a little comes again and again, and never all. */
export function tooSlow({ host }: URL, afterMs: number): BundleError {
  const seconds = Math.round(afterMs / 1000);
  return new BundleError('NETWORK', `${host}: its answer was not whole after ${seconds} s`, {
    cause: Object.assign(new Error('too slow'), { code: TOO_SLOW }),
    hint: `Check the connection to ${host}, and what answers there: the answer is a small one.`,
    temporary: true,
  });
}

/** The proxy itself could not be reached. */
export class ProxyFailure extends Error {
  /** `HOST[:PORT]`. */
  readonly proxy: string;

  constructor(proxy: string, cause: Error) {
    super(cause.message, { cause });
    this.proxy = proxy;
  }
}

/**
 * Turns an error of undici or of the socket below it into one of this program: NETWORK. Anything
 * else is handed back as it is.
 * @param route how the connection was made, while it was still to be made.
 */
export function networkError(cause: unknown, url: URL, route?: ProxyRoute): unknown {
  if (cause instanceof BundleError || !(cause instanceof Error)) return cause;
  if (cause instanceof ProxyFailure) return proxyUnreachable(cause, url, route);
  const refused = /^Proxy response \(([0-9]+)\)/.exec(cause.message)?.[1];
  if (refused !== undefined) return proxyRefused(cause, { url, status: refused, route });
  if (cause.name === 'AbortError') return cause;
  const code = systemCode(cause);
  if (isNotHttp(cause)) return notHttp(cause, url);
  if (code === undefined || OURS.test(code)) return cause;
  return new BundleError(
    'NETWORK',
    `${url.host}: ${serverText(reason(cause, code, url.hostname))}`,
    {
      cause,
      hint: [hintFor(code, url.host), ...proxyWords(code, url, route)].join(' '),
      temporary: PASSING.has(code),
    },
  );
}

/** Where the way to a host ends, it matters whether it leads through a proxy. */
function proxyWords(code: string, url: URL, route: ProxyRoute | undefined): readonly string[] {
  if (route === undefined || code === 'EMFILE') return [];
  const { proxy, variable, except, isSpared } = route;
  if (proxy !== undefined)
    return [`The way leads through the proxy ${proxy} (${variable}). ${without(url, route)}`];
  if (!UNREACHED.has(code)) return [];
  return isSpared
    ? [`No proxy is used: ${except} leaves out the one of ${variable} for this host.`]
    : [`No proxy is used: ${variable} is not set.`];
}

function without({ hostname }: URL, { except }: Pick<ProxyRoute, 'except'>): string {
  return `If ${hostname} can be reached without the proxy, name it in ${except}.`;
}

/** undici's parser does not have a code for every case. */
function isNotHttp(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === 'HTTPParserError' || NOT_HTTP.has(systemCode(error) ?? ''))
  );
}

/** Nothing could be made of an answer. */
function notHttp(cause: Error, { host }: URL): BundleError {
  // An assertion of undici speaks of its own source.
  const why =
    systemCode(cause) === 'ERR_ASSERTION' ? 'no status of HTTP' : serverText(cause.message);
  return new BundleError('NETWORK', `${host}: its answer is not HTTP: ${why}`, {
    cause,
    hint: `Check the host and the port: something else than a registry answers at ${host}.`,
    temporary: true,
  });
}

/** Nothing came from the other end, for as long as was waited. */
export function isSilence(error: BundleError): boolean {
  return ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT'].includes(
    systemCode(error.cause) ?? '',
  );
}

/** How often a request is sent in all that fails so, where that is less often than others. */
export function attemptsAt(error: BundleError): number | undefined {
  if (isNotHttp(error.cause)) return NOT_HTTP_ATTEMPTS;
  return ['UND_ERR_HEADERS_TIMEOUT', TOO_SLOW].includes(systemCode(error.cause) ?? '')
    ? SILENT_ATTEMPTS
    : undefined;
}

/** A server that only ever says that its answer will come. */
export function neverAnswers({ host }: URL): BundleError {
  return new BundleError('NETWORK', `${host}: it announces an answer again and again`, {
    hint: `Check what answers at ${host}: an answer has at most a few announcements (status 1xx).`,
  });
}

/** Where a variable is not known, the usual one is named. */
const USUAL = { variable: 'HTTPS_PROXY', except: 'NO_PROXY' } as const;

function proxyRefused(
  cause: Error,
  {
    url,
    status,
    route,
  }: { readonly url: URL; readonly status: string; readonly route: ProxyRoute | undefined },
): BundleError {
  const { variable, except } = route ?? USUAL;
  const proxy = route?.proxy === undefined ? 'the proxy' : `the proxy ${route.proxy}`;
  const check =
    status === '407'
      ? `It wants a user name and a password: write both before its host in ${variable}, with a ` +
        'colon between them and an @ behind them.'
      : `Check ${variable}, and what the proxy allows.`;
  return new BundleError(
    'NETWORK',
    `${proxy} refused the connection to ${url.host}: it answered ${status}`,
    {
      cause,
      hint: `${check} ${without(url, { except })}`,
      temporary: ['429', '502', '503', '504'].includes(status),
    },
  );
}

function proxyUnreachable(
  { proxy, cause }: ProxyFailure,
  url: URL,
  route: ProxyRoute | undefined,
): unknown {
  if (!(cause instanceof Error)) return cause;
  const code = systemCode(cause) ?? '';
  const { variable, except } = route ?? USUAL;
  const hint = CERTIFICATE.test(code) ? hintFor(code, proxy) : `Check ${variable}.`;
  return new BundleError(
    'NETWORK',
    `the proxy ${proxy}: ${serverText(reason(cause, code, proxy.replace(/:[0-9]+$/, '')))}`,
    { cause, hint: `${hint} ${without(url, { except })}`, temporary: PASSING.has(code) },
  );
}

function reason(cause: Error, code: string, host: string): string {
  const texts: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'connection broken by the other end',
    ENOTFOUND: 'no such host',
    EMFILE: 'this process has too many files and connections open',
    EAI_AGAIN: 'the host name cannot be resolved at present',
    UND_ERR_SOCKET: 'connection closed by the other end',
    UND_ERR_CONNECT_TIMEOUT: 'no connection within 30 s',
    UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
    UND_ERR_BODY_TIMEOUT: 'the transfer stalled',
    UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the transfer ended early',
    CERT_HAS_EXPIRED: 'its certificate, or one of those above it, has expired',
    CERT_NOT_YET_VALID: 'its certificate is not valid yet',
    [NO_ALTERNATIVE_NAME]: 'its certificate has no subject alternative name, only a common name',
    ERR_TLS_CERT_ALTNAME_INVALID: `its certificate is not for ${host}, but for ${namesIn(cause)}`,
  };
  if (UNKNOWN_AUTHORITY.has(code))
    return `its certificate is of an authority that is not trusted on this host (${code})`;
  if (CLIENT_CERTIFICATE.test(code)) return 'it does not accept the client certificate';
  const said = cause.message === '' ? code : cause.message;
  // With what Node says, which has the address; of EPROTO it says what TLS did not like.
  const words = code === 'EPROTO' ? undefined : wordsOfSystem(code);
  const text = texts[code] ?? (words === undefined ? said : `${words} (${said})`);
  return CERTIFICATE.test(code) && texts[code] === undefined
    ? `its certificate was refused: ${text} (${code})`
    : text;
}

/** The names of a certificate that was refused for its names. */
function namesIn(cause: Error): string {
  const names =
    'cert' in cause ? (cause.cert as { subjectaltname?: unknown }).subjectaltname : undefined;
  return typeof names === 'string'
    ? names.replaceAll('DNS:', '').replaceAll('IP Address:', '')
    : 'others';
}

function hintFor(code: string, host: string): string {
  if (code === NO_ALTERNATIVE_NAME) {
    return (
      `Have a certificate made with subjectAltName=${subjectAltName(host)}; OpenShift, too, ` +
      'refuses a certificate without one.'
    );
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return (
      'Use a name that is in the certificate, ' +
      `or have a certificate made with subjectAltName=${subjectAltName(host)}.`
    );
  }
  if (code === 'CERT_HAS_EXPIRED') {
    return (
      `Renew the certificate of ${host}. If it has not expired (check with openssl s_client ` +
      `-connect ${withPort(host)}), the clock of this host is wrong.`
    );
  }
  if (code === 'CERT_NOT_YET_VALID')
    return 'Check the clock of this host, then the dates of the certificate.';
  if (UNKNOWN_AUTHORITY.has(code)) {
    return (
      `If ${host} has a certificate of your own CA, ` +
      'name the certificate of that CA with --ca-file FILE, ' +
      `or put it into /etc/containers/certs.d/${host}/ca.crt.`
    );
  }
  if (CLIENT_CERTIFICATE.test(code))
    return `If it asks for another certificate, ${clientCertificateHint(host)}`;
  if (CERTIFICATE.test(code))
    return `Look at the certificate: openssl s_client -connect ${withPort(host)} -showcerts.`;
  if (NOT_TLS.has(code)) return plainHint(host);
  if (code === 'EMFILE')
    return 'Raise the limit of open files (ulimit -n), or lower --concurrency.';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return 'Check the name and the name servers of this host.';
  return `Check that ${host} can be reached from here.`;
}

function subjectAltName(host: string): string {
  const name = host.replace(/:[0-9]+$/, '').replace(/^\[|\]$/g, '');
  return `${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`;
}

function withPort(host: string): string {
  return /:[0-9]+$/.test(host) ? host : `${host}:443`;
}

/** A server that speaks no TLS and may not be spoken to without. */
export function plainRefused(host: string, cause: unknown): BundleError {
  return new BundleError('NETWORK', `${host} does not speak TLS`, { cause, hint: plainHint(host) });
}

/**
 * A server that greets with TLS, and hangs up on us: it does so for a client without certificate,
 * too.
 */
export function hungUp(host: string, error: BundleError): BundleError {
  return new BundleError('NETWORK', error.message, {
    cause: error.cause,
    hint: `${error.hint ?? ''} If it asks for a client certificate: ` + clientCertificateHint(host),
    temporary: error.temporary,
  });
}

function clientCertificateHint(host: string): string {
  return (
    `put it and its key into /etc/containers/certs.d/${host}/ as client.cert and client.key, ` +
    'or name a folder with --cert-dir.'
  );
}

function plainHint(host: string): string {
  return `If ${host} has no TLS on purpose, allow it with --insecure-registry ${host}.`;
}
