import { readFile } from 'node:fs/promises';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { projectPath } from '../../../scripts/lib/project-root.ts';
import { parseGraph, type UpdateEdge, UpdateGraph } from '../../../src/updates/graph.ts';
import { controlPlaneOnly, findPath, shortestPath } from '../../../src/updates/path.ts';

const load = async (name: string): Promise<UpdateGraph> =>
  parseGraph(await readFile(projectPath(`fixtures/graphs/${name}.json`)), name);

const NAMES = ['amd64-stable-4.13', 'amd64-stable-4.9', 'multi-candidate-4.12'] as const;

/** A graph of updates `A>B`, or `A>B:RISK,RISK`. */
function graphOf(...updates: readonly string[]): UpdateGraph {
  const edges = updates.map((text): UpdateEdge => {
    const [ends = '', risks] = text.split(':');
    const [from = '', to = ''] = ends.split('>');
    const named = (name: string) => ({ name, message: '', url: '', evaluable: true });
    return { from, to, risks: risks === undefined ? [] : risks.split(',').map(named) };
  });
  const versions = new Set(edges.flatMap(({ from, to }) => [from, to]));
  return new UpdateGraph(
    [...versions].map((version) => ({
      version,
      payload: '',
      channels: [],
      url: undefined,
      blockedFrom: undefined,
    })),
    edges,
  );
}

/**
 * The least cost of all paths, found in another way: rounds over all updates until nothing gets
 * better. Risks weigh more than any number of steps.
 */
function bruteForce(
  { edges }: UpdateGraph,
  from: string,
  to: string,
  accepted: ReadonlySet<string>,
): { risks: number; steps: number } | undefined {
  const WEIGHT = 10_000;
  const least = new Map([[from, 0]]);
  for (let isBetter = true; isBetter;) {
    isBetter = false;
    for (const edge of edges) {
      const before = least.get(edge.from);
      if (before === undefined) continue;
      const open = edge.risks.filter(({ name }) => !accepted.has(name)).length;
      const through = before + open * WEIGHT + 1;
      if (through >= (least.get(edge.to) ?? Number.POSITIVE_INFINITY)) continue;
      least.set(edge.to, through);
      isBetter = true;
    }
  }
  const cost = least.get(to);
  return cost === undefined
    ? undefined
    : { risks: Math.floor(cost / WEIGHT), steps: cost % WEIGHT };
}

describe('an update path', () => {
  it.each(NAMES)(
    'costs what an exhaustive search finds, between any two of %s',
    async (name) => {
      const graph = await load(name);
      const versions = graph.releases.map(({ version }) => version);
      const risks = [...new Set(graph.edges.flatMap((edge) => edge.risks.map((one) => one.name)))];
      fc.assert(
        fc.property(
          fc.constantFrom(...versions),
          fc.constantFrom(...versions),
          fc.subarray(risks),
          (from, to, names) => {
            const accepted = new Set(names);
            const path = findPath(graph, from, to, accepted);
            const expected = bruteForce(graph, from, to, accepted);
            expect(path === undefined).toBe(expected === undefined);
            if (path === undefined) return;
            expect(path.versions[0]).toBe(from);
            expect(path.versions.at(-1)).toBe(to);
            for (const step of path.steps) expect(graph.edges).toContain(step);
            const open = path.steps.flatMap((step) =>
              step.risks.filter((risk) => !accepted.has(risk.name)),
            );
            expect({ risks: open.length, steps: path.steps.length }).toEqual(expected);
          },
        ),
        { numRuns: 1000 },
      );
    },
    180_000,
  );

  it('takes no risk where a longer way has none, and says which way is shorter', () => {
    const graph = graphOf('1.0.0>1.0.3:Bad', '1.0.0>1.0.1', '1.0.1>1.0.2', '1.0.2>1.0.3');
    expect(findPath(graph, '1.0.0', '1.0.3')!.versions).toEqual([
      '1.0.0',
      '1.0.1',
      '1.0.2',
      '1.0.3',
    ]);
    expect(findPath(graph, '1.0.0', '1.0.3', new Set(['Bad']))!.versions).toEqual([
      '1.0.0',
      '1.0.3',
    ]);
    expect(shortestPath(graph, '1.0.0', '1.0.3')!.versions).toEqual(['1.0.0', '1.0.3']);
  });

  it('takes the fewest risks where every way has some', () => {
    const graph = graphOf('1.0.0>1.0.9:A,B', '1.0.0>1.0.1:A', '1.0.1>1.0.9');
    expect(findPath(graph, '1.0.0', '1.0.9')!.versions).toEqual(['1.0.0', '1.0.1', '1.0.9']);
  });

  it('takes the newest release where several ways are equal', () => {
    const graph = graphOf('1.0.0>1.0.1', '1.0.0>1.0.2', '1.0.1>1.0.9', '1.0.2>1.0.9');
    expect(findPath(graph, '1.0.0', '1.0.9')!.versions).toEqual(['1.0.0', '1.0.2', '1.0.9']);
  });

  it('is empty from a release to itself, and is none against the arrows', () => {
    const graph = graphOf('1.0.0>1.0.1');
    expect(findPath(graph, '1.0.0', '1.0.0')).toEqual({ versions: ['1.0.0'], steps: [] });
    expect(findPath(graph, '1.0.1', '1.0.0')).toBeUndefined();
  });

  it('never leads to an older release, even where nothing else leads on', () => {
    const graph = graphOf(
      ...['4.17.2>4.17.4', '4.17.4>4.17.3:Bad', '4.17.3>4.17.1', '4.17.1>4.17.9'],
      ...['4.17.10>4.17.9-rc.1', '4.17.9-rc.1>4.17.9'],
    );
    expect(findPath(graph, '4.17.2', '4.17.3')).toBeUndefined();
    expect(shortestPath(graph, '4.17.2', '4.17.9')).toBeUndefined();
    expect(findPath(graph, '4.17.10', '4.17.9')).toBeUndefined();
    expect(graph.downward.map(({ from, to }) => `${from}>${to}`)).toEqual([
      ...['4.17.3>4.17.1', '4.17.4>4.17.3', '4.17.10>4.17.9-rc.1'],
    ]);
    expect(graph.downwardBetween('4.17.2', '4.17.9')).toMatchObject({ from: '4.17.4' });
    expect(graph.downwardBetween('4.17.2', '4.17.4')).toBeUndefined();
    expect(graph.downwardBetween('4.17.1', '4.17.10')).toBeUndefined();
  });

  it.each([
    [['4.16.20', '4.16.30', '4.17.9', '4.18.3'], ['4.17.9']],
    [
      ['4.14.1', '4.15.2', '4.16.3', '4.17.4', '4.18.5'],
      ['4.15.2', '4.17.4'],
    ],
    [['4.16.20', '4.17.3'], []],
    [['4.15.1', '4.16.2', '4.17.3'], []],
    [['4.16.1', '4.16.2'], []],
  ])('of %j is passed by the control plane alone in %j', (versions, expected) => {
    expect(controlPlaneOnly({ versions, steps: [] })).toEqual(expected);
  });
});
