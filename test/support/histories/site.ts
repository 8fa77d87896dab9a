import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { MANIFEST_TYPES } from '../../../src/core/media-types.ts';
import { errors, type Odd, type OddState, startOddRegistry } from '../odd-registry.ts';
import { collectGarbage, startRegistry } from '../registry.ts';

/** A registry of a closed side, with what may happen to it, and what can be asked about it. */
export interface Site {
  readonly host: string;
  /** What a manifest or tag names and its repository does not have. */
  readonly lacking: () => Promise<ReadonlySet<string>>;
  readonly holds: (
    repository: string,
    digest: string,
    what: 'blob' | 'manifest',
  ) => Promise<boolean>;
  /** `REPOSITORY:TAG`, and the digest that it names. */
  readonly tags: () => Promise<ReadonlyMap<string, string>>;
  /** The content that is there, in any order that stays the same: some of it may get lost. */
  readonly content: () => Promise<readonly string[]>;
  readonly lose: (content: string) => Promise<void>;
  /** @returns what brings it back to what it is now. */
  readonly save: () => Promise<() => Promise<void>>;
  readonly collectGarbage: () => Promise<void>;
  /** Differs where anything is stored that was not, or the other way round. */
  readonly print: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** How registries differ. */
interface SiteWays {
  /** It has the API for referrers; else clients keep lists under tags. */
  readonly referrers: boolean;
  /** It removes one tag of a manifest. */
  readonly removesTags: boolean;
}

interface AnyManifest {
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly manifests?: readonly { readonly digest: string }[];
}

/** All digests that a manifest needs: a subject may be anywhere. */
function neededBy(bytes: Uint8Array): {
  readonly blobs: readonly string[];
  readonly manifests: readonly string[];
} {
  const {
    config,
    layers = [],
    manifests = [],
  } = JSON.parse(Buffer.from(bytes).toString()) as AnyManifest;
  const blobs = [...(config === undefined ? [] : [config]), ...layers];
  return {
    blobs: blobs.map(({ digest }) => digest),
    manifests: manifests.map(({ digest }) => digest),
  };
}

/** A registry in memory, which can be asked for everything that it has. */
export async function memorySite({ referrers, removesTags }: SiteWays): Promise<Site> {
  const odd: Odd = ({ method, url }) =>
    method === 'DELETE' && !removesTags && /\/manifests\/(?!sha256:)/.test(url)
      ? { status: 405, body: errors('UNSUPPORTED') }
      : undefined;
  const { host, state, stop } = await startOddRegistry(odd, { referrers });
  return {
    host,
    stop,
    lacking: async () => lackingIn(state),
    holds: async (repository, digest, what) =>
      (what === 'blob' ? state.blobs : state.manifests).has(`${repository}@${digest}`),
    tags: async () => new Map(state.tags),
    content: async () => {
      const all = [...state.blobs.keys(), ...state.manifests.keys()];
      return [...new Set(all.map(digestIn))].toSorted();
    },
    lose: async (content) => {
      for (const map of [state.blobs, state.manifests] as Map<string, unknown>[])
        for (const key of [...map.keys()]) if (digestIn(key) === content) map.delete(key);
    },
    save: async () => {
      const saved = Object.entries(state).map(
        ([name, map]) => [name, new Map(map as Map<string, never>)] as const,
      );
      return async () => {
        for (const [name, entries] of saved) {
          const map = state[name as keyof OddState] as Map<string, never>;
          map.clear();
          for (const [key, value] of entries) map.set(key, value);
        }
      };
    },
    collectGarbage: async () => {
      const needed = new Set(
        [...state.manifests.values()].flatMap(({ bytes }) => neededBy(bytes).blobs),
      );
      for (const key of [...state.blobs.keys()])
        if (!needed.has(digestIn(key))) state.blobs.delete(key);
    },
    print: async () =>
      JSON.stringify([
        [...state.blobs.keys()].toSorted(),
        [...state.manifests.keys()].toSorted(),
        [...state.tags].toSorted(),
      ]),
  };
}

function digestIn(key: string): string {
  return key.slice(key.indexOf('@') + 1);
}

function lackingIn({ blobs, manifests, tags }: OddState): ReadonlySet<string> {
  const lacking = new Set<string>();
  for (const [key, { bytes }] of manifests) {
    const repository = key.slice(0, key.indexOf('@'));
    const needed = neededBy(bytes);
    for (const digest of needed.blobs)
      if (!blobs.has(`${repository}@${digest}`)) lacking.add(`${key} needs ${digest}`);
    for (const digest of needed.manifests)
      if (!manifests.has(`${repository}@${digest}`)) lacking.add(`${key} lists ${digest}`);
  }
  for (const [key, digest] of tags) {
    const repository = key.slice(0, key.lastIndexOf(':'));
    if (!manifests.has(`${repository}@${digest}`)) lacking.add(`${key} names ${digest}`);
  }
  return lacking;
}

/** A real registry, which is asked over HTTP alone; only its losses happen in its storage. */
export async function realSite(): Promise<Site> {
  const registry = await startRegistry();
  const { host, url, root } = registry;
  const storage = join(root, 'storage');
  const folder = join(storage, 'docker/registry/v2');
  let saves = 0;
  const ask = async (path: string, method = 'GET'): Promise<Response> =>
    fetch(`${url}/v2/${path}`, { method, headers: { accept: MANIFEST_TYPES.join(', ') } });
  const has = async (path: string): Promise<boolean> => (await ask(path, 'HEAD')).status === 200;
  const json = async (path: string): Promise<unknown> => {
    const answer = await ask(path);
    return answer.status === 404 ? {} : answer.json();
  };
  const allTags = async (): Promise<readonly (readonly [string, string])[]> => {
    const { repositories = [] } = (await json('_catalog?n=1000')) as { repositories?: string[] };
    const lists = repositories.map(async (repository) => {
      const { tags } = (await json(`${repository}/tags/list`)) as { tags?: string[] | null };
      return (tags ?? []).map((tag) => [repository, tag] as const);
    });
    return (await Promise.all(lists)).flat();
  };
  const paths = async (of: string): Promise<readonly string[]> =>
    (await readdir(of, { recursive: true }).catch(() => [])).toSorted();
  const lackingBelow = async (
    repository: string,
    reference: string,
  ): Promise<readonly string[]> => {
    const answer = await ask(`${repository}/manifests/${reference}`);
    if (answer.status !== 200) return [`${repository} lacks ${reference}`];
    const { blobs, manifests } = neededBy(Buffer.from(await answer.arrayBuffer()));
    const found = await Promise.all([
      ...blobs.map(async (digest) =>
        (await has(`${repository}/blobs/${digest}`)) ? [] : [`${repository} lacks ${digest}`],
      ),
      ...manifests.map((digest) => lackingBelow(repository, digest)),
    ]);
    return found.flat();
  };
  return {
    host,
    stop: registry.stop,
    lacking: async () => {
      const below = (await allTags()).map(([repository, tag]) => lackingBelow(repository, tag));
      return new Set((await Promise.all(below)).flat());
    },
    holds: (repository, digest, what) => has(`${repository}/${what}s/${digest}`),
    tags: async () => {
      const named = (await allTags()).map(async ([repository, tag]) => {
        const answer = await ask(`${repository}/manifests/${tag}`, 'HEAD');
        const digest = answer.headers.get('docker-content-digest');
        return digest === null ? [] : [[`${repository}:${tag}`, digest] as const];
      });
      return new Map((await Promise.all(named)).flat());
    },
    content: async () => {
      const links = (await paths(folder)).flatMap(
        (path) => /\/_layers\/sha256\/([0-9a-f]{64})\/link$/.exec(path)?.[1] ?? [],
      );
      return [...new Set(links)];
    },
    lose: async (hex) =>
      rm(join(folder, 'blobs/sha256', hex.slice(0, 2), hex), { recursive: true, force: true }),
    save: async () => {
      saves += 1;
      const kept = join(root, `saved-${saves}`);
      await cp(storage, kept, { recursive: true });
      return async () => {
        await rm(storage, { recursive: true, force: true });
        await cp(kept, storage, { recursive: true });
      };
    },
    collectGarbage: () => collectGarbage(registry),
    print: async () =>
      JSON.stringify((await paths(folder)).filter((path) => !path.includes('_uploads'))),
  };
}
