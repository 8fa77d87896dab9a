import { describe, expect, it } from 'vitest';

import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { readImageSet, requireImageSet } from '../../../src/image-sets/read.ts';
import { listedParts } from '../../../src/pruning/image-set.ts';
import { type Keeping, staying } from '../../../src/pruning/keeping.ts';
import type { PushedPart } from '../../../src/pruning/pushed.ts';

const NOTHING: Keeping = { names: [], last: undefined, bundles: [] };
const bundle = (number: number): Digest => digestOf(`bundle ${number}`);

function part(
  kind: string,
  label: string,
  order: number,
  more: Partial<PushedPart> = {},
): PushedPart {
  const rows = [{ bundle: bundle(order), number: 0 }];
  return {
    key: `${kind} ${label} ${order}`,
    kind,
    label,
    names: [label],
    claim: {},
    rows,
    order,
    ...more,
  };
}

function release(version: string, order: number, architecture = 'x86_64'): PushedPart {
  const names = [version, `${version}-${architecture}`];
  return part('release', `${version} for ${architecture}`, order, {
    names,
    claim: { version, architecture },
  });
}

const CATALOG = 'catalog quay.io/ops/index:v4.17';
const PARTS = [
  release('4.17.9', 0),
  release('4.17.10', 1),
  release('4.17.10', 1, 'aarch64'),
  release('4.16.30', 2),
  part('graph', 'update graph 37225f531fe0', 0),
  part('graph', 'update graph d45b5535d102', 1),
  part('catalog', CATALOG, 0, { names: ['quay.io/ops/index:v4.17'] }),
  part('catalog', CATALOG, 2, { names: ['quay.io/ops/index:v4.17'] }),
  part('image', 'image quay.io/team/tool:1', 0, { names: ['quay.io/team/tool:1'] }),
  part('chart', 'chart app 1.0', 0, { names: ['app', 'app-1.0'] }),
];
const everywhere = (): boolean => true;
const labels = (keys: Pick<ReadonlySet<string>, 'has'>): readonly string[] =>
  PARTS.filter(({ key }) => keys.has(key)).map(({ label, order }) => `${label} of ${order}`);

describe('what stays', () => {
  it('are the newest releases by their versions, of all architectures', () => {
    const kept = labels(staying(PARTS, { ...NOTHING, last: 1 }, everywhere));
    expect(kept).toEqual([
      '4.17.10 for x86_64 of 1',
      '4.17.10 for aarch64 of 1',
      'update graph d45b5535d102 of 1',
      `${CATALOG} of 2`,
      'image quay.io/team/tool:1 of 0',
      'chart app 1.0 of 0',
    ]);
  });

  it('is not what is gone: then nothing at all might be left', () => {
    const there = ({ label }: PushedPart): boolean => label === '4.17.9 for x86_64';
    for (const keeping of [{ names: ['4.16.30'] }, { bundles: [bundle(2)] }]) {
      expect(() => staying(PARTS, { ...NOTHING, ...keeping }, there)).toThrow(
        expect.objectContaining({ code: 'NOT_FOUND', got: '4.17.9 for x86_64' }) as Error,
      );
    }
    const kept = staying(PARTS, { ...NOTHING, names: ['4.17.9'] }, there);
    expect(labels(kept)).toContain('4.17.9 for x86_64 of 0');
  });

  it('is said with the reason', () => {
    const reasons = staying(PARTS, { ...NOTHING, names: ['4.17.9'], last: 1 }, everywhere);
    expect([...new Set(reasons.values())]).toEqual([
      'named with --keep',
      'among the newest',
      'came with a release that stays',
      'the newest of its name',
    ]);
    const bundles = [bundle(2)];
    expect(new Set(staying(PARTS, { ...NOTHING, bundles }, everywhere).values())).toEqual(
      new Set(['in a bundle of --keep-bundle']),
    );
  });

  it('counts only releases that are there', () => {
    const isThere = ({ names }: PushedPart): boolean => !names.includes('4.17.10');
    const kept = labels(staying(PARTS, { ...NOTHING, last: 1 }, isThere));
    expect(kept[0]).toBe('4.17.9 for x86_64 of 0');
    expect(kept.filter((label) => label.includes(' for '))).toHaveLength(1);
  });

  it('are other parts that came with a release that stays, and the newest', () => {
    const kept = labels(staying(PARTS, { ...NOTHING, names: ['4.17.9'] }, everywhere));
    expect(kept).toContain('update graph 37225f531fe0 of 0');
    expect(kept).toContain('update graph d45b5535d102 of 1');
    expect(kept).toContain(`${CATALOG} of 0`);
    expect(kept).not.toContain('4.16.30 for x86_64 of 2');
  });

  it('are bundles, and nothing beside them', () => {
    const kept = labels(staying(PARTS, { ...NOTHING, bundles: [bundle(2)] }, everywhere));
    expect(kept).toEqual(['4.16.30 for x86_64 of 2', `${CATALOG} of 2`]);
  });

  it('is nothing that was never pushed', () => {
    const slip = { ...NOTHING, names: ['4.17.11'] };
    expect(() => staying(PARTS, slip, everywhere)).toThrow('4.17.11 is to stay');
    const other = { ...NOTHING, bundles: [bundle(7)] };
    expect(() => staying(PARTS, other, everywhere)).toThrow('is to stay');
  });
});

