import type { ByteStream } from '../../core/bytes.ts';
import { MAX_JSON_DEPTH, MAX_CATALOG_DOCUMENT_BYTES } from '../../core/limits.ts';
import { badDocument, type RawDocument } from './raw-document.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const SPACE = [0x20, 0x09, 0x0a, 0x0d];

/**
 * JSON objects one after the other, each with its bytes and its place. Only one of them is in
 * memory at a time. The end of each is found by counting brackets; whether it is JSON, its reader
 * finds out.
 * @throws BundleError UNSUPPORTED_CONTENT naming the file and the document
 */
export async function* jsonDocuments(
  content: ByteStream,
  file: string,
): AsyncGenerator<RawDocument> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  /** Bytes before the chunk that is read, and where the open document begins. */
  let before = 0;
  let start = -1;
  let index = 0;
  let depth = 0;
  let inString = false;
  let isEscaped = false;
  for await (const chunk of content) {
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at]!;
      if (inString) {
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) isEscaped = true;
        else if (byte === QUOTE) inString = false;
        continue;
      }
      if (start === -1) {
        if (SPACE.includes(byte)) continue;
        if (byte !== OPENING_BRACE) throw badDocument({ file, index }, 'does not begin with {');
        start = before + at;
        from = at;
      }
      if (byte === QUOTE) inString = true;
      else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) {
        depth += 1;
        if (depth > MAX_JSON_DEPTH)
          throw badDocument({ file, index }, `is nested deeper than ${MAX_JSON_DEPTH} levels`);
      } else if (byte === CLOSING_BRACE || byte === CLOSING_BRACKET) {
        depth -= 1;
        if (depth > 0) continue;
        pieces.push(chunk.subarray(from, at + 1));
        const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
        refuseLarge({ file, index }, bytes.length);
        yield { file, index, start, end: before + at + 1, format: 'json', bytes };
        pieces = [];
        length = 0;
        start = -1;
        index += 1;
      }
    }
    if (start !== -1) {
      // The chunk is valid only until the next one is asked for.
      pieces.push(Uint8Array.from(chunk.subarray(from)));
      length += chunk.length - from;
      refuseLarge({ file, index }, length);
    }
    before += chunk.length;
  }
  if (start !== -1) throw badDocument({ file, index }, 'ends in the middle');
}

function refuseLarge(
  document: { readonly file: string; readonly index: number },
  size: number,
): void {
  if (size > MAX_CATALOG_DOCUMENT_BYTES)
    throw badDocument(document, `is larger than ${MAX_CATALOG_DOCUMENT_BYTES} bytes`);
}
