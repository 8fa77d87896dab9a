import { plainTar, type TarEntry } from '../../building/tar.ts';
import { BundleError } from '../../core/errors.ts';
import { type GraphDataFiles, readGraphDataTar } from '../../updates/graph-data/files.ts';

/**
 * The one form that graph data has in a bundle: a tar of what an update service reads, sorted. The
 * same files make the same bytes, from whatever folder or tarball they come.
 */
export function graphDataTar(files: GraphDataFiles): Uint8Array {
  return plainTar(graphDataEntries(files));
}

/**
 * Graph data as the entries of a tar.
 * @param root the folder of the files in the tar, without a slash at its end.
 */
export function graphDataEntries(files: GraphDataFiles, root = ''): readonly TarEntry[] {
  const within = (path: string): string => (root === '' ? path : `${root}/${path}`);
  const folders = new Set([...files.keys()].flatMap((path) => path.split('/').slice(0, -1)));
  return [
    ...(root === '' ? [] : [{ path: root }]),
    ...[...folders].toSorted().map((path) => ({ path: within(path) })),
    ...[...files].map(([path, bytes]) => ({ path: within(path), bytes })),
  ];
}

/**
 * Reads graph data that a bundle holds.
 * @throws BundleError CLOSURE_MISMATCH for another form than {@link graphDataTar} gives it.
 */
export async function readGraphDataOf(archive: Uint8Array): Promise<GraphDataFiles> {
  const files = await readGraphDataTar(archive, 'the graph data of the bundle');
  if (Buffer.from(graphDataTar(files)).equals(archive)) return files;
  throw new BundleError('CLOSURE_MISMATCH', 'the graph data of the bundle has another form', {
    hint: 'This program did not make the bundle from this graph data: do not use it.',
  });
}
