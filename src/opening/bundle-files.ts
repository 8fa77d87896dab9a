import { basename, dirname, join, resolve } from 'node:path';

import { bundleOfName, PATCH_SUFFIX, stemOf } from '../bundle/format/names.ts';
import { PARTIAL_SUFFIX } from '../files/own-file.ts';
import { BundleError, type Detail } from '../core/errors.ts';
import { shellWord } from '../core/text.ts';
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
}

/** Those of several bundles in one folder that a command line means. */
export interface Choose {
  (bundles: readonly BundleFiles[]): Promise<readonly BundleFiles[]>;
  /** What it asks for, as words of a command line. */
  readonly asked?: string;
  /**
   * Files that were named apart and are called alike, by the bundle that each of them is of: next
   * month's increment may be called as this month's.
   */
  readonly apart?: (alike: readonly BundleFiles[]) => Promise<readonly (readonly BundleFiles[])[]>;
  /** Of several bundles that stand in for each other, those that could be the last one. */
  readonly ends?: () => readonly BundleFiles[];
}

/**
 * The files that paths mean: a bundle, any volume of one, or folders that hold one or some of its
 * volumes.
 * @param choose is asked where a folder holds several bundles.
 * @throws BundleError NOT_FOUND; USAGE when more than one of several bundles is
 * meant, NOT_THE_EXPECTED_BUNDLE when none is.
 */
export async function findBundleFiles(
  paths: readonly string[],
  choose: Choose,
): Promise<FoundFiles> {
  const found: BundleFiles[] = [];
  for (const path of paths) {
    const isIn = await isFolder(path);
    found.push(...(isIn ? await bundlesIn(path, choose) : [await volumesBeside(path)]));
  }
  const whole = await onlyOne(found.filter(isWhole), choose);
  const patches = found.filter(({ path }) => path.endsWith(PATCH_SUFFIX));
  const [first, ...more] = whole.length > 0 ? whole : patches;
  return {
    path: first!.path,
    files: filesOf([first!, ...(whole.length > 0 ? more : [])]),
    patches: whole.length > 0 ? patches : [],
  };
}

/** All files, each once: each volume that is named has the others beside it. */
function filesOf(bundles: readonly BundleFiles[]): readonly string[] {
  const all = bundles.flatMap(({ files }) => files);
  return [...new Map(all.map((file) => [resolve(file), file])).values()];
}

function isWhole({ path }: BundleFiles): boolean {
  return !path.endsWith(PATCH_SUFFIX);
}

/** Of files that are of several bundles, by their names or by what they say, one is meant. */
async function onlyOne(
  found: readonly BundleFiles[],
  choose: Choose,
): Promise<readonly BundleFiles[]> {
  const named = found.filter(({ path }) => bundleOfName(basename(path)) !== undefined);
  const bundles: BundleFiles[] = [];
  for (const name of new Set(named.map(({ path }) => basename(path)))) {
    const alike = named.filter(({ path }) => basename(path) === name);
    const groups = alike.length > 1 ? await choose.apart?.(alike) : undefined;
    for (const its of groups ?? [alike]) bundles.push({ path: its[0]!.path, files: filesOf(its) });
  }
  if (bundles.length < 2) return found;
  const meant = await choose(bundles);
  if (meant.length === 1) return meant;
  throw refusedChoice(undefined, bundles, meant, choose);
}

/** The one bundle in a folder, or the one that is meant, and patches for it. */
async function bundlesIn(folder: string, choose: Choose): Promise<readonly BundleFiles[]> {
  const names = await listFolder(folder);
  const volumes = await groups(folder, names);
  const found = [...volumes].map(([name, files]) => ({
    path: join(folder, nameOf(name)),
    files: files.map((file) => join(folder, file)),
  }));
  const bundles = found.filter(isWhole);
  if (bundles.length > 1) {
    const meant = await choose(bundles);
    const [one] = meant;
    if (one !== undefined && meant.length === 1) {
      const isFor = `${stemOf(one.path)}.`;
      const patches = found.filter((each) => !bundles.includes(each));
      return [one, ...patches.filter(({ path }) => basename(path).startsWith(isFor))];
    }
    throw refusedChoice(folder, bundles, meant, choose);
  }
  if (found.length > 0) return found;
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

/**
 * None or several of some bundles are meant. @param folder that holds them; none where each was
 * named.
 */
function refusedChoice(
  folder: string | undefined,
  bundles: readonly BundleFiles[],
  meant: readonly BundleFiles[],
  { asked, ends = () => [] }: Choose,
): BundleError {
  if (meant.length === 0) return noneMeant(folder, bundles, asked);
  if (ends().length > 1) return severalEnds(bundles, ends());
  return severalMeant(folder, meant, meant.length < bundles.length ? asked : undefined);
}

function severalEnds(bundles: readonly BundleFiles[], ends: readonly BundleFiles[]): BundleError {
  return new BundleError(
    'USAGE',
    `${ends.length} of ${bundles.length} bundles could be the last one: no other requires them`,
    {
      details: listOf(ends),
      hint:
        'One run takes one bundle, with those that have what it leaves out. Run it for each of ' +
        'these, with the others beside it, and choose by what it holds: --expect VERSION; or by ' +
        'the form that came with it: --bundle-digest HEX.',
    },
  );
}

/** Bundles of a folder, each with the path to type. */
function listOf(bundles: readonly BundleFiles[]): readonly Detail[] {
  return [{ label: 'bundles', items: bundles.map(({ files }) => shellWord(files[0]!)) }];
}

function noneMeant(
  folder: string | undefined,
  bundles: readonly BundleFiles[],
  asked = 'what is asked for',
): BundleError {
  return new BundleError(
    'NOT_THE_EXPECTED_BUNDLE',
    `none of the ${bundles.length} bundles ${folder === undefined ? 'that are named' : `in ${folder}`} is the one asked for: ${asked} fits none`,
    {
      details: listOf(bundles),
      hint:
        'Compare what --expect or --bundle-digest asks for with what came with the medium. A ' +
        'bundle that cannot be read, or whose signer is not trusted here, is not chosen: to see ' +
        'why, name one of these files alone.',
    },
  );
}

function severalMeant(
  folder: string | undefined,
  meant: readonly BundleFiles[],
  asked: string | undefined,
): BundleError {
  const holds = folder === undefined ? 'the command line names' : `${folder} holds`;
  const fits = asked === undefined ? holds : `${holds}, for ${asked},`;
  return new BundleError('USAGE', `${fits} ${meant.length} bundles: name one`, {
    details: listOf(meant),
    hint:
      `Name one of these files${folder === undefined ? '' : ' in place of the folder'}. Or choose by what a bundle holds: --expect ` +
      'VERSION; or by the form that came with it: --bundle-digest HEX. (--release chooses among ' +
      'the releases of one bundle.)',
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
