import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { parse, stringify } from 'yaml';
import { type ByteStream, readAll } from '../../src/core/bytes.ts';
import {
  asArray,
  asObject,
  asString,
  type Json,
  type JsonObject,
  parseStrictJson,
} from '../../src/core/json.ts';
import { MAX_PAYLOAD_FILE_BYTES } from '../../src/core/limits.ts';
import { CREATED, CREATED_SECONDS } from './created.ts';
import { type Layer, textLayer } from './layer.ts';
import { projectPath } from './project-root.ts';
import type { TarEntry } from './tar.ts';

/** What lists the images that machines boot from; the real one has none for KubeVirt. */
export const BOOT_IMAGES = '0000_50_installer_coreos-bootimages.yaml';

const TOP_LAYER = projectPath(
  'fixtures',
  'release-4.12.0',
  '5b2ca04f694b70c8b41f1c2a40b7e95643181a1d037b115149ecc243324c513d',
);

/** A made component: what a tag of image-references will say. */
export interface NamedComponent {
  readonly name: string;
  /** Canonical reference by digest. */
  readonly reference: string;
}

/** What release-metadata says beside the version. */
export interface PayloadMetadata {
  /** Releases that can be updated to this one; those of the real 4.12.0 if left out. */
  readonly previous?: readonly string[] | undefined;
  readonly url?: string;
  readonly 'release.openshift.io/architecture'?: string;
}

/** References of KubeVirt images, by the names that releases use for architectures. */
export type KubeVirtReferences = ReadonlyMap<string, string>;

/** The `release-manifests/` of the real 4.12.0, to be told of another release. */
export class Payload {
  readonly #files: ReadonlyMap<string, Uint8Array>;
  readonly #references: JsonObject;

  private constructor(files: ReadonlyMap<string, Uint8Array>) {
    this.#files = files;
    this.#references = parsed(files, 'image-references');
  }

  static async read(): Promise<Payload> {
    const files = new Map<string, Uint8Array>();
    const entries = extract();
    entries.end(gunzipSync(await readFile(TOP_LAYER)));
    for await (const entry of entries) {
      const bytes = await readAll(entry as ByteStream, MAX_PAYLOAD_FILE_BYTES, entry.header.name);
      if (entry.header.type === 'file') files.set(entry.header.name, bytes);
    }
    return new Payload(files);
  }

  /**
   * Names of the first `count` components, in the order of image-references; those beyond the real
   * ones are made up.
   * @throws RangeError for a count that is not a positive integer.
   */
  componentNames(count = this.#tags.length): readonly string[] {
    if (!Number.isSafeInteger(count) || count < 1)
      throw new RangeError(`not a number of components: ${count}`);
    const real = this.#tags.map(({ name }) => asString(name, 'name'));
    return Array.from({ length: count }, (_, index) => real[index] ?? `component-${index + 1}`);
  }

  /**
   * The top layer of a release image that consists of the given components, named as {@link
   * componentNames} does.
   */
  layer(
    version: string,
    components: readonly NamedComponent[],
    { previous, ...metadata }: PayloadMetadata,
    kubeVirt: KubeVirtReferences = new Map(),
  ): Layer {
    const files = new Map(this.#files);
    if (kubeVirt.size > 0) files.set(pathOf(BOOT_IMAGES), bootImages(files, kubeVirt));
    files.set(pathOf('image-references'), json(this.#imageReferences(version, components)));
    const old = parsed(this.#files, 'release-metadata');
    files.set(
      pathOf('release-metadata'),
      json({
        ...old,
        version,
        ...(previous !== undefined && { previous }),
        metadata: { ...asObject(old['metadata'], 'metadata'), ...metadata },
      }),
    );
    return textLayer([
      folder('release-manifests'),
      ...[...files].map(([name, bytes]) => file(name, bytes)),
    ]);
  }

  #imageReferences(version: string, components: readonly NamedComponent[]): JsonObject {
    const real = this.#tags;
    const tags = components.map(({ name, reference }, at) => {
      const tag = real[at % real.length]!;
      return { ...tag, name, from: { ...asObject(tag['from'], 'from'), name: reference } };
    });
    const metadata = {
      ...asObject(this.#references['metadata'], 'metadata'),
      name: version,
      creationTimestamp: CREATED,
    };
    return {
      ...this.#references,
      metadata,
      spec: { ...asObject(this.#references['spec'], 'spec'), tags },
    };
  }

  get #tags(): readonly JsonObject[] {
    return asArray(asObject(this.#references['spec'], 'spec')['tags'], 'tags').map((tag) =>
      asObject(tag, 'tag'),
    );
  }
}

/** The config map of the real release, with these images in its stream. */
function bootImages(
  files: ReadonlyMap<string, Uint8Array>,
  kubeVirt: KubeVirtReferences,
): Uint8Array {
  const text = Buffer.from(files.get(pathOf(BOOT_IMAGES))!).toString('utf8');
  const map = asObject(parse(text) as Json, BOOT_IMAGES);
  const data = asObject(map['data'], 'data');
  const stream = asObject(
    parseStrictJson(Buffer.from(asString(data['stream'], 'stream')), 'stream'),
    'stream',
  );
  const architectures = asObject(stream['architectures'], 'architectures');
  const added = [...kubeVirt].map(([architecture, reference]) => {
    const own = asObject(architectures[architecture], architecture);
    const [image] = reference.split('@');
    const disk = { release: '412.86.0', image: `${image}:rhcos-kubevirt`, 'digest-ref': reference };
    return [architecture, { ...own, images: { kubevirt: disk } }] as const;
  });
  const all = { ...architectures, ...Object.fromEntries(added) };
  const told = `${JSON.stringify({ ...stream, architectures: all }, null, 2)}\n`;
  return Buffer.from(stringify({ ...map, data: { ...data, stream: told } }, { lineWidth: 0 }));
}

function pathOf(name: string): string {
  return `release-manifests/${name}`;
}

function parsed(files: ReadonlyMap<string, Uint8Array>, name: string): JsonObject {
  return asObject(parseStrictJson(files.get(pathOf(name)) ?? Buffer.alloc(0), name), name);
}

function json(value: JsonObject): Uint8Array {
  return Buffer.from(JSON.stringify(value, null, 2));
}

function folder(name: string): TarEntry {
  return { name, type: 'directory', size: 0, mode: 0o777, mtime: CREATED_SECONDS, content: [] };
}

function file(name: string, bytes: Uint8Array): TarEntry {
  return {
    name,
    type: 'file',
    size: bytes.length,
    mode: 0o444,
    mtime: CREATED_SECONDS,
    content: [bytes],
  };
}
