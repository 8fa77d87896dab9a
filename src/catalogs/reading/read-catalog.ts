import type { ByteStream } from '../../core/bytes.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { MAX_CATALOG_DOCUMENTS } from '../../core/limits.ts';
import { oneLine } from '../../core/text.ts';
import type {
  Catalog,
  CatalogBundle,
  CatalogChannel,
  CatalogDeprecations,
  CatalogPackage,
  OtherDocument,
} from '../catalog.ts';
import { documentsOf, readDocument } from './documents.ts';
import {
  field,
  folded,
  objectField,
  objectsField,
  textField,
  textsField,
  WrongField,
} from './fields.ts';
import { readProperties } from './properties.ts';
import { badDocument, type DocumentPlace, type RawDocument } from './raw-document.ts';

/** A file of a catalog. */
export interface CatalogFile {
  /** Its path in the catalog. */
  readonly path: string;
  /** Its bytes, or those of a document. A chunk is good until the next one is asked for. */
  readonly read: (range?: { readonly start: number; readonly end: number }) => ByteStream;
}

/** The fields that place a document in its catalog. */
const META = ['schema', 'package', 'name'] as const;

/**
 * Reads a catalog, whatever its layout: each file is a stream of documents.
 * @throws BundleError UNSUPPORTED_CONTENT naming the file and the document
 */
export async function readCatalog(files: Iterable<CatalogFile>): Promise<Catalog> {
  const reader = new CatalogReader();
  for (const { path, read } of files)
    for await (const document of documentsOf(read(), path)) reader.add(document);
  return reader.catalog;
}

class CatalogReader {
  readonly #texts = new Map<string, string>();
  readonly #packages: CatalogPackage[] = [];
  readonly #channels: CatalogChannel[] = [];
  readonly #bundles: CatalogBundle[] = [];
  readonly #deprecations: CatalogDeprecations[] = [];
  readonly #others: OtherDocument[] = [];
  #count = 0;

  get catalog(): Catalog {
    return {
      packages: this.#packages,
      channels: this.#channels,
      bundles: this.#bundles,
      deprecations: this.#deprecations,
      others: this.#others,
    };
  }

  add(document: RawDocument): void {
    this.#count += 1;
    if (this.#count > MAX_CATALOG_DOCUMENTS)
      throw badDocument(document, `is one more than ${MAX_CATALOG_DOCUMENTS} of a catalog`);
    const { file, index, start, end, format } = document;
    const place: DocumentPlace = { file: this.#shared(file), index, start, end, format };
    const object = readDocument(document);
    refuseSpellings(object, document);
    try {
      this.#take(object, place);
    } catch (error) {
      if (!(error instanceof WrongField)) throw error;
      const words = META.map((key) => field(object, key)).filter(isText);
      const what = words.length === 0 ? '' : `(${oneLine(words.join(' '))}) `;
      throw badDocument(document, `${what}is refused: ${error.message}`);
    }
  }

  #take(object: JsonObject, place: DocumentPlace): void {
    const [schema, ofPackage, name] = META.map((key) => {
      if (field(object, key) === null) throw new WrongField(`${key} is no text`);
      return this.#shared(textField(object, key));
    }) as [string, string, string];
    switch (schema) {
      case 'olm.package':
        this.#packages.push({ name, defaultChannel: textField(object, 'defaultChannel'), place });
        break;
      case 'olm.channel':
        this.#channels.push({
          name,
          package: ofPackage,
          entries: objectsField(object, 'entries').map((entry) => ({
            name: this.#shared(textField(entry, 'name')),
            replaces: this.#shared(textField(entry, 'replaces')),
            skips: textsField(entry, 'skips').map((skip) => this.#shared(skip)),
            skipRange: this.#shared(textField(entry, 'skipRange')),
          })),
          place,
        });
        break;
      case 'olm.bundle':
        this.#bundles.push({
          name,
          package: ofPackage,
          image: this.#shared(textField(object, 'image')),
          relatedImages: objectsField(object, 'relatedImages').map((related) => ({
            name: this.#shared(textField(related, 'name')),
            image: this.#shared(textField(related, 'image')),
          })),
          ...readProperties(objectsField(object, 'properties'), (text) => this.#shared(text)),
          place,
        });
        break;
      case 'olm.deprecations':
        this.#deprecations.push({
          package: ofPackage,
          entries: objectsField(object, 'entries').map((entry) => {
            const reference = objectField(entry, 'reference');
            return {
              schema: this.#shared(textField(reference, 'schema')),
              name: this.#shared(textField(reference, 'name')),
              message: textField(entry, 'message'),
            };
          }),
          place,
        });
        break;
      case '':
        throw new WrongField('schema is missing');
      default:
        this.#others.push({ schema, package: ofPackage, name, place });
    }
  }

  /** Names and images are repeated from bundle to bundle: each is in memory once. */
  #shared(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    this.#texts.set(text, text);
    return text;
  }
}

function isText(value: Json | undefined): value is string {
  return typeof value === 'string' && value !== '';
}

/** Two spellings of one key at the top are refused by OLM, which cannot tell which one is meant. */
function refuseSpellings(object: JsonObject, document: RawDocument): void {
  const seen = new Map<string, string>();
  for (const key of Object.keys(object)) {
    const other = seen.get(folded(key));
    if (other !== undefined)
      throw badDocument(document, `has the key ${oneLine(other)} a second time as ${oneLine(key)}`);
    seen.set(folded(key), key);
  }
}
