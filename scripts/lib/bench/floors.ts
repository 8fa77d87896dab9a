import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { forEachLimited } from '../../../src/core/concurrency.ts';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { hexOf } from '../../../src/core/digest.ts';
import { runProgram } from './run-program.ts';

/** A blob and the repository that it is in: `HOST/PATH`. */
export interface PlacedBlob {
  readonly descriptor: Descriptor;
  readonly repository: string;
}

/**
 * Fetches blobs into files with one curl, many requests at a time, and syncs them. Nothing is
 * checked.
 */
export async function curlToFiles(
  blobs: readonly PlacedBlob[],
  folder: string,
  concurrency: number,
): Promise<number> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const config = blobs
    .map((blob) => `url = "${urlOf(blob)}"\noutput = "${fileOf(folder, blob)}"\n`)
    .join('');
  const fetched = await curlAll(config, concurrency, []);
  const synced = await runProgram(
    'sync',
    blobs.map((blob) => fileOf(folder, blob)),
  );
  return fetched + synced.seconds;
}

/**
 * Uploads blobs from files, as a script would: one curl to begin, one to send, so many blobs at a
 * time.
 */
export async function curlUploads(
  blobs: readonly PlacedBlob[],
  folder: string,
  repository: string,
  concurrency: number,
): Promise<number> {
  const [host, path] = split(repository);
  const began = performance.now();
  await forEachLimited(blobs, concurrency, async (blob) => {
    const { stdout } = await runProgram('curl', [
      '-sSf',
      '-X',
      'POST',
      '-D',
      '-',
      `http://${host}/v2/${path}/blobs/uploads/`,
    ]);
    const location = /^location: *(\S+)/im.exec(stdout)?.[1];
    if (location === undefined) throw new Error(`${host} named no place for the upload`);
    const type = 'content-type: application/octet-stream';
    await runProgram('curl', [
      '-sSf',
      '-H',
      type,
      '-T',
      fileOf(folder, blob),
      `${location}&digest=${blob.descriptor.digest}`,
    ]);
  });
  return (performance.now() - began) / 1000;
}

/** Asks for each blob with one curl, many requests at a time. */
export async function curlHeads(
  blobs: readonly PlacedBlob[],
  concurrency: number,
): Promise<number> {
  const config = blobs.map((blob) => `url = "${urlOf(blob)}"\noutput = "/dev/null"\n`).join('');
  return curlAll(config, concurrency, ['--head']);
}

/** What any program that checks a file has to do at least. */
export async function opensslDigest(path: string): Promise<number> {
  return (await runProgram('sh', ['-c', 'cat "$1" | openssl dgst -sha256', 'sh', path])).seconds;
}

/** One image after the other, as a loop in a shell would. */
export async function skopeoCopies(images: readonly PlacedBlob[], folder: string): Promise<number> {
  await rm(folder, { recursive: true, force: true });
  const began = performance.now();
  for (const { descriptor, repository } of images) {
    const source = `docker://${repository}@${descriptor.digest}`;
    const target = `oci:${folder}:${hexOf(descriptor.digest)}`;
    await runProgram('skopeo', [
      'copy',
      '--quiet',
      '--all',
      '--insecure-policy',
      '--src-tls-verify=false',
      source,
      target,
    ]);
  }
  return (performance.now() - began) / 1000;
}

async function curlAll(
  config: string,
  concurrency: number,
  options: readonly string[],
): Promise<number> {
  const args = ['-sSf', '--parallel', '--parallel-max', String(concurrency), ...options, '-K', '-'];
  return (await runProgram('curl', args, { input: config })).seconds;
}

function urlOf({ descriptor, repository }: PlacedBlob): string {
  const [host, path] = split(repository);
  return `http://${host}/v2/${path}/blobs/${descriptor.digest}`;
}

function fileOf(folder: string, { descriptor }: PlacedBlob): string {
  return join(folder, hexOf(descriptor.digest));
}

function split(repository: string): [string, string] {
  const slash = repository.indexOf('/');
  return [repository.slice(0, slash), repository.slice(slash + 1)];
}
