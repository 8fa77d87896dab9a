/**
 * The keys that each mapping of an image set has, by its path. oc-mirror refuses every other key,
 * and takes these in any case.
 */
const KEYS = {
  '': ['apiVersion', 'kind', 'archiveSize', 'mirror'],
  mirror: ['platform', 'operators', 'additionalImages', 'helm', 'blockedImages', 'samples'],
  'mirror.platform': [
    'graph',
    'channels',
    'architectures',
    'platforms',
    'release',
    'kubeVirtContainer',
  ],
  'mirror.platform.channels[]': [
    'name',
    'type',
    'minVersion',
    'maxVersion',
    'shortestPath',
    'full',
  ],
  'mirror.operators[]': [
    'catalog',
    'targetCatalog',
    'targetTag',
    'full',
    'skipDependencies',
    'targetCatalogSourceTemplate',
    'platforms',
    'packages',
  ],
  'mirror.operators[].packages[]': [
    'name',
    'defaultChannel',
    'minVersion',
    'maxVersion',
    'channels',
  ],
  'mirror.operators[].packages[].channels[]': ['name', 'minVersion', 'maxVersion'],
  'mirror.additionalImages[]': ['name', 'targetRepo', 'targetTag', 'platforms'],
  'mirror.helm': ['repositories', 'local'],
  'mirror.helm.repositories[]': ['name', 'url', 'charts'],
  'mirror.helm.repositories[].charts[]': ['name', 'version', 'imagePaths', 'platforms'],
  'mirror.helm.local[]': ['name', 'path', 'imagePaths', 'platforms'],
  'mirror.blockedImages[]': ['name'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

const PLATFORM_KEYS = ['os', 'architecture'];

/** A list of what is to be deleted has the keys of an image set, but for these. */
const DELETE_KEYS: Readonly<Record<string, readonly string[]>> = {
  '': ['apiVersion', 'kind', 'delete'],
  delete: ['platform', 'operators', 'additionalImages', 'helm', 'samples'],
};

/** @param path without numbers: `mirror.operators[].packages[]`. */
export function keysAt(path: string, root: 'mirror' | 'delete'): readonly string[] {
  if (root === 'delete' && Object.hasOwn(DELETE_KEYS, path)) return DELETE_KEYS[path]!;
  if (path.endsWith('.platforms[]')) return PLATFORM_KEYS;
  const known = path.replace(/^delete\b/, 'mirror');
  return Object.hasOwn(KEYS, known) ? KEYS[known as keyof typeof KEYS] : [];
}

/** How the outermost mapping is called. */
export const TOP = 'the top of the file';

/** Where a key belongs that is in the wrong mapping; `undefined` where it is no key at all. */
export function placeOfKey(key: string): string | undefined {
  const found = Object.entries(KEYS).find(([, keys]) =>
    (keys as readonly string[]).some((known) => known.toLowerCase() === key.toLowerCase()),
  );
  if (found === undefined) return undefined;
  return found[0] === '' ? TOP : found[0];
}

/** Keys of oc-mirror v1, and what became of them. */
const CHANGED_KEYS: Readonly<Record<string, string>> = {
  storageConfig: 'oc-mirror v1 kept its state there. Nothing is kept now: remove it.',
  'mirror.ocp': 'It is called mirror.platform now.',
  'mirror.operators[].targetName': 'It is called targetCatalog now, and is a path.',
  'mirror.operators[].originalRef': 'Name the original with catalog.',
  'mirror.operators[].headsOnly':
    'Without it the heads of all channels are taken; full: true takes all bundles.',
  'mirror.operators[].packages[].bundles':
    'Give minVersion and maxVersion: with the same version in both it is one bundle.',
};

/** What became of a key that was one once. @param path without numbers, the key included. */
export function changeOf(path: string): string | undefined {
  const known = Object.keys(CHANGED_KEYS).find((key) => key.toLowerCase() === path.toLowerCase());
  return known === undefined ? undefined : CHANGED_KEYS[known];
}
