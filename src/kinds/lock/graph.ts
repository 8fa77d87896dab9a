import type { Digest } from '../../core/digest.ts';
import { shownUrl } from '../../core/text.ts';
import { digest, listOf, objectOf, text } from './fields.ts';
import type { LockForm } from './lock-form.ts';
import type { GraphFacts } from '../graph/expand.ts';
import { graphKind } from '../graph/graph.ts';
import type { GraphPartRequest } from '../graph/request.ts';

/** Graph data in a lock. */
export interface LockedGraph {
  /** Of the graph data, in the form of a bundle. */
  readonly digest: Digest;
  /** The image that they are laid onto, by digest. */
  readonly base: string;
  readonly architectures: readonly string[];
  /** Where they were: a URL, or a path. */
  readonly from: string;
}

export const graphLock: LockForm<LockedGraph, GraphPartRequest, GraphFacts> = {
  kind: graphKind,
  rowOf: ({ facts }, { data, origin }) => ({
    digest: facts.digest,
    base: facts.base,
    architectures: facts.architectures,
    from: origin ?? (typeof data === 'string' ? shownUrl(data) : ''),
  }),
  read: objectOf<LockedGraph>({ digest, base: text, architectures: listOf(text), from: text }),
  requestOf: ({ from, base, architectures, digest: expected }, { graphData }) => ({
    ...{ data: graphData ?? from, origin: from, base, architectures, expected },
  }),
  tagsIn: () => [],
};
