import { TextPieces } from './bytes.ts';
import { BundleError } from './errors.ts';
import { MAX_JSON_DEPTH } from './limits.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * Parses JSON that decides what is trusted, refusing what two parsers could read differently: a key
 * twice in one object (RFC 8259 section 4 leaves its meaning open), bytes that are no UTF-8, and
 * integers that a double cannot hold. What is nested deeper than {@link MAX_JSON_DEPTH} is refused,
 * too.
 * @throws BundleError UNSUPPORTED_CONTENT naming `what`.
 */
export function parseStrictJson(bytes: Uint8Array, what: string): Json {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new BundleError('UNSUPPORTED_CONTENT', `${what} is not UTF-8`, { cause });
  }
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    // The parser's own message quotes the text, which may be a secret that was named by mistake.
    throw new BundleError('UNSUPPORTED_CONTENT', `${what} ${notJson(text)}`);
  }
  refuseAmbiguity(text, what);
  return value;
}

/** The value as an object. @throws BundleError UNSUPPORTED_CONTENT naming `what`. */
export function asObject(value: Json | undefined, what: string): JsonObject {
  if (isObject(value)) return value;
  throw new BundleError('UNSUPPORTED_CONTENT', `${what} is not an object`);
}

/** The value as a list. @throws BundleError UNSUPPORTED_CONTENT naming `what`. */
export function asArray(value: Json | undefined, what: string): readonly Json[] {
  if (Array.isArray(value)) return value as readonly Json[];
  throw new BundleError('UNSUPPORTED_CONTENT', `${what} is not a list`);
}

/** The value as a string. @throws BundleError UNSUPPORTED_CONTENT naming `what`. */
export function asString(value: Json | undefined, what: string): string {
  if (typeof value === 'string') return value;
  throw new BundleError('UNSUPPORTED_CONTENT', `${what} is not a string`);
}

/**
 * The value as a size in bytes: a safe integer, not negative. @throws BundleError
 * UNSUPPORTED_CONTENT naming `what`.
 */
export function asSize(value: Json | undefined, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new BundleError('UNSUPPORTED_CONTENT', `${what} is not a size in bytes`);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON that the program writes itself: two-space indent and a line feed at the end. */
export function formatJson(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

/**
 * The same for a document with long lists: a list's entries are formatted one after the other, so
 * that a long one is never in memory as text and as objects at once.
 * @param lists entries of each list, made when their turn comes.
 */
export function formatJsonLists(
  first: Readonly<Record<string, unknown>>,
  lists: Readonly<Record<string, Iterable<object>>>,
): Uint8Array {
  const text = new TextPieces();
  text.add(JSON.stringify(first, null, 2).replace(/\n}$/, ''));
  for (const [key, entries] of Object.entries(lists)) {
    text.add(`,\n  ${JSON.stringify(key)}: [`);
    let isEmpty = true;
    for (const entry of entries) {
      text.add(`${isEmpty ? '' : ','}\n${indented(JSON.stringify(entry, null, 2))}`);
      isEmpty = false;
    }
    text.add(isEmpty ? ']' : '\n  ]');
  }
  text.add('\n}\n');
  return text.bytes();
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}

/**
 * The text is valid JSON here, so a walk over its tokens is enough; `JSON.parse` has dropped what
 * we look for. Strings are walked by hand: a regular expression runs out of stack on one of some
 * megabytes.
 */
function refuseAmbiguity(text: string, what: string): void {
  const token = /["{}[\]:]|-?[0-9][0-9.eE+-]*/g;
  const open: (Set<string> | undefined)[] = [];
  let lastString = '';
  let keyAt = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [found] = match;
    if (found === '"') {
      token.lastIndex = endOfString(text, match.index);
      keyAt = match.index;
      lastString = text.slice(match.index, token.lastIndex);
    } else if (found === '{' || found === '[') {
      open.push(found === '{' ? new Set() : undefined);
      if (open.length > MAX_JSON_DEPTH) {
        throw new BundleError(
          'UNSUPPORTED_CONTENT',
          `${what} is nested deeper than ${MAX_JSON_DEPTH} levels, at ${placeIn(text, match.index)}`,
        );
      }
    } else if (found === '}' || found === ']') open.pop();
    else if (found === ':') {
      const keys = open.at(-1);
      const key = JSON.parse(lastString) as string;
      if (keys?.has(key) === true) {
        throw new BundleError(
          'UNSUPPORTED_CONTENT',
          `${what} has a key twice in one object, at ${placeIn(text, keyAt)}`,
        );
      }
      keys?.add(key);
    } else if (/^-?[0-9]+$/.test(found) && !Number.isSafeInteger(Number(found))) {
      throw new BundleError(
        'UNSUPPORTED_CONTENT',
        `${what} holds an integer that cannot be represented exactly, ` +
          `at ${placeIn(text, match.index)}`,
      );
    }
  }
}

/** Where the string that begins at `start` ends, with its closing quote. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') return at + 1;
    if (character === '\\') at += 1;
  }
  return text.length;
}

/** What is wrong with a text that is no JSON, without a word of it. */
export function notJson(text: string): string {
  return `is not valid JSON from ${placeIn(text, jsonFault(text))} on`;
}

const JSON_TOKEN =
  /[ \t\r\n]*(?:(")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)|([{}[\],:]))/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

type Expected =
  'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end' | 'nothing';

/**
 * Where a text stops being JSON: the end of the text where only its rest is missing, the start of a
 * string that is none.
 */
export function jsonFault(text: string): number {
  const token = new RegExp(JSON_TOKEN);
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  let end = 0;
  const after = (): Expected => (open.length === 0 ? 'nothing' : 'comma or end');
  for (;;) {
    token.lastIndex = end;
    const match = token.exec(text);
    if (match === null) break;
    const [, quote, scalar, mark] = match;
    const next = quote === undefined ? token.lastIndex : endOfValidString(text, token.lastIndex);
    if (next === undefined) break;
    const isKey: boolean = quote !== undefined && expected.startsWith('key');
    if (isKey) expected = 'colon';
    else if (expected.startsWith('value') && (quote !== undefined || scalar !== undefined))
      expected = after();
    else if (expected.startsWith('value') && (mark === '{' || mark === '[')) {
      open.push(mark);
      expected = mark === '{' ? 'key or end' : 'value or end';
    } else if (expected === 'colon' && mark === ':') expected = 'value';
    else if (expected === 'comma or end' && mark === ',')
      expected = open.at(-1) === '{' ? 'key' : 'value';
    else if (expected.endsWith('or end') && mark === (open.at(-1) === '{' ? '}' : ']')) {
      open.pop();
      expected = after();
    } else break;
    end = next;
  }
  while (end < text.length && ' \t\r\n'.includes(text[end]!)) end += 1;
  return end;
}

/** Behind the closing quote. By hand: one expression for it all tires of a string without an end. */
function endOfValidString(text: string, start: number): number | undefined {
  const escape = new RegExp(ESCAPE);
  for (let at = start; at < text.length;) {
    const character = text[at]!;
    if (character === '"') return at + 1;
    if (character < ' ') return undefined;
    if (character === '\\') {
      escape.lastIndex = at;
      if (!escape.test(text)) return undefined;
      at = escape.lastIndex;
    } else at += 1;
  }
  return undefined;
}

/** As editors count them: from 1. */
function placeIn(text: string, at: number): string {
  const before = text.slice(0, at).split('\n');
  return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
}
