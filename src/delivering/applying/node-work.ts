import type { NodeWork } from '../../kinds/resource-file.ts';

/** From the least to the most that nodes do. */
const WORK: readonly NodeWork[] = ['nothing', 'pull', 'reload', 'drain'];

/** The most that the nodes of a cluster do about some changes. */
export function mostOf(changes: readonly { readonly nodes: NodeWork }[]): NodeWork {
  const most = Math.max(0, ...changes.map(({ nodes }) => WORK.indexOf(nodes)));
  return WORK[most]!;
}
