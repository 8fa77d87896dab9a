import type { Context } from '../core/context.ts';
import type { Digest } from '../core/digest.ts';
import { digestOf } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { MAX_PAYLOAD_FILE_BYTES } from '../core/limits.ts';
import { formatRepository, parseReference } from '../core/reference.ts';
import { readBeside } from '../extracting/beside-tools.ts';
import {
  type ExtractedTools,
  extractTools,
  type ToolsRequest,
} from '../extracting/extract-tools.ts';
import type { OpenedRelease } from '../extracting/opened-release.ts';
import { readPayloadFile } from '../extracting/payload-file.ts';
import { isFolder as isFolderThere } from '../files/look.ts';
import { refuseTakenName, writeOnce } from '../files/write-once.ts';
import { selectParts } from '../kinds/closure.ts';
import { RELEASE } from '../kinds/release/expand.ts';
import { findRelease } from '../kinds/release/find.ts';
import {
  type ImageWalk,
  readReleaseImage,
  type ReleaseFacts,
} from '../kinds/release/payload/release-image.ts';
import type { ReleaseRequest } from '../kinds/release/request.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import { copyOrPatch } from '../opening/damaged.ts';
import type { OpenedFacts, OpenRequest } from '../opening/open-bundle.ts';
import { openToRead } from '../opening/open-to-read.ts';
import { ManifestWalker } from '../transfer/walk.ts';

/** A release in a bundle, or the image of one. */
export type ReleaseSource =
  | {
      readonly bundle: OpenRequest;
      /** Which release of several, by any of its names. */
      readonly select: readonly string[];
    }
  | {
      /** `from` names one image. */
      readonly release: ReleaseRequest & { readonly from: string };
      readonly network: NetworkOptions;
    };

/** What a report says about where a release came from. */
export interface ExtractedFrom {
  readonly release: ReleaseFacts;
  /** The release image that `openshift-install` asks for. */
  readonly pinned: string;
  /** Left out where it did not come from a bundle. */
  readonly bundle?: OpenedFacts | undefined;
}

export interface ExtractToolsReport extends ExtractedFrom {
  readonly tools: ExtractedTools;
}

export interface ExtractFileReport extends ExtractedFrom {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** The file that was written, if any. */
  readonly path: string | undefined;
  /** Whether it was written now: a file that holds the same bytes already is left alone. */
  readonly written: boolean;
}

/** Makes archives of the client programs of a release. @throws BundleError */
export async function extractToolsOf(
  source: ReleaseSource,
  request: ToolsRequest,
  context: Context,
): Promise<ExtractToolsReport> {
  if (await isFolderThere(request.folder)) await readBeside(request.folder);
  return withRelease(source, context, async (opened, from) => ({
    ...from,
    tools: await extractTools(opened, request, context),
  }));
}

/**
 * Reads a file of the payload of a release, and writes it, if a path is given.
 * @throws BundleError USAGE where another file has that path, and others.
 */
export async function extractFileOf(
  source: ReleaseSource,
  { name, path }: { readonly name: string; readonly path: string | undefined },
  context: Context,
): Promise<ExtractFileReport> {
  if (path !== undefined) await refuseTakenName(path, MAX_PAYLOAD_FILE_BYTES);
  return withRelease(source, context, async (opened, from) => {
    const bytes = await readPayloadFile(name, opened, context);
    const written = path === undefined ? true : await writeOnce(path, bytes);
    return { ...from, name, bytes, digest: digestOf(bytes), path, written };
  });
}

type Work<T> = (opened: OpenedRelease, from: ExtractedFrom) => Promise<T>;

async function withRelease<T>(source: ReleaseSource, context: Context, work: Work<T>): Promise<T> {
  const { lookups, signal, observe } = context;
  const walker = new ManifestWalker({ concurrency: lookups, signal });
  const walk: ImageWalk = { walker, signal, observe };
  return 'bundle' in source
    ? withBundled(source, { context, walk }, work)
    : withImage(source, { context, walk }, work);
}

