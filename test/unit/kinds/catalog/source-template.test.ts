import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { catalogObjects } from '../../../../src/kinds/catalog/catalog-objects.ts';
import { readTemplateFile } from '../../../../src/kinds/catalog/source-template.ts';
import { parseTarget, planDestinations } from '../../../../src/kinds/destinations.ts';
import type { SourceTemplate } from '../../../../src/kinds/resource-file.ts';
import { catalogPart } from '../../../support/catalog-part.ts';
import { violations } from '../../../support/crds.ts';

const HEAD = 'apiVersion: operators.coreos.com/v1alpha1\nkind: CatalogSource\n';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-template-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(text: string): Promise<SourceTemplate> {
  const path = join(folder, 'template.yaml');
  await writeFile(path, text);
  return readTemplateFile(path);
}

describe('a template of a CatalogSource', () => {
  const at = planDestinations({ to: parseTarget('r.example.com/site') });
  const objectOf = (template: SourceTemplate) => {
    const { facts } = catalogPart('quay.io/ops/index:v1');
    return catalogObjects({ ...facts, template }, at, {}).source.object;
  };

  it('gives all but name, namespace and image', async () => {
    const template = await read(`${HEAD}metadata:
  name: other
  namespace: other
  labels: {team: storage}
  annotations: {note: ours}
spec:
  image: other
  displayName: Ours
  priority: 10
  grpcPodConfig: {nodeSelector: {kubernetes.io/os: linux}}
`);
    const object = objectOf(template);
    expect(object.metadata).toEqual({
      ...{ name: 'cs-index-v1', namespace: 'openshift-marketplace' },
      ...{ labels: { team: 'storage' }, annotations: { note: 'ours' } },
    });
    expect(object['spec']).toEqual({
      ...{ displayName: 'Ours', priority: 10, sourceType: 'grpc' },
      grpcPodConfig: { nodeSelector: { 'kubernetes.io/os': 'linux' } },
      image: expect.stringMatching(/^r\.example\.com\/site\/ops\/index@sha256:/) as string,
    });
    expect(violations(object)).toEqual([]);
  });

  it('may be what oc prints of one that a cluster made: what is not of its author goes', async () => {
    const object = objectOf(
      await read(`${HEAD}metadata:
  creationTimestamp: "2026-01-01T00:00:00Z"
  generation: 3
  name: redhat-operators
  resourceVersion: "12345"
  uid: 0b7bf1b6-0000-0000-0000-000000000000
  annotations:
    operatorframework.io/managed-by: marketplace-operator
    kubectl.kubernetes.io/last-applied-configuration: "{}"
spec: {sourceType: grpc, publisher: Red Hat}
status: {message: x}
`),
    );
    expect(object.metadata).toEqual({ name: 'cs-index-v1', namespace: 'openshift-marketplace' });
    expect(object['spec']).toMatchObject({ publisher: 'Red Hat' });
    expect(object).not.toHaveProperty('status');
  });

  it('may have nothing but its kind', async () => {
    expect(await read(HEAD)).toEqual({ labels: {}, annotations: {}, spec: {} });
  });

  it.each([
    ['nothing', '', 'it is empty'],
    ['no mapping', 'text', 'it is no mapping'],
    ['no YAML', '{', 'it is no YAML'],
    ['too much nesting', '['.repeat(100_000), 'it is no YAML'],
    ['a bomb', `a: &a [x]\n${'b: [*a,*a]\n'.repeat(200)}`, 'it is no YAML'],
    ['two documents', `${HEAD}---\n${HEAD}`, 'it has 2 documents'],
    ['another kind', HEAD.replace('CatalogSource', 'ClusterCatalog'), 'its kind is "ClusterCata'],
    ['no apiVersion', 'kind: CatalogSource\n', 'its apiVersion is missing'],
    ['another type', `${HEAD}spec: {sourceType: configmap}\n`, 'spec.sourceType is "configmap"'],
    ['a config map', `${HEAD}spec: {configMap: x}\n`, 'spec.configMap'],
    ['a field that is none', `${HEAD}spec: {displayname: x}\n`, 'spec has no field displayname'],
    ['a key that is none', `${HEAD}specs: {}\n`, 'CatalogSource has no field specs'],
    ['a list', `${HEAD}spec: []\n`, 'spec is []'],
    ['a label that is a number', `${HEAD}metadata: {labels: {a: 1}}\n`, 'a of labels is 1'],
    ['a word for a number', `${HEAD}spec: {priority: high}\n`, 'spec.priority is "high"'],
    ['half a number', `${HEAD}spec: {priority: 1.5}\n`, 'spec.priority is 1.5'],
    ['a number of no size', `${HEAD}spec: {priority: 99999999999}\n`, 'spec.priority is 9999'],
    ['a list for a name', `${HEAD}spec: {displayName: [1]}\n`, 'spec.displayName is [1]'],
    ['a mapping of secrets', `${HEAD}spec: {secrets: {a: b}}\n`, 'spec.secrets is {'],
    ['an icon that is none', `${HEAD}spec: {icon: 5}\n`, 'spec.icon is 5'],
    ['a key that no label has', `${HEAD}metadata: {labels: {"bad key": v}}\n`, 'bad key'],
    ['a value that no label has', `${HEAD}metadata: {labels: {a: "b c"}}\n`, 'a: "b c"'],
    ['what JSON lacks', `${HEAD}spec: {priority: .inf}\n`, 'spec.priority'],
  ])('is refused with %s', async (_, text, message) => {
    await expect(read(text)).rejects.toMatchObject({
      ...{ code: 'CONFIGURATION', exitStatus: 2 },
      message: expect.stringContaining(message) as string,
    });
  });

  it('says which field is meant', async () => {
    const spec = 'spec: {displayname: x}\n';
    await expect(read(`${HEAD}${spec}`)).rejects.toMatchObject({
      hint: 'Did you mean displayName?',
    });
  });

  it('is refused where there is none', async () => {
    const missing = readTemplateFile(join(folder, 'missing.yaml'));
    await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is refused with a cache that a filtered catalog does not have, and not for another', async () => {
    const cache = 'spec: {grpcPodConfig: {extractContent: {cacheDir: /c, catalogDir: /d}}}\n';
    const template = await read(`${HEAD}${cache}`);
    expect(() => objectOf(template)).toThrow(expect.objectContaining({ code: 'CONFIGURATION' }));
    const { facts } = catalogPart('quay.io/ops/index:v1');
    const asItIs = { ...facts, from: facts.digest, template };
    expect(catalogObjects(asItIs, at, {}).source.object['spec']).toMatchObject(template.spec);
  });
});
