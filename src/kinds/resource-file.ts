import type { JsonObject } from '../core/json.ts';
import { type ClusterObject, yamlOf } from './cluster-object.ts';

/** The stages in which a cluster takes objects, in this order. */
export const STAGES = ['signatures', 'trust', 'mirrors', 'images', 'services'] as const;
export type Stage = (typeof STAGES)[number];

/**
 * What the nodes of a cluster do about an object: `reload` is a new registries.conf, which CRI-O
 * reads without a restart of anything; `drain` moves the pods off one node after the other; `pull`
 * fetches images.
 */
export type NodeWork = 'nothing' | 'reload' | 'drain' | 'pull';

/** What applying an object does: nodes may do more for a change than for an object that is new. */
export interface Effect {
  readonly stage: Stage;
  readonly whenNew: NodeWork;
  readonly whenChanged: NodeWork;
}

/**
 * What each type of object does to a cluster. The Machine Config Operator drains for every change of
 * registries.conf but mirrors for digests that are added.
 */
export const EFFECTS = {
  releaseSignature: { stage: 'signatures', whenNew: 'nothing', whenChanged: 'nothing' },
  trustedCa: { stage: 'trust', whenNew: 'nothing', whenChanged: 'nothing' },
  digestMirrors: { stage: 'mirrors', whenNew: 'reload', whenChanged: 'drain' },
  tagMirrors: { stage: 'mirrors', whenNew: 'drain', whenChanged: 'drain' },
  pinnedImages: { stage: 'images', whenNew: 'pull', whenChanged: 'pull' },
  service: { stage: 'services', whenNew: 'nothing', whenChanged: 'nothing' },
} as const satisfies Readonly<Record<string, Effect>>;

/** Whom a file is for: any cluster, or only one of a certain sort, or one that makes clusters. */
export type Audience = 'every-cluster' | 'before-4.13' | 'update-service' | 'olm' | 'hub';

/** A file of objects for a cluster. */
export interface ResourceFile {
  /**
   * Its path in the folder for objects, folders divided by `/`. The folder itself holds what every
   * cluster can take; what needs something of a cluster has a folder in it.
   */
  readonly name: string;
  readonly objects: readonly ClusterObject[];
  readonly text: string | Uint8Array;
  readonly effect: Effect;
  readonly audience: Audience;
}

/** A file of objects, written as {@link yamlOf} writes them. */
export function resourceFile(
  name: string,
  objects: readonly ClusterObject[],
  effect: Effect,
  more: Partial<Pick<ResourceFile, 'text' | 'audience'>> = {},
): ResourceFile {
  const { text = yamlOf(...objects), audience = 'every-cluster' } = more;
  return { name, objects, text, effect, audience };
}

/** Something that is wished for one catalog of operators. */
export interface CatalogWish<T> {
  /** A name of the catalog; `undefined` means the only one that there is. */
  readonly catalog: string | undefined;
  readonly value: T;
}

/** What a CatalogSource has beside its name and its image. */
export interface SourceTemplate {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Without `image` and `sourceType`. */
  readonly spec: JsonObject;
}

/** What is wished for the objects that offer catalogs to clusters. */
export interface CatalogWishes {
  /** The names of these objects. */
  readonly names: readonly CatalogWish<string>[];
  /** They take the place of templates that catalogs came with. */
  readonly templates: readonly CatalogWish<SourceTemplate>[];
}

/** How the files of parts shall look. */
export interface ResourceWishes {
  /** Files and objects have the names and the forms that oc-mirror gives them. */
  readonly asOcMirror?: boolean;
  readonly catalogs?: CatalogWishes | undefined;
}

/** What is written only where somebody wants it. */
export interface WantedExtras {
  /** Objects by which Advanced Cluster Management offers what has arrived. */
  readonly clusterImageSets: boolean;
  /** The release that the clusters run, where nodes shall pull what they lack for the next one. */
  readonly runningRelease: string | undefined;
}

/** The path of a file by its name, as the reader of a text would type it. */
export type TypedPath = (name: string) => string;

/**
 * Commands that a report shows at once. All of them can be typed one after the other where the
 * condition holds; without commands, the condition says what is to be read elsewhere.
 */
export interface ShownStep {
  /** A sentence that leads to the commands; none where they are right for every cluster. */
  readonly condition?: string;
  readonly commands: readonly string[];
  /** The names of the files that it is about: it is done when all of them are applied. */
  readonly files: readonly string[];
}

/** Files that were wanted, and what to say about them. */
export interface Extras {
  readonly files: readonly ResourceFile[];
  /** Facts that have to be known at once, a sentence each. */
  readonly notes: readonly string[];
  /** What matters at once, before an update. */
  readonly shown: (typed: TypedPath) => readonly ShownStep[];
  /** Lines for `next-steps.txt`. */
  readonly section: (typed: TypedPath) => readonly string[];
}

export const NO_EXTRAS: Extras = { files: [], notes: [], shown: () => [], section: () => [] };
