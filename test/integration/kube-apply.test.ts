import { afterAll, beforeAll, expect, it } from 'vitest';

import { describeWithKubeApi, type KubeApi, startKubeApi } from '../support/kube-api.ts';
import { describeWith } from '../support/needs.ts';

describeWithKubeApi('a real API server', () => {
  describeWith(['etcd', 'openssl'], 'with its etcd', () => {
    let api: KubeApi;
    beforeAll(async () => {
      api = await startKubeApi();
    });
    afterAll(() => api.stop());

    it('has the resources of OpenShift', async () => {
      const { status, body } = await api.ask('GET', '/apis/config.openshift.io/v1');
      expect(status).toBe(200);
      expect(body.resources?.map(({ name }) => name)).toContain('imagedigestmirrorsets');
    });
  });
});
