import { readFile } from 'node:fs/promises';

import { beforeAll, describe, expect, it } from 'vitest';

import { projectPath } from '../../../../scripts/lib/project-root.ts';
import { type GraphData, parseGraphData } from '../../../../src/updates/graph-data/data.ts';
import { type KnownRelease, serviceAnswer } from '../../../../src/updates/graph-data/evaluate.ts';
import { readGraphDataTar } from '../../../../src/updates/graph-data/files.ts';
import { parseGraph, type UpdateGraph } from '../../../../src/updates/graph.ts';

interface ServiceGraph {
  nodes: { version: string; payload: string; metadata: Record<string, string> }[];
  edges: [number, number][];
  conditionalEdges: { edges: { from: string; to: string }[]; risks: { name: string }[] }[];
}

const graphOf = (answer: object): UpdateGraph =>
  parseGraph(Buffer.from(JSON.stringify(answer)), 'the graph');
const linesOf = ({ edges }: UpdateGraph): readonly string[] =>
  edges.map(({ from, to, risks }) => `${from} ${to} ${risks.map(({ name }) => name).join()}`);

describe('the real graph data', () => {
  let data: GraphData;

  beforeAll(async () => {
    const archive = await readFile(projectPath('fixtures/graphs/graph-data-731d0424.tar.gz'));
    data = parseGraphData(await readGraphDataTar(archive, 'the tarball'));
  });

  it('is read whole', () => {
    expect(data.channels.size).toBe(76);
    expect(data.blocks).toHaveLength(1717);
    expect(data.blocks.filter(({ risk }) => risk === undefined)).toHaveLength(116);
    expect(data.channels.get('candidate-5.0')).toContain('5.0.0-ec.0');
  });

  /**
   * The graph data is younger than the answers: it has risks that nobody knew of then. Those are
   * left out. The releases are those of the answer, with the updates that lead to them: the ones
   * that were blocked then are unknown, and would be blocked now too.
   */
  it.each([
    ['amd64-stable-4.9', 'stable-4.9', 'amd64'],
    ['amd64-stable-4.13', 'stable-4.13', 'amd64'],
    ['multi-candidate-4.12', 'candidate-4.12', 'multi'],
  ])('gives the answer that the service gave: %s', async (file, channel, architecture) => {
    const real = JSON.parse(
      await readFile(projectPath(`fixtures/graphs/${file}.json`), 'utf8'),
    ) as ServiceGraph;
    const answered = graphOf(real);
    const known = new Set(
      real.conditionalEdges.flatMap(({ risks }) => risks.map(({ name }) => name)),
    );
    const blocks = data.blocks.filter(({ risk }) => risk === undefined || known.has(risk.name));
    const releases = answered.releases.map(({ version, payload, url }): KnownRelease => ({
      ...{ version, payload, url },
      previous: answered.updatesTo(version).map(({ from }) => from),
    }));
    const own = graphOf(serviceAnswer({ ...data, blocks }, releases, { channel, architecture }));
    expect(linesOf(own)).toEqual(linesOf(answered));
    expect(own.releases.map(({ version }) => version)).toEqual(
      answered.releases.map(({ version }) => version),
    );
  });
});

