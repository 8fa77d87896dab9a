import { copyFile, cp, mkdir, open, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';

import { blobPath } from '../../src/bundle/format/paths.ts';
import type { Digest } from '../../src/core/digest.ts';
import { BundleError, hasCode } from '../../src/core/errors.ts';
import { namesItsPart, type PlannedImage } from '../../src/transfer/image.ts';
import { usersOf } from '../../src/transfer/plan.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';
import type { Context } from '../../src/core/context.ts';
import { refuseFault } from '../../src/bundle/reading/fault.ts';
import { KINDS } from '../../src/kinds/all.ts';
import { type OpenRequest, surveyBundle } from '../../src/opening/open-bundle.ts';
import { pack } from '../../src/workflows/pack/pack.ts';
import type { PackRequest } from '../../src/workflows/pack/request.ts';
import { unpack, type UnpackReport } from '../../src/workflows/unpack.ts';
import { verify } from '../../src/workflows/verify.ts';
import type { MadeRelease } from './made-release.ts';
import { madeReleasePart } from './made-release-part.ts';
import { makeRelease } from './make-release.ts';
import { makeReleaseSigner } from './release-signer.ts';

/** A bundle of a small release, with what is known of it when it is whole. */
export interface DamageTrial {
  readonly folder: string;
  readonly made: MadeRelease;
  /** Of an increment: the bundle with what it leaves out, and a layout where that was unpacked. */
  readonly before?: { readonly base: string; readonly layout: string };
  readonly context: Context;
  readonly genuine: Buffer;
  readonly path: string;
  readonly packRequest: PackRequest;
  request(path: string): OpenRequest;
  /** Layers with the bytes of the file that they take, and the images that need them. */
  readonly layers: readonly {
    readonly start: number;
    readonly end: number;
    readonly entry: string;
    /** Of an increment, which leads with it all the same: nobody needs it from there. */
    readonly isAtTarget: boolean;
    readonly images: readonly string[];
    /** How the parts are called that need it. */
    readonly parts: readonly string[];
  }[];
  /** The compressed manifests and configs. */
  readonly metadata: { readonly start: number; readonly end: number };
  readonly components: readonly string[];
  /** The image that names the first part. */
  readonly release: string;
  /** The image that names each part, by how the part is called. */
  readonly naming: ReadonlyMap<string, string>;
  /** Behind this byte no part begins. */
  readonly leadingEnd: number;
}

export interface TrialOptions {
  readonly components?: number;
  readonly scale?: number;
  /** Whether something refers to its images. */
  readonly referrers?: boolean;
  /** A release, a light z-stream of it, and a mass rebuild: how many of the three. */
  readonly releases?: 1 | 2 | 3;
  /** Whether the first release was delivered before: then the bundle leaves out what it has. */
  readonly increment?: boolean;
}

const STREAM = [
  { version: '4.17.3' },
  { version: '4.17.4', rebuild: { name: '4.17.4', share: 0.2 } },
  { version: '4.17.5', seed: 'a mass rebuild' },
] as const;

/** Packs the releases that are asked for: one of three components if nothing is said. */
export async function prepareTrial(
  folder: string,
  options: TrialOptions = {},
): Promise<DamageTrial> {
  const { components = 3, scale = 0.0002, referrers = false, increment = false } = options;
  const { releases = increment ? 2 : 1 } = options;
  const signer = await makeReleaseSigner();
  const layout = join(folder, 'release', 'layout');
  const stream: MadeRelease[] = [];
  for (const one of STREAM.slice(0, releases)) {
    const out = join(folder, stream.length === 0 ? 'release' : one.version);
    stream.push(await makeRelease({ ...one, out, layout, components, scale, referrers, signer }));
  }
  const made = stream[0]!;
  const context: Context = {
    environment: { env: {}, home: folder, uid: 0 },
    configFolder: join(folder, 'config'),
    signal: new AbortController().signal,
    observe: () => undefined,
    now: new Date(),
    concurrency: 4,
    lookups: 4,
  };
  const packing = (some: readonly MadeRelease[], output: string): PackRequest => ({
    parts: some.map((one) => madeReleasePart(one)),
    referrers,
    output: join(folder, output),
    key: { passphrase: async () => undefined },
    network: { caFiles: [], insecureRegistries: [], mirrors: [], mirrorSetFiles: [] },
    restart: false,
    dryRun: false,
  });
  const open = { kinds: KINDS, trustedKeyFiles: [], releaseKeyFiles: [made.releaseKey] };
  const request = (file: string): OpenRequest => ({ ...open, paths: [file] });
  const had = stream.splice(0, increment ? 1 : 0);
  const base = increment ? (await pack(packing(had, 'base'), context)).path : undefined;
  const packRequest: PackRequest = {
    ...packing(stream, 'whole'),
    ...(base !== undefined && {
      baselines: {
        ...{ baselines: [], sinceLast: [], sites: [], assumed: [base] },
        ...{ open, history: undefined },
      },
    }),
  };
  const { path } = await pack(packRequest, context);
  const user = { folder, context, packRequest, request };
  const before = base === undefined ? undefined : { base, layout: join(folder, 'before') };
  const atTarget = new Set<Digest>();
  if (before !== undefined) {
    await unpackTo(user, [before.base], before.layout, false);
    const first = await surveyBundle(request(before.base), context, refuseFault);
    for (const digest of first.reader.layerDigests) atTarget.add(digest);
    await first.close();
  }
  const { reader, closure, close } = await surveyBundle(request(path), context, refuseFault);
  const { content, parts } = closure!;
  const users = usersOf(content);
  const labelsAt = (image: PlannedImage): string[] => image.parts.map((part) => parts[part]!.label);
  const layers = reader.layerDigests.map((digest) => {
    const [place] = reader.placesOf(digest);
    return {
      start: place!.start,
      end: place!.end,
      entry: blobPath(digest),
      isAtTarget: atTarget.has(digest),
      images: users.get(digest)!.map(({ name }) => name),
      parts: [...new Set(users.get(digest)!.flatMap(labelsAt))],
    };
  });
  await close();
  const genuine = await readFile(path);
  const magic = Buffer.from('28b52ffd', 'hex');
  const seal = genuine.indexOf(magic, 4);
  return {
    ...user,
    ...(before !== undefined && { before }),
    made,
    genuine,
    path,
    layers,
    metadata: { start: genuine.indexOf(magic, seal + 4), end: layers[0]!.start },
    components: content.images.filter(({ role }) => role === 'component').map(({ name }) => name),
    release: content.images.find(namesItsPart)!.name,
    naming: new Map(
      content.images.filter(namesItsPart).map((image) => [labelsAt(image)[0]!, image.name]),
    ),
    // The config and the layer with the payload of each part.
    leadingEnd: layers[2 * stream.length - 1]!.end,
  };
}

export type DamageOutcome = 'found' | 'same content';

/**
 * Damages a copy of the bundle, and makes sure that the audit finds and names it, and that nothing
 * that is damaged is pushed under a tag.
 * @throws Error saying what was wrong.
 */
export async function tryDamage(
  trial: DamageTrial,
  start: number,
  bytes: Uint8Array,
): Promise<DamageOutcome> {
  const { folder, context, path, layers, metadata } = trial;
  const broken = join(folder, 'broken', basename(path));
  const damageFile = join(folder, 'damage.json');
  await mkdir(join(folder, 'broken'), { recursive: true });
  await copyFile(path, broken);
  const file = await open(broken, 'r+');
  await file.write(bytes, 0, bytes.length, start);
  await file.close();
  const end = start + bytes.length;
  const overlaps = (place: { readonly start: number; readonly end: number }): boolean =>
    place.start < end && start < place.end;
  const hit = layers.filter(overlaps);
  const lost = hit.filter(({ isAtTarget }) => !isAtTarget);
  const images = new Set(lost.flatMap((layer) => layer.images));
  const all: ReadonlySet<string> = new Set(trial.naming.keys());

  await rm(damageFile, { force: true });
  const failure = await failureOf(verify({ ...trial.request(broken), damageFile }, context));
  if (failure === undefined) {
    if (!overlaps(metadata) || hit.length > 0)
      throw new Error(`bytes ${start} to ${end} are damaged, and nobody noticed`);
    return 'same content';
  }
  if (failure.exitStatus < 20 || failure.exitStatus > 22) throw failure;
  if (trial.before !== undefined) {
    const paths = [broken, trial.before.base];
    const beside = await failureOf(verify({ ...trial.request(broken), paths }, context));
    if (beside === undefined)
      throw new Error(`bytes ${start} to ${end} are damaged, unnoticed beside the base`);
    if (beside.exitStatus < 20 || beside.exitStatus > 22) throw beside;
  }
  const { faults } = JSON.parse(await readFile(damageFile, 'utf8')) as {
    faults: {
      start: number;
      end: number;
      entries: string[];
      images: { name: string; parts: string[] }[];
    }[];
  };
  if (!faults.some(overlaps)) throw new Error(`no fault is told at bytes ${start} to ${end}`);
  for (const { entry, images: users, parts } of hit) {
    const found = faults.filter(({ entries }) => entries.includes(entry)).flatMap((f) => f.images);
    const named = new Set([
      ...found.map(({ name }) => name),
      ...found.flatMap((image) => image.parts),
    ]);
    const unnamed = [...users, ...parts].find((name) => !named.has(name));
    if (unnamed !== undefined)
      throw new Error(`${entry} is damaged, and the damage map does not name ${unnamed}`);
  }

  for (const partial of [false, true]) {
    const target = await freshTarget(trial);
    const tags = await tagsAfter(trial, broken, target, partial);
    // What breaks no image breaks no part: of such a bundle everything may be pushed.
    const isThere = hit.length > 0 && lost.length === 0;
    const breaksNothing =
      isThere || (partial && faults.every((fault) => fault.images.length === 0));
    const isLeading = start < trial.leadingEnd;
    const brokenParts = isLeading || !partial ? all : new Set(lost.flatMap(({ parts }) => parts));
    const unwanted = breaksNothing ? [] : [...brokenParts].map((part) => trial.naming.get(part)!);
    const wrong = [...unwanted, ...images].find((image) => tags.has(image));
    if (wrong !== undefined)
      throw new Error(`bytes ${start} to ${end} are damaged, and ${wrong} has a tag`);
    // Manifests or image-references may be lost, and with them everything.
    const left = trial.components.find((image) => !images.has(image) && !tags.has(image));
    const whole = [...trial.naming].find(
      ([part, image]) => !brokenParts.has(part) && !tags.has(image),
    );
    if (partial && !isLeading && whole !== undefined)
      throw new Error(`${whole[0]} is whole, and was left out`);
    if (partial && !isLeading && left !== undefined)
      throw new Error(`${left} is whole, and was left out`);
  }
  return 'found';
}

/** What may happen to a bundle in a pipe: the bytes that come instead. */
export interface PipedDamage {
  /** Which bytes are changed, from where on; all that is told where the pipe is cut or goes on. */
  readonly start: number;
  readonly bytes: Uint8Array;
  /** Where the pipe ends early. */
  readonly cutAt?: number;
  /** What comes behind the end. */
  readonly tail?: Uint8Array;
}

/**
 * Sends the bundle, damaged, through a pipe to an audit and to an image layout, and makes sure that
 * both refuse it and that no part of it gets a tag, nor an image that the damage hit.
 * @throws Error saying what was wrong.
 */
export async function tryPipedDamage(
  trial: DamageTrial,
  damage: PipedDamage,
): Promise<DamageOutcome> {
  const { context, layers, metadata } = trial;
  const { start, bytes, cutAt = trial.genuine.length, tail = new Uint8Array() } = damage;
  const end = start + bytes.length;
  const where = `bytes ${start} to ${end}, cut at ${cutAt}, with ${tail.length} bytes behind it`;
  const piped = (): Readable =>
    Readable.from(pieces([...overwritten(trial.genuine, damage), tail], cutAt), {
      objectMode: false,
    });
  const isChanged = cutAt < trial.genuine.length || tail.length > 0;
  const isMetadata = metadata.start < end && start < metadata.end && !isChanged;

  const request = { ...trial.request(''), paths: [] };
  const failure = await failureOf(verify({ ...request, input: piped() }, context));
  if (failure === undefined) {
    if (!isMetadata) throw new Error(`a pipe was damaged (${where}), and nobody noticed`);
    return 'same content';
  }
  if (failure.exitStatus < 20 || failure.exitStatus > 22) throw failure;

  const target = await freshTarget(trial);
  const refused = await failureOf(unpackTo(trial, piped(), target, false));
  if (refused === undefined) throw new Error(`a damaged pipe was unpacked: ${where}`);
  if (refused.exitStatus < 20 || refused.exitStatus > 22) throw refused;
  const tags = await tagsIn(target);
  const needed = layers.filter(({ isAtTarget }) => !isAtTarget);
  const hit = needed.filter((layer) => layer.start < end && start < layer.end);
  const lost = needed.filter((layer) => layer.end > cutAt);
  const unwanted = [...trial.naming.values(), ...[...hit, ...lost].flatMap(({ images }) => images)];
  const wrong = unwanted.find((image) => tags.has(image));
  if (wrong !== undefined) throw new Error(`a pipe was damaged (${where}), and ${wrong} has a tag`);
  return 'found';
}

/** The bundle with some of its bytes changed; what is right is not copied. */
function overwritten(genuine: Buffer, { start, bytes }: PipedDamage): readonly Uint8Array[] {
  return [genuine.subarray(0, start), bytes, genuine.subarray(start + bytes.length)];
}

/** As a pipe gives them: 64 KiB at most. */
function* pieces(parts: readonly Uint8Array[], length: number): Generator<Uint8Array> {
  let left = length;
  for (const [index, part] of parts.entries()) {
    // What comes behind the end comes in any case.
    const isTail = index === parts.length - 1;
    const whole = isTail ? part : part.subarray(0, left);
    if (!isTail) left -= whole.length;
    for (let at = 0; at < whole.length; at += 65_536) yield whole.subarray(at, at + 65_536);
  }
}

/** Where there is only what was there before the bundle. */
async function freshTarget({ folder, before }: DamageTrial): Promise<string> {
  const target = join(folder, 'target');
  await rm(target, { recursive: true, force: true });
  if (before !== undefined) await cp(before.layout, target, { recursive: true });
  return target;
}

/** The tags that are in a layout after an unpack, successful or not. */
async function tagsAfter(
  trial: DamageTrial,
  bundle: string,
  target: string,
  partial: boolean,
): Promise<ReadonlySet<string>> {
  await failureOf(unpackTo(trial, [bundle], target, partial));
  return tagsIn(target);
}

/** The tags in a layout; none where it was not made. */
async function tagsIn(target: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await (await ImageLayout.open(target)).tags());
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return new Set();
    throw error;
  }
}

/** Unpacks files, or what comes through a pipe, into an image layout. */
export function unpackTo(
  trial: Pick<DamageTrial, 'folder' | 'context' | 'packRequest' | 'request'>,
  from: readonly string[] | Readable,
  target: string,
  partial: boolean,
): Promise<UnpackReport> {
  const place = from instanceof Readable ? { paths: [], input: from } : { paths: from };
  return unpack(
    {
      bundle: { ...trial.request(''), ...place },
      delivery: {
        to: { kind: 'layout', folder: target, name: `oci:${target}` },
        replaceTags: false,
        resources: { folder: join(trial.folder, 'resources') },
        dryRun: false,
      },
      network: trial.packRequest.network,
      select: [],
      partial,
    },
    trial.context,
  );
}

async function failureOf(work: Promise<unknown>): Promise<BundleError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof BundleError) return error;
    throw error;
  }
}
