/** Answers that are about the moment, not the request (RFC 9110, RFC 6585). */
const PASSING_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);

const LONGEST_BACKOFF_MS = 30_000;
/** A server may ask for more; nobody would wait for it. */
const LONGEST_RETRY_AFTER_MS = 120_000;

export function isPassingStatus(status: number): boolean {
  return PASSING_STATUS.has(status);
}

/**
 * Exponential backoff with full jitter: anything up to `base`, 2 `base`, 4 `base` … milliseconds.
 */
export function backoff(
  attempt: number,
  baseMs: number,
  random: () => number = Math.random,
): number {
  return Math.round(random() * Math.min(LONGEST_BACKOFF_MS, baseMs * 2 ** (attempt - 1)));
}

/**
 * Milliseconds that a `Retry-After` header asks for, as seconds or as a date (RFC 9110 section
 * 10.2.3), up to two minutes.
 */
export function retryAfter(
  header: string | undefined,
  now: number = Date.now(),
): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const isDate = /^[A-Z][a-z]+, /.test(text);
  const delay = isDate ? Date.parse(text) - now : Number(/^[0-9]+$/.exec(text)?.[0]) * 1000;
  if (Number.isNaN(delay)) return undefined;
  return Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, delay));
}

/** How the failure of a request begins that may not be tried again, since the run has failed much. */
export const BUDGET_EXHAUSTED = 'retry budget exhausted';
