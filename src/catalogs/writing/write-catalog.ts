import { BundleError } from '../../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import { MAX_CATALOG_DOCUMENT_BYTES } from '../../core/limits.ts';
import { compareText, oneLine } from '../../core/text.ts';
import { type ByteStream, readAll } from '../../core/bytes.ts';
import type { FilterResult } from '../filter/result.ts';
import { readDocument } from '../reading/documents.ts';
import { folded } from '../reading/fields.ts';
import type { DocumentPlace } from '../reading/raw-document.ts';
import type { CatalogFile } from '../reading/read-catalog.ts';

/** A file of a filtered catalog. */
export interface WrittenFile {
  /** `foo/catalog.json`; `catalog.json` for documents of no package. */
  readonly path: string;
  readonly size: number;
  /**
   * Its bytes, as long as the files of the catalog are there. A chunk is good until the next one is
   * asked for.
   */
  readonly read: () => ByteStream;
}

/** Bytes of a file that is written: some that are known, or those of a document. */
type Part = Uint8Array | DocumentPlace;

/** A document to be written: as it is, or with other values under some keys. */
interface Piece {
  readonly place: DocumentPlace;
  readonly changes?: JsonObject;
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const INDENT = 4;

/**
 * What a filter keeps, as files: a folder for each package, in the order of their names. Documents
 * that stay as they are are copied byte for byte; one in YAML goes into `catalog.yaml`. The same
 * result gives the same bytes, on every machine.
 * @param files of the catalog that was filtered.
 * @throws BundleError as reading the files does; UNSUPPORTED_CONTENT for a package whose name is
 * none, which cannot be a folder
 */
export async function* filteredFiles(
  result: FilterResult,
  files: readonly CatalogFile[],
): AsyncGenerator<WrittenFile> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const pieces = piecesOf(result);
  for (const name of [...pieces.keys()].sort(compareText)) {
    if (name !== '' && !LABEL.test(name)) throw noFolder(name);
    const folder = name === '' ? '' : `${name}/`;
    const json: Part[] = [];
    const yaml: Part[] = [];
    for (const { place, changes } of pieces.get(name)!) {
      if (changes !== undefined)
        json.push(changed(place, await readPlace(place, byPath), changes), LINE_FEED);
      else if (place.format === 'json') json.push(place, LINE_FEED);
      else yaml.push(...(await asNextDocument(place, byPath)));
    }
    if (json.length > 0) yield fileOf(`${folder}catalog.json`, json, byPath);
    if (yaml.length > 0) yield fileOf(`${folder}catalog.yaml`, yaml, byPath);
  }
}

type Files = ReadonlyMap<string, CatalogFile>;

function fileOf(path: string, parts: readonly Part[], files: Files): WrittenFile {
  const size = parts.reduce((sum, part) => sum + sizeOf(part), 0);
  return { path, size, read: () => partsOf(parts, files) };
}

function sizeOf(part: Part): number {
  return part instanceof Uint8Array ? part.length : part.end - part.start;
}

async function* partsOf(parts: readonly Part[], files: Files): AsyncGenerator<Uint8Array> {
  for (const part of parts)
    if (part instanceof Uint8Array) yield part;
    else yield* documentAt(part, files);
}

/** @throws BundleError CONTENT_MISMATCH for a file that has become shorter; as reading it does */
async function* documentAt(place: DocumentPlace, files: Files): AsyncGenerator<Uint8Array> {
  const { file, start, end } = place;
  let read = 0;
  for await (const chunk of files.get(file)!.read({ start, end })) {
    read += chunk.length;
    yield chunk;
  }
  if (read === end - start) return;
  throw new BundleError('CONTENT_MISMATCH', `${nameOf(place)} has changed since it was read`, {
    expected: `${end - start} bytes`,
    got: `${read} bytes`,
    hint: 'Something writes into the catalog: try again when it is done.',
  });
}

function nameOf({ file, index }: DocumentPlace): string {
  return `document ${index + 1} of ${oneLine(file)}`;
}

const LINE_FEED = Buffer.from('\n');

