import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

import { BundleError } from '../../../core/errors.ts';
import { MAX_CHART_BYTES, MAX_CHART_FILE_BYTES } from '../../../core/limits.ts';
import { compareText, oneLine } from '../../../core/text.ts';
import { isFolder, isRegular } from '../../../files/look.ts';
import { readGivenFile, readSmallFile } from '../../../files/small-file.ts';
import { entriesOf, placeWithin, realFolder } from '../../../files/within.ts';
import { type Ignored, ignoreNothing, readHelmIgnore } from './helm-ignore.ts';

/** The files of a chart by their paths in it, in the order of paths: `templates/deployment.yaml`. */
export type ChartFiles = ReadonlyMap<string, Uint8Array>;

/** Several times as many as the largest charts have. */
const MAX_FILES = 20_000;

/**
 * The files of a packaged chart (`.tgz`), by Helm's rules: one folder around everything, which is
 * not a part of the paths.
 * @param what the archive is, for messages.
 * @throws BundleError UNSUPPORTED_CONTENT for what is no chart, was cut, is larger than Helm takes,
 * or has entries that are no files: links, devices, paths that lead out.
 */
export async function readChartArchive(archive: Uint8Array, what: string): Promise<ChartFiles> {
  const files = new Map<string, Uint8Array>();
  let root: string | undefined;
  const reading = extract();
  let left = MAX_CHART_BYTES;
  const taking = (async (): Promise<void> => {
    for await (const entry of reading) {
      const { name, type } = entry.header;
      const [folder, path] = pathInChart(name, what);
      if (type !== 'file' && type !== 'directory')
        throw refused(what, `${oneLine(name, 200)} is no file, but of the type ${type}`);
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of entry as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        left -= chunk.length;
        if (size > MAX_CHART_FILE_BYTES || left < 0) throw tooLarge(what, name);
        chunks.push(chunk);
      }
      if (type === 'directory') continue;
      if (path === undefined) throw refused(what, `${oneLine(name, 200)} lies beside its folder`);
      root ??= folder;
      if (folder !== root) throw severalFolders(what, [root, folder]);
      if (files.has(path)) throw refused(what, `it holds ${oneLine(name, 200)} twice`);
      files.set(path, Buffer.concat(chunks));
      if (files.size > MAX_FILES) throw refused(what, `it holds more than ${MAX_FILES} files`);
    }
  })();
  try {
    await Promise.all([pipeline([archive], createGunzip(), cutToBlocks(), reading), taking]);
  } catch (error) {
    if (error instanceof BundleError) throw error;
    throw refused(what, 'it cannot be read as a tar that gzip has compressed', error);
  }
  return inOrder(files, what);
}

/**
 * The files of a chart in a folder, without those that its `.helmignore` names, as `helm package`
 * takes them. Links are followed as long as they stay in the chart: all that is read is carried to
 * others.
 * @throws BundleError NOT_FOUND, DISK; UNSUPPORTED_CONTENT for a folder of something else, and for
 * a link that leads out of it
 */
export async function readChartFolder(folder: string): Promise<ChartFiles> {
  const root = await realFolder(folder);
  const files = new Map<string, Uint8Array>();
  const ignored = await ignoredIn(root);
  let left = MAX_CHART_BYTES;
  const take = async (place: string, within: string): Promise<void> => {
    for (const entry of await entriesOf(place)) {
      const path = `${within}${entry.name}`;
      const target = await placeWithin(root, entry);
      if (target === undefined) {
        throw refused(folder, `${path} is a link that leads out of the chart`);
      }
      const type = entry.type === 'link' ? await typeOf(target) : entry.type;
      if (ignored(path, type === 'folder')) continue;
      if (type === 'other') throw refused(folder, `${path} is no file`);
      if (type === 'folder') {
        if (within.split('/').length > MAX_DEPTH) throw refused(folder, `${path} lies too deep`);
        await take(target, `${path}/`);
        continue;
      }
      const bytes = await readSmallFile(target, MAX_CHART_FILE_BYTES);
      left -= bytes.length;
      if (left < 0) throw tooLarge(folder, path);
      files.set(path, bytes);
      if (files.size > MAX_FILES) throw refused(folder, `it holds more than ${MAX_FILES} files`);
    }
  };
  await take(root, '');
  return inOrder(files, folder);
}

/** A link to a folder above itself would have no end. */
const MAX_DEPTH = 32;

async function typeOf(path: string): Promise<'file' | 'folder' | 'other'> {
  if (await isFolder(path)) return 'folder';
  return (await isRegular(path)) ? 'file' : 'other';
}

async function ignoredIn(root: string): Promise<Ignored> {
  const found = (await entriesOf(root)).find(({ name }) => name === '.helmignore');
  if (found?.type !== 'file') return ignoreNothing;
  return readHelmIgnore(await readGivenFile(found.path, MAX_CHART_FILE_BYTES), found.path);
}

/** tar-stream takes a tar that ends within an entry's padding for whole: its blocks tell. */
function cutToBlocks(): (source: AsyncIterable<Uint8Array>) => AsyncGenerator<Uint8Array> {
  return async function* (source) {
    let length = 0;
    let tail: Uint8Array = new Uint8Array(0);
    for await (const chunk of source) {
      length += chunk.length;
      if (length > 2 * MAX_CHART_BYTES) throw new RangeError('larger than a chart may be');
      tail = Buffer.concat([tail, chunk]).subarray(-TAR_END);
      yield chunk;
    }
    if (tail.length < TAR_END || tail.some((byte) => byte !== 0))
      throw new RangeError('the tar has no end');
  };
}

/** Two blocks of zeros end a tar (POSIX 1003.1, pax). */
const TAR_END = 1024;

/**
 * The folder around everything, and the path of an entry in it; `undefined` for the folder itself.
 * @throws BundleError UNSUPPORTED_CONTENT for one that leads out of it.
 */
function pathInChart(name: string, what: string): [folder: string, path: string | undefined] {
  const parts = name.replaceAll('\\', '/').replace(/^\.\//, '').split('/');
  const isOutside = parts.includes('..') || parts[0] === '' || /^[A-Za-z]:/.test(name);
  if (isOutside) throw refused(what, `${oneLine(name, 200)} leads out of the chart`);
  const path = parts
    .slice(1)
    .filter((part) => part !== '' && part !== '.')
    .join('/');
  return [parts[0]!, path === '' ? undefined : path];
}

function inOrder(files: Map<string, Uint8Array>, what: string): ChartFiles {
  if (!files.has('Chart.yaml')) throw refused(what, 'it has no Chart.yaml');
  return new Map([...files].toSorted(([a], [b]) => compareText(a, b)));
}

function severalFolders(what: string, folders: readonly [string, string]): BundleError {
  const [first, second] = folders.map((name) => oneLine(name, 100)) as [string, string];
  return refused(
    what,
    `it has two folders at its top, ${first} and ${second}, and an archive holds one chart`,
  );
}

function tooLarge(what: string, name: string): BundleError {
  return refused(
    what,
    `${oneLine(name, 200)} makes it larger than Helm takes: ${MAX_CHART_FILE_BYTES} bytes a file, ` +
      `${MAX_CHART_BYTES} in all`,
  );
}

function refused(what: string, why: string, cause?: unknown): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `the chart ${what} cannot be used: ${why}`, {
    cause,
    hint: 'Check it with helm lint, and package it again with helm package.',
  });
}