describe('a DeleteImageSetConfiguration', () => {
  const going = (...lines: readonly string[]): readonly string[] => {
    const head = ['apiVersion: mirror.openshift.io/v2alpha1', 'kind: DeleteImageSetConfiguration'];
    const read = readImageSet([...head, 'delete:', ...lines].join('\n'));
    return labels(listedParts(PARTS, requireImageSet(read, 'd.yaml'), 'd.yaml'));
  };
  const channel = (text: string, ...more: readonly string[]): readonly string[] =>
    going('  platform:', ...more, '    channels:', `      - ${text}`);

  it('lists releases by the bounds of a channel, of amd64 where none is named', () => {
    const all = '{name: stable-4.17, minVersion: 4.17.0, maxVersion: 4.17.10}';
    expect(channel(all)).toEqual(['4.17.9 for x86_64 of 0', '4.17.10 for x86_64 of 1']);
    const arm = channel(all, '    architectures: [arm64]');
    expect(arm).toEqual(['4.17.10 for aarch64 of 1']);
    expect(channel('{name: stable-4.17, minVersion: 4.17.10}')).toEqual([
      '4.17.10 for x86_64 of 1',
    ]);
    expect(channel('{name: eus-4.16, full: true}')).toEqual(['4.16.30 for x86_64 of 2']);
    const across = '{name: stable-4.17, minVersion: 4.16.30, maxVersion: 4.17.9}';
    expect(channel(across)).toEqual(['4.17.9 for x86_64 of 0', '4.16.30 for x86_64 of 2']);
  });

  it('lists the graph, catalogs, images and charts', () => {
    expect(going('  platform: {graph: true}')).toEqual([
      'update graph 37225f531fe0 of 0',
      'update graph d45b5535d102 of 1',
    ]);
    expect(going('  operators:', '    - catalog: quay.io/ops/index:v4.17')).toEqual([
      `${CATALOG} of 0`,
      `${CATALOG} of 2`,
    ]);
    expect(going('  additionalImages:', '    - name: quay.io/team/tool:1')).toEqual([
      'image quay.io/team/tool:1 of 0',
    ]);
    const charts = [
      '  helm:',
      '    repositories:',
      '      - {name: r, url: https://c.example, charts:',
    ];
    expect(going(...charts, '         [{name: app, version: "1.0"}]}')).toEqual([
      'chart app 1.0 of 0',
    ]);
  });

  it('is refused where it cannot be settled here, or names nothing that was pushed', () => {
    expect(() => channel('{name: stable-4.17}')).toThrow('nobody knows here which release');
    expect(() =>
      channel('{name: stable-4.17, minVersion: 4.17.1, maxVersion: 4.17.9, shortestPath: true}'),
    ).toThrow('nobody knows here which releases the shortest path');
    expect(() => channel('{name: stable-4.18, full: true}')).toThrow(
      'is not among what was pushed',
    );
    expect(() =>
      going(
        '  operators:',
        '    - catalog: quay.io/ops/index:v4.17',
        '      packages: [{name: foo}]',
      ),
    ).toThrow('a catalog goes as a whole');
    const head = ['apiVersion: mirror.openshift.io/v2alpha1', 'kind: ImageSetConfiguration'];
    const text = [...head, 'mirror: {platform: {graph: true}}'].join('\n');
    const set = requireImageSet(readImageSet(text), 'd.yaml');
    expect(() => listedParts(PARTS, set, 'd.yaml')).toThrow('of the kind ImageSetConfiguration');
  });
});
