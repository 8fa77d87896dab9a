import { LineCounter } from 'yaml';

import { type ByteStream, utf8 } from '../../core/bytes.ts';
import type { Json } from '../../core/json.ts';
import { MAX_CATALOG_YAML_BYTES } from '../../core/limits.ts';
import { parseDocument } from '../../yaml/documents.ts';
import { badDocument, type RawDocument } from './raw-document.ts';

const LINE_FEED = 0x0a;
/** Each alias copies what it names: a few of them make a file of gigabytes out of one of a kilobyte. */
const MAX_ALIASES = 100;

/**
 * YAML documents, each with its bytes and its place. A line that begins with `---` begins the next
 * one; documents of blank lines and comments alone are passed over.
 * @throws BundleError UNSUPPORTED_CONTENT naming the file and the document
 */
export async function* yamlDocuments(
  content: ByteStream,
  file: string,
): AsyncGenerator<RawDocument> {
  let index = 0;
  let start = 0;
  let at = 0;
  let lines: Uint8Array[] = [];
  const document = (): RawDocument | undefined => {
    const bytes = Buffer.concat(lines);
    const found: RawDocument = { file, index, start, end: at, format: 'yaml', bytes };
    lines = [];
    return isBlank(bytes) ? undefined : found;
  };
  for await (const line of linesOf(content, { file, index })) {
    const mark = /^---(?=[ \t\r\n]|$)/.test(utf8(line.subarray(0, 4)));
    if (mark) {
      const found = document();
      if (found !== undefined) {
        yield found;
        index += 1;
      }
      start = at;
    }
    at += line.length;
    if (mark && isBlank(line.subarray(3))) start = at;
    else lines.push(line);
    if (at - start > MAX_CATALOG_YAML_BYTES)
      throw badDocument({ file, index }, `is larger than ${MAX_CATALOG_YAML_BYTES} bytes`);
  }
  const last = document();
  if (last !== undefined) yield last;
}

/**
 * A document of YAML as the JSON that Go makes of it. Anchors are resolved, within a limit.
 * @throws BundleError UNSUPPORTED_CONTENT naming file, document and line
 */
export function readYaml(document: RawDocument): Json {
  const lineCounter = new LineCounter();
  const parsed = parseDocument(utf8(document.bytes), { lineCounter, merge: true });
  const [fault] = parsed.errors;
  if (fault !== undefined) {
    const { line } = lineCounter.linePos(fault.pos[0]);
    throw badDocument(document, `is not valid YAML at its line ${line}`, fault);
  }
  try {
    return parsed.toJS({ maxAliasCount: MAX_ALIASES }) as Json;
  } catch (cause) {
    throw badDocument(document, `has more than ${MAX_ALIASES} aliases, or one of nothing`, cause);
  }
}

/** Blank lines, comments and directives say nothing. */
function isBlank(bytes: Uint8Array): boolean {
  return utf8(bytes)
    .split('\n')
    .every((line) => /^\s*(?:#.*)?$|^\.\.\.\s*$/.test(line));
}

/** Lines with their ends. Each is a copy. */
async function* linesOf(
  content: ByteStream,
  document: { readonly file: string; readonly index: number },
): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of content) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      rest.push(chunk.subarray(from, end + 1));
      yield Buffer.concat(rest);
      rest = [];
      length = 0;
      from = end + 1;
    }
    rest.push(Uint8Array.from(chunk.subarray(from)));
    length += chunk.length - from;
    if (length > MAX_CATALOG_YAML_BYTES)
      throw badDocument(document, `has a line of more than ${MAX_CATALOG_YAML_BYTES} bytes`);
  }
  if (length > 0) yield Buffer.concat(rest);
}
