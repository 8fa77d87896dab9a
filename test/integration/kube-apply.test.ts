import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { applyObjects, planApply } from '../../src/cluster/apply.ts';
import type { ClusterClient } from '../../src/cluster/client.ts';
import { readFacts } from '../../src/cluster/facts.ts';
import { hasCode } from '../../src/core/errors.ts';
import { type ClusterOptions, openCluster } from '../../src/network/cluster.ts';
import { addClusterVersion } from '../support/cluster-version.ts';
import { describeWithKubeApi, type KubeApi, startKubeApi, TOKENS } from '../support/kube-api.ts';
import { describeWith } from '../support/needs.ts';

const NAMESPACE = 'openshift-config-managed';
const CONFIG_MAPS = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
const MIRROR_SETS = '/apis/config.openshift.io/v1/imagedigestmirrorsets';

const configMap = (name: string, signatures: readonly string[]): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    ...{ name, namespace: NAMESPACE },
    labels: { 'release.openshift.io/verification-signatures': '' },
  },
  binaryData: Object.fromEntries(
    signatures.map((text, index) => [`${name}-${index + 1}`, Buffer.from(text).toString('base64')]),
  ),
});

const mirrorSet = (name: string, mirrors: readonly string[]): object => ({
  apiVersion: 'config.openshift.io/v1',
  kind: 'ImageDigestMirrorSet',
  metadata: { name },
  spec: { imageDigestMirrors: [{ source: 'quay.io/openshift-release-dev/ocp-release', mirrors }] },
});

