import { utf8 } from '../../core/bytes.ts';
import { BundleError } from '../../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import { MAX_SOURCE_TEMPLATE_BYTES } from '../../core/limits.ts';
import { nearest, oneLine } from '../../core/text.ts';
import { readGivenFile } from '../../files/small-file.ts';
import type { SourceTemplate } from '../resource-file.ts';
import { parseAllDocuments } from '../../yaml/documents.ts';

const API_VERSION = 'operators.coreos.com/v1alpha1';
const KIND = 'CatalogSource';

const KEYS = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];

const TEXT = { what: 'a text', is: (value: Json): boolean => typeof value === 'string' };
const MAPPING = { what: 'a mapping', is: isObject };
/** Of the specification, as its definition has them. */
const SPEC: Readonly<Record<string, { what: string; is: (value: Json) => boolean }>> = {
  address: TEXT,
  configMap: TEXT,
  description: TEXT,
  displayName: TEXT,
  grpcPodConfig: MAPPING,
  icon: {
    what: 'a mapping of base64data and mediatype, both texts',
    is: (value) =>
      isObject(value) &&
      typeof value['base64data'] === 'string' &&
      typeof value['mediatype'] === 'string' &&
      Object.keys(value).length === 2,
  },
  image: TEXT,
  priority: {
    what: 'a whole number of 32 bits',
    is: (value) => Number.isInteger(value) && Math.abs(value as number) < 2 ** 31,
  },
  publisher: TEXT,
  runAsRoot: { what: 'true or false', is: (value) => typeof value === 'boolean' },
  secrets: {
    what: 'a list of texts',
    is: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
  },
  sourceType: TEXT,
  updateStrategy: MAPPING,
};
/** A part of a key of a label or annotation, and the value of a label. */
const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/**
 * What a cluster and oc put into an object. The first one tells a cluster that the object is one of
 * its own, which it deletes when its own are turned off.
 */
const NOT_OF_THE_AUTHOR = [
  'operatorframework.io/managed-by',
  'kubectl.kubernetes.io/last-applied-configuration',
];

/**
 * A file with a CatalogSource, of which labels, annotations and specification are taken: its name,
 * its namespace and its image are replaced.
 * @throws BundleError NOT_FOUND, DISK; CONFIGURATION saying what is wrong with it
 */
export async function readTemplateFile(path: string): Promise<SourceTemplate> {
  const bytes = await readGivenFile(path, MAX_SOURCE_TEMPLATE_BYTES, 'the template');
  let documents: readonly unknown[];
  try {
    documents = parseAllDocuments(utf8(bytes)).map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS() as unknown;
    });
  } catch (error) {
    const why = error instanceof Error ? oneLine(error.message.split('\n')[0] ?? '') : '';
    throw wrong(path, `it is no YAML: ${why}`, { cause: error });
  }
  const [document, ...others] = documents.filter((one) => one !== null);
  if (document === undefined) throw wrong(path, 'it is empty');
  if (others.length > 0)
    throw wrong(path, `it has ${others.length + 1} documents`, {
      hint: 'Keep the CatalogSource alone.',
    });
  return templateOf(document as Json, path);
}

/**
 * @param name of the file, or what else the template is from, for messages.
 * @throws BundleError CONFIGURATION
 */
function templateOf(document: Json, name: string): SourceTemplate {
  if (!isObject(document)) throw wrong(name, 'it is no mapping');
  refuseUnknown(document, KEYS, { name, where: KIND });
  for (const [key, expected] of [
    ['apiVersion', API_VERSION],
    ['kind', KIND],
  ] as const)
    if (document[key] !== expected)
      throw wrong(name, `its ${key} is ${shown(document[key])}`, { expected });
  const metadata = mappingAt(document, 'metadata', name);
  return checkedTemplate(
    {
      labels: mappingAt(metadata, 'labels', name),
      annotations: without(mappingAt(metadata, 'annotations', name), NOT_OF_THE_AUTHOR),
      spec: mappingAt(document, 'spec', name),
    },
    name,
  );
}

/**
 * A template out of its three mappings, which nobody has checked.
 * @throws BundleError CONFIGURATION
 */
