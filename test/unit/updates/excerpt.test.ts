import { readFile } from 'node:fs/promises';

import { describe, expect, it } from 'vitest';

import { projectPath } from '../../../scripts/lib/project-root.ts';
import { excerptAround } from '../../../src/updates/excerpt.ts';
import { parseGraph } from '../../../src/updates/graph.ts';
import { findPath } from '../../../src/updates/path.ts';

const graph = parseGraph(
  await readFile(projectPath('fixtures/graphs/amd64-stable-4.13.json')),
  'the graph',
);

describe('the part of a graph that is drawn', () => {
  it('has the path, at most thirty releases, and counts what it leaves out', () => {
    const path = findPath(graph, '4.12.20', '4.13.36')!;
    const { versions, edges, left } = excerptAround(graph, path);
    expect(versions).toHaveLength(30);
    expect(left).toBe(33);
    expect(versions).toEqual(expect.arrayContaining([...path.versions]));
    expect(edges.filter(({ isOnPath }) => isOnPath)).toHaveLength(path.steps.length);
    expect(edges.length).toBeLessThan(2 * versions.length);
  });

  it('leads from the first release to every other one, and from every one to the last', () => {
    const path = findPath(graph, '4.12.20', '4.13.36')!;
    const { versions, edges } = excerptAround(graph, path);
    for (const version of versions.slice(1))
      expect(
        edges.some(({ to }) => to === version),
        version,
      ).toBe(true);
    for (const version of versions.slice(0, -1))
      expect(
        edges.some(({ from }) => from === version),
        version,
      ).toBe(true);
  });

  it('is refused for a path that nobody could read', () => {
    const versions = Array.from({ length: 101 }, (_, index) => `4.1.${index}`);
    expect(() => excerptAround(graph, { versions, steps: [] })).toThrow(/cannot be drawn/);
  });

  it('of a release alone is that release', () => {
    const path = findPath(graph, '4.13.36', '4.13.36')!;
    expect(excerptAround(graph, path)).toEqual({ versions: ['4.13.36'], edges: [], left: 0 });
  });
});
