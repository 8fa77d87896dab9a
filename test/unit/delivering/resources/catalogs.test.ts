import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { digestOf } from '../../../../src/core/digest.ts';
import {
  type PlanOptions,
  planResources,
  type PlannedResources,
} from '../../../../src/delivering/resources/plan.ts';
import { catalogKind } from '../../../../src/kinds/catalog/catalog.ts';
import { refuseUnmetWishes } from '../../../../src/kinds/catalog/wishes.ts';
import { chartKind } from '../../../../src/kinds/chart/chart.ts';
import { parseTarget, planDestinations } from '../../../../src/kinds/destinations.ts';
import { imageKind } from '../../../../src/kinds/image/image.ts';
import { imageRequest } from '../../../../src/kinds/image/request.ts';
import type { Part } from '../../../../src/kinds/kind.ts';
import type { CatalogWish } from '../../../../src/kinds/resource-file.ts';
import { catalogPart } from '../../../support/catalog-part.ts';
import { violations } from '../../../support/crds.ts';

const destinations = planDestinations({ to: parseTarget('r.example.com/site') });
const KINDS = [catalogKind, chartKind, imageKind];
const RED_HAT = 'registry.redhat.io/redhat/redhat-operator-index:v4.17';
const COMMUNITY = 'registry.redhat.io/redhat/community-operator-index:v4.17';

function planned(parts: readonly Part[], more: Partial<PlanOptions> = {}): PlannedResources {
  return planResources({ parts }, KINDS, destinations, {
    ...{ folder: '/srv/resources', newer: [], certificates: [] },
    extras: { clusterImageSets: false, runningRelease: undefined },
    ...more,
  });
}

const named = (...names: readonly CatalogWish<string>[]) => ({
  catalogs: { names, templates: [] },
});

/** By the name of the file: kind and name of the object. */
function objectsOf({ objects }: PlannedResources): Readonly<Record<string, string>> {
  return Object.fromEntries(
    objects
      .filter(({ audience }) => audience === 'olm')
      .map(({ name, objects: [object] }) => [name, `${object!.kind} ${object!.metadata.name}`]),
  );
}

