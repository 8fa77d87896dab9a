import { readFile } from 'node:fs/promises';

import { describe, expect, it } from 'vitest';

import { projectPath } from '../../../scripts/lib/project-root.ts';
import { parseGraph, type UpdateGraph } from '../../../src/updates/graph.ts';

interface ServiceGraph {
  nodes: { version: string; payload: string; metadata: Record<string, string> }[];
  edges: [number, number][];
  conditionalEdges: {
    edges: { from: string; to: string }[];
    risks: { name: string; url: string; message: string; matchingRules: { type: string }[] }[];
  }[];
}

const A = 'quay.io/r@sha256:'.padEnd(81, 'a');
const ALWAYS = [{ type: 'Always' }];
const QUERY = [{ type: 'PromQL', promql: { promql: 'x' } }];

async function service(name: string): Promise<ServiceGraph> {
  return JSON.parse(
    await readFile(projectPath(`fixtures/graphs/${name}.json`), 'utf8'),
  ) as ServiceGraph;
}

const parse = (graph: unknown): UpdateGraph =>
  parseGraph(Buffer.from(JSON.stringify(graph)), 'the graph');

/** A graph of these versions. */
function made(versions: readonly string[], more: object = {}): object {
  return { nodes: versions.map((version) => ({ version, payload: A })), edges: [], ...more };
}

const risk = (name: string, matchingRules: object[] = ALWAYS): object => ({
  ...{ name, message: `${name} is bad`, url: `https://example.com/${name}`, matchingRules },
});

