import { counted } from '../text.ts';

/** Answers that are about the moment, not the request (RFC 9110, RFC 6585). */
const PASSING_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);

const LONGEST_BACKOFF_MS = 30_000;
/** A server may ask for more, as for the rest of its day: nobody would wait for it. */
export const LONGEST_RETRY_AFTER_MS = 5 * 60_000;
/** Some write the moment in place of the seconds, as Docker Hub does: this many are 31 years. */
const FIRST_MOMENT_SECONDS = 1e9;

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
 * Milliseconds that a `Retry-After` header asks for, as seconds, or as a moment (RFC 9110 section
 * 10.2.3).
 */
export function retryAfter(
  header: string | undefined,
  now: number = Date.now(),
): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const isDate = /^[A-Z][a-z]+, /.test(text);
  const seconds = Number(/^[0-9]{1,12}$/.exec(text)?.[0]);
  const moment = isDate ? Date.parse(text) : seconds * 1000;
  const delay = isDate || seconds >= FIRST_MOMENT_SECONDS ? moment - now : moment;
  return Number.isNaN(delay) ? undefined : Math.max(0, delay);
}

/** A wait as somebody would say it, rounded up: `40 seconds`, `60 minutes`, `6 hours`. */
export function waitText(ms: number): string {
  const units = [
    ['second', 1000],
    ['minute', 60_000],
    ['hour', 3_600_000],
    ['day', 86_400_000],
  ] as const;
  const [unit, length] = units.findLast(([, each]) => ms >= each * 2) ?? units[0];
  return counted(Math.max(1, Math.ceil(ms / length)), unit);
}

/** How the failure of a request begins that may not be tried again, since the run has failed much. */
export const BUDGET_EXHAUSTED = 'retry budget exhausted';
