import type { IncomingMessage, RequestOptions } from 'node:http';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';

import { readAll, utf8 } from '../core/bytes.ts';
import { hasCode } from '../core/errors.ts';
import { retryAfter } from '../core/http/backoff.ts';
import type { Json } from '../core/json.ts';
import { isObject } from '../core/json.ts';
import { MAX_KUBE_ANSWER_BYTES } from '../core/limits.ts';

/** A field that an API server complains of. */
export interface FieldFault {
  readonly field: string;
  readonly message: string;
}

/** An answer of an API server that is no success: what its Status says. */
export class ApiRefusal extends Error {
  readonly status: number;
  readonly reason: string;
  readonly said: string;
  readonly faults: readonly FieldFault[];
  /** Of what the request was about. */
  readonly path: string;

  constructor(path: string, status: number, body: string) {
    const document = parsed(body);
    const said = textIn(document, 'message') ?? (isPage(body) ? 'an HTML page' : body.trim());
    super(`status ${status}`);
    this.path = path;
    this.status = status;
    this.reason = textIn(document, 'reason') ?? '';
    this.said = said;
    this.faults = faultsIn(document);
  }
}

/** Of an object that was applied; an API server changes such a one, and removes it then. */
export const BEING_DELETED = 'an object that is being deleted';

/** An answer that is a success, and yet not what was asked for. */
export class OddAnswer extends Error {
  /** What came in place of it; nothing of its content, which may be a secret. */
  readonly found: string;

  constructor(found: string) {
    super(`odd answer: ${found}`);
    this.found = found;
  }
}

/** How long an API server may take. */
export interface ApiPatience {
  /** Without a byte of it. */
  readonly silenceMs: number;
  /** For one whole answer: one byte a second is no silence, and never comes to an end. */
  readonly answerMs: number;
}

export const API_PATIENCE: ApiPatience = { silenceMs: 60_000, answerMs: 300_000 };
const ATTEMPTS = 4;
/** How long is waited before a request is sent again, at most. */
const MAX_WAIT_MS = 10_000;
/** Where it does not say how long. */
const USUAL_WAIT_MS = 1000;

export interface ApiRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: RequestOptions['headers'];
  readonly body: string | undefined;
  readonly agent: RequestOptions['agent'];
  readonly patience: ApiPatience;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Sends a request, and again where the API server says that it is busy: all of ours may be repeated.
 * An API server never redirects, so nothing is followed: credentials stay with it.
 * @throws ApiRefusal; an error of Node's for a broken connection
 */
export async function ask(request: ApiRequest, signal: AbortSignal): Promise<ApiAnswer> {
  for (let attempt = 1; ; attempt += 1) {
    const { status, headers, body } = await askOnce(request, signal);
    if (status >= 200 && status < 300) return { status, headers, body };
    const isBusy = status === 429 || status === 503;
    if (!isBusy || attempt === ATTEMPTS) throw new ApiRefusal(request.url.pathname, status, body);
    const asked = retryAfter(headers['retry-after']) ?? USUAL_WAIT_MS;
    await delay(Math.min(asked, MAX_WAIT_MS), undefined, { signal });
  }
}

async function askOnce(request: ApiRequest, signal: AbortSignal): Promise<ApiAnswer> {
  const late = new AbortController();
  const { answerMs } = request.patience;
  const timer = setTimeout(() => {
    late.abort();
  }, answerMs);
  try {
    return await answerTo(request, AbortSignal.any([signal, late.signal]));
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error;
    const seconds = Math.ceil(answerMs / 1000);
    throw failure('LATE', `no whole answer within ${seconds} seconds`);
  } finally {
    clearTimeout(timer);
  }
}

async function answerTo(
  { url, method, headers, body, agent, patience }: ApiRequest,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  const send = url.protocol === 'https:' ? tlsRequest : plainRequest;
  const options = { method, headers, agent, signal, timeout: patience.silenceMs };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const asking = send(url, options, resolve);
    asking.on('timeout', () => {
      asking.destroy(failure('ETIMEDOUT', 'no answer in time'));
    });
    asking.on('error', reject);
    asking.end(body);
  });
  const bytes = await readAll(answer, MAX_KUBE_ANSWER_BYTES, 'the answer').catch(
    (error: unknown) => {
      if (!hasCode(error, 'CONTENT_MISMATCH')) throw error;
      throw new OddAnswer(`more than ${MAX_KUBE_ANSWER_BYTES} bytes`);
    },
  );
  return {
    status: answer.statusCode ?? 0,
    headers: Object.fromEntries(
      Object.entries(answer.headers).map(([name, value]) => [name, String(value)]),
    ),
    body: utf8(bytes),
  };
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** @returns `undefined` for what is no JSON. */
export function parsed(body: string): Json | undefined {
  try {
    return JSON.parse(body) as Json;
  } catch {
    return undefined;
  }
}

/** What a proxy or a login page says for people with a browser. */
export function isPage(body: string): boolean {
  return /^\s*</.test(body);
}

function textIn(document: Json | undefined, key: string): string | undefined {
  const value = isObject(document) ? document[key] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function faultsIn(document: Json | undefined): readonly FieldFault[] {
  const details = isObject(document) ? document['details'] : undefined;
  const causes = isObject(details) ? details['causes'] : undefined;
  if (!Array.isArray(causes)) return [];
  return (causes as readonly Json[]).flatMap((cause) => {
    const field = textIn(cause, 'field');
    return field === undefined ? [] : [{ field, message: textIn(cause, 'message') ?? '' }];
  });
}