describe('the objects of catalogs', () => {
  it('are called after the catalog, and keep to their definitions', () => {
    const plan = planned([catalogPart(RED_HAT), catalogPart(COMMUNITY)]);
    expect(objectsOf(plan)).toEqual({
      'operators/cs-redhat-operator-index-v4-17.yaml':
        'CatalogSource cs-redhat-operator-index-v4-17',
      'operators/cc-redhat-operator-index-v4-17.yaml':
        'ClusterCatalog cc-redhat-operator-index-v4-17',
      'operators/cs-community-operator-index-v4-17.yaml':
        'CatalogSource cs-community-operator-index-v4-17',
      'operators/cc-community-operator-index-v4-17.yaml':
        'ClusterCatalog cc-community-operator-index-v4-17',
    });
    const objects = plan.objects.flatMap((file) => file.objects);
    expect(objects.flatMap(violations)).toEqual([]);
  });

  it('have a name that fits, whatever the catalog is called', () => {
    const long = catalogPart(`quay.io/a/${'long-'.repeat(20)}index:v1`);
    const other = catalogPart(`quay.io/a/${'long-'.repeat(20)}index:v2`);
    const names = Object.values(objectsOf(planned([long, other, catalogPart('quay.io/a/b_c:1.')])));
    expect(new Set(names).size).toBe(6);
    for (const name of names) expect(name).toMatch(/^\w+ [a-z](?:[-a-z0-9]{0,61}[a-z0-9])$/);
  });

  it('keep the name that Subscriptions use, which the steps say', () => {
    const plan = planned([catalogPart(RED_HAT)], {
      ...named({ catalog: undefined, value: 'redhat-operators' }),
    });
    expect(objectsOf(plan)).toEqual({
      'operators/cs-redhat-operators.yaml': 'CatalogSource redhat-operators',
      'operators/cc-redhat-operators.yaml': 'ClusterCatalog redhat-operators',
    });
    const steps = String(plan.steps.text);
    expect(steps).toContain(`-p '{"spec":{"source":"redhat-operators"}}'`);
    expect(steps).not.toContain('--catalog-name NAME');
    const usual = String(planned([catalogPart(RED_HAT)]).steps.text);
    expect(usual).toContain(`-p '{"spec":{"source":"cs-redhat-operator-index-v4-17"}}'`);
    expect(usual).toContain('--catalog-name NAME');
  });

  it.each([RED_HAT, RED_HAT.replace(':v4.17', ''), 'redhat/redhat-operator-index'])(
    'are told apart where there are several: %s',
    (catalog) => {
      const parts = [catalogPart(COMMUNITY), catalogPart(RED_HAT)];
      const wishes = named({ catalog, value: 'redhat-operators' });
      refuseUnmetWishes(parts, wishes.catalogs);
      expect(Object.values(objectsOf(planned(parts, wishes)))).toEqual([
        ...['CatalogSource cs-community-operator-index-v4-17'],
        ...['ClusterCatalog cc-community-operator-index-v4-17'],
        ...['CatalogSource redhat-operators', 'ClusterCatalog redhat-operators'],
      ]);
    },
  );

  it('are told apart by their place where one catalog goes to two', () => {
    const parts = ['one/index:v1', 'two/index:v1'].map((place) => catalogPart(RED_HAT, { place }));
    const wishes = named({ catalog: 'two/index:v1', value: 'second' });
    refuseUnmetWishes(parts, wishes.catalogs);
    expect(Object.values(objectsOf(planned(parts, wishes)))).toContain('CatalogSource second');
    const both = named({ catalog: RED_HAT, value: 'second' });
    expect(() => {
      refuseUnmetWishes(parts, both.catalogs);
    }).toThrow(expect.objectContaining({ code: 'USAGE', got: 'one/index:v1, two/index:v1' }));
  });

  it.each<[string, readonly Part[], readonly CatalogWish<string>[]]>([
    ['no catalog', [], [{ catalog: undefined, value: 'a' }]],
    ['another catalog', [catalogPart(RED_HAT)], [{ catalog: COMMUNITY, value: 'a' }]],
    [
      'several catalogs, and none is named',
      [catalogPart(RED_HAT), catalogPart(COMMUNITY)],
      [{ catalog: undefined, value: 'a' }],
    ],
    [
      'two names for one',
      [catalogPart(RED_HAT)],
      [
        { catalog: RED_HAT, value: 'a' },
        { catalog: undefined, value: 'b' },
      ],
    ],
  ])('are refused: %s', (_, parts, names) => {
    expect(() => {
      refuseUnmetWishes(parts, { names, templates: [] });
    }).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it.each<[string, Partial<PlanOptions>, readonly Part[]]>([
    ['by their usual names', {}, [catalogPart('a.io/a/index:v1'), catalogPart('b.io/b/index:v1')]],
    [
      'by the names of oc-mirror, which cut tags',
      { names: 'oc-mirror' },
      ['v4.18-2026-01', 'v4.18-2026-02'].map((tag) => catalogPart(`a.io/a/index:${tag}`)),
    ],
    [
      'by a name that another one has already',
      named({ catalog: RED_HAT, value: 'cs-community-operator-index-v4-17' }),
      [catalogPart(RED_HAT), catalogPart(COMMUNITY)],
    ],
    [
      'by a name whose file another one has already',
      named({ catalog: RED_HAT, value: 'community-operator-index-v4-17' }),
      [catalogPart(RED_HAT), catalogPart(COMMUNITY)],
    ],
  ])('are refused where two would be one: %s', (_, more, parts) => {
    expect(() => planned(parts, more)).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: expect.stringContaining(parts[1]!.label) as string,
        hint: expect.stringContaining('--catalog-name') as string,
      }),
    );
  });

  it('are refused under the names of oc-mirror where it has none, unless they are given one', () => {
    const part = catalogPart('a.io/a/under_scored:v1');
    expect(() => planned([part], { names: 'oc-mirror' })).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    );
    const own = named({ catalog: undefined, value: 'mine' });
    expect(objectsOf(planned([part], { names: 'oc-mirror', ...own }))).toEqual({
      'cs-mine.yaml': 'CatalogSource mine',
      'cc-mine.yaml': 'ClusterCatalog mine',
    });
  });

  it('are read from a repository that the pull secret of clusters has to be good for', () => {
    const related = [`quay.io/ops/foo@${digestOf('x')}`];
    const steps = String(planned([catalogPart(RED_HAT, { related })]).steps.text);
    const [, listed = ''] = /write to them:\n((?: {2}\S+\n)+)/.exec(steps) ?? [];
    expect(listed.trim().split(/\s+/)).toEqual([
      'r.example.com/site/ops/foo',
      'r.example.com/site/redhat/redhat-operator-index',
    ]);
  });

  it('come with what has to be done once, however many there are', () => {
    const steps = String(planned([catalogPart(RED_HAT), catalogPart(COMMUNITY)]).steps.text);
    expect(steps.match(/disableAllDefaultSources/g)).toHaveLength(1);
    expect(steps.match(/OFFER THE OPERATORS/g)).toHaveLength(2);
    expect(steps.indexOf('disableAllDefaultSources')).toBeLessThan(steps.indexOf('cs-redhat'));
    expect(String(planned([]).steps.text)).not.toContain('disableAllDefaultSources');
  });
});

