import { type ByteStream, utf8 } from '../../core/bytes.ts';
import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import { jsonDocuments } from './json-documents.ts';
import { badDocument, type RawDocument } from './raw-document.ts';
import { readYaml, yamlDocuments } from './yaml-documents.ts';

/**
 * All documents of a file of a catalog. A file whose first character is `{` is JSON, whatever its
 * name says: so OLM decides, too.
 * @throws BundleError UNSUPPORTED_CONTENT naming the file and the document
 */
export async function* documentsOf(content: ByteStream, file: string): AsyncGenerator<RawDocument> {
  const chunks = content[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let opening: number | undefined;
  let isEnded = false;
  while (opening === undefined && !isEnded) {
    const next = await chunks.next();
    isEnded = next.done === true;
    if (next.done === true) break;
    const chunk = Uint8Array.from(next.value);
    first.push(chunk);
    opening = chunk.find((byte) => byte > 0x20);
  }
  const all = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* first;
      if (isEnded) return;
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
        yield next.value;
    } finally {
      await chunks.return?.();
    }
  };
  yield* opening === 0x7b ? jsonDocuments(all(), file) : yamlDocuments(all(), file);
}

/**
 * The document as an object.
 * @throws BundleError UNSUPPORTED_CONTENT naming the file and the document
 */
export function readDocument(document: RawDocument): JsonObject {
  let value: Json;
  if (document.format === 'yaml') value = readYaml(document);
  else {
    try {
      value = JSON.parse(utf8(document.bytes)) as Json;
    } catch (cause) {
      throw badDocument(document, 'is not valid JSON', cause);
    }
  }
  if (!isObject(value)) throw badDocument(document, 'is not an object');
  return value;
}