describe('an answer from graph data', () => {
  const A = `r@sha256:${'a'.repeat(64)}`;
  const release = (version: string, ...previous: readonly string[]): KnownRelease => ({
    ...{ version, payload: A, previous },
  });
  const files = (more: Readonly<Record<string, string>>): GraphData =>
    parseGraphData(
      new Map(
        Object.entries({ version: '1.1.0\n', ...more }).map(([path, text]) => [
          path,
          Buffer.from(text),
        ]),
      ),
    );
  const channel = (...versions: readonly string[]): string =>
    `name: stable-4.20\nversions:\n${versions.map((version) => `- ${version}\n`).join('')}`;
  const risk = (to: string, from: string, name: string): string =>
    `to: ${to}\nfrom: ${from}\nurl: u\nname: ${name}\nmessage: m\n` +
    'matchingRules:\n- type: PromQL\n  promql:\n    promql: x\n';
  const releases = [
    release('4.20.1'),
    release('4.20.2', '4.20.1', '4.19.9'),
    release('4.20.10', '4.20.1', '4.20.2'),
    release('5.0.0', '4.20.10', '4.20.2'),
  ];
  const stable = { 'channels/stable-4.20.yaml': channel('4.20.1', '4.20.2', '4.20.10', '5.0.0') };
  const answer = (
    more: Readonly<Record<string, string>>,
    scope: { channel?: string; architecture?: string } = {},
  ): readonly string[] => {
    const { channel: named = 'stable-4.20', architecture = 'amd64' } = scope;
    const all = { ...stable, ...more };
    return linesOf(graphOf(serviceAnswer(files(all), releases, { channel: named, architecture })));
  };
  const WHOLE = [
    '4.20.1 4.20.2 ',
    '4.20.1 4.20.10 ',
    '4.20.2 4.20.10 ',
    '4.20.2 5.0.0 ',
    '4.20.10 5.0.0 ',
  ];

  it('has the updates that both ends are there for, into the next major version too', () => {
    expect(answer({})).toEqual(WHOLE);
  });

  it('has only what the channel has, for the architecture that it is for', () => {
    const some = { 'channels/stable-4.20.yaml': channel('4.20.1', '4.20.2', '4.20.10+s390x') };
    expect(answer(some)).toEqual(['4.20.1 4.20.2 ']);
    expect(answer(some, { architecture: 's390x' })).toEqual(WHOLE.slice(0, 3));
    expect(answer({}, { channel: 'fast-4.20' })).toEqual([]);
  });

  it.each([
    ['with its architecture', String.raw`^4\.20\.1[+].*$`, ['4.20.1 4.20.10 ']],
    ['and for one architecture', String.raw`^4\.20\.1\+amd64$`, ['4.20.1 4.20.10 ']],
    ['and not without it', String.raw`^4\.20\.1$`, []],
    ['anywhere in it', '20.2', ['4.20.2 4.20.10 ']],
    ['whatever it is', '.*', ['4.20.1 4.20.10 ', '4.20.2 4.20.10 ']],
  ])('leaves out updates from what a pattern fits: %s', (_, from, gone) => {
    const file = { 'blocked-edges/4.20.10.yaml': `to: 4.20.10\nfrom: ${from}\n` };
    expect(answer(file)).toEqual(WHOLE.filter((line) => !gone.includes(line)));
  });

  it('blocks for one architecture where the file says so', () => {
    for (const to of ['4.20.10+s390x', '4.20.10-s390x']) {
      const file = { 'blocked-edges/x.yaml': `to: ${to}\nfrom: .*\n` };
      expect(answer(file)).toEqual(WHOLE);
      expect(answer(file, { architecture: 's390x' })).toEqual(
        WHOLE.filter((line) => !line.includes(' 4.20.10 ')),
      );
    }
  });

  it('lets the last file of a release decide alone', () => {
    const both = {
      'blocked-edges/4.20.10-a.yaml': 'to: 4.20.10\nfrom: .*\n',
      'blocked-edges/4.20.10-b.yaml': 'to: 4.20.10\nfrom: 4[.]20[.]2[+]\n',
    };
    expect(answer(both)).toEqual(WHOLE.filter((line) => line !== '4.20.2 4.20.10 '));
  });

  it('has the risks of an update together, of one that is blocked too', () => {
    const risky = {
      'blocked-edges/4.20.10-A.yaml': risk('4.20.10', '.*', 'A'),
      'blocked-edges/4.20.10-B.yaml': risk('4.20.10', '4[.]20[.]1[+]', 'B'),
      'blocked-edges/4.20.10-C.yaml': 'to: 4.20.10\nfrom: .*\n',
    };
    expect(answer(risky)).toEqual([
      '4.20.1 4.20.2 ',
      '4.20.1 4.20.10 A,B',
      '4.20.2 4.20.10 A',
      '4.20.2 5.0.0 ',
      '4.20.10 5.0.0 ',
    ]);
  });

  it('has updates that are added by hand, and not those taken out', () => {
    const raw = {
      'raw/metadata.json': JSON.stringify({
        '5.0.0': {
          'io.openshift.upgrades.graph.previous.add': '4.20.1, 4.18.1',
          'io.openshift.upgrades.graph.previous.remove': '4.20.2',
        },
      }),
    };
    expect(answer(raw)).toEqual([
      '4.20.1 4.20.2 ',
      '4.20.1 4.20.10 ',
      '4.20.1 5.0.0 ',
      '4.20.2 4.20.10 ',
      '4.20.10 5.0.0 ',
    ]);
  });

  it.each([
    [{ version: '2.0.0' }, /form that is not known/],
    [{ 'channels/x.yaml': 'name: x' }, /channels\/x\.yaml/],
    [{ 'channels/x.yaml': '{' }, /channels\/x\.yaml: it is no YAML/],
    [{ 'blocked-edges/x.yaml': 'to: 4.20.1\n' }, /from in blocked-edges\/x\.yaml/],
    [{ 'blocked-edges/x.yaml': 'to: 4.20.1\nfrom: "("\n' }, /from is no pattern/],
    [{ 'blocked-edges/x.yaml': 'to: 4.20.1\nfrom: x\nname: A\n' }, /blocked-edges\/x\.yaml/],
    [{ 'blocked-edges/x.yaml': `to: a\nfrom: ${'x'.repeat(5000)}\n` }, /more than 4096/],
    [{ 'raw/metadata.json': '{"4.20.1": 1}' }, /4\.20\.1 is no object/],
  ])('is refused from %j', (more, says) => {
    expect(() => files({ ...stable, ...more })).toThrow(says);
    expect(() => files({ ...stable, ...more })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_CONTENT' }) as Error,
    );
  });
});