/** One image by tag of each kind of part that has images, and one by digest. */
function mixed(): readonly Part[] {
  const digest = digestOf('x');
  const image = imageRequest('quay.io/team/tool:1.4');
  const related = ['quay.io/ops/by-tag:v1', `quay.io/ops/by-digest@${digest}`];
  const chart = { registry: 'quay.io', repository: 'charted/app', tag: '1' };
  return [
    catalogPart(RED_HAT, { related }),
    {
      ...{ kind: 'image', label: 'image', names: [], claim: {}, files: [], leading: [] },
      facts: { ...image, digest },
      images: [
        { request: { source: `quay.io/team/tool@${digest}`, place: '/team/tool', order: 'last' } },
      ],
    },
    {
      ...{ kind: 'chart', label: 'chart', names: [], claim: {}, files: [], leading: [] },
      facts: { name: 'c', version: '1', path: 'charts/c', images: [{ reference: chart, digest }] },
      images: [
        {
          request: {
            ...{ source: `quay.io/charted/app@${digest}`, place: '/charted/app', order: 'first' },
            descriptor: { digest },
          },
        },
      ],
    },
  ] as unknown as readonly Part[];
}

describe('the mirror sets of catalogs, images and charts together', () => {
  /** By kind: source and mirror of each entry. */
  const setsOf = (more: Partial<PlanOptions>) =>
    Object.fromEntries(
      planned(mixed(), more)
        .objects.filter(({ effect }) => effect.stage === 'mirrors')
        .filter(({ audience }) => audience === 'every-cluster')
        .map(({ objects, effect, text }) => {
          expect(
            parse(
              String(text)
                .replace(/^---\n/, '')
                .split('---\n')[0]!,
            ),
          ).toEqual(objects[0]);
          const entries = objects.flatMap(
            ({ spec }) =>
              Object.values(spec as object).flat() as { source: string; mirrors: string[] }[],
          );
          return [
            `${objects[0]!.kind}, ${effect.whenNew}`,
            entries.map(({ source, mirrors }) => `${source} ${mirrors.join()}`),
          ];
        }),
    );

  it('name repositories; what drains nodes is in a file of its own', () => {
    expect(setsOf({})).toEqual({
      'ImageDigestMirrorSet, reload': ['quay.io/ops/by-digest r.example.com/site/ops/by-digest'],
      'ImageTagMirrorSet, drain': [
        'quay.io/charted/app r.example.com/site/charted/app',
        'quay.io/ops/by-tag r.example.com/site/ops/by-tag',
        'quay.io/team/tool r.example.com/site/team/tool',
      ],
    });
  });

  it.each(['bundle', 'oc-mirror'] as const)('name namespaces, under the names of %s', (names) => {
    const sets = setsOf({ names, scope: 'namespace' });
    expect(sets['ImageDigestMirrorSet, reload']).toEqual(['quay.io/ops r.example.com/site/ops']);
    expect(sets['ImageTagMirrorSet, drain']!.toSorted()).toEqual([
      'quay.io/charted r.example.com/site/charted',
      'quay.io/ops r.example.com/site/ops',
      'quay.io/team r.example.com/site/team',
    ]);
  });
});

describe('the steps that a report shows of catalogs, images and charts', () => {
  /** What is shown after the mirror sets: the condition of each step, and its commands. */
  const shownOf = (parts: readonly Part[], more: Partial<PlanOptions> = {}) =>
    planned(parts, more)
      .firstSteps.filter(({ commands }) => !/i[dt]ms-r-example/.test(commands.join()))
      .map(({ condition = '', commands }) => [
        condition.slice(0, 'Only on a cluster'.length),
        ...commands.map((command) => command.replace('/srv/resources', '.').replace(/ -p .*/, '')),
      ]);

  it('are one for what is done alike with several', () => {
    const folder = 'here';
    const [catalog, image, chart] = mixed();
    const parts = [catalog!, catalogPart(COMMUNITY), image!, image!, chart!, chart!];
    expect(shownOf(parts, { folder })).toEqual([
      ['Operators: once o', 'oc patch operatorhub cluster --type merge'],
      [
        'Add the catalogs ',
        'oc apply -f here/operators/cs-redhat-operator-index-v4-17.yaml',
        'oc apply -f here/operators/cs-community-operator-index-v4-17.yaml',
      ],
      [
        'Only on a cluster',
        'oc apply -f here/operators/cc-redhat-operator-index-v4-17.yaml',
        'oc apply -f here/operators/cc-community-operator-index-v4-17.yaml',
      ],
      ['A Subscription ha'],
      ['Images need no st'],
      [
        'Install what you ',
        'helm install c oci://r.example.com/site/charts/c --version 1',
        'helm install c oci://r.example.com/site/charts/c --version 1',
      ],
    ]);
  });

  it('add no catalog that OLM refuses', () => {
    const part = catalogPart(RED_HAT);
    const findings = [{ packageName: 'foo', message: 'no channel' }];
    const refused = { ...part, facts: { ...part.facts, findings } } as unknown as Part;
    expect(shownOf([refused]).slice(1)).toEqual([['OLM refuses the c']]);
  });
});
