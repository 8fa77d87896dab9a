import type { ClusterMirror } from '../../cluster/facts.ts';
import { isObject, type Json } from '../../core/json.ts';
import type { ResourceFile } from '../../kinds/resource-file.ts';
import type { ApplyPlan } from './request.ts';

interface Entry {
  readonly source: string;
  readonly mirrors: readonly string[];
}

/**
 * Counts of how many repositories that the nodes of a cluster have to ask the target instead, they
 * do so already: each repository for which some mirror set names the same mirror.
 * @param known the mirror sets of the cluster; `undefined` where they cannot be read.
 */
export function mirroredAlready(
  files: readonly ResourceFile[],
  known: readonly ClusterMirror[] | undefined,
): ApplyPlan['mirrored'] {
  const wanted = new Map<string, Set<string>>();
  for (const { source, mirrors } of files.flatMap(entriesOf)) {
    wanted.set(source, new Set([...(wanted.get(source) ?? []), ...mirrors]));
  }
  if (known === undefined || wanted.size === 0) return undefined;
  const pointing = [...wanted].filter(([source, mirrors]) =>
    known.some((entry) => placesOf(source, entry).some((place) => mirrors.has(place))),
  );
  return { sources: wanted.size, pointing: pointing.length };
}

/** The places that nodes ask for a repository, because of one entry of a mirror set. */
function placesOf(source: string, entry: Entry): readonly string[] {
  if (source !== entry.source && !source.startsWith(`${entry.source}/`)) return [];
  return entry.mirrors.map((mirror) => `${mirror}${source.slice(entry.source.length)}`);
}

/** The entries of mirror sets that are written. */
function entriesOf({ objects, effect }: ResourceFile): readonly Entry[] {
  if (effect.stage !== 'mirrors') return [];
  const lists = objects.flatMap(({ spec }) => (isObject(spec) ? Object.values(spec) : []));
  return lists
    .flatMap((list) => (Array.isArray(list) ? (list as readonly Json[]) : []))
    .flatMap((entry) =>
      isObject(entry) && typeof entry['source'] === 'string' && Array.isArray(entry['mirrors'])
        ? [{ source: entry['source'], mirrors: entry['mirrors'] as readonly string[] }]
        : [],
    );
}
