import { copyFile, mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { serveStores } from '../../scripts/lib/bench/memory-registry.ts';
import { makeOperators, type MadeOperators } from '../../scripts/lib/made-operators.ts';
import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import type { Digest } from '../../src/core/digest.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';
import { MemoryStore } from '../../src/stores/memory.ts';
import { publishImage } from '../support/base-image.ts';
import { runBundle } from '../support/bundle-process.ts';
import { chartArchive } from '../support/chart.ts';
import { addClusterVersion } from '../support/cluster-version.ts';
import { describeWithKubeApi, startKubeApi } from '../support/kube-api.ts';
import {
  differsAt,
  expectPrefixes,
  killedRun,
  storedBlobs,
  wholeTags,
} from '../support/killed-runs.ts';
import { describeWith } from '../support/needs.ts';
import { bundleIn } from '../support/opened-bundle.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { startUpdateService } from '../support/update-service.ts';
import { temporaryFolder } from '../support/user.ts';

/** How often each of pack and unpack is killed: a few times, or as often as is asked for. */
const KILLS = Number(process.env['BUNDLE_KILLS'] ?? 2);
/** How many damaged copies are tried. */
const DAMAGES = Number(process.env['BUNDLE_DAMAGES'] ?? 6);
const MINUTE = 60_000;
const VERSIONS = ['4.17.3', '4.17.4'];
const TOOLS = Array.from({ length: 20 }, (_, number) => `team/tool-${number}`);
const CHARTS = ['web', 'api', 'jobs'];
const OPERATORS = {
  ...{ operators: 200, versions: 2, related: 2, ownBytes: 600, sharedBytes: 3000 },
  architectures: ['amd64', 'arm64', 's390x', 'ppc64le'],
};
/** Every tenth operator is taken: in its newest version, and the first one in both. */
const TAKEN = Array.from(
  { length: 20 },
  (_, number) => `op-${String(10 * number).padStart(3, '0')}`,
);

describeWith(['docker-registry'], 'all that a site wants, in one bundle', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let operators: MadeOperators;
  let releases: readonly MadeRelease[];
  /** Digests of extra images and of what charts use, by repository. */
  const images = new Map<string, Digest>();
  let packing: readonly string[];
  let trust: readonly string[];
  let file: string;
  const stops: (() => Promise<void>)[] = [];

  const place = (name: string): string => join(temporary.path, name);
  const bundle = (args: readonly string[]) => runBundle(args, { folder: temporary.path });
  const packInto = (folder: string): readonly string[] => [...packing, '-o', folder];
  const unpackTo = ({ host }: TestRegistry, resources: string): readonly string[] => [
    ...['unpack', file, '--to', `${host}/site`, '--resources-dir', place(resources), ...trust],
  ];

  beforeAll(async () => {
    temporary = await temporaryFolder('image-set-run');
    stops.push(() => temporary.remove());
    source = await startRegistry();
    stops.push(source.stop);
    const store = new MemoryStore();
    operators = await makeOperators(() => store, OPERATORS);
    const catalogs = await serveStores(
      Object.fromEntries(operators.repositories.map((repository) => [repository, store])),
    );
    stops.push(catalogs.stop);

    const signer = await makeReleaseSigner();
    const made: MadeRelease[] = [];
    for (const version of VERSIONS) {
      const options = { version, signer, components: 3, cosign: true, scale: 0.002 };
      made.push(await makeReleaseIn(source, place(`release-${version}`), options));
    }
    releases = made;
    const publish = async (repository: string): Promise<void> => {
      const at = { registry: 'quay.io', repository, tag: '1.0' };
      images.set(repository, await publishImage(source.host, at, { seed: repository }));
    };
    for (const repository of TOOLS) await publish(repository);
    for (const chart of CHARTS) {
      await publish(`charts/${chart}`);
      const yaml =
        `apiVersion: v2\nname: ${chart}\nversion: 1.2.3\nannotations:\n` +
        `  artifacthub.io/images: |\n    - image: quay.io/charts/${chart}:1.0\n`;
      await writeFile(place(`${chart}-1.2.3.tgz`), await chartArchive({ 'Chart.yaml': yaml }));
    }
    const nodes = made.map(({ version, release }) => ({
      ...{ version, metadata: {} },
      payload: `quay.io/openshift-release-dev/ocp-release@${release.digest}`,
    }));
    const graph = JSON.stringify({ version: 1, nodes, edges: [[0, 1]], conditionalEdges: [] });
    const updates = await startUpdateService({ 'stable-4.17 amd64': graph });
    stops.push(async () => updates.stop());
    await writeFile(place('imageset.yaml'), imageSet());
    await bundle(['keygen', '--type', 'ed25519', '-o', place('packer.pem')]);
    packing = [
      ...['pack', '--config', place('imageset.yaml'), '--key', place('packer.pem')],
      ...['--mirror', `quay.io/ops=${catalogs.host}/ops`, '--mirror', `quay.io=${source.host}`],
      ...made.flatMap(({ signatureStore }) => ['--signature-store', signatureStore]),
      ...['--release-key', made[0]!.releaseKey, '--graph-url', updates.url],
    ];
    trust = ['--release-key', made[0]!.releaseKey, '--trusted-key', place('packer.pub')];
    const { status, stderr } = await bundle(packInto(place('whole')));
    expect(status, stderr).toBe(0);
    file = await bundleIn(place('whole'));
  }, 4 * MINUTE);
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  function imageSet(): string {
    return [
      'apiVersion: mirror.openshift.io/v2alpha1',
      'kind: ImageSetConfiguration',
      'mirror:',
      '  platform:',
      '    channels:',
      `      - {name: stable-4.17, minVersion: ${VERSIONS[0]!}, maxVersion: ${VERSIONS[1]!}}`,
      '  operators:',
      '    - catalog: quay.io/ops/index:v4.17',
      '      packages:',
      `        - {name: ${TAKEN[0]!}, minVersion: 1.0.0, maxVersion: 1.1.0}`,
      ...TAKEN.slice(1).map((name) => `        - {name: ${name}}`),
      '  additionalImages:',
      ...TOOLS.map((name) => `    - {name: "quay.io/${name}:1.0"}`),
      '  helm:',
      '    local:',
      ...CHARTS.map((name) => `      - {name: ${name}, path: ${place(`${name}-1.2.3.tgz`)}}`),
      '',
    ].join('\n');
  }

  it('is whole to an audit, and arrives to the last image', async () => {
    expect(await bundle(['verify', file, ...trust])).toMatchObject({ status: 0 });
    const target = await startRegistry();
    try {
      const { status, stderr } = await bundle(unpackTo(target, 'resources'));
      expect(status, stderr).toBe(0);
      const at = async (repository: string, reference: string): Promise<string | null> => {
        const url = `${target.url}/v2/site/${repository}/manifests/${reference}`;
        const answer = await fetch(url, { headers: { accept: MANIFEST_TYPES.join(', ') } });
        return answer.status === 200 ? answer.headers.get('docker-content-digest') : null;
      };
      for (const { version, release } of releases)
        expect(await at('openshift/release-images', `${version}-x86_64`)).toBe(release.digest);
      for (const { operator, version, repository, digest } of operators.images) {
        const isTaken = TAKEN.includes(operator) && (version === '1.1.0' || operator === TAKEN[0]);
        expect([repository, version, await at(repository, digest)]).toEqual([
          ...[repository, version, isTaken ? digest : null],
        ]);
      }
      for (const [repository, digest] of images) expect(await at(repository, '1.0')).toBe(digest);
      for (const chart of CHARTS) expect(await at(`charts/${chart}`, '1.0')).not.toBeNull();
      const tags = await wholeTags(target);
      expect(tags.get('site/ops/index:v4.17')).toBeDefined();
      expect(tags.get('site/ops/index:v4.17')).not.toBe(operators.index);
      expect(await bundle(['verify', file, '--at', `${target.host}/site`, ...trust])).toMatchObject(
        {
          status: 0,
        },
      );
    } finally {
      await target.stop();
    }
  });

  describeWithKubeApi('with a cluster', () => {
    describeWith(['etcd', 'openssl'], 'that it is applied to', () => {
      it('has the objects of every kind there', async () => {
        const api = await startKubeApi();
        try {
          await addClusterVersion(api, {
            availableUpdates: releases.map(({ version, release }) => ({
              ...{ version, image: `quay.io/openshift-release-dev/ocp-release@${release.digest}` },
            })),
          });
          const kubeconfig = await api.kubeconfig('admin');
          const { status, stderr } = await bundle([
            ...['resources', file, '--to', 'registry.example.com:5000/site', ...trust],
            ...['--apply', 'all', '--yes', '--kubeconfig', kubeconfig],
          ]);
          expect(status, stderr).toBe(0);
          const count = async (path: string): Promise<number> => {
            const { body } = await api.ask('GET', path);
            return body.items!.length;
          };
          const objects = '/apis/operators.coreos.com/v1alpha1';
          const namespace = `${objects}/namespaces/openshift-marketplace/catalogsources`;
          expect(await count(namespace)).toBe(1);
          const mirrors = '/apis/config.openshift.io/v1';
          expect(await count(`${mirrors}/imagedigestmirrorsets`)).toBeGreaterThan(0);
          expect(await count(`${mirrors}/imagetagmirrorsets`)).toBeGreaterThan(0);
          expect(await count('/api/v1/namespaces/openshift-config-managed/configmaps')).toBe(
            VERSIONS.length,
          );
        } finally {
          await api.stop();
        }
      });
    });
  });

  it(
    'is the same bundle however often its pack is killed',
    async () => {
      const begun = performance.now();
      await bundle(packInto(place('timed')));
      const wholeMs = performance.now() - begun;
      for (let left = KILLS; left > 0;) {
        const output = place('killed');
        await rm(output, { recursive: true, force: true });
        const killed = await killedRun({
          ...{ args: packInto(output), folder: temporary.path, wholeMs, kills: left },
          afterKill: () => expectPrefixes(output, file),
        });
        left -= Math.max(killed, 1);
        expect(await differsAt(await bundleIn(output), file)).toBeUndefined();
      }
    },
    2 * MINUTE + KILLS * 20_000,
  );

  it(
    'comes to the same registry however often its unpack is killed',
    async () => {
      const reference = await startRegistry();
      stops.push(reference.stop);
      const begun = performance.now();
      expect(await bundle(unpackTo(reference, 'reference'))).toMatchObject({ status: 0 });
      const wholeMs = performance.now() - begun;
      const wanted = await wholeTags(reference);
      for (let left = KILLS; left > 0;) {
        const target = await startRegistry();
        try {
          const killed = await killedRun({
            args: unpackTo(target, 'killed-resources'),
            ...{ folder: temporary.path, wholeMs, kills: left },
            afterKill: async () => {
              for (const [tag, digest] of await wholeTags(target))
                expect([tag, digest]).toEqual([tag, wanted.get(tag)]);
            },
          });
          left -= Math.max(killed, 1);
          expect(await wholeTags(target)).toEqual(wanted);
          expect(await storedBlobs(target)).toEqual(await storedBlobs(reference));
        } finally {
          await target.stop();
        }
      }
    },
    2 * MINUTE + KILLS * 20_000,
  );

  it(
    'has every damage found, and no tag over it',
    async () => {
      const broken = join(place('broken'), file.slice(place('whole').length));
      await mkdir(place('broken'));
      const { size } = await stat(file);
      const trials = { found: 0, 'same content': 0 };
      for (let trial = 0; trial < DAMAGES; trial += 1) {
        const at = randomInt(size);
        await copyFile(file, broken);
        await flip(broken, at);
        const { status } = await bundle(['verify', broken, ...trust]);
        // Compressed metadata may decode to the same bytes still.
        if (status === 0) trials['same content'] += 1;
        else {
          expect([20, 21, 22], `byte ${at}`).toContain(status);
          trials.found += 1;
        }
      }
      process.stdout.write(`${DAMAGES} damages: ${JSON.stringify(trials)}\n`);
      expect(trials['same content']).toBeLessThanOrEqual(Math.ceil(DAMAGES / 20));

      await copyFile(file, broken);
      // In the middle of the layers: everything in front of it may be pushed, without its tag.
      await flip(broken, Math.floor(size / 2));
      const target = await startRegistry();
      try {
        const { status } = await bundle([
          ...['unpack', broken, '--to', `${target.host}/site`, ...trust],
          ...['--resources-dir', place('broken-resources')],
        ]);
        expect([20, 21, 22]).toContain(status);
        const tags = await wholeTags(target);
        for (const version of VERSIONS)
          expect([...tags.keys()]).not.toContain(`site/openshift/release-images:${version}-x86_64`);
      } finally {
        await target.stop();
      }
    },
    MINUTE + DAMAGES * 10_000,
  );
});

/** Changes one byte of a file. */
async function flip(path: string, at: number): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, at);
    byte[0] = byte[0]! ^ randomInt(1, 256);
    await handle.write(byte, 0, 1, at);
  } finally {
    await handle.close();
  }
}
