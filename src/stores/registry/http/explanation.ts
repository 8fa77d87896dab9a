import { Readable } from 'node:stream';

import type { ByteStream } from '../../../core/bytes.ts';
import { isPassingStatus, LONGEST_RETRY_AFTER_MS, retryAfter } from '../../../core/http/backoff.ts';
import { serverText } from '../../../core/http/secrets.ts';
import { isObject, type Json, type JsonObject } from '../../../core/json.ts';
import { MAX_ERROR_BODY_BYTES } from '../../../core/limits.ts';

/** An answer whose body says why it is no success. */
export interface Explaining {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
  /** The body, where it was read already to find out whether the request is worth repeating. */
  readonly explanation?: Explanation | undefined;
}

/** What the body of an error says. */
export interface Explanation {
  /** As one line; empty where it says nothing. */
  readonly text: string;
  /** Of the distribution-spec ("Error Codes"). */
  readonly codes: readonly string[];
  /** It is a web page: of a proxy, a firewall or a console, and not of a registry. */
  readonly isPage: boolean;
  readonly lasting: Lasting | undefined;
  /** Milliseconds that the server asks to wait. */
  readonly waitMs: number | undefined;
}

/** Why the same request would be refused again, whatever its status says. */
export type Lasting =
  | 'storage-full'
  | 'quota'
  | 'read-only'
  | 'storage-refused'
  | 'no-overwriting'
  | 'lacking'
  /** It asks to wait for longer than anybody would. */
  | 'long-wait';

/** Why registries refuse, by their own words; those of their storages among them. */
const LASTING: readonly (readonly [Lasting, RegExp])[] = [
  // distribution shows the errors of its file system by number: ENOSPC, EDQUOT, EROFS, EACCES.
  ['storage-full', /"?Err"?: ?28\b|ENOSPC|no space left|disk (?:is )?full|insufficient storage/i],
  ['quota', /"?Err"?: ?122\b|EDQUOT|quota|exceed the configured upper limit|OverQuota/i],
  ['read-only', /"?Err"?: ?30\b|EROFS|read-?only (?:file ?system|mode)|in maintenance/i],
  ['storage-refused', /"?Err"?: ?13\b|EACCES|permission denied/i],
  ['no-overwriting', /does not allow updating assets/i],
  ['lacking', /\b(?:MANIFEST_)?BLOB_UNKNOWN\b/],
];

/** Details say more than their messages, and some say much. */
const DETAIL_CHARACTERS = 300;
const TEXT_CHARACTERS = 600;
/** For a message nobody waits longer. */
const START_MS = 20_000;

/**
 * What an answer says about itself. Takes its body, up to 64 KiB. A body that cannot be read says
 * nothing, so that the status is not lost.
 */
export async function explain(response: Explaining): Promise<Explanation> {
  if (response.explanation !== undefined) return response.explanation;
  return explanationIn(await readStart(response, MAX_ERROR_BODY_BYTES), response);
}

/** The same of a body that was read already, or of its beginning. */
export function explanationIn(body: string, response: Omit<Explaining, 'body'>): Explanation {
  const type = String(response.headers['content-type'] ?? '');
  const { text, codes, isPage } = read(body, type);
  const waitMs = askedWait(response);
  const isLong = waitMs !== undefined && waitMs > LONGEST_RETRY_AFTER_MS;
  const lasting = lastingOf(text, response.status) ?? (isLong ? 'long-wait' : undefined);
  return { text: serverText(text, TEXT_CHARACTERS), codes, isPage, lasting, waitMs };
}

/** Such answers alone are about the moment. */
function askedWait({ status, headers }: Omit<Explaining, 'body'>): number | undefined {
  const header = headers['retry-after'];
  return isPassingStatus(status) ? retryAfter([header].flat()[0]) : undefined;
}

/** The words for a full storage are clear; others are also said of a moment, or of an account. */
function lastingOf(text: string, status: number): Lasting | undefined {
  const found = LASTING.find(([, words]) => words.test(text))?.[0];
  if ([429, 502, 503, 504].includes(status)) return found === 'storage-full' ? found : undefined;
  const isOfServer = found === 'storage-refused' || found === 'lacking';
  return isOfServer && status < 500 ? undefined : found;
}

function read(body: string, type: string): Omit<Explanation, 'lasting' | 'waitMs'> {
  const none = { codes: [], isPage: false };
  if (/^\s*<!doctype html|^\s*<html/i.test(body) || /^text\/html\b/i.test(type)) {
    const title = /<title[^>]*>([^<]*)</i.exec(body)?.[1]?.trim() ?? '';
    return { ...none, text: title === '' ? 'a web page' : `a web page: ${title}`, isPage: true };
  }
  const [code, message] = ['Code', 'Message'].map(
    (name) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1],
  );
  if (code !== undefined) return { ...none, text: joined([code, message], ': ') };
  let document: Json;
  try {
    document = JSON.parse(body) as Json;
  } catch {
    return { ...none, text: type.startsWith('text/plain') ? body : '' };
  }
  if (!isObject(document)) return { ...none, text: '' };
  const { errors } = document;
  if (!Array.isArray(errors)) return { ...none, text: otherwise(document) };
  const objects = (errors as readonly Json[]).filter(isObject);
  const lines = objects.map((error) => {
    const told = joined([error['code'], error['message']], ': ');
    const detail = detailOf(error['detail'], told);
    return detail === undefined ? told : `${told} (${detail})`;
  });
  const codes = objects.map((error) => error['code']).filter((each) => typeof each === 'string');
  return { text: lines.join('; '), codes, isPage: false };
}

/** How registries and token servers say it who do not keep to the specification. */
function otherwise(document: JsonObject): string {
  const names = ['error', 'message', 'error_description', 'error_message', 'details', 'detail'];
  return joined(
    names.map((name) => document[name]),
    ': ',
  );
}

/** `undefined` for a detail that only repeats what was asked, or what is told already. */
function detailOf(detail: Json | undefined, told: string): string | undefined {
  if (detail === undefined || detail === null || Array.isArray(detail)) return undefined;
  if (isObject(detail) && Object.keys(detail).length === 0) return undefined;
  const text = typeof detail === 'string' ? detail : JSON.stringify(detail);
  return text === '' || told.includes(text) ? undefined : serverText(text, DETAIL_CHARACTERS);
}

function joined(parts: readonly unknown[], by: string): string {
  return parts.filter((part) => typeof part === 'string' && part !== '').join(by);
}

/**
 * The first bytes of a body as text; the rest is dropped. A body that cannot be read gives an empty
 * text, and one that comes drop by drop what came in time.
 */
export async function readStart(
  { body }: Pick<Explaining, 'body'>,
  limit: number,
  withinMs = START_MS,
): Promise<string> {
  const late = setTimeout(() => {
    if (body instanceof Readable) body.destroy();
  }, withinMs);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body as ByteStream) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= limit) break;
    }
  } catch {
    // The message stays shorter.
  } finally {
    clearTimeout(late);
  }
  return Buffer.concat(chunks).subarray(0, limit).toString('utf8');
}
