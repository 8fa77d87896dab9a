import { BundleError } from '../core/errors.ts';
import {
  formatRepository,
  isRegistry,
  isRepository,
  MAX_NAME_LENGTH,
  type RepositoryName,
} from '../core/reference.ts';
import { hintOnPassword, withoutPassword } from '../core/http/user-info.ts';
import { type FixedPlace, isFixed, type Place } from '../transfer/image.ts';

/** Where `--to` points: a registry, and the path in front of every repository there. */
export interface Target {
  readonly registry: string;
  readonly namespace: string | undefined;
}

export interface DestinationOptions {
  readonly to: Target;
  /** Full path of the repository for components, instead of `<namespace>/openshift/release`. */
  readonly releaseRepository?: string | undefined;
  /**
   * Full path of the repository for release images, instead of
   * `<namespace>/openshift/release-images`. May be equal to the other.
   */
  readonly releaseImagesRepository?: string | undefined;
  /**
   * Full path of the repository for graph images, instead of `<namespace>/openshift/graph-image`.
   * Not that of release images.
   */
  readonly graphRepository?: string | undefined;
  /** How many path components the registry takes at most; the rest is joined with `-`. */
  readonly maxNestedPaths?: number | undefined;
}

/**
 * The repositories of a target: release images apart from components, and from the graph image, as
 * the update service needs them. {@link repositoryAt} has those of all other images.
 */
export interface Destinations extends Readonly<Record<FixedPlace, RepositoryName>> {
  /** What `--to` named. */
  readonly target: Target;
  /** How many components a path has at most; `undefined` where none is joined. */
  readonly maxNestedPaths: number | undefined;
}

/** The repository of a target for a place. @throws BundleError USAGE where its name is too long. */
export function repositoryAt(destinations: Destinations, place: Place): RepositoryName {
  if (isFixed(place)) return destinations[place];
  const { target, maxNestedPaths } = destinations;
  const { registry } = target;
  return named(registry, nested(below(target, place.slice(1)), maxNestedPaths));
}

/**
 * Something for the repository of each place, made once for each repository: places that have one
 * repository share it.
 */
export function forEachRepository<T>(
  destinations: Destinations,
  make: (repository: RepositoryName) => T,
): (place: Place) => T {
  const made = new Map<string, T>();
  return (place) => {
    const name = repositoryAt(destinations, place);
    const key = name.repository;
    if (!made.has(key)) made.set(key, make(name));
    return made.get(key)!;
  };
}

/** As commands are printed whose registry only the reader knows. */
const PLACEHOLDER = 'REGISTRY';

/**
 * `HOST[:PORT]` or `HOST[:PORT]/NAMESPACE`, with or without `docker://` in front.
 * @throws BundleError USAGE
 */