describeWithKubeApi('applying to a real API server', () => {
  describeWith(['etcd', 'openssl'], 'with its etcd', () => {
    let api: KubeApi;
    let number = 0;
    let name: string;
    beforeAll(async () => {
      api = await startKubeApi();
      await addClusterVersion(api);
    });
    afterAll(() => api.stop());
    beforeEach(() => {
      name = `object-${++number}`;
    });

    const open = async (
      kubeconfig: string | undefined,
      more: Partial<ClusterOptions> & { readonly env?: Record<string, string> } = {},
    ): Promise<ClusterClient> => {
      const { env = {}, ...options } = more;
      return openCluster(
        { kubeconfig, context: undefined, canAsk: false, ...options },
        {
          environment: { env, home: join(api.folder, 'home'), uid: 0 },
          signal: new AbortController().signal,
        },
      );
    };
    const admin = async (): Promise<ClusterClient> => open(await api.kubeconfig('admin'));
    const apply = async (client: ClusterClient, ...objects: readonly object[]) =>
      applyObjects(client, objects as never);
    const plan = async (client: ClusterClient, ...objects: readonly object[]) =>
      planApply(client, objects as never);

    it('makes what is not there, and changes nothing the second time', async () => {
      const client = await admin();
      const object = configMap(name, ['first']);
      expect(await plan(client, object)).toMatchObject([{ change: 'new' }]);
      expect((await api.ask('GET', `${CONFIG_MAPS}/${name}`)).status).toBe(404);

      expect(await apply(client, object)).toMatchObject([
        { object: `ConfigMap ${NAMESPACE}/${name}`, change: 'new' },
      ]);
      const { body } = await api.ask('GET', `${CONFIG_MAPS}/${name}`);
      expect(body.binaryData).toEqual({ [`${name}-1`]: Buffer.from('first').toString('base64') });
      expect(body.metadata.managedFields).toMatchObject([
        { manager: 'ocp-bundle', operation: 'Apply' },
      ]);

      expect(await apply(client, object)).toMatchObject([{ change: 'same', fields: [] }]);
      const { body: again } = await api.ask('GET', `${CONFIG_MAPS}/${name}`);
      expect(again.metadata.resourceVersion).toBe(body.metadata.resourceVersion);
    });

    it('changes its own fields, and leaves those of others alone', async () => {
      const client = await admin();
      await apply(client, mirrorSet(name, ['registry.example.com/a']));
      await api.ask(
        ...(['PATCH', `${MIRROR_SETS}/${name}`] as const),
        {
          metadata: { labels: { team: 'storage' }, annotations: { note: 'keep' } },
          spec: { imageDigestMirrors: undefined },
        },
        'application/merge-patch+json',
      );

      const changed = mirrorSet(name, ['registry.example.com/a', 'registry.example.com/b']);
      const fields = [
        {
          field: '.spec.imageDigestMirrors[0].mirrors[1]',
          before: undefined,
          after: 'registry.example.com/b',
        },
      ];
      expect(await plan(client, changed)).toEqual([
        { object: `ImageDigestMirrorSet ${name}`, change: 'changed', fields },
      ]);
      expect(await apply(client, changed)).toMatchObject([{ change: 'changed', fields }]);

      const { body } = await api.ask('GET', `${MIRROR_SETS}/${name}`);
      expect(body.metadata.labels).toEqual({ team: 'storage' });
      expect(body.metadata.annotations).toEqual({ note: 'keep' });
      expect(body.spec).toEqual({
        imageDigestMirrors: [
          {
            source: 'quay.io/openshift-release-dev/ocp-release',
            mirrors: ['registry.example.com/a', 'registry.example.com/b'],
          },
        ],
      });
    });

    it('takes over nothing that somebody else has set to another value, and names the field', async () => {
      const theirs = { ...configMap(name, ['theirs']) };
      await api.ask('POST', `${CONFIG_MAPS}?fieldManager=somebody`, theirs);
      const error = await plan(await admin(), configMap(name, ['ours'])).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'CLUSTER', subject: `ConfigMap ${NAMESPACE}/${name}` });
      expect(String(error)).toContain(`.binaryData.${name}-1`);
      expect(String(error)).toContain('(somebody)');
      const { body } = await api.ask('GET', `${CONFIG_MAPS}/${name}`);
      expect(body.binaryData).toEqual({ [`${name}-1`]: Buffer.from('theirs').toString('base64') });
    });

    it('names the field that the API server does not take', async () => {
      const error = await plan(await admin(), mirrorSet(name, ['not a registry!'])).catch(
        (e: unknown) => e,
      );
      expect(error).toMatchObject({ code: 'CLUSTER' });
      expect(String(error)).toContain('spec.imageDigestMirrors[0].mirrors[0]');
    });

    it('takes no object for applied that is being deleted', async () => {
      const own = configMap(name, ['x']) as { metadata: object };
      const metadata = { ...own.metadata, finalizers: ['example.com/wait'] };
      await api.ask('POST', `${CONFIG_MAPS}?fieldManager=ocp-bundle`, { ...own, metadata });
      await api.ask('DELETE', `${CONFIG_MAPS}/${name}`);
      for (const doing of [plan, apply]) {
        const error = await doing(await admin(), own).catch((e: unknown) => e);
        expect(error).toMatchObject({ code: 'CLUSTER', subject: `ConfigMap ${NAMESPACE}/${name}` });
        expect(String(error)).toContain(`ConfigMap ${NAMESPACE}/${name}, but it is being deleted`);
      }
    });

    it('says what was applied where it fails half way', async () => {
      const wrong = mirrorSet(name, ['not a registry!']);
      const later = configMap(`${name}-later`, ['x']);
      const error = await apply(await admin(), configMap(name, ['x']), wrong, later).catch(
        (e: unknown) => e,
      );
      expect(String(error)).toContain(`Applied: ConfigMap ${NAMESPACE}/${name}.`);
      expect(String(error)).toContain(
        `Not applied: ImageDigestMirrorSet ${name}, ConfigMap ${NAMESPACE}/${name}-later`,
      );
      expect((await api.ask('GET', `${CONFIG_MAPS}/${name}`)).status).toBe(200);
      expect((await api.ask('GET', `${CONFIG_MAPS}/${name}-later`)).status).toBe(404);
    });

    it('reads what matters of the cluster', async () => {
      await apply(await admin(), mirrorSet(name, ['registry.example.com/facts']));
      const facts = await readFacts(await admin());
      expect(facts).toMatchObject({
        context: 'admin',
        host: new URL(api.url).host,
        architectures: ['amd64'],
        unread: [],
        version: {
          version: '4.16.20',
          channel: 'stable-4.17',
          updates: [{ version: '4.16.21' }],
          risky: [{ version: '4.17.3', recommended: 'False', reason: 'SlowStart' }],
        },
      });
      expect(facts.mirrors).toContainEqual({
        ...{ kind: 'ImageDigestMirrorSet', name },
        source: 'quay.io/openshift-release-dev/ocp-release',
        mirrors: ['registry.example.com/facts'],
      });
    });

    it('refuses an expired token with 24, and shows it nowhere', async () => {
      const token = 'expired-token-0815';
      const client = await open(await api.kubeconfig('expired', { token }));
      const error = await plan(client, configMap(name, ['x'])).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'NOT_ALLOWED', exitStatus: 24 });
      expect(JSON.stringify(error) + String(error) + String((error as Error).stack)).not.toContain(
        token,
      );
    });

    it('says what somebody without permissions may not do', async () => {
      const client = await open(await api.kubeconfig('nobody', { token: TOKENS.nobody }));
      const error = await plan(client, configMap(name, ['x'])).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'NOT_ALLOWED' });
      expect((error as { hint: string }).hint).toContain(
        `oc auth can-i get configmap -n ${NAMESPACE}`,
      );
      const facts = await readFacts(client);
      expect(facts).toMatchObject({ version: undefined, architectures: [], mirrors: undefined });
      expect(facts.unread).toHaveLength(3);
    });

    it('says what a cluster lacks that does not know a kind', async () => {
      const unknown = { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name } };
      const newer = { apiVersion: 'config.openshift.io/v1', kind: 'NotYet', metadata: { name } };
      for (const object of [unknown, newer]) {
        const error = await plan(await admin(), object).catch((e: unknown) => e);
        expect(hasCode(error, 'NOT_FOUND')).toBe(true);
        expect(String(error)).toContain(`has no ${object.kind} (${object.apiVersion})`);
      }
    });

    it('takes a client certificate', async () => {
      const issue = { names: undefined, commonName: 'admin/O=system:masters' };
      const pair = await api.ca.issue({ ...issue, usage: 'clientAuth' });
      const asFiles = { 'client-certificate': pair.certificate, 'client-key': pair.key };
      const client = await open(await api.kubeconfig('certificate', asFiles));
      expect(await apply(client, configMap(name, ['x']))).toMatchObject([{ change: 'new' }]);
      const base64 = async (path: string): Promise<string> =>
        (await readFile(path)).toString('base64');
      const asData = {
        'client-certificate-data': await base64(pair.certificate),
        'client-key-data': await base64(pair.key),
        // Data counts first, so that a file that went missing does not matter.
        'client-certificate': '/nowhere',
      };
      const again = await open(await api.kubeconfig('certificate-data', asData));
      expect(await apply(again, configMap(name, ['x']))).toMatchObject([{ change: 'same' }]);
    });

    it('takes the token of a file beside the kubeconfig', async () => {
      await writeFile(join(api.folder, 'token'), `${TOKENS.admin}\n`);
      const client = await open(await api.kubeconfig('file', { tokenFile: 'token' }));
      expect(await apply(client, configMap(name, ['x']))).toMatchObject([{ change: 'new' }]);
    });

    it('takes the token that a plugin hands out', async () => {
      const script = [
        '#!/bin/sh',
        'case "$KUBERNETES_EXEC_INFO" in *\'"interactive":false\'*) ;; *) exit 3 ;; esac',
        `printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'`,
        `printf '"status":{"token":"%s"}}' "$TOKEN"`,
      ];
      await writeFile(join(api.folder, 'plugin'), `${script.join('\n')}\n`, { mode: 0o755 });
      const exec = {
        ...{ apiVersion: 'client.authentication.k8s.io/v1', command: './plugin' },
        ...{ env: [{ name: 'TOKEN', value: TOKENS.admin }], interactiveMode: 'IfAvailable' },
      };
      const client = await open(await api.kubeconfig('plugin', { exec }), {
        env: { PATH: process.env['PATH'] ?? '' },
      });
      expect(await apply(client, configMap(name, ['x']))).toMatchObject([{ change: 'new' }]);
    });

    it('acts for somebody else, with their groups', async () => {
      const nobody = await api.kubeconfig('as', { token: TOKENS.admin, as: 'anybody' });
      const error = await plan(await open(nobody), configMap(name, ['x'])).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'NOT_ALLOWED' });
      const groups = ['system:authenticated', 'system:masters'];
      const one = await api.kubeconfig('as-groups', {
        ...{ token: TOKENS.admin, as: 'anybody', 'as-groups': groups },
      });
      expect(await apply(await open(one), configMap(name, ['x']))).toMatchObject([
        { change: 'new' },
      ]);
    });

    it('reads several kubeconfigs, of which the first counts, and chooses a context', async () => {
      const first = await api.kubeconfig('first', { token: TOKENS.nobody });
      const second = await api.kubeconfig('second', { token: TOKENS.admin });
      const env = { KUBECONFIG: `${join(api.folder, 'missing')}:${first}:${second}` };
      const object = configMap(name, ['x']);
      const error = await plan(await open(undefined, { env }), object).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'NOT_ALLOWED' });
      const client = await open(undefined, { env, context: 'second' });
      expect(await apply(client, object)).toMatchObject([{ change: 'new' }]);
    });

    it('reads ~/.kube/config', async () => {
      const own = await readFile(await api.kubeconfig('home', { token: TOKENS.admin }));
      await mkdir(join(api.folder, 'home', '.kube'), { recursive: true });
      await writeFile(join(api.folder, 'home', '.kube', 'config'), own);
      const client = await open(undefined);
      expect(await plan(client, configMap(name, ['x']))).toMatchObject([{ change: 'new' }]);
    });

    it('checks the certificate of the API server, by the name that it is told', async () => {
      const object = configMap(name, ['x']);
      const unknown = await api.kubeconfig('unknown', undefined, {});
      const error = await plan(await open(unknown), object).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'NETWORK', exitStatus: 25 });
      expect(String(error)).toContain('authority that is not trusted');
      const ca = { 'certificate-authority': api.ca.caFile };
      const other = { ...ca, 'tls-server-name': 'api.example.com' };
      const renamed = await api.kubeconfig('renamed', undefined, other);
      expect(await plan(await open(renamed), object).catch(String)).toContain('another name');
      for (const cluster of [
        { ...ca, 'tls-server-name': 'localhost' },
        { 'insecure-skip-tls-verify': true },
      ]) {
        const client = await open(await api.kubeconfig('known', undefined, cluster));
        expect(await plan(client, object)).toMatchObject([{ change: 'new' }]);
      }
    });
  });
});
