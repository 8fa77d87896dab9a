import type { Descriptor } from '../../core/descriptor.ts';
import { BundleError } from '../../core/errors.ts';
import type { Observe } from '../../core/events.ts';
import {
  asObject,
  isObject,
  type Json,
  type JsonObject,
  parseStrictJson,
} from '../../core/json.ts';
import { MAX_MANIFEST_BYTES } from '../../core/limits.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import { oneLine } from '../../core/text.ts';
import { readVerified, twiceIfWrong } from '../../transfer/verified.ts';

/** Where the documents of a catalog are in its image. */
export const CONFIGS_LABEL = 'operators.operatorframework.io.index.configs.v1';
/** Catalogs before 2021 were databases. */
const DATABASE_LABEL = 'operators.operatorframework.io.index.database.v1';

/** What the config of a catalog image says. */
export interface CatalogConfig {
  readonly document: JsonObject;
  /** The folder of the documents, without slashes around it: `configs`. */
  readonly configs: string;
  /** The folder of opm's cache, if the image is started with one. */
  readonly cache: string | undefined;
  /** Whether it says what is started. An image of documents alone does not. */
  readonly isRunnable: boolean;
}

/**
 * Reads the config of an image, and finds its catalog.
 * @throws BundleError UNSUPPORTED_CONTENT for an image that is no catalog, or an old one
 */
export async function readCatalogConfig(
  config: Descriptor,
  {
    store,
    signal,
    observe,
  }: { readonly store: ReadOnlyStore; readonly signal: AbortSignal; readonly observe: Observe },
): Promise<CatalogConfig> {
  if (config.size > MAX_MANIFEST_BYTES)
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `its config has more than ${MAX_MANIFEST_BYTES} bytes`,
    );
  const read = async (): Promise<Uint8Array> =>
    readVerified(store.fetch(config, { signal }), config);
  const bytes = await twiceIfWrong(store, read, config.digest, observe);
  const document = asObject(parseStrictJson(bytes, 'its config'), 'its config');
  const own = isObject(document['config']) ? document['config'] : {};
  const labels = isObject(own['Labels']) ? own['Labels'] : {};
  const configs = labels[CONFIGS_LABEL];
  if (typeof configs !== 'string') throw noCatalog(DATABASE_LABEL in labels);
  const isRunnable = ['Entrypoint', 'Cmd'].some((key) => {
    const words = own[key];
    return Array.isArray(words) && words.length > 0;
  });
  return { document, configs: folderIn(configs), cache: cacheOf(own), isRunnable };
}

function folderIn(label: string): string {
  const parts = label.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length > 0 && !parts.includes('..')) return parts.join('/');
  throw new BundleError(
    'UNSUPPORTED_CONTENT',
    `its label ${CONFIGS_LABEL} names no folder of its own: ${oneLine(label)}`,
    { hint: 'Check that this is the image of a catalog: opm makes them with /configs.' },
  );
}

function cacheOf(config: JsonObject): string | undefined {
  const words = ['Entrypoint', 'Cmd'].flatMap((key) => {
    const list = config[key];
    return Array.isArray(list) ? (list as readonly Json[]) : [];
  });
  for (const [index, word] of words.entries()) {
    if (typeof word !== 'string' || !word.startsWith('--cache-dir')) continue;
    const value = word.includes('=') ? word.slice(word.indexOf('=') + 1) : words[index + 1];
    if (typeof value === 'string')
      return value
        .split('/')
        .filter((part) => part !== '' && part !== '.')
        .join('/');
  }
  return undefined;
}

function noCatalog(isDatabase: boolean): BundleError {
  return isDatabase
    ? new BundleError('UNSUPPORTED_CONTENT', 'it is a catalog of the old sort, a SQLite database', {
        expected: `an image with the label ${CONFIGS_LABEL}`,
        got: `one with the label ${DATABASE_LABEL}`,
        hint:
          'Take a newer tag: catalogs for OpenShift 4.11 and later are file-based. Your own you ' +
          'can convert with opm migrate.',
      })
    : new BundleError('UNSUPPORTED_CONTENT', 'it is no catalog of operators', {
        expected: `an image with the label ${CONFIGS_LABEL}`,
        got: 'an image without it',
        hint: 'Check the name, as in registry.redhat.io/redhat/redhat-operator-index:v4.17.',
      });
}
