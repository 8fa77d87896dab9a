/** How a part stands to a cluster, as far as its kind can tell. */
export interface PartAtCluster {
  readonly standing: Standing;
  /** Why the cluster advises against it; only for `risky`. */
  readonly risk?: { readonly reason: string; readonly message: string } | undefined;
  /** The commands that take the cluster to it. */
  readonly commands: readonly string[];
  /** Whether a cluster refuses it as an update, since no release signature came with it. */
  readonly isUnsigned?: true;
}

export type Standing =
  /** The cluster has it. */
  | 'running'
  /** The cluster is on its way to it. */
  | 'updating'
  /** The cluster offers it as an update. */
  | 'recommended'
  /** The cluster knows it as an update, and advises against it, or cannot tell. */
  | 'risky'
  /** The cluster does not offer it. */
  | 'not-offered'
  /** The cluster has a newer one. */
  | 'older'
  /** It is for other nodes than those of the cluster. */
  | 'other-architecture'
  /** The cluster does not say which version it runs, or this user may not read it. */
  | 'not-known';
