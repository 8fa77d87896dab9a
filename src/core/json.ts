import { TextPieces } from './bytes.ts';
import { BundleError } from './errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * Parses JSON that decides what is trusted, refusing what two parsers could read differently: a key
 * twice in one object (RFC 8259 section 4 leaves its meaning open), bytes that are no UTF-8, and
 * integers that a double cannot hold.
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
  } catch (cause) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `${what} is not valid JSON: ${(cause as Error).message}`,
      { cause },
    );
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
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [found] = match;
    if (found === '"') {
      token.lastIndex = endOfString(text, match.index);
      lastString = text.slice(match.index, token.lastIndex);
    } else if (found === '{') open.push(new Set());
    else if (found === '[') open.push(undefined);
    else if (found === '}' || found === ']') open.pop();
    else if (found === ':') {
      const keys = open.at(-1);
      const key = JSON.parse(lastString) as string;
      if (keys?.has(key) === true) {
        throw new BundleError(
          'UNSUPPORTED_CONTENT',
          `${what} has the key ${shown(lastString)} twice in one object`,
        );
      }
      keys?.add(key);
    } else if (/^-?[0-9]+$/.test(found) && !Number.isSafeInteger(Number(found))) {
      throw new BundleError(
        'UNSUPPORTED_CONTENT',
        `${what} holds the integer ${shown(found)}, which cannot be represented exactly`,
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

function shown(token: string): string {
  return token.length > 100 ? `${token.slice(0, 100)}…` : token;
}
