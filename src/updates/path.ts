import type { Risk, UpdateEdge, UpdateGraph } from './graph.ts';
import { minorOf } from './version-order.ts';

/** A way from one release to another. */
export interface UpdatePath {
  /** In order; the first is the one that the cluster runs. */
  readonly versions: readonly string[];
  readonly steps: readonly UpdateEdge[];
}

/** What a path costs: first the risks that nobody has accepted, then its steps. */
interface Cost {
  readonly risks: number;
  readonly steps: number;
}

/**
 * The shortest path without a risk; where there is none, the one with the fewest risks, counted at
 * each step, and of those the shortest. Of equal ones it takes the newest release first, so that
 * the answer is the same every time.
 * @param accepted names of risks that do not count.
 * @returns `undefined` where no path exists.
 */
export function findPath(
  graph: UpdateGraph,
  from: string,
  to: string,
  accepted: ReadonlySet<string> = new Set(),
): UpdatePath | undefined {
  const risksIn = ({ risks }: UpdateEdge): number =>
    risks.filter(({ name }) => !accepted.has(name)).length;
  return cheapestPath(graph, from, to, risksIn);
}

/** The path of the fewest steps, whatever its risks are. */
export function shortestPath(graph: UpdateGraph, from: string, to: string): UpdatePath | undefined {
  return cheapestPath(graph, from, to, () => 0);
}

function cheapestPath(
  graph: UpdateGraph,
  from: string,
  to: string,
  risksIn: (edge: UpdateEdge) => number,
): UpdatePath | undefined {
  const costs = costsTo(graph, to, risksIn);
  if (!costs.has(from)) return undefined;
  const steps: UpdateEdge[] = [];
  for (let at = from; at !== to;) {
    const best = graph
      .updatesFrom(at)
      .filter((edge) => costs.has(edge.to))
      .toReversed() // the newest first
      .reduce((one, other) => (isLess(total(other), total(one)) ? other : one));
    steps.push(best);
    at = best.to;
  }
  return { versions: [from, ...steps.map((step) => step.to)], steps };

  function total(edge: UpdateEdge): Cost {
    return withStep(costs.get(edge.to)!, risksIn(edge));
  }
}

/** The least cost from each release that leads to `to` (Dijkstra, from the end). */
function costsTo(
  graph: UpdateGraph,
  to: string,
  risksIn: (edge: UpdateEdge) => number,
): ReadonlyMap<string, Cost> {
  const known = new Map<string, Cost>();
  const open = new Map<string, Cost>([[to, { risks: 0, steps: 0 }]]);
  while (open.size > 0) {
    const [version, cost] = [...open].reduce((one, other) =>
      isLess(other[1], one[1]) ? other : one,
    );
    open.delete(version);
    known.set(version, cost);
    for (const edge of graph.updatesTo(version)) {
      if (known.has(edge.from)) continue;
      const through = withStep(cost, risksIn(edge));
      const before = open.get(edge.from);
      if (before === undefined || isLess(through, before)) open.set(edge.from, through);
    }
  }
  return known;
}

/** What a path costs that has one step more. */
function withStep(cost: Cost, risks: number): Cost {
  return { risks: cost.risks + risks, steps: cost.steps + 1 };
}

function isLess(a: Cost, b: Cost): boolean {
  return a.risks === b.risks ? a.steps < b.steps : a.risks < b.risks;
}

/** The risks of a path, in the order of its steps. */
export function risksOf({ steps }: UpdatePath): readonly (UpdateEdge & { readonly risk: Risk })[] {
  return steps.flatMap((step) => step.risks.map((risk) => ({ ...step, risk })));
}

/**
 * The releases between two of an even minor that only the control plane has to pass: the other
 * nodes may wait, paused, and then go to the last one at once. Releases with an even minor have
 * extended support (EUS), and clusters that stay on them update so.
 */
export function controlPlaneOnly({ versions }: UpdatePath): readonly string[] {
  const [first, last] = [versions[0]!, versions.at(-1)!];
  if (!isEven(first) || !isEven(last) || minorOf(first) === minorOf(last)) return [];
  return versions.filter((version) => !isEven(version));
}

function isEven(version: string): boolean {
  return Number(minorOf(version).split('.')[1]) % 2 === 0;
}
