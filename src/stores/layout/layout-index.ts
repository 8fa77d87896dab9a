import { join } from 'node:path';
import { streamOf } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { asArray, asObject, isObject, type JsonObject, parseStrictJson } from '../../core/json.ts';
import { MAX_LISTING_BYTES } from '../../core/limits.ts';
import { parseDescriptor } from '../../core/manifest.ts';
import { readSmallFile } from '../../files/small-file.ts';
import { ingest } from './ingest.ts';

/** The annotation that names an entry of index.json (OCI image-spec, annotations.md). */
const REF_NAME = 'org.opencontainers.image.ref.name';

interface Entry {
  /** The entry as it stands in the file: what other programs wrote there stays there. */
  readonly json: JsonObject;
  readonly descriptor: Descriptor;
  readonly name: string | undefined;
}

/**
 * Changes of one index.json that wait for each other, by its path: two stores may be open on one
 * folder.
 */
const changes = new Map<string, Promise<unknown>>();

/** `index.json` of an image layout: which manifests it holds, and how they are called. */
export class LayoutIndex {
  readonly #dir: string;
  readonly #path: string;

  /** @param dir absolute path of the layout. */
  constructor(dir: string) {
    this.#dir = dir;
    this.#path = join(dir, 'index.json');
  }

  /**
   * The entry with the given name or digest, or `undefined`. @throws BundleError
   * UNSUPPORTED_CONTENT when a name is given to two.
   */
  async find(reference: string): Promise<Descriptor | undefined> {
    const { entries } = await this.#read();
    const [named, ...others] = entries.filter(({ name }) => name === reference);
    const rival = others.find(({ descriptor }) => descriptor.digest !== named?.descriptor.digest);
    if (named && rival) {
      throw new BundleError(
        'UNSUPPORTED_CONTENT',
        `${this.#path} gives the name ${reference} to two manifests`,
        {
          expected: named.descriptor.digest,
          got: rival.descriptor.digest,
          hint: 'Name the manifest by its digest.',
        },
      );
    }
    return (named ?? entries.find(({ descriptor }) => descriptor.digest === reference))?.descriptor;
  }

  /** All names, each once. */
  async names(): Promise<readonly string[]> {
    const { entries } = await this.#read();
    return [...new Set(entries.flatMap(({ name }) => name ?? []))];
  }

  /** All that is listed; what has two names comes twice. */
  async descriptors(): Promise<readonly Descriptor[]> {
    const { entries } = await this.#read();
    return entries.map(({ descriptor }) => descriptor);
  }

  /** Adds a manifest without a name, unless it is listed. */
  async list(descriptor: Descriptor): Promise<void> {
    await this.#change((entries) =>
      entries.some((entry) => entry.descriptor.digest === descriptor.digest)
        ? entries
        : [...entries, entryOf(descriptor)],
    );
  }

  /** Lets `name` mean `descriptor` and nothing else. */
  async name(descriptor: Descriptor, name: string): Promise<void> {
    await this.#change((entries) => [
      ...entries.filter(
        (entry) =>
          entry.name !== name &&
          (entry.name !== undefined || entry.descriptor.digest !== descriptor.digest),
      ),
      entryOf(descriptor, name),
    ]);
  }

  async #change(edit: (entries: readonly Entry[]) => readonly Entry[]): Promise<void> {
    const apply = async (): Promise<void> => {
      const { document, entries } = await this.#read();
      const edited = edit(entries);
      if (edited === entries) return;
      const text = JSON.stringify({ ...document, manifests: edited.map(({ json }) => json) });
      await ingest(this.#dir, this.#path, streamOf(Buffer.from(text)));
    };
    const before = changes.get(this.#path) ?? Promise.resolve();
    const mine = before.then(apply, apply);
    changes.set(this.#path, mine);
    try {
      await mine;
    } finally {
      if (changes.get(this.#path) === mine) changes.delete(this.#path);
    }
  }

  async #read(): Promise<{ document: JsonObject; entries: readonly Entry[] }> {
    let bytes;
    try {
      bytes = await readSmallFile(this.#path, MAX_LISTING_BYTES);
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND')) throw error;
      throw new BundleError(
        'UNSUPPORTED_CONTENT',
        `${this.#dir} is not an image layout: it has no file index.json`,
        { cause: error },
      );
    }
    const document = asObject(parseStrictJson(bytes, this.#path), this.#path);
    const entries = asArray(document['manifests'], `manifests of ${this.#path}`).map(
      (value, at): Entry => {
        const what = `manifests[${at}] of ${this.#path}`;
        const json = asObject(value, what);
        const name = isObject(json['annotations']) ? json['annotations'][REF_NAME] : undefined;
        return {
          json,
          descriptor: parseDescriptor(json, what),
          name: typeof name === 'string' ? name : undefined,
        };
      },
    );
    return { document, entries };
  }
}

function entryOf({ mediaType, digest, size }: Descriptor, name?: string): Entry {
  const annotations = name === undefined ? undefined : { [REF_NAME]: name };
  return {
    json: { mediaType, digest, size, ...(annotations && { annotations }) },
    descriptor: { mediaType, digest, size },
    name,
  };
}
