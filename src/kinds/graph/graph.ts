import { compareText, optionWords } from '../../core/text.ts';
import type { Kind } from '../kind.ts';
import { RELEASE } from '../release/expand.ts';
import { expandGraph, GRAPH, type GraphFacts, graphLabel } from './expand.ts';
import type { GraphPartRequest } from './request.ts';
import { findGraph, type GraphSeed, readGraphSeed } from './seed.ts';
import { graphResources } from './update-service.ts';

/** Graph data, and the image that an update service of the closed side takes it from. */
export const graphKind: Kind<GraphPartRequest, GraphSeed, GraphFacts> = {
  name: GRAPH,
  accompanies: true,
  describes: RELEASE,
  find: findGraph,
  read: readGraphSeed,
  labelOf: ({ digest }) => graphLabel(typeof digest === 'string' ? digest.slice(7, 19) : '?'),
  namesOf: ({ digest }) => [GRAPH, ...(typeof digest === 'string' ? [digest] : [])],
  // Where the graph data came from is not known any more.
  packWords: (claims) => [
    ...['--graph-data', 'GRAPH_DATA'],
    ...claims.flatMap(({ base }) =>
      typeof base === 'string' ? optionWords('graph-data-base', [base]) : [],
    ),
  ],
  digestOf: ({ digest }) => digest,
  expand: expandGraph,
  compare: (a, b) => compareText(a.digest, b.digest),
  bundleName: (parts) => {
    const [first] = parts;
    return first !== undefined && 'digest' in first
      ? `graph-${first.digest.slice(7, 19)}`
      : undefined;
  },
  newerThan: () => [],
  resources: graphResources,
};
