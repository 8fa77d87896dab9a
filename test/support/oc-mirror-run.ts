import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';

import { extract } from 'tar-stream';
import { parseAllDocuments } from 'yaml';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';
import { peerTar } from './peer-forms.ts';
import type { TestRegistry } from './registry.ts';

/** What the real oc-mirror was asked for, and what came of it. */
const RUN = projectPath('fixtures/peers/oc-mirror');

/** The registry that it took everything from, and the target that it was given. */
export const ORIGIN = '127.0.0.1:5011';
export const TARGET = '127.0.0.1:5012/site';

export const IMAGE_SET = join(RUN, 'imagesetconfig.yaml');

/** The digest of each tag, by repository. */
export type Tags = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** An object for a cluster, as far as tests look at it. */
export interface WrittenObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: unknown;
  readonly status?: unknown;
}

/** Everything that had a tag at the target when it was done. */
export async function arrivedThen(): Promise<Tags> {
  return JSON.parse(await readFile(join(RUN, 'arrived.json'), 'utf8')) as Tags;
}

/** The objects of a folder and of those below it, by kind and name. */
export async function objectsIn(folder: string): Promise<ReadonlyMap<string, WrittenObject>> {
  const names = await readdir(folder, { recursive: true });
  const objects = new Map<string, WrittenObject>();
  for (const name of names.filter((one) => one.endsWith('.yaml')).toSorted()) {
    const text = await readFile(join(folder, name), 'utf8');
    for (const document of parseAllDocuments(text)) {
      const object = document.toJS() as WrittenObject | null;
      if (object?.kind !== undefined && object.kind !== 'Kustomization')
        objects.set(`${object.kind} ${object.metadata.name}`, object);
    }
  }
  return objects;
}

export const objectsThen = (): Promise<ReadonlyMap<string, WrittenObject>> =>
  objectsIn(join(RUN, 'cluster-resources'));

/**
 * All that objects say, a line for each fact, so that a line that only one of two sets has is a
 * difference. Of a config map it is the name alone: its content is new each time.
 * @param named whether mirror sets are told apart by their names.
 */
export function linesOf(
  objects: ReadonlyMap<string, WrittenObject>,
  { named = true }: { readonly named?: boolean } = {},
): readonly string[] {
  return [...objects].flatMap(([key, { kind, metadata, spec, status }]) => {
    if (kind === 'ConfigMap') return [key];
    const called = status === undefined ? [] : [`${key} .status=${JSON.stringify(status)}`];
    if (!/MirrorSet$|^ImageContentSourcePolicy$/.test(kind)) {
      const { namespace } = metadata;
      const place = namespace === undefined ? [] : [`${key} .metadata.namespace=${namespace}`];
      return [...place, ...leavesOf(spec, `${key} .spec`), ...called];
    }
    const [entries] = Object.values(spec as Record<string, Mirrored[]>);
    return [
      ...entries!.map(
        ({ source, mirrors, ...others }) =>
          `${named ? key : kind} mirrors ${source} by ${mirrors.join(', ')}` +
          (Object.keys(others).length === 0 ? '' : ` ${JSON.stringify(others)}`),
      ),
      ...called,
    ];
  });
}

interface Mirrored {
  readonly source: string;
  readonly mirrors: readonly string[];
}

function leavesOf(value: unknown, path: string): readonly string[] {
  if (typeof value !== 'object' || value === null) return [`${path}=${JSON.stringify(value)}`];
  return Object.entries(value).flatMap(([key, own]) => leavesOf(own, `${path}.${key}`));
}

/** Puts the content of its archive, which is the storage of a registry, into a registry. */
export async function serveArchive({ root }: TestRegistry): Promise<void> {
  const tar = extract();
  tar.end(await peerTar('oc-mirror-first'));
  for await (const entry of tar) {
    const { name, type } = entry.header;
    const bytes = await buffer(entry);
    if (type !== 'file' || !name.startsWith('docker/')) continue;
    const path = join(root, 'storage', name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
}

/** Everything that has a tag in a registry. */
export async function tagsAt({ url }: TestRegistry): Promise<Tags> {
  const ask = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`${url}/v2/${path}`);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
    return (await answer.json()) as T;
  };
  const { repositories } = await ask<{ repositories: string[] }>('_catalog?n=1000');
  const all: Record<string, Record<string, string>> = {};
  for (const repository of repositories) {
    const { tags } = await ask<{ tags: string[] | null }>(`${repository}/tags/list`);
    for (const tag of tags ?? []) {
      const headers = { accept: MANIFEST_TYPES.join(', ') };
      const path = `${url}/v2/${repository}/manifests/${tag}`;
      const answer = await fetch(path, { method: 'HEAD', headers });
      (all[repository] ??= {})[tag] = answer.headers.get('docker-content-digest')!;
    }
  }
  return all;
}
