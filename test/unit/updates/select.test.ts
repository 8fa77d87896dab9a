import { describe, expect, it } from 'vitest';

import { type GraphRelease, type UpdateEdge, UpdateGraph } from '../../../src/updates/graph.ts';
import { releasesBetween, type ReleaseRange, selectReleases } from '../../../src/updates/select.ts';

const VERSIONS = ['4.16.20', '4.16.25', '4.17.0', '4.17.1', '4.17.2', '4.17.10'];

const RISK = { name: 'Slow', message: 'm', url: 'u', evaluable: true };

const edge = (from: string, to: string, ...risks: UpdateEdge['risks']): UpdateEdge => ({
  ...{ from, to, risks },
});

const graph = new UpdateGraph(
  // In the order of a hash table, as a service sends them.
  VERSIONS.toReversed().map((version): GraphRelease => ({
    ...{ version, payload: `quay.io/a/b@sha256:${'0'.repeat(64)}`, channels: [] },
    ...{ url: undefined, blockedFrom: undefined },
  })),
  [
    edge('4.16.20', '4.16.25'),
    edge('4.16.25', '4.17.1'),
    edge('4.16.20', '4.17.2', RISK),
    edge('4.17.1', '4.17.2'),
    edge('4.17.2', '4.17.10', RISK),
  ],
);

function chosen(range: Partial<ReleaseRange>, accepted: readonly string[] = []) {
  const whole = { channel: 'stable-4.17', full: false, shortestPath: false, ...range };
  const { releases, risks } = selectReleases(graph, whole, new Set(accepted));
  return [releases.map(({ version }) => version).join(' '), risks.join(' ')];
}

describe('selectReleases', () => {
  it.each([
    ['the newest alone, without a word', {}, '4.17.10'],
    ['all of a channel, older minor versions too', { full: true }, VERSIONS.join(' ')],
    [
      'a range, both ends included',
      { minVersion: '4.17.0', maxVersion: '4.17.2' },
      '4.17.0 4.17.1 4.17.2',
    ],
    ['all from a version on', { minVersion: '4.17.2' }, '4.17.2 4.17.10'],
    ['all up to a version', { maxVersion: '4.16.25' }, '4.16.20 4.16.25'],
    [
      'a range whose ends do not exist',
      { minVersion: '4.16.21', maxVersion: '4.17.0' },
      '4.16.25 4.17.0',
    ],
    ['a range of all that is full', { minVersion: '4.17.2', full: true }, '4.17.2 4.17.10'],
  ])('takes %s', (_, range, versions) => {
    expect(chosen(range)).toEqual([versions, '']);
  });

  it('takes what the update without a risk passes, and names risks that nothing avoids', () => {
    const path = { minVersion: '4.16.20', maxVersion: '4.17.2', shortestPath: true };
    expect(chosen(path)).toEqual(['4.16.20 4.16.25 4.17.1 4.17.2', '']);
    expect(chosen(path, ['Slow'])).toEqual(['4.16.20 4.17.2', '']);
    expect(chosen({ minVersion: '4.17.1', shortestPath: true })).toEqual([
      '4.17.1 4.17.2 4.17.10',
      'Slow',
    ]);
    expect(chosen({ maxVersion: '4.16.25', shortestPath: true })).toEqual(['4.16.20 4.16.25', '']);
  });

  it.each([
    ['a range with nothing in it', { minVersion: '4.17.3', maxVersion: '4.17.9' }],
    ['a path from a release that is not there', { minVersion: '4.16.21', shortestPath: true }],
    [
      'a path that does not exist',
      { minVersion: '4.17.0', maxVersion: '4.17.2', shortestPath: true },
    ],
  ])('refuses %s', (_, range) => {
    expect(() => chosen(range)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });

  it('refuses a channel without releases', () => {
    const range = { channel: 'stable-4.99', full: true, shortestPath: false };
    expect(() => selectReleases(new UpdateGraph([], []), range)).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
  });
});

describe('releasesBetween', () => {
  it('is nothing where no update leads from one to the other', () => {
    expect(releasesBetween(graph, '4.17.0', '4.17.10')).toBeUndefined();
    expect(releasesBetween(graph, '4.99.0', '4.17.10')).toBeUndefined();
  });
});
