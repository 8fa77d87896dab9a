import { basename, dirname, join, resolve } from 'node:path';

import { bundleOfName, PATCH_SUFFIX, stemOf } from '../bundle/format/names.ts';
import { PARTIAL_SUFFIX } from '../files/own-file.ts';
import { BundleError, type Detail } from '../core/errors.ts';
import { pathWord } from '../core/text.ts';
import { listFolder } from '../files/folder.ts';
import { isFolder, isRegular } from '../files/look.ts';

/** The physical files of one bundle. */
export interface BundleFiles {
  /**
   * The path of the bundle without volume numbers: files that belong to it are searched beside it.
   */
  readonly path: string;
  readonly files: readonly string[];
}

export interface FoundFiles extends BundleFiles {
  /** Patches that were named beside the bundle, or lie in one folder with it. */
  readonly patches: readonly BundleFiles[];
  /** Bundles that have what this one leaves out, as far as they were named or lie beside it. */
  readonly earlier: readonly BundleFiles[];
}

/** Those of several bundles that a command line means. */
export interface Chosen {
  readonly meant: readonly BundleFiles[];
  /** Where one is meant: the others that have what it leaves out. */
  readonly earlier: readonly BundleFiles[];
  /** Some of all leave out what others have, and no other requires those that are meant. */
  readonly areEnds: boolean;
  readonly unreadable: readonly UnreadableBundle[];
}

/** A bundle whose listing cannot be read, so nobody knows what it leaves out. */
export interface UnreadableBundle extends BundleFiles {
  readonly error: BundleError;
}

/** Tells bundles apart, and chooses among them. */
export interface Chooser {
  /** What it asks for, as words of a command line. */
  readonly asked: string;
  readonly choose: (bundles: readonly BundleFiles[]) => Promise<Chosen>;
  /**
   * Files that were named apart and are called alike, by the bundle that each of them is of: next
   * month's increment may be called as this month's.
   */
  readonly apart: (alike: readonly BundleFiles[]) => Promise<readonly (readonly BundleFiles[])[]>;
}

interface Found extends BundleFiles {
  /** The folder that was named in place of it. */
  readonly folder?: string;
}

/**
 * The files that paths mean: a bundle, any volume of one, or folders that hold one or some of its
 * volumes.
 * @param chooser is asked where they are of several bundles.
 * @throws BundleError NOT_FOUND; USAGE when more than one of several bundles is
 * meant, NOT_THE_EXPECTED_BUNDLE when none is.
 */
export async function findBundleFiles(
  paths: readonly string[],
  chooser: Chooser,
): Promise<FoundFiles> {
  const found: Found[] = [];
  for (const path of paths)
    found.push(...((await isFolder(path)) ? await bundlesIn(path) : [await volumesBeside(path)]));
  const whole = found.filter(isWhole);
  const patches = found.filter((each) => !isWhole(each));
  if (whole.length === 0)
    return { path: patches[0]!.path, files: filesOf([patches[0]!]), patches: [], earlier: [] };
  const bundles = await bundlesOf(whole, chooser);
  if (bundles.length < 2)
    return { path: whole[0]!.path, files: filesOf(whole), patches, earlier: [] };
  const chosen = await chooser.choose(bundles);
  const [one] = chosen.meant;
  if (one === undefined || chosen.meant.length > 1) {
    const folder = paths.length === 1 ? whole[0]!.folder : undefined;
    throw refusedChoice({ folder, bundles, asked: chooser.asked }, chosen);
  }
  const isFor = `${basename(stemOf(one.path))}.`;
  const its = patches.filter(
    ({ folder, path }) => folder === undefined || basename(path).startsWith(isFor),
  );
  return { path: one.path, files: one.files, patches: its, earlier: chosen.earlier };
}

/** All files, each once: each volume that is named has the others beside it. */
function filesOf(bundles: readonly BundleFiles[]): readonly string[] {
  const all = bundles.flatMap(({ files }) => files);
  return [...new Map(all.map((file) => [resolve(file), file])).values()];
}

function isWhole({ path }: BundleFiles): boolean {
  return !path.endsWith(PATCH_SUFFIX);
}

/** Files by the bundle that they are of, which their names tell, or else what they say. */
async function bundlesOf(
  found: readonly BundleFiles[],
  { apart }: Chooser,
): Promise<readonly BundleFiles[]> {
  const named = found.filter(({ path }) => bundleOfName(basename(path)) !== undefined);
  const bundles: BundleFiles[] = [];
  for (const name of new Set(named.map(({ path }) => basename(path)))) {
    const alike = named.filter(({ path }) => basename(path) === name);
    for (const its of alike.length > 1 ? await apart(alike) : [alike])
      bundles.push({ path: its[0]!.path, files: filesOf(its) });
  }
  return bundles;
}