export function parseTarget(text: string): Target {
  const bare = text.replace(/^docker:\/\//, '').replace(/\/$/, '');
  const slash = bare.indexOf('/');
  const registry = slash === -1 ? bare : bare.slice(0, slash);
  const namespace = slash === -1 ? undefined : bare.slice(slash + 1);
  const isNamed = isRegistry(registry) && (namespace === undefined || isRepository(namespace));
  if (!isNamed || registry === PLACEHOLDER) {
    const why = registry === PLACEHOLDER ? 'Put the name of your registry in its place. ' : '';
    throw new BundleError('USAGE', `not a registry to write to: ${withoutPassword(text)}`, {
      hint: hintOnPassword(
        text,
        (registry === PLACEHOLDER ? undefined : meant(bare)) ??
          `${why}Write HOST[:PORT] or HOST[:PORT]/NAMESPACE, as in registry.example.com:5000/ocp4, ` +
            'in small letters and without https://.',
      ),
    });
  }
  return { registry, namespace };
}

/** What does not belong to a target, and how it is called; each once the one before it is gone. */
const FOREIGN: readonly (readonly [RegExp, (found: string) => string])[] = [
  [/^[a-z][a-z0-9+.-]*:\/\//i, (scheme) => `a scheme (${scheme})`],
  [/\/+$/, () => 'a slash at its end'],
  [/@[a-z0-9]+:[0-9a-f]+$/i, () => 'a digest'],
  [/(?<=\/[^:]*):[^/:]*$/, (tag) => `a tag (${tag})`],
];

/**
 * What is wrong with a target, and the one that somebody may have meant; `undefined` where more is
 * wrong than what does not belong there.
 */
function meant(text: string): string | undefined {
  const wrong: string[] = [];
  let bare = text;
  for (const [pattern, called] of FOREIGN) {
    const [found] = pattern.exec(bare) ?? [];
    if (found === undefined) continue;
    wrong.push(called(found));
    bare = bare.replace(pattern, '');
  }
  const right = bare.toLowerCase();
  if (right !== bare) wrong.push('capital letters');
  const [registry = '', ...path] = right.split('/');
  const isRight = isRegistry(registry) && (path.length === 0 || isRepository(path.join('/')));
  if (!isRight || wrong.length === 0 || registry === PLACEHOLDER.toLowerCase()) return undefined;
  return `It has ${wrong.join(' and ')}. Write ${right}.`;
}

/**
 * The repositories that everything goes to, after oc-mirror's names.
 * @throws BundleError USAGE for a path that the registry could not take.
 */
export function planDestinations(options: DestinationOptions): Destinations {
  const { maxNestedPaths } = options;
  if (
    maxNestedPaths !== undefined &&
    (!Number.isSafeInteger(maxNestedPaths) || maxNestedPaths < 1)
  ) {
    throw new BundleError('USAGE', `not a usable number of path components: ${maxNestedPaths}`, {
      hint: 'Give --max-nested-paths 1 or more.',
    });
  }
  const entry = repositoryOf(options, options.releaseImagesRepository, 'openshift/release-images');
  const content = repositoryOf(options, options.releaseRepository, 'openshift/release');
  const graph = repositoryOf(options, options.graphRepository, 'openshift/graph-image');
  if (graph.repository === entry.repository) {
    throw new BundleError(
      'USAGE',
      `graph images and release images cannot be in one repository: ${graph.repository}`,
      {
        hint:
          'An update service takes every tag beside release images for a release. ' +
          'Give --graph-repository another path.',
      },
    );
  }
  return { target: options.to, maxNestedPaths, entry, content, graph };
}

function repositoryOf(
  { to, maxNestedPaths }: DestinationOptions,
  wanted: string | undefined,
  usual: string,
): RepositoryName {
  const path =
    wanted === undefined
      ? nested(below(to, usual), maxNestedPaths)
      : checkedPath(wanted, maxNestedPaths);
  return named(to.registry, path);
}

/** Registries may take a longer name, but nothing that runs containers reads one. */
function named(registry: string, repository: string): RepositoryName {
  const name = { registry, repository };
  const { length } = formatRepository(name);
  if (length <= MAX_NAME_LENGTH) return name;
  throw new BundleError(
    'USAGE',
    `the name of a repository is too long: ${registry}/${repository}`,
    {
      expected: `${MAX_NAME_LENGTH} characters at most, with the registry`,
      got: `${length}`,
      hint:
        'Deliver to a shorter namespace, or pack the image for a shorter path: targetRepo in the ' +
        'file, or --image REFERENCE=PATH:TAG.',
    },
  );
}

function below({ namespace }: Target, path: string): string {
  return namespace === undefined ? path : `${namespace}/${path}`;
}

/** A path that was written out is taken as it is, or not at all. */
function checkedPath(path: string, maxNestedPaths: number | undefined): string {
  if (!isRepository(path)) {
    throw new BundleError('USAGE', `not a repository path: ${path}`, {
      hint: 'Write the path without the registry, as in ocp4/release.',
    });
  }
  if (nested(path, maxNestedPaths) !== path) {
    throw new BundleError(
      'USAGE',
      `the repository ${path} has more than ${maxNestedPaths ?? 0} path components`,
      {
        hint: 'Give a shorter path, or leave --max-nested-paths out.',
      },
    );
  }
  return path;
}

/** oc-mirror's rule: the first N-1 components stay, the rest become one. */
function nested(path: string, limit: number | undefined): string {
  const parts = path.split('/');
  if (limit === undefined || parts.length <= limit) return path;
  return [...parts.slice(0, limit - 1), parts.slice(limit - 1).join('-')].join('/');
}
