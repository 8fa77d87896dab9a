import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

import { projectPath } from '../../../../scripts/lib/project-root.ts';
import {
  ocMirrorSets,
  withOcMirrorNames,
} from '../../../../src/delivering/resources/oc-mirror-names.ts';
import type { MirrorScope } from '../../../../src/delivering/resources/request.ts';
import { parseDigest } from '../../../../src/core/digest.ts';
import type { ClusterObject } from '../../../../src/kinds/cluster-object.ts';
import type { KnownBy, MirrorGroup, MirrorRow } from '../../../../src/kinds/mirror-row.ts';
import { signatureConfigMap } from '../../../../src/kinds/release/config-map.ts';
import { EFFECTS, resourceFile, type ResourceFile } from '../../../../src/kinds/resource-file.ts';
import { catalogKind } from '../../../../src/kinds/catalog/catalog.ts';
import { readWishes } from '../../../../src/kinds/catalog/wishes.ts';
import { planDestinations } from '../../../../src/kinds/destinations.ts';
import { catalogPart } from '../../../support/catalog-part.ts';
import { violations } from '../../../support/crds.ts';

interface Listed {
  readonly dest: string;
  readonly origin: string;
  readonly type: string;
}
/** By the name of an object, by source: its mirrors. */
type Expected = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

const golden = JSON.parse(
  readFileSync(projectPath('fixtures/cluster-resources/oc-mirror.json'), 'utf8'),
) as {
  lists: Readonly<Record<string, readonly Listed[]>>;
  idms: Readonly<Record<string, Expected>>;
  idmsRepositoryScope: Readonly<Record<string, Expected>>;
  itms: Readonly<Record<string, Expected>>;
  itmsRepositoryScope: Readonly<Record<string, Expected>>;
  bothFilesExpected: readonly string[];
  onlyIdmsExpected: readonly string[];
  updateService: {
    apiVersion: string;
    file: string;
    name: string;
    namespace: string;
    spec: { replicas: number; releases: string; graphDataImage: string };
  };
  catalogSource: readonly CatalogRow[];
  clusterCatalog: readonly CatalogRow[];
  signatureConfigMap: {
    name: string;
    namespace: string;
    files: readonly string[];
    keysFor: readonly string[];
    keys: readonly string[];
  };
};

/** `file` is null for a catalog in the cache of oc-mirror: there is no such thing here. */
interface CatalogRow {
  readonly dest: string;
  readonly file: string | null;
  readonly namespace?: string;
  readonly template?: string;
  readonly spec?: object;
}

/** The types of oc-mirror's images; those of services and catalogs are in no mirror set. */
const GROUPS: Readonly<Record<string, MirrorGroup>> = {
  ...{ ocpRelease: 'release', ocpReleaseContent: 'release' },
  ...{ operatorBundle: 'operator', operatorRelatedImage: 'operator', generic: 'generic' },
};

function rowsOf(list: string): readonly MirrorRow[] {
  return golden.lists[list]!.filter(({ type }) => GROUPS[type] !== undefined).map(
    ({ dest, origin, type }) => ({
      source: repositoryIn(origin),
      mirror: repositoryIn(dest),
      knownBy: knownBy(origin, type),
      group: GROUPS[type]!,
    }),
  );
}

function repositoryIn(reference: string): string {
  return reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}

/** A release image is known by its digest too. */
function knownBy(origin: string, type: string): KnownBy {
  const hasTag = /:[^/:@]+(@|$)/.test(origin.replace(/@sha256:.*$/, '@'));
  if (!hasTag) return 'digest';
  return origin.includes('@') || type === 'ocpRelease' ? 'both' : 'tag';
}

function setsIn(files: readonly ResourceFile[], name: string): Expected {
  const file = files.find((one) => one.name === name);
  return Object.fromEntries(
    (file?.objects ?? []).map(({ metadata, spec }) => {
      const [entries] = Object.values(spec as unknown as Record<string, Entry[]>);
      return [
        metadata.name,
        Object.fromEntries(entries!.map(({ source, mirrors }) => [source, mirrors])),
      ];
    }),
  );
}
interface Entry {
  readonly source: string;
  readonly mirrors: readonly string[];
}

const cases = (scope: MirrorScope): [string, string, MirrorScope, Expected][] => {
  const tables =
    scope === 'namespace'
      ? { idms: golden.idms, itms: golden.itms }
      : { idms: golden.idmsRepositoryScope, itms: golden.itmsRepositoryScope };
  return Object.entries(tables).flatMap(([sort, table]) =>
    Object.entries(table).map(([list, expected]): [string, string, MirrorScope, Expected] => [
      sort,
      list,
      scope,
      expected,
    ]),
  );
};

