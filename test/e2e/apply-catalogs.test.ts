import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { addClusterVersion } from '../support/cluster-version.ts';
import {
  describeWithKubeApi,
  type KubeApi,
  removeDefinition,
  startKubeApi,
} from '../support/kube-api.ts';
import { describeWith } from '../support/needs.ts';
import { publishOperators } from '../support/operators.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { type Ran, temporaryFolder, User } from '../support/user.ts';

const SOURCES =
  '/apis/operators.coreos.com/v1alpha1/namespaces/openshift-marketplace/catalogsources';
const CATALOGS = '/apis/olm.operatorframework.io/v1/clustercatalogs';

interface Applied {
  readonly cluster: {
    readonly applied: readonly {
      readonly object: string;
      readonly change: string;
      readonly nodes: string;
      readonly fields: readonly { readonly field: string }[];
    }[];
    readonly left: readonly string[];
  };
}

/** Each test goes on from where the one before it ended. */
describeWithKubeApi('a catalog that is applied to a cluster', () => {
  describeWith(['docker-registry', 'etcd', 'openssl'], 'with both versions of OLM', () => {
    let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
    let registry: TestRegistry;
    let api: KubeApi;
    let user: User;
    let applying: readonly string[];
    const place = (name: string): string => join(temporary.path, name);

    beforeAll(async () => {
      temporary = await temporaryFolder('apply-catalogs');
      [registry, api] = await Promise.all([startRegistry(), startKubeApi()]);
      await addClusterVersion(api);
      user = await User.new(place('user'));
      await publishOperators(registry.host);
      await user.json([
        ...['pack', '--catalog', 'quay.io/ops/index:v4.22', '--operator', 'foo'],
        ...['--mirror', `quay.io=${registry.host}`, '-o', place('medium')],
      ]);
      applying = [
        ...['resources', place('medium'), '--to', 'registry.example.com:5000/site'],
        ...['--resources-dir', place('files'), '--apply', 'all', '--yes'],
        ...['--kubeconfig', await api.kubeconfig('admin')],
      ];
    });
    afterAll(async () => {
      await Promise.all([api.stop(), registry.stop()]);
      await temporary.remove();
    });

    const applied = async (...more: readonly string[]): Promise<Applied['cluster']> =>
      ((await user.json([...applying, ...more])) as Applied).cluster;
    const ofOlm = ({ applied: all }: Applied['cluster']) =>
      all
        .filter(({ object }) => /^C(?:atalogSource|lusterCatalog) /.test(object))
        .map(({ object, change, nodes }) => [object, change, nodes]);
    const ran = async (...more: readonly string[]): Promise<Ran> =>
      user.bundle([...applying, ...more]);

    it('is offered by both, under the name that is wanted, and nodes do nothing for it', async () => {
      const cluster = await applied('--catalog-name', 'redhat-operators');
      expect(ofOlm(cluster)).toEqual([
        ['CatalogSource openshift-marketplace/redhat-operators', 'new', 'nothing'],
        ['ClusterCatalog redhat-operators', 'new', 'nothing'],
      ]);
      const image = expect.stringMatching(
        /^registry\.example\.com:5000\/site\/ops\/index@sha256:/,
      ) as string;
      const source = await api.ask('GET', `${SOURCES}/redhat-operators`);
      expect(source.body.spec).toEqual({ image, sourceType: 'grpc' });
      const catalog = await api.ask('GET', `${CATALOGS}/redhat-operators`);
      expect(catalog.body.spec).toMatchObject({ source: { type: 'Image', image: { ref: image } } });
      expect(ofOlm(await applied('--catalog-name', 'redhat-operators'))).toEqual([
        ['CatalogSource openshift-marketplace/redhat-operators', 'same', 'nothing'],
        ['ClusterCatalog redhat-operators', 'same', 'nothing'],
      ]);
    });

    it('takes what a template says', async () => {
      await writeFile(
        place('template.yaml'),
        `apiVersion: operators.coreos.com/v1alpha1
kind: CatalogSource
metadata: {annotations: {note: ours}}
spec: {priority: 10, grpcPodConfig: {nodeSelector: {kubernetes.io/os: linux}}}
`,
      );
      const cluster = await applied(
        ...['--catalog-name', 'redhat-operators'],
        ...['--catalog-source-template', place('template.yaml')],
      );
      expect(ofOlm(cluster)[0]).toEqual([
        ...['CatalogSource openshift-marketplace/redhat-operators', 'changed', 'nothing'],
      ]);
      const { body } = await api.ask('GET', `${SOURCES}/redhat-operators`);
      expect(body.metadata.annotations).toMatchObject({ note: 'ours' });
      expect(body.spec).toMatchObject({
        ...{ priority: 10, sourceType: 'grpc' },
        grpcPodConfig: { nodeSelector: { 'kubernetes.io/os': 'linux' } },
      });
    });

    it('does not take the place of one that OpenShift brings along: says what to turn off', async () => {
      await api.ask('POST', `${SOURCES}?fieldManager=marketplace-operator`, {
        apiVersion: 'operators.coreos.com/v1alpha1',
        kind: 'CatalogSource',
        metadata: { name: 'community-operators', namespace: 'openshift-marketplace' },
        spec: { sourceType: 'grpc', image: 'registry.redhat.io/redhat/community:v4.22' },
      });
      const { status, stderr } = await ran('--catalog-name', 'community-operators');
      expect(status).toBe(25);
      expect(stderr).toContain('.spec.image (marketplace-operator)');
      expect(stderr).toContain('disableAllDefaultSources');
      expect((await api.ask('GET', `${CATALOGS}/community-operators`)).status).toBe(404);
    });

    it('leaves out what the cluster does not know', async () => {
      await removeDefinition(api, 'clustercatalogs.olm.operatorframework.io', CATALOGS);
      const cluster = await applied('--catalog-name', 'old-cluster');
      expect(ofOlm(cluster)).toEqual([
        ['CatalogSource openshift-marketplace/old-cluster', 'new', 'nothing'],
      ]);
      expect(cluster.left).toContain('operators/cc-old-cluster.yaml');
    });
  });
});
