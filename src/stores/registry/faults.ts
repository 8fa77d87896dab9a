import { BundleError, systemCode } from '../../core/errors.ts';

/** Failures of a connection that may pass: another attempt is worth it. */
const PASSING = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_SOCKET',
]);

const NOT_TLS = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_HTTP_REQUEST', 'EPROTO']);

/** OpenSSL's X509_V_ERR_* names, as Node hands them on, and Node's own check of the host name. */
const CERTIFICATE =
  /^(?:CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_)|CERT_UNTRUSTED|HOSTNAME_MISMATCH/;

/** Mistakes of ours, not of the network. */
const OURS = /^(?:ERR_INVALID_|UND_ERR_INVALID_ARG|UND_ERR_NOT_SUPPORTED|UND_ERR_REQ_CONTENT_LENGTH)/;

/** The other end answered a TLS greeting with something else. */
export function isNotTls(error: unknown): boolean {
  return error instanceof Error && NOT_TLS.has(systemCode(error.cause) ?? '');
}

export function isConnectionRefused(error: unknown): boolean {
  return error instanceof Error && systemCode(error.cause) === 'ECONNREFUSED';
}

/**
 * The other end, or something on the way, broke the connection: how a server rids itself of more than it can take, and how it
 * answers a TLS greeting that it did not expect.
 */
export function isReset(error: unknown): boolean {
  return error instanceof Error && ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(systemCode(error.cause) ?? '');
}

/** An upload of which nothing was taken for too long. */
export function stalled(url: URL, afterMs: number): BundleError {
  return new BundleError('NETWORK', `${url.host}: the transfer stalled: nothing was taken for ${Math.round(afterMs / 1000)} s`, {
    hint: `Check that ${url.host} can be reached from here.`,
    temporary: true,
  });
}

/** What undici and the socket below it throw, in the program's own words: NETWORK. Anything else is handed back as it is. */
export function networkError(cause: unknown, url: URL): unknown {
  if (cause instanceof BundleError || !(cause instanceof Error)) return cause;
  const refused = /^Proxy response \(([0-9]+)\)/.exec(cause.message)?.[1];
  if (refused !== undefined) return proxyRefused(url, refused, cause);
  if (cause.name === 'AbortError') return cause;
  const code = systemCode(cause);
  if (code === undefined || OURS.test(code)) return cause;
  return new BundleError('NETWORK', `${url.host}: ${clean(reason(cause, code))}`, {
    cause,
    hint: hintFor(code, url),
    temporary: PASSING.has(code),
  });
}

function proxyRefused(url: URL, status: string, cause: Error): BundleError {
  return new BundleError('NETWORK', `the proxy does not let us connect to ${url.host}: it answered ${status}`, {
    cause,
    hint: `Check HTTPS_PROXY and what the proxy allows, or name ${url.hostname} in NO_PROXY.`,
    temporary: ['429', '502', '503', '504'].includes(status),
  });
}

function reason(cause: Error, code: string): string {
  const texts: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'connection broken by the other end',
    ENOTFOUND: 'no such host',
    EAI_AGAIN: 'the host name cannot be resolved at present',
    UND_ERR_SOCKET: 'connection closed by the other end',
    UND_ERR_CONNECT_TIMEOUT: 'no connection within 30 s',
    UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
    UND_ERR_BODY_TIMEOUT: 'the transfer stalled',
    UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the transfer ended early',
  };
  const text = texts[code] ?? (cause.message === '' ? code : cause.message);
  return CERTIFICATE.test(code) ? `the certificate was refused: ${text} (${code})` : text;
}

function hintFor(code: string, url: URL): string | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `The certificate is for another name: use the name it was made for.`;
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') return 'Check the clock of this host and the dates of the certificate.';
  if (CERTIFICATE.test(code)) return `If ${url.host} has a certificate of your own CA, name the CA's certificate with --ca-file FILE.`;
  if (NOT_TLS.has(code)) return plainHint(url.host);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'Check the name and the name servers of this host.';
  return `Check that ${url.host} can be reached from here.`;
}

/** A server that speaks no TLS and may not be spoken to without. */
export function plainRefused(host: string, cause: unknown): BundleError {
  return new BundleError('NETWORK', `${host} does not speak TLS`, { cause, hint: plainHint(host) });
}

function plainHint(host: string): string {
  return `If ${host} is meant to be spoken to without TLS, allow it with --insecure-registry ${host}.`;
}

/** Text of a server for a message: one line, no control or invisible characters, no flood. */
export function clean(text: string, limit = 300): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return line.length > limit ? `${line.slice(0, limit)}…` : line;
}