describe('the mirror sets of oc-mirror', () => {
  it.each([...cases('namespace'), ...cases('repository')])(
    '%s of the list %s, with the scope %s',
    (sort, list, scope, expected) => {
      const files = ocMirrorSets(rowsOf(list), scope, undefined);
      expect(setsIn(files, `${sort}-oc-mirror.yaml`)).toEqual(expected);
    },
  );

  it.each([
    ...golden.bothFilesExpected.map((list) => [
      list,
      ['idms-oc-mirror.yaml', 'itms-oc-mirror.yaml'],
    ]),
    ...golden.onlyIdmsExpected.map((list) => [list, ['idms-oc-mirror.yaml']]),
  ] as [string, string[]][])('of the list %s are the files %j', (list, files) => {
    const sets = ocMirrorSets(rowsOf(list), 'namespace', undefined);
    expect(sets.map(({ name }) => name)).toEqual(files);
  });

  it('are YAML of the objects, which keep to their definitions, sorted', () => {
    const files = ocMirrorSets(rowsOf('mixed'), 'namespace', 'NeverContactSource');
    for (const { text, objects } of files) {
      expect(String(text).startsWith('---\n')).toBe(true);
      const documents = parseAllDocuments(String(text));
      expect(documents.map((document) => document.toJS() as unknown)).toEqual(objects);
      expect(objects.flatMap(violations)).toEqual([]);
      const names = objects.map(({ metadata }) => metadata.name);
      expect(names).toEqual(names.toSorted());
    }
    expect(ocMirrorSets(rowsOf('mixed').toReversed(), 'namespace', 'NeverContactSource')).toEqual(
      files,
    );
  });
});

describe('the objects of catalogs under the names of oc-mirror', () => {
  const at = planDestinations({ to: { registry: 'myregistry', namespace: 'mynamespace' } });
  /** The files that a catalog gets that goes to a place of the list. */
  const filesFor = async ({ dest, template }: CatalogRow): Promise<readonly ResourceFile[]> => {
    const [, path = '', tag = ''] = /^myregistry\/mynamespace\/(.*):(.*)$/.exec(dest)!;
    const part = catalogPart('quay.io/any/index:v1', { place: `${path}:${tag}` });
    const files =
      template === undefined ? [] : [projectPath('fixtures/cluster-resources', template)];
    const templateFiles = files.map((value) => ({ catalog: undefined, value }));
    const catalogs = await readWishes({ names: [], templateFiles });
    const wishes = { asOcMirror: true, catalogs };
    return withOcMirrorNames(catalogKind.resources(part, at, wishes).files);
  };
  const rows = (['catalogSource', 'clusterCatalog'] as const).flatMap((sort) =>
    golden[sort]
      .filter(({ file }) => file !== null)
      .map((row): [string, string, CatalogRow] => [sort, row.file!, row]),
  );

  it.each(rows)('%s: %s', async (sort, name, row) => {
    const file = (await filesFor(row)).find((one) => one.name === name)!;
    const { kind, metadata, spec } = file.objects[0]!;
    expect(kind.toLowerCase()).toBe(sort.toLowerCase());
    expect(metadata.name).toBe(name.replace('.yaml', ''));
    if (row.namespace !== undefined) expect(metadata.namespace).toBe(row.namespace);
    if (row.spec !== undefined) expect(spec).toEqual(row.spec);
    expect(violations(file.objects[0]!)).toEqual([]);
  });
});

describe('files of parts under the names of oc-mirror', () => {
  it('are one config map for all releases, whose signatures are numbered through', () => {
    const { signatureConfigMap: expected } = golden;
    const files = expected.keysFor.map((key, index) => {
      const hex = key.split(' ').at(-1)!;
      const { name, object } = signatureConfigMap(parseDigest(`sha256:${hex}`), [
        Buffer.from(`message ${index}`),
      ]);
      return resourceFile(name, [object], EFFECTS.releaseSignature);
    });
    const [yaml, json, ...others] = withOcMirrorNames(files);
    expect(others).toEqual([]);
    expect([json!.name, yaml!.name]).toEqual(expected.files);
    const [object] = yaml!.objects;
    expect(object!.metadata).toEqual({
      ...{ name: expected.name, namespace: expected.namespace },
      labels: { 'release.openshift.io/verification-signatures': '' },
    });
    expect(Object.keys(object!['binaryData']!)).toEqual(expected.keys);
    expect(JSON.parse(Buffer.from(json!.text).toString())).toEqual(object);
    expect(json!.objects).toEqual([]); // a cluster is given it once
  });

  it('are the update service under its name there', () => {
    const { file, name, namespace, apiVersion, spec } = golden.updateService;
    const object: ClusterObject = {
      ...{ apiVersion, kind: 'UpdateService', metadata: { name: 'bundle', namespace }, spec },
    };
    const audience = 'update-service';
    const own = resourceFile('us.yaml', [object], EFFECTS.service, { audience });
    const [renamed] = withOcMirrorNames([own]);
    expect(renamed).toMatchObject({ name: file, audience });
    expect(renamed!.objects).toEqual([{ ...object, metadata: { name, namespace } }]);
  });
});
