import type { KubeApi } from './kube-api.ts';

/** A cluster that runs 4.16.20, and knows of two updates, one of them with a risk. */
export const CLUSTER_VERSION = {
  apiVersion: 'config.openshift.io/v1',
  kind: 'ClusterVersion',
  metadata: { name: 'version' },
  spec: {
    clusterID: 'b1a2c3d4-0000-4000-8000-000000000001',
    channel: 'stable-4.17',
    upstream: 'https://updates.example.com/graph',
  },
};

const image = (digit: string): string =>
  `quay.io/openshift-release-dev/ocp-release@sha256:${digit.repeat(64)}`;

export const CLUSTER_VERSION_STATUS = {
  desired: { version: '4.16.20', image: image('a'), channels: ['stable-4.16', 'stable-4.17'] },
  history: [
    {
      ...{ version: '4.16.20', image: image('a'), state: 'Completed', verified: true },
      ...{ startedTime: '2026-10-01T08:00:00Z', completionTime: '2026-10-01T09:00:00Z' },
    },
  ],
  observedGeneration: 1,
  versionHash: 'x',
  availableUpdates: [{ version: '4.16.21', image: image('b') }],
  conditionalUpdates: [
    {
      release: { version: '4.17.3', image: image('c') },
      risks: [
        {
          ...{ name: 'SlowStart', url: 'https://example.com/risk', message: 'It starts slowly.' },
          matchingRules: [{ type: 'Always' }],
        },
      ],
      conditions: [
        {
          ...{ type: 'Recommended', status: 'False', reason: 'SlowStart' },
          ...{ message: 'It starts slowly.', lastTransitionTime: '2026-10-01T09:00:00Z' },
        },
      ],
    },
  ],
  conditions: [
    ['Failing', 'False', '', ''],
    ['Progressing', 'False', '', 'Cluster version is 4.16.20'],
    ['Upgradeable', 'False', 'AdminAckRequired', 'An API will be removed.'],
    ['RetrievedUpdates', 'True', '', ''],
    ['ReleaseAccepted', 'True', 'PayloadLoaded', 'Payload loaded.'],
  ].map(([type, status, reason, message]) => ({
    ...{ type, status, message, lastTransitionTime: '2026-10-01T09:00:00Z' },
    ...(reason !== '' && { reason }),
  })),
};

/** Makes the ClusterVersion of a cluster, and a node; their operators would fill in the status. */
export async function addClusterVersion(api: KubeApi, status: object = {}): Promise<void> {
  await withStatus(api, ['/apis/config.openshift.io/v1/clusterversions', CLUSTER_VERSION], {
    ...CLUSTER_VERSION_STATUS,
    ...status,
  });
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'control-plane-0' } };
  await withStatus(api, ['/api/v1/nodes', node], { nodeInfo: { architecture: 'amd64' } });
}

async function withStatus(
  api: KubeApi,
  [path, object]: readonly [string, { readonly metadata: { readonly name: string } }],
  status: object,
): Promise<void> {
  const made = await api.ask('POST', path, object);
  const changed = await api.ask(
    ...(['PATCH', `${path}/${object.metadata.name}/status`, { status }] as const),
    'application/merge-patch+json',
  );
  if (made.status !== 201 || changed.status !== 200) {
    throw new Error(`${path}: ${JSON.stringify([made.body, changed.body])}`);
  }
}