/** The documents of each package, in the order in which OLM writes them. */
function piecesOf(result: FilterResult): ReadonlyMap<string, readonly Piece[]> {
  const pieces = new Map<string, Piece[]>();
  const add = (name: string, piece: Piece): void => {
    const known = pieces.get(name);
    if (known === undefined) pieces.set(name, [piece]);
    else known.push(piece);
  };
  for (const { from, defaultChannel } of result.packages)
    add(from.name, {
      place: from.place,
      ...(defaultChannel !== from.defaultChannel && { changes: { defaultChannel } }),
    });
  for (const { from, entries } of sortedBy(result.channels, ({ from: own }) => own.name))
    add(from.package, {
      place: from.place,
      ...(entries.length !== from.entries.length && {
        changes: { entries: entries.map(({ name }) => name) },
      }),
    });
  for (const { bundle } of result.bundles) add(bundle.package, { place: bundle.place });
  for (const { from, entries } of result.deprecations)
    add(from.package, {
      place: from.place,
      ...(entries.length !== from.entries.length && {
        changes: { entries: entries.map(({ schema, name }) => `${schema} ${name}`) },
      }),
    });
  for (const { package: name, place } of result.others) add(name, { place });
  return pieces;
}

function sortedBy<T>(items: readonly T[], name: (item: T) => string): readonly T[] {
  return items.toSorted((a, b) => compareText(name(a), name(b)));
}

async function readPlace(place: DocumentPlace, files: Files): Promise<Uint8Array> {
  return readAll(documentAt(place, files), MAX_CATALOG_DOCUMENT_BYTES, nameOf(place));
}

/**
 * The document with another default channel, or with some of its entries. Entries themselves stay
 * as they are; so do all other keys, in their order.
 */
function changed(place: DocumentPlace, bytes: Uint8Array, changes: JsonObject): Uint8Array {
  const document = readDocument({ ...place, bytes });
  const left = new Set(Object.keys(changes));
  const entries = Object.entries(document).map(([key, value]): readonly [string, Json] => {
    const own = [...left].find((name) => folded(name) === folded(key));
    if (own === undefined) return [key, value];
    left.delete(own);
    const change = changes[own]!;
    return [key, Array.isArray(change) ? entriesNamed(value, change as readonly Json[]) : change];
  });
  const added = [...left].map((name): readonly [string, Json] => [name, changes[name]!]);
  return Buffer.from(JSON.stringify(Object.fromEntries([...entries, ...added]), null, INDENT));
}

/** Entries of a channel by their name, or of deprecations by what they are about. */
function entriesNamed(value: Json, names: readonly Json[]): Json {
  const kept = new Set(names);
  const list = Array.isArray(value) ? (value as readonly Json[]) : [];
  return list.filter((entry) => kept.has(keyOf(entry)));
}

function keyOf(entry: Json): string {
  const find = (object: Json | undefined, name: string): Json | undefined =>
    isObject(object)
      ? Object.entries(object).find(([key]) => folded(key) === folded(name))?.[1]
      : undefined;
  const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
  const reference = find(entry, 'reference');
  return reference === undefined
    ? text(find(entry, 'name'))
    : `${text(find(reference, 'schema'))} ${text(find(reference, 'name'))}`;
}

/** A document of YAML behind others: it begins with a line of dashes, and ends a line. */
async function asNextDocument(place: DocumentPlace, files: Files): Promise<readonly Part[]> {
  const { start, end } = place;
  const first = await readPlace({ ...place, end: Math.min(end, start + 4) }, files);
  const last = await readPlace({ ...place, start: Math.max(start, end - 1) }, files);
  const text = Buffer.from(first).toString('latin1');
  return [
    ...(/^---(?:\s|$)/.test(text) ? [] : [Buffer.from('---\n')]),
    place,
    ...(last.at(-1) === LINE_FEED[0] ? [] : [LINE_FEED]),
  ];
}

function noFolder(name: string): BundleError {
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `a package has a name that is none: ${oneLine(name)}`,
    {
      expected: 'lower-case letters, digits and dashes',
      hint: 'OLM refuses this catalog. bundle catalog check says all that is wrong with it.',
    },
  );
}
