import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, digestOf, hexOf, parseDigest } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { asArray, asString, type JsonObject } from '../../core/json.ts';
import { MAX_GRAPH_BYTES } from '../../core/limits.ts';
import { isIndexType } from '../../core/media-types.ts';
import { parseReference, type Reference } from '../../core/reference.ts';
import { shownUrl } from '../../core/text.ts';
import { fetchVerified } from '../../transfer/verified.ts';
import { type GraphData, parseGraphData } from '../../updates/graph-data/data.ts';
import {
  type GraphDataFiles,
  readGraphDataTar,
  readGraphFile,
} from '../../updates/graph-data/files.ts';
import type { BundleFiles, FindOptions, Found } from '../kind.ts';
import type { Sources } from '../sources.ts';
import { graphDataTar, readGraphDataOf } from './archive.ts';
import type { GraphPartRequest } from './request.ts';

/** Graph data, and the image that it is laid onto: everything else follows from them. */
export interface GraphSeed {
  /** Of {@link archive}. */
  readonly digest: Digest;
  /** The graph data in the form of a bundle. */
  readonly archive: Uint8Array;
  readonly files: GraphDataFiles;
  readonly data: GraphData;
  readonly base: Reference & { readonly digest: Digest };
  /** The base image, if it is an index. */
  readonly baseIndex: Uint8Array | undefined;
  /** As its store gives it; fetched if it is left out. */
  readonly baseDescriptor?: Descriptor;
  readonly architectures: readonly string[];
}

/** The files of a part in a bundle. */
export function pathsOf({ digest, base }: Pick<GraphSeed, 'digest' | 'base'>): {
  readonly data: string;
  readonly baseIndex: string;
} {
  const short = (of: Digest): string => hexOf(of).slice(0, 16);
  return {
    data: `graph/graph-data-${short(digest)}.tar`,
    baseIndex: `graph/base-${short(base.digest)}.json`,
  };
}

/**
 * Fetches graph data and settles the digest of the base image.
 * @throws BundleError NOT_FOUND, USAGE, UNSUPPORTED_CONTENT, CONTENT_MISMATCH, and of the network
 */
export async function findGraph(
  { data: where, base: asked, architectures, expected }: GraphPartRequest,
  sources: Sources,
  { signal, observe }: FindOptions,
): Promise<Found<GraphSeed>> {
  observe({ type: 'phase', what: 'reading the graph data' });
  const files = typeof where === 'string' ? await filesAt(where, sources) : where;
  const data = parseGraphData(files);
  const archive = graphDataTar(files);
  const digest = digestOf(archive);
  if (expected !== undefined && digest !== expected) throw changed(expected, digest);
  const named = parseReference(asked);
  const { registry, repository } = named;
  const root = sources.source({ registry, repository });
  const baseDescriptor = await root.resolve(named.digest ?? named.tag ?? 'latest', { signal });
  const base = { registry, repository, digest: baseDescriptor.digest };
  const baseIndex = isIndexType(baseDescriptor.mediaType)
    ? await fetchVerified(root, baseDescriptor, { signal, observe })
    : undefined;
  return {
    seed: { digest, archive, files, data, base, baseIndex, baseDescriptor, architectures },
    content: { root, storeOf: (name) => sources.source(name) },
  };
}

function changed(expected: Digest, got: Digest): BundleError {
  return new BundleError('CONTENT_MISMATCH', 'the graph data are not those of the lock', {
    ...{ expected, got, subject: 'graph data' },
    hint:
      'An update service changes them often. Name a folder or a tarball that has them still with ' +
      '--graph-data, or write a new lock.',
  });
}

async function filesAt(where: string, sources: Sources): Promise<GraphDataFiles> {
  if (/^https?:\/\//i.test(where)) {
    const shown = shownUrl(where);
    if (!URL.canParse(where)) {
      throw new BundleError('USAGE', `not the URL of graph data: ${shown}`, {
        hint: 'Check the value of --graph-data.',
      });
    }
    const bytes = await sources.publicFile(where, MAX_GRAPH_BYTES).catch((error: unknown) => {
      throw unreachable(error);
    });
    if (bytes !== undefined) return readGraphDataTar(bytes, shown);
    throw new BundleError('NOT_FOUND', `there is no graph data at ${shown} (404)`, {
      hint: WAYS_OUT,
    });
  }
  const given = await readGraphFile(where);
  return given.files ?? readGraphDataTar(given.answer, where);
}

const WAYS_OUT =
  'Name a folder, a tarball or another URL with --graph-data; ' +
  'or leave the graph out with --no-graph-data.';

/** The failure of a host alone does not tell what was wanted of it. */
function unreachable(error: unknown): unknown {
  if (!hasCode(error, 'NETWORK') && !hasCode(error, 'REGISTRY')) return error;
  const { code, message, temporary } = error;
  return new BundleError(code, `the graph data cannot be fetched: ${message}`, {
    ...{ cause: error, temporary },
    hint: `${error.hint ?? ''} ${WAYS_OUT}`.trim(),
  });
}

const FOREIGN = 'This program did not make the bundle from this graph data: do not use it.';

/**
 * The row of graph data in `bundle.json`, and its files.
 * @throws BundleError CLOSURE_MISMATCH for files that are not those of the row, or none;
 * UNSUPPORTED_CONTENT, USAGE
 */
export async function readGraphSeed(claim: JsonObject, bundled: BundleFiles): Promise<GraphSeed> {
  const digest = parseDigest(claim['digest']);
  const {
    registry,
    repository,
    digest: baseDigest,
  } = parseReference(asString(claim['base'], 'base'));
  const base = { registry, repository, digest: parseDigest(baseDigest) };
  const architectures = asArray(claim['architectures'], 'architectures').map((entry) =>
    asString(entry, 'an architecture'),
  );
  const paths = pathsOf({ digest, base });
  const archive = bundled.get(paths.data);
  if (archive === undefined) throw foreign(`the bundle does not hold ${paths.data}`);
  if (digestOf(archive) !== digest) throw foreign(`${paths.data} is other graph data`);
  const baseIndex = bundled.get(paths.baseIndex);
  if (baseIndex !== undefined && digestOf(baseIndex) !== base.digest)
    throw foreign(`${paths.baseIndex} is another image`);
  const files = await readGraphDataOf(archive);
  return { digest, archive, files, data: parseGraphData(files), base, baseIndex, architectures };
}

function foreign(why: string): BundleError {
  return new BundleError('CLOSURE_MISMATCH', why, { hint: FOREIGN });
}
