import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { BUNDLE_SUFFIX, bundleOfName } from '../bundle/names.ts';
import { PARTIAL_SUFFIX } from '../bundle/volume-writer.ts';
import { BundleError, diskError } from '../core/errors.ts';
import { isFolder } from './disk.ts';

/** The physical files of one bundle. */
export interface BundleFiles {
  /** What the bundle is called, volume numbers left out: where files that belong to it are looked for. */
  readonly path: string;
  readonly files: readonly string[];
}

/**
 * The files that paths mean: a bundle, any volume of one, or folders that hold one or some of its volumes.
 * @throws BundleError NOT_FOUND; USAGE when a folder holds several bundles.
 */
export async function findBundleFiles(paths: readonly string[]): Promise<BundleFiles> {
  const found: BundleFiles[] = [];
  for (const path of paths) found.push((await isFolder(path)) ? await bundleIn(path) : await volumesBeside(path));
  const files = new Map(found.flatMap((bundle) => bundle.files.map((file) => [resolve(file), file])));
  return { path: found[0]!.path, files: [...files.values()] };
}

/** The one bundle in a folder. */
async function bundleIn(folder: string): Promise<BundleFiles> {
  const names = await namesIn(folder);
  const bundles = [...groups(names).entries()];
  const [bundle, ...more] = bundles;
  if (bundle === undefined) {
    const partial = names.find((name) => bundleOfName(name.slice(0, -PARTIAL_SUFFIX.length)) && name.endsWith(PARTIAL_SUFFIX));
    throw new BundleError('NOT_FOUND', `${folder} holds no bundle`, {
      hint:
        partial === undefined
          ? 'A bundle is called like ocp-4.17.3-x86_64.tar.zst.'
          : `${partial} was not finished: run the same bundle pack again.`,
    });
  }
  if (more.length > 0) {
    throw new BundleError('USAGE', `${folder} holds several bundles: ${bundles.map(([name]) => name).join(', ')}`, {
      hint: 'Name the one that is meant.',
    });
  }
  const [name, files] = bundle;
  return { path: join(folder, nameOf(name)), files: files.map((file) => join(folder, file)) };
}

/** A file, and if it is called like a volume the others of its set that lie beside it. */
async function volumesBeside(path: string): Promise<BundleFiles> {
  const named = bundleOfName(basename(path));
  if (named?.number === undefined) return { path, files: [path] };
  const folder = dirname(path);
  const files = groups(await namesIn(folder)).get(setName(named.bundle)) ?? [];
  return { path: join(folder, named.bundle), files: [...new Set([basename(path), ...files])].map((file) => join(folder, file)) };
}

/** Names of bundles by what they are called together: a set is told from a single file of the same name. */
function groups(names: readonly string[]): Map<string, string[]> {
  const grouped = new Map<string, string[]>();
  for (const name of names) {
    const named = bundleOfName(name);
    if (named === undefined) continue;
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

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    throw diskError('read', folder, error);
  }
}

/** `NAME` of a bundle that is called `NAME.tar.zst`: what the files beside it begin with. */
export function stemOf(path: string): string {
  return basename(path, BUNDLE_SUFFIX);
}
