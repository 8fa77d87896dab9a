import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'vitest';

import { digestOf, hexOf } from '../../src/core/digest.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';
import { startBundle } from './bundle-process.ts';
import type { TestRegistry } from './registry.ts';

export interface KilledRun {
  readonly args: readonly string[];
  /** Where it has its home. */
  readonly folder: string;
  /** How long a run takes that is not killed, in ms. */
  readonly wholeMs: number;
  /** It is killed so often at most. */
  readonly kills: number;
  readonly afterKill: () => Promise<void>;
}

/**
 * Runs a command to its end in pieces, each killed at a random moment of the time that a whole run
 * takes.
 * @returns how often it was killed.
 */
export async function killedRun(run: KilledRun): Promise<number> {
  const { args, folder, wholeMs, kills, afterKill } = run;
  for (let killed = 0; ; killed += 1) {
    const { child, ended } = await startBundle(args, { folder });
    const timer =
      killed >= kills
        ? undefined
        : sleep(Math.random() * wholeMs).then(() => child.kill('SIGKILL'));
    const { status, signal, stderr } = await ended;
    await timer;
    if (signal !== 'SIGKILL') {
      expect({ status, stderr }).toEqual({ status: 0, stderr });
      return killed;
    }
    await afterKill();
  }
}

/** Whatever carries the bundle's name in a folder has to begin as the finished bundle does. */
export async function expectPrefixes(folder: string, finished: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter(
    (candidate) => candidate.includes('.tar.zst') && !/\.lock\b/.test(candidate),
  )) {
    expect(await differsAt(join(folder, name), finished)).toBeUndefined();
    if (!name.endsWith('.partial'))
      expect((await stat(join(folder, name))).size).toBe((await stat(finished)).size);
  }
}

/** Where a file is no prefix of another; `undefined` if it is one. */
export async function differsAt(path: string, finished: string): Promise<number | undefined> {
  const files = [await open(path), await open(finished)] as const;
  const buffers = [Buffer.alloc(1024 * 1024), Buffer.alloc(1024 * 1024)] as const;
  try {
    for (let at = 0; ;) {
      const { bytesRead } = await files[0].read(buffers[0], 0, buffers[0].length, at);
      if (bytesRead === 0) return undefined;
      const other = await files[1].read(buffers[1], 0, bytesRead, at);
      if (!buffers[0].subarray(0, bytesRead).equals(buffers[1].subarray(0, other.bytesRead)))
        return at;
      at += bytesRead;
    }
  } finally {
    for (const file of files) await file.close();
  }
}

interface AnyManifest {
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly manifests?: readonly { readonly digest: string }[];
}

/**
 * Every tag of a registry with the digest it names. @throws Error where something that a tag leads
 * to is not there.
 */
export async function wholeTags({ url }: TestRegistry): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const ask = async (path: string, method = 'GET'): Promise<Response> =>
    fetch(`${url}/v2/${path}`, { method, headers: { accept: MANIFEST_TYPES.join(', ') } });
  const json = async (path: string): Promise<unknown> => {
    const answer = await ask(path);
    return answer.status === 404 ? {} : answer.json();
  };
  const checkBelow = async (repository: string, name: string, bytes: Buffer): Promise<void> => {
    const { config, layers = [], manifests = [] } = JSON.parse(bytes.toString()) as AnyManifest;
    const lacking = (digest: string, status: number): Error =>
      new Error(`${repository}:${name} needs ${digest}, which answers ${status}`);
    const blobs = [...(config === undefined ? [] : [config]), ...layers];
    await Promise.all([
      ...blobs.map(async ({ digest }) => {
        const { status } = await ask(`${repository}/blobs/${digest}`, 'HEAD');
        if (status !== 200) throw lacking(digest, status);
      }),
      ...manifests.map(async ({ digest }) => {
        const answer = await ask(`${repository}/manifests/${digest}`);
        if (answer.status !== 200) throw lacking(digest, answer.status);
        await checkBelow(repository, name, Buffer.from(await answer.arrayBuffer()));
      }),
    ]);
  };
  const { repositories = [] } = (await json('_catalog?n=1000')) as { repositories?: string[] };
  for (const repository of repositories) {
    const { tags } = (await json(`${repository}/tags/list`)) as { tags?: string[] | null };
    for (const tag of tags ?? []) {
      const answer = await ask(`${repository}/manifests/${tag}`);
      const bytes = Buffer.from(await answer.arrayBuffer());
      if (answer.status !== 200) continue; // the registry was still setting it
      await checkBelow(repository, tag, bytes);
      found.set(`${repository}:${tag}`, digestOf(bytes));
    }
  }
  return new Map([...found].toSorted());
}

/** Digests of everything that a registry has stored, checked against the bytes. */
export async function storedBlobs({ root }: TestRegistry): Promise<string[]> {
  const blobs = join(root, 'storage/docker/registry/v2/blobs/sha256');
  const paths = (await readdir(blobs, { recursive: true })).filter((path) =>
    path.endsWith('/data'),
  );
  return Promise.all(
    paths.toSorted().map(async (path) => {
      const digest = digestOf(await readFile(join(blobs, path)));
      if (!path.includes(hexOf(digest))) throw new Error(`${path} holds ${digest}`);
      return digest;
    }),
  );
}
