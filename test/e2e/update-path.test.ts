import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

import { afterAll, beforeAll, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { hexOf } from '../../src/core/digest.ts';
import { publishBaseImage } from '../support/base-image.ts';
import { addClusterVersion } from '../support/cluster-version.ts';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts';
import { describeWithKubeApi, type KubeApi, startKubeApi } from '../support/kube-api.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { makePrivateCa, type PrivateCa } from '../support/private-ca.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { offeredBySite } from '../support/site-updates.ts';
import { temporaryFolder, User } from '../support/user.ts';

/** The name by which the site knows its registry: the proxy of the site finds it. */
const REGISTRY = 'registry.example.com:5000';
const CHANNEL = 'stable-4.17';

/** Each release, and those that it can be updated from. */
const RELEASES = [
  ['4.17.2'],
  ['4.17.3', '4.17.2'],
  ['4.17.4', '4.17.3'],
  ['4.17.5', '4.17.4', '4.17.3'],
] as const;

const rule = (name: string, matchingRule: string): string =>
  `name: ${name}\nmessage: m\nurl: u\nmatchingRules: [${matchingRule}]\n`;

const GRAPH_DATA = {
  version: '1.1.0',
  'channels/stable-4.17.yaml': `name: ${CHANNEL}\nversions: [4.17.2, 4.17.3, 4.17.4, 4.17.5]\n`,
  'blocked-edges/4.17.4-slow.yaml':
    'to: 4.17.4\nfrom: 4[.]17[.]3[+]amd64\n' + rule('Slow', '{type: PromQL, promql: {promql: x}}'),
  'blocked-edges/4.17.5-always.yaml':
    'to: 4.17.5\nfrom: ^4[.]17[.]4[+].*$\n' + rule('Loud', '{type: Always}'),
  'blocked-edges/4.17.5.yaml': 'to: 4.17.5\nfrom: 4[.]17[.]3\n',
};

interface Applied {
  readonly object: string;
  readonly change: string;
}

interface Delivery {
  readonly delivery: {
    readonly cluster: {
      readonly applied: readonly Applied[];
      readonly left: readonly string[];
      readonly mirrored: { readonly sources: number; readonly pointing: number };
    };
  };
}

/** Each test goes on from where the one before it ended. */
describeWithKubeApi('a path of three releases', () => {
  describeWith(
    ['docker-registry', 'etcd', 'openssl'],
    'from the update graph to the cluster',
    () => {
      let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
      let ca: PrivateCa;
      let source: TestRegistry;
      let target: TestRegistry;
      let proxy: ConnectProxy;
      let api: KubeApi;
      let packer: User;
      let operator: User;
      let made: readonly MadeRelease[];
      let fetching: readonly string[];
      let unpacking: readonly string[];
      let env: Readonly<Record<string, string>>;
      let offered: readonly object[];

      const place = (name: string): string => join(temporary.path, name);
      /** Asks the registry of the site without the program. */
      const get = async (path: string, accept = '*/*'): Promise<Buffer> =>
        new Promise((resolve, reject) => {
          const url = new URL(path, target.url);
          const asking = request(url, { ca: ca.pem, headers: { accept } }, (answer) => {
            const { statusCode } = answer;
            if (statusCode === 200) buffer(answer).then(resolve, reject);
            else reject(new Error(`${path}: ${String(statusCode)}`));
          });
          asking.on('error', reject).end();
        });
      const unpack = async (medium: string, ...more: readonly string[]): Promise<Delivery> =>
        (await operator.json(['unpack', place(medium), ...unpacking, ...more], {
          env,
        })) as Delivery;
      const versionsOf = async (...paths: readonly string[]): Promise<readonly string[]> =>
        Promise.all(
          paths.map(async (path) => (await api.ask('GET', path)).body.metadata.resourceVersion),
        );

      beforeAll(async () => {
        temporary = await temporaryFolder('update-path');
        ca = await makePrivateCa('DNS:registry.example.com,IP:127.0.0.1');
        [source, target, api] = await Promise.all([
          startRegistry(),
          startRegistry({ tls: ca }),
          startKubeApi(),
        ]);
        proxy = await startConnectProxy(target.host);
        packer = await User.new(place('connected'));
        operator = await User.new(place('closed'));
        await publishBaseImage(source.host);
        const signer = await makeReleaseSigner();
        const releases: MadeRelease[] = [];
        for (const [version, ...previous] of RELEASES) {
          releases.push(
            await makeReleaseIn(source, place(version), {
              ...{ version, previous, signer, components: 2, scale: 0.0001 },
            }),
          );
        }
        made = releases;
        for (const [path, text] of Object.entries(GRAPH_DATA)) {
          await mkdir(join(place('data'), path, '..'), { recursive: true });
          await writeFile(join(place('data'), path), text);
        }
        const releaseKey = ['--release-key', made[0]!.releaseKey];
        fetching = [
          ...releaseKey,
          ...['quay.io', 'registry.access.redhat.com'].flatMap((name) => [
            ...['--mirror', `${name}=${source.host}`],
          ]),
          ...made.flatMap(({ signatureStore }) => ['--signature-store', signatureStore]),
        ];
        unpacking = [
          ...['--to', `${REGISTRY}/ocp4`, '--ca-file', ca.caFile],
          ...['--graph-repository', 'ocp4/updates/graph', ...releaseKey],
        ];
        env = { HTTPS_PROXY: proxy.url, NO_PROXY: '127.0.0.1' };
        const [first, next] = made;
        await addClusterVersion(api, {
          desired: { version: '4.17.2', image: `quay.io/x/y@${first!.release.digest}` },
          availableUpdates: [{ version: '4.17.3', image: `quay.io/x/y@${next!.release.digest}` }],
          conditionalUpdates: [],
        });
        // What the installer and the operator of update services have made.
        for (const name of ['openshift-config', 'openshift-update-service']) {
          const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
          await api.ask('POST', '/api/v1/namespaces', namespace);
        }
      });
      afterAll(async () => {
        await Promise.all([api.stop(), proxy.stop(), source.stop(), target.stop()]);
        await Promise.all([ca.remove(), temporary.remove()]);
      });

      it('is packed with its graph, and says what the cluster will be offered', async () => {
        const site = ['pack', '4.17.2', '-o', place('installed'), '--no-graph-data', ...fetching];
        await packer.json(site);
        const path = ['--from-version', '4.17.2', '--to-version', '4.17.5', '--channel', CHANNEL];
        const report = (await packer.json([
          ...['pack', ...path, '--graph', place('data'), '-o', place('path'), ...fetching],
        ])) as {
          readonly parts: readonly { readonly kind: string; readonly label?: string }[];
          readonly offers: readonly { readonly offers: readonly object[] }[];
        };
        expect(report.parts.map(({ kind }) => kind)).toEqual([
          ...['graph', 'release', 'release', 'release'],
        ]);
        expect(report.offers).toHaveLength(1);
        offered = report.offers[0]!.offers;
        expect(offered).not.toEqual([]);
        await operator.json(['trust', 'add', packer.publicKey]);
        const verified = await operator.bundle(['verify', place('path'), ...unpacking.slice(-2)]);
        expect([verified.status, verified.stderr]).toEqual([0, expect.any(String)]);
      });

      it('is unpacked and applied: signatures, mirrors, certificates and the update service', async () => {
        await unpack('installed'); // the cluster runs it, so the site has it
        const kubeconfig = await api.kubeconfig('admin');
        const applying = ['--apply', 'all', '--yes', '--kubeconfig', kubeconfig];
        const { cluster } = (await unpack('path', ...applying)).delivery;
        const signatures = made
          .slice(1)
          .map(
            ({ release }) => `ConfigMap openshift-config-managed/sha256-${hexOf(release.digest)}`,
          );
        const changes = Object.fromEntries(cluster.applied.map((one) => [one.object, one.change]));
        expect(changes).toMatchObject(Object.fromEntries(signatures.map((one) => [one, 'new'])));
        expect(new Set(Object.values(changes))).toEqual(new Set(['new']));
        const kinds = Object.keys(changes).map((object) => object.split(' ')[0]);
        expect(kinds.toSorted()).toEqual([
          ...['ConfigMap', 'ConfigMap', 'ConfigMap', 'ConfigMap', 'Image'],
          ...['ImageDigestMirrorSet', 'UpdateService'],
        ]);
        expect(new Set(proxy.asked)).toEqual(new Set([REGISTRY]));

        const paths = cluster.applied.map(({ object }) => pathOf(object));
        const before = await versionsOf(...paths);
        const again = (await unpack('path', ...applying)).delivery.cluster;
        expect(again.applied.map(({ change }) => change)).toEqual(paths.map(() => 'same'));
        expect(again.mirrored.pointing).toBe(again.mirrored.sources);
        expect(await versionsOf(...paths)).toEqual(before);
      });

      it('has clusters offered there what the packer was told', async () => {
        const services = '/apis/updateservice.operator.openshift.io/v1/namespaces';
        const { body } = await api.ask(
          'GET',
          `${services}/openshift-update-service/updateservices/update-service`,
        );
        const { graphDataImage, releases } = body.spec as Readonly<Record<string, string>>;
        const repository = (reference: string): string => reference.slice(`${REGISTRY}/`.length);
        const [graph = '', digest = ''] = repository(graphDataImage!).split('@');
        expect(graph).toBe('ocp4/updates/graph');
        const site = { get, releases: repository(releases!), graph: { repository: graph, digest } };
        const found = await offeredBySite(site, CHANNEL);
        expect(found).toEqual([
          { from: '4.17.2', to: '4.17.3', risks: [], standing: 'recommended' },
          { from: '4.17.3', to: '4.17.4', risks: ['Slow'], standing: 'unknown' },
          { from: '4.17.4', to: '4.17.5', risks: ['Loud'], standing: 'not recommended' },
        ]);
        expect(offered).toEqual(found);
      });
    },
  );
});

/** Where the API server has an object of a report: `ConfigMap openshift-config/x`. */
function pathOf(object: string): string {
  const [kind = '', name = ''] = object.split(' ');
  const [own, namespace] = name.split('/').toReversed();
  const groups: Readonly<Record<string, string>> = {
    ConfigMap: '/api/v1',
    Image: '/apis/config.openshift.io/v1',
    ImageDigestMirrorSet: '/apis/config.openshift.io/v1',
    UpdateService: '/apis/updateservice.operator.openshift.io/v1',
  };
  const within = namespace === undefined ? '' : `/namespaces/${namespace}`;
  return `${groups[kind]!}${within}/${kind.toLowerCase()}s/${own!}`;
}