export function checkedTemplate(
  { labels, annotations, spec }: Readonly<Record<'labels' | 'annotations' | 'spec', JsonObject>>,
  name: string,
): SourceTemplate {
  refuseUnknown(spec, Object.keys(SPEC), { name, where: 'spec' });
  for (const [key, value] of Object.entries(spec)) {
    const { what, is } = SPEC[key]!;
    if (!is(value)) throw wrong(name, `spec.${key} is ${shown(value)}`, { expected: what });
  }
  const { sourceType = '', configMap = '' } = spec;
  if (sourceType !== '' && sourceType !== 'grpc')
    throw wrong(name, `spec.sourceType is ${shown(sourceType)}`, { expected: 'grpc, or none' });
  if (configMap !== '')
    throw wrong(name, 'spec.configMap names a catalog that is no image', {
      hint: 'Leave it out.',
    });
  const odd = oddValue(spec, 'spec');
  if (odd !== undefined) throw wrong(name, `${odd} is a value that JSON does not have`);
  return {
    labels: texts(labels, 'labels', name),
    annotations: texts(annotations, 'annotations', name),
    spec: without(spec, ['image', 'sourceType', 'configMap']),
  };
}

/**
 * A catalog that was made here has no cache of opm: OLM would wait for it without end.
 * @throws BundleError CONFIGURATION
 */
export function refuseCache({ spec }: SourceTemplate, reference: string): void {
  const { grpcPodConfig } = spec;
  const extract = isObject(grpcPodConfig) ? grpcPodConfig['extractContent'] : undefined;
  if (!isObject(extract) || extract['cacheDir'] === undefined) return;
  throw new BundleError(
    'CONFIGURATION',
    `the template for the catalog ${reference} asks for its cache, and a filtered catalog has none`,
    {
      subject: 'spec.grpcPodConfig.extractContent.cacheDir',
      hint:
        'Leave cacheDir out of it, or extractContent where the cluster is older than 4.20; or ' +
        'carry the catalog as it is.',
    },
  );
}

function refuseUnknown(
  object: JsonObject,
  known: readonly string[],
  { name, where }: { readonly name: string; readonly where: string },
): void {
  const key = Object.keys(object).find((one) => !known.includes(one));
  if (key === undefined) return;
  const meant = nearest(key, known);
  throw wrong(name, `${where} has no field ${oneLine(key, 60)}`, {
    hint: meant === undefined ? `It has ${known.join(', ')}.` : `Did you mean ${meant}?`,
  });
}

function mappingAt(object: JsonObject, key: string, name: string): JsonObject {
  const value = object[key] ?? {};
  if (isObject(value)) return value;
  throw wrong(name, `${key} is ${shown(value)}`, { expected: 'a mapping' });
}

function texts(object: JsonObject, key: string, name: string): Readonly<Record<string, string>> {
  const odd = Object.entries(object).find(([, value]) => typeof value !== 'string');
  if (odd !== undefined)
    throw wrong(name, `${oneLine(odd[0], 60)} of ${key} is ${shown(odd[1])}`, {
      expected: 'a text, in quotes where it looks like a number',
    });
  const entries = object as Readonly<Record<string, string>>;
  for (const [own, value] of Object.entries(entries)) {
    const [last = '', prefix, ...more] = own.split('/').reverse();
    const isKey =
      NAME.test(last) && (prefix === undefined || PREFIX.test(prefix)) && more.length === 0;
    if (isKey && (key !== 'labels' || value === '' || NAME.test(value))) continue;
    throw wrong(name, `${oneLine(own, 60)}: ${shown(value)} can be none of its ${key}`, {
      expected: 'letters, digits, dots, dashes and underscores, up to 63, as Kubernetes has it',
    });
  }
  return entries;
}

function without<T extends JsonObject>(object: T, keys: readonly string[]): T {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key))) as T;
}

/** YAML has numbers that are none in JSON. */
function oddValue(value: Json | undefined, path: string): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : path;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, own] of Object.entries(value)) {
    const odd = oddValue(own, `${path}.${key}`);
    if (odd !== undefined) return odd;
  }
  return undefined;
}

function shown(value: Json | undefined): string {
  return value === undefined ? 'missing' : oneLine(JSON.stringify(value), 60);
}

function wrong(
  name: string,
  what: string,
  more: { readonly expected?: string; readonly hint?: string; readonly cause?: unknown } = {},
): BundleError {
  return new BundleError('CONFIGURATION', `no template of a CatalogSource: ${name}: ${what}`, {
    subject: name,
    hint: `A template is a CatalogSource (${API_VERSION}); its name and its image are replaced.`,
    ...more,
  });
}