interface Run {
  readonly context: Context;
  readonly walk: ImageWalk;
}

/** A release of a bundle whose signer is accepted, or which its publisher has signed. */
async function withBundled<T>(
  { bundle: open, select }: Extract<ReleaseSource, { readonly bundle: OpenRequest }>,
  { context, walk }: Run,
  work: Work<T>,
): Promise<T> {
  const { bundle, closure } = await openToRead(open, select, context);
  const { content, signer, standing } = bundle;
  try {
    if (standing === 'unknown') {
      context.observe({ type: 'noticed', code: 'signer-not-trusted', signer: signer.id });
    }
    const parts = selectParts(closure, select).parts.filter(({ kind }) => kind === RELEASE);
    const facts = onlyOne(parts.map((part) => part.facts as ReleaseFacts));
    const { digest, signatures, architecture, version, reference } = facts;
    const { registry, repository } = parseReference(reference);
    const seed = {
      ...{ digest, signatures, architecture, version },
      canonical: { registry, repository },
    };
    const place = { root: content, storeOf: () => content };
    const release = await readReleaseImage(seed, place, walk);
    const opened = { release, content: place, walk, pinned: reference };
    return await work(opened, {
      release: facts,
      pinned: reference,
      bundle: { ...bundle, closure },
    });
  } catch (error) {
    throw hasCode(error, 'CONTENT_MISMATCH') && error.side === 'source'
      ? error.withHint(copyOrPatch(open, bundle))
      : error;
  } finally {
    await bundle.close();
  }
}

function onlyOne(releases: readonly ReleaseFacts[]): ReleaseFacts {
  const [first, ...more] = releases;
  if (first !== undefined && more.length === 0) return first;
  const held = releases.map(({ version, architecture }) => `${version}-${architecture}`);
  if (first === undefined) {
    throw new BundleError('NOT_FOUND', 'the bundle holds no release', {
      hint: 'Name a bundle with a release in it.',
    });
  }
  throw new BundleError('USAGE', `the bundle holds several releases: ${held.join(', ')}`, {
    hint: `Choose one with --release, for example --release ${held.at(-1)!}.`,
  });
}

/** A release image at a registry or in a layout, with its signature checked as pack does it. */
async function withImage<T>(
  { release: request, network: options }: Extract<ReleaseSource, { readonly network: unknown }>,
  { context, walk }: Run,
  work: Work<T>,
): Promise<T> {
  const { now, signal, observe } = context;
  const network = await Network.open(options, context);
  try {
    const { seed, content } = await findRelease(request, network, { now, signal, observe });
    // The image says which architecture it is for.
    const release = await readReleaseImage({ ...seed, architecture: undefined }, content, walk);
    const { facts } = release;
    const pinned = isFolder(request.from)
      ? facts.reference
      : `${formatRepository(parseReference(request.from))}@${facts.digest}`;
    return await work({ release, content, walk, pinned }, { release: facts, pinned });
  } catch (error) {
    throw withMirrorHint(error, options);
  } finally {
    await network.close();
  }
}

/** A folder is no place that an installer could ask. */
function isFolder(from: string): boolean {
  return /^(?:oci|file|oc-mirror):/.test(from);
}

/**
 * A release image names its components at the registry that they were published in, which the
 * closed side cannot reach.
 */
function withMirrorHint(error: unknown, { mirrors, mirrorSetFiles }: NetworkOptions): unknown {
  const isAway = hasCode(error, 'NETWORK') || hasCode(error, 'NOT_ALLOWED');
  if (!isAway || mirrors.length + mirrorSetFiles.length > 0) return error;
  const hint = error.hint === undefined ? '' : `${error.hint} `;
  return error.withHint(
    `${hint}If the images are in a registry of yours, name the mirror set that unpack wrote for ` +
      'it, with --idms-file FILE.',
  );
}