/** The bundles in a folder, and patches. */
async function bundlesIn(folder: string): Promise<readonly Found[]> {
  const names = await listFolder(folder);
  const volumes = await groups(folder, names);
  if (volumes.size > 0)
    return [...volumes].map(([name, files]) => ({
      ...{ folder, path: join(folder, nameOf(name)) },
      files: files.map((file) => join(folder, file)),
    }));
  const partial = names.find(
    (name) => bundleOfName(name.slice(0, -PARTIAL_SUFFIX.length)) && name.endsWith(PARTIAL_SUFFIX),
  );
  throw new BundleError('NOT_FOUND', `${folder} holds no bundle`, {
    hint:
      partial === undefined
        ? 'The file of a bundle has a name such as ocp-4.17.3-x86_64.tar.zst.'
        : `${partial} was not finished: run the same bundle pack again.`,
  });
}

interface Choice {
  /** The one folder that was named; none where bundles were. */
  readonly folder: string | undefined;
  readonly bundles: readonly BundleFiles[];
  readonly asked: string;
}

/** None or several of some bundles are meant. */
function refusedChoice(choice: Choice, { meant, areEnds, unreadable }: Chosen): BundleError {
  if (meant.length === 0) return noneMeant(choice);
  if (areEnds) return severalEnds(choice, meant);
  const [broken] = unreadable;
  if (choice.folder === undefined && broken !== undefined)
    return broken.error.withDetails([{ label: 'bundle', items: [pathWord(broken.files[0]!)] }]);
  const items = unreadable.map(({ files, error }) => `${pathWord(files[0]!)}: ${error.message}`);
  const several = severalMeant(choice, meant);
  return items.length === 0
    ? several
    : several.withDetails([...several.details, { label: 'cannot be read', items }]);
}

const BY_DIGEST = 'by its digest, as you got it out of band: --bundle-digest HEX';

function severalEnds({ bundles }: Choice, ends: readonly BundleFiles[]): BundleError {
  return new BundleError(
    'USAGE',
    `${ends.length} of ${bundles.length} bundles could be the last one: no other requires them`,
    {
      details: listOf(ends),
      hint:
        'One run takes one bundle, with those that have what it leaves out. Run it for each of ' +
        `these, with the others beside it, and choose by what it holds: --expect VERSION; or ${BY_DIGEST}.`,
    },
  );
}

/** Bundles of a folder, each with the path to type. */
function listOf(bundles: readonly BundleFiles[]): readonly Detail[] {
  return [{ label: 'bundles', items: bundles.map(({ files }) => pathWord(files[0]!)) }];
}

function noneMeant({ folder, bundles, asked }: Choice): BundleError {
  return new BundleError(
    'NOT_THE_EXPECTED_BUNDLE',
    `none of the ${bundles.length} bundles ${folder === undefined ? 'that are named' : `in ${folder}`} is the one asked for: ${asked} fits none`,
    {
      details: listOf(bundles),
      hint:
        'bundle inspect FILE shows for each of these files what --expect chooses by, and the bundle ' +
        'digest: compare it with the one that you got out of band. A bundle that cannot be read, or ' +
        'whose signer is not trusted here, is not chosen: inspect says why.',
    },
  );
}

function severalMeant(
  { folder, bundles, asked }: Choice,
  meant: readonly BundleFiles[],
): BundleError {
  const holds = folder === undefined ? 'the command line names' : `${folder} holds`;
  const fits = meant.length < bundles.length ? `${holds}, for ${asked},` : holds;
  return new BundleError('USAGE', `${fits} ${meant.length} bundles: name one`, {
    details: listOf(meant),
    hint:
      `Name one of these files${folder === undefined ? '' : ' in place of the folder'}. Or choose by what a bundle holds: --expect ` +
      `VERSION; or ${BY_DIGEST}. (--release chooses among the releases of one bundle.)`,
  });
}

/** A file, and if it is called like a volume the others of its set that lie beside it. */
async function volumesBeside(path: string): Promise<BundleFiles> {
  const named = bundleOfName(basename(path));
  if (named?.number === undefined) return { path, files: [path] };
  const folder = dirname(path);
  const volumes = await groups(folder, await listFolder(folder));
  const files = volumes.get(setName(named.bundle)) ?? [];
  return {
    path: join(folder, named.bundle),
    files: [...new Set([basename(path), ...files])].map((file) => join(folder, file)),
  };
}

/**
 * Names of bundles by what they are called together: a set is told from a single file of the same
 * name. What is no file is no bundle, whatever it is called.
 */
async function groups(folder: string, names: readonly string[]): Promise<Map<string, string[]>> {
  const grouped = new Map<string, string[]>();
  for (const name of names) {
    const named = bundleOfName(name);
    if (named === undefined || !(await isRegular(join(folder, name)))) continue;
    const key = named.number === undefined ? name : setName(named.bundle);
    grouped.set(key, [...(grouped.get(key) ?? []), name]);
  }
  return grouped;
}

const SET_MARK = '.001 …';

function setName(bundle: string): string {
  return `${bundle}${SET_MARK}`;
}

function nameOf(group: string): string {
  return group.endsWith(SET_MARK) ? group.slice(0, -SET_MARK.length) : group;
}
