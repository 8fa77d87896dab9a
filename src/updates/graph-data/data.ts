import { BundleError } from '../../core/errors.ts';
import {
  asArray,
  asObject,
  asString,
  isObject,
  type Json,
  type JsonObject,
  parseStrictJson,
} from '../../core/json.ts';
import { compareText, oneLine } from '../../core/text.ts';
import { parse } from '../../yaml/documents.ts';
import type { GraphDataFiles } from './files.ts';

/** What update services (Cincinnati) decide with, beside the releases themselves. */
export interface GraphData {
  /** Of its form. */
  readonly version: string;
  /** The releases of each channel; some with their architecture: `4.3.29+s390x`. */
  readonly channels: ReadonlyMap<string, readonly string[]>;
  /** In the order of their files. */
  readonly blocks: readonly Block[];
  /** Updates that are added or taken out by hand, by the version that they lead to. */
  readonly previous: ReadonlyMap<string, Previous>;
}

/** Updates to a release that are not possible, or are a risk. */
export interface Block {
  /** The release that they lead to; with an architecture for that one alone. */
  readonly to: string;
  /** Fits somewhere in the version that they lead from, with its architecture: `4.11.9+amd64`. */
  readonly from: RegExp;
  /** `undefined` where they are not possible at all. As the service has it, but for its rules. */
  readonly risk: BlockRisk | undefined;
}

export interface BlockRisk {
  readonly url: string;
  readonly name: string;
  readonly message: string;
  readonly matchingRules: Json;
}

export interface Previous {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

const RISK_KEYS = ['url', 'name', 'message', 'matchingRules'] as const;
const MAX_PATTERN = 4096;

/**
 * Reads graph data (version 1 of its form).
 * @throws BundleError UNSUPPORTED_CONTENT naming the file
 */
export function parseGraphData(files: GraphDataFiles): GraphData {
  const version = Buffer.from(files.get('version')!).toString().trim();
  if (!/^1\.\d+\.\d+$/.test(version)) {
    throw new BundleError('UNSUPPORTED_CONTENT', 'the graph data has a form that is not known', {
      expected: 'version 1',
      got: oneLine(version, 40),
      hint: 'Use a version of bundle that knows it.',
    });
  }
  const channels = new Map<string, readonly string[]>();
  const blocks: Block[] = [];
  for (const [path, bytes] of files) {
    if (path.startsWith('channels/')) {
      const document = yamlOf(path, bytes);
      channels.set(
        asString(document['name'], `the name in ${path}`),
        asArray(document['versions'], `the versions in ${path}`).map((entry) =>
          asString(entry, `a version in ${path}`),
        ),
      );
    }
    if (path.startsWith('blocked-edges/')) blocks.push(blockOf(path, yamlOf(path, bytes)));
  }
  return { version, channels, blocks, previous: previousIn(files.get('raw/metadata.json')) };
}

function blockOf(path: string, document: JsonObject): Block {
  const text = asString(document['from'], `from in ${path}`);
  const to = asString(document['to'], `to in ${path}`);
  const isRisk = RISK_KEYS.some((key) => document[key] !== undefined);
  return { to, from: patternOf(path, text), risk: isRisk ? riskOf(path, document) : undefined };
}

function riskOf(path: string, document: JsonObject): BlockRisk {
  const words = (key: string): string => asString(document[key], `${key} in ${path}`);
  const { matchingRules } = document;
  asArray(matchingRules, `matchingRules in ${path}`);
  return {
    ...{ url: words('url'), name: words('name'), message: words('message') },
    matchingRules: matchingRules!,
  };
}

function patternOf(path: string, text: string): RegExp {
  try {
    if (text.length <= MAX_PATTERN) return new RegExp(text);
  } catch (cause) {
    throw unreadable(path, `from is no pattern: ${oneLine(text, 100)}`, cause);
  }
  throw unreadable(path, `from has more than ${MAX_PATTERN} characters`);
}

/** Every scalar is text: a version such as `4.10` is no number. */
function yamlOf(path: string, bytes: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = parse(Buffer.from(bytes).toString(), { schema: 'failsafe' });
  } catch (cause) {
    throw unreadable(path, 'it is no YAML', cause);
  }
  return asObject(value as Json, path);
}

const PREFIX = 'io.openshift.upgrades.graph.previous.';

function previousIn(bytes: Uint8Array | undefined): ReadonlyMap<string, Previous> {
  const previous = new Map<string, Previous>();
  if (bytes === undefined) return previous;
  const document = asObject(parseStrictJson(bytes, 'raw/metadata.json'), 'raw/metadata.json');
  for (const [version, metadata] of Object.entries(document)) {
    if (!isObject(metadata)) throw unreadable('raw/metadata.json', `${version} is no object`);
    const list = (key: string): readonly string[] =>
      asString(metadata[`${PREFIX}${key}`] ?? '', `${key} of ${version}`)
        .split(',')
        .flatMap((entry) => entry.trim() || []);
    previous.set(version, { added: list('add'), removed: list('remove') });
  }
  return previous;
}

function unreadable(path: string, why: string, cause?: unknown): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `the graph data cannot be read: ${path}: ${why}`, {
    cause,
    hint: 'Fetch the graph data again; if it stays so, tell its publisher.',
  });
}

/** The channels that have a release, sorted. */
export function channelsOf(
  { channels }: GraphData,
  version: string,
  architecture: string,
): readonly string[] {
  const has = (versions: readonly string[]): boolean =>
    versions.includes(version) || versions.includes(`${version}+${architecture}`);
  return [...channels]
    .flatMap(([name, versions]) => (has(versions) ? name : []))
    .toSorted(compareText);
}
