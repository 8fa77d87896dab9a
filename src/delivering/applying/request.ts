import type { VersionFacts, ClusterFacts } from '../../cluster/facts.ts';
import type { ObjectChange } from '../../cluster/apply.ts';
import type { ClusterOptions } from '../../network/cluster.ts';
import type { PartAtCluster } from '../../kinds/at-cluster.ts';
import type { NodeWork } from '../../kinds/resource-file.ts';

/** Which objects are applied: release signatures alone, or all that a delivery comes with. */
export type ApplyScope = 'signatures' | 'all';

/** That something is applied to a cluster, and to which one. */
export interface ApplyRequest extends ClusterOptions {
  readonly scope: ApplyScope;
  /**
   * Asks whether the plan may be carried out, where it makes nodes do something.
   * @returns whether it may.
   */
  readonly confirm: (plan: ApplyPlan) => Promise<boolean>;
}

/** What applying an object does, and what nodes do about it. */
export interface PlannedChange extends ObjectChange {
  /** The name of its file. */
  readonly file: string;
  readonly nodes: NodeWork;
}

/** What is known before anything is applied. */
export interface ApplyPlan {
  readonly scope: ApplyScope;
  /** The words with which `oc` asks this cluster, as far as the user has chosen one. */
  readonly ocOptions: readonly string[];
  readonly cluster: ClusterFacts;
  /** How each part stands to the cluster, where that can be told. */
  readonly parts: readonly (PartAtCluster & { readonly kind: string; readonly label: string })[];
  /**
   * Of how many repositories the nodes ask the target already; `undefined` where that cannot be
   * told.
   */
  readonly mirrored: { readonly sources: number; readonly pointing: number } | undefined;
  readonly changes: readonly PlannedChange[];
  /** The names of files that are not applied: not asked for, or not for this cluster. */
  readonly left: readonly string[];
}

/** What became of it. */
export interface ApplyReport extends ApplyPlan {
  /** `undefined` on a dry run. */
  readonly applied: readonly PlannedChange[] | undefined;
  /** What the cluster says of its updates after that; `undefined` on a dry run, or if unreadable. */
  readonly after: VersionFacts | undefined;
}