describe('an update graph', () => {
  it.each(['amd64-stable-4.13', 'amd64-stable-4.9', 'multi-candidate-4.12'])(
    'has every release and update of a real one: %s',
    async (name) => {
      const real = await service(name);
      const graph = parse(real);
      expect(graph.releases.map(({ version }) => version).toSorted()).toEqual(
        real.nodes.map(({ version }) => version).toSorted(),
      );
      const conditional = real.conditionalEdges.flatMap(({ edges }) => edges);
      const key = ({ from, to }: { from: string; to: string }): string => `${from} ${to}`;
      const hasRisk = new Set(conditional.map(key));
      const all = new Set([
        ...hasRisk,
        ...real.edges.map(([from, to]) =>
          key({ from: real.nodes[from]!.version, to: real.nodes[to]!.version }),
        ),
      ]);
      expect(graph.edges.map(key).toSorted()).toEqual([...all].toSorted());
      for (const edge of graph.edges)
        expect(edge.risks.length > 0, key(edge)).toBe(hasRisk.has(key(edge)));
    },
  );

  it('tells every risk of every conditional update, with its words', async () => {
    const real = await service('amd64-stable-4.13');
    const graph = parse(real);
    for (const { edges, risks } of real.conditionalEdges)
      for (const { from, to } of edges)
        for (const { name, url, message, matchingRules } of risks) {
          const found = graph
            .updatesFrom(from)
            .find((edge) => edge.to === to)!
            .risks.find((one) => one.name === name);
          const evaluable = matchingRules.some(({ type }) => type === 'Always');
          expect(found).toEqual({ name, url, message: message.replaceAll(/\n/g, ' '), evaluable });
        }
  });

  it('is the same in whatever order the service sends it', async () => {
    const real = await service('amd64-stable-4.13');
    const order = real.nodes.map((_, index) => index).toReversed();
    const shuffled = {
      ...real,
      nodes: order.map((index) => real.nodes[index]),
      edges: real.edges.map(([from, to]) => [order.indexOf(from), order.indexOf(to)]).toReversed(),
      conditionalEdges: real.conditionalEdges.toReversed(),
    };
    expect(parse(shuffled)).toEqual(parse(real));
  });

  it('orders versions by their numbers, whatever the major version is', () => {
    const graph = parse(made(['5.0.0', '4.23.10', '4.23.9', '5.0.0-rc.1', '4.9.0']));
    expect(graph.releases.map(({ version }) => version)).toEqual([
      '4.9.0',
      '4.23.9',
      '4.23.10',
      '5.0.0-rc.1',
      '5.0.0',
    ]);
  });

  it('merges the risks of one update that two groups have, and lets them count', () => {
    const graph = parse(
      made(['4.1.1', '4.1.2'], {
        edges: [[0, 1]],
        conditionalEdges: [
          { edges: [{ from: '4.1.1', to: '4.1.2' }], risks: [risk('B', QUERY)] },
          { edges: [{ from: '4.1.1', to: '4.1.2' }], risks: [risk('A'), risk('B', QUERY)] },
        ],
      }),
    );
    expect(
      graph.edges.map(({ risks }) => risks.map(({ name, evaluable }) => [name, evaluable])),
    ).toEqual([
      [
        ['A', true],
        ['B', false],
      ],
    ]);
  });

  it('has no update whose risk has only rules that no cluster knows', () => {
    const graph = parse(
      made(['4.1.1', '4.1.2'], {
        edges: [[0, 1]],
        conditionalEdges: [
          { edges: [{ from: '4.1.1', to: '4.1.2' }], risks: [risk('A', [{ type: 'Moon' }])] },
        ],
      }),
    );
    expect(graph.edges).toEqual([]);
    const why = 'the rules of its risk A are of types that are not known: Moon';
    expect(graph.withheld).toEqual([{ from: '4.1.1', to: '4.1.2', why }]);
  });

  it('has no update of which one group of several has such a risk', () => {
    const edges = [{ from: '4.1.1', to: '4.1.2' }];
    const groups = [
      { edges, risks: [risk('A')] },
      { edges, risks: [risk('B'), risk('C', [])] },
    ];
    for (const conditionalEdges of [groups, groups.toReversed()]) {
      const graph = parse(made(['4.1.1', '4.1.2'], { edges: [[0, 1]], conditionalEdges }));
      expect(graph.edges).toEqual([]);
      expect(graph.withheld).toMatchObject([{ why: 'its risk C has no rule' }]);
    }
  });

  it.each([
    ['a release twice', made(['4.1.1', '4.1.1']), 'release 4.1.1 is in it twice'],
    ['an update to nowhere', made(['4.1.1'], { edges: [[0, 1]] }), 'a release that is not in it'],
    ['an update without an end', made(['4.1.1'], { edges: [[0]] }), 'a release that is not in it'],
    ['half a release', made(['4.1.1'], { edges: [[0, 0.5]] }), 'a release that is not in it'],
    [
      'a conditional update to nowhere',
      made(['4.1.1'], {
        conditionalEdges: [{ edges: [{ from: '4.1.1', to: '4.1.2' }], risks: [risk('A')] }],
      }),
      'leads to 4.1.2, which is not in it',
    ],
  ])('that names %s is refused: 20', (_, graph, why) => {
    let thrown: unknown;
    try {
      parse(graph);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code: 'CONTENT_MISMATCH',
      exitStatus: 20,
      message: expect.stringContaining(why) as string,
    });
  });

  it.each(['4.17.3; reboot', '$(id)', '-o', '', '\u001b[2J'])(
    'has no release that is called %j',
    (version) => {
      expect(() => parse(made([version]))).toThrow(/the version of release 0 of the graph is none/);
    },
  );

  it('has words of one line, whatever the service says', () => {
    const bad = { ...risk('A\n\nNext:\n  rm -rf /'), message: 'x\u0007\ny', url: 'u\n\u001b[2J' };
    const graph = parse(
      made(['4.1.1', '4.1.2'], {
        conditionalEdges: [{ edges: [{ from: '4.1.1', to: '4.1.2' }], risks: [bad] }],
      }),
    );
    expect(graph.edges[0]!.risks).toEqual([
      { name: 'A Next:   rm -rf /', message: 'x y', url: 'u [2J', evaluable: true },
    ]);
  });

  it.each(['[]', '{}', '{"nodes":[{}],"edges":[]}', 'hello', '{"nodes":[],"edges":{}}'])(
    'is not %s',
    (text) => {
      expect(() => parseGraph(Buffer.from(text), 'the graph')).toThrow(
        /^(a|the|release|an).*graph/,
      );
    },
  );
});
