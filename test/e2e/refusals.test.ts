import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { digestOf } from '../../src/core/digest.ts';
import { type Decide, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { type Ran, temporaryFolder, User } from '../support/user.ts';

describeWith(
  ['docker-registry'],
  'what a registry does not allow is told before anything is moved',
  () => {
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let registry: TestRegistry;
    let made: MadeRelease;
    let user: User;
    const cleanUp: (() => Promise<void>)[] = [];
    beforeAll(async () => {
      folder = await temporaryFolder('refusals');
      user = await User.new(folder.path);
      registry = await startRegistry();
      made = await makeReleaseIn(registry, join(folder.path, 'release'), {
        components: 2,
        scale: 0.0001,
      });
      await mkdir(join(folder.path, 'medium'));
      expect((await pack(registry.host)).status).toBe(0);
    });
    afterEach(async () => {
      for (const task of cleanUp.splice(0).reverse()) await task();
    });
    afterAll(async () => {
      await registry.stop();
      await folder.remove();
    });

    async function behind(decide: Decide): Promise<FaultProxy> {
      const proxy = await startFaultProxy(registry.url, decide);
      cleanUp.push(proxy.stop);
      return proxy;
    }

    const trust = (): readonly string[] => [
      '--release-key',
      made.releaseKey,
      '--output',
      'json',
      '--progress',
      'none',
    ];

    async function pack(host: string): Promise<Ran> {
      const mirror = `quay.io/openshift-release-dev=${host}/openshift-release-dev`;
      const source = ['--mirror', mirror, '--signature-store', made.signatureStore];
      return user.bundle([
        'pack',
        made.version,
        ...source,
        '-o',
        join(folder.path, 'medium'),
        ...trust(),
      ]);
    }

    async function unpack(host: string, namespace: string): Promise<Ran> {
      const to = ['--to', `${host}/${namespace}`, '--resources-dir', join(folder.path, namespace)];
      return user.bundle(['unpack', join(folder.path, 'medium'), ...to, ...trust()]);
    }

    const hintOf = ({ stdout }: Ran): string =>
      (JSON.parse(stdout) as { error: { hint: string } }).error.hint;

    it.each(['ocp-release', 'ocp-v4.0-art-dev'])(
      'pack, by %s, before it plans',
      async (repository) => {
        const proxy = await behind(({ url }) =>
          url.includes(`/${repository}/`) ? { kind: 'answer', status: 401 } : undefined,
        );
        expect((await pack(proxy.host)).status).toBe(24);
        // Only the question itself was asked, with a digest that no repository has.
        const asked = proxy.seen(/^GET .*(manifests|blobs)/);
        expect(asked.filter((line) => !line.endsWith(digestOf('')))).toEqual([]);
      },
    );

    it.each([
      ['release', 403, 24],
      ['release-images', 401, 24],
      ['release', 404, 23],
    ])(
      'unpack, by the repository %s with %d, naming both',
      async (repository, status, expected) => {
        const proxy = await behind(({ method, url }) =>
          method === 'POST' && url.includes(`/openshift/${repository}/`)
            ? { kind: 'answer', status }
            : undefined,
        );
        const ran = await unpack(proxy.host, `refused-${repository}-${status}`);
        expect(ran.status).toBe(expected);
        for (const name of ['release', 'release-images']) {
          expect(hintOf(ran)).toContain(
            `${proxy.host}/refused-${repository}-${status}/openshift/${name} `,
          );
        }
        expect(proxy.seen(/^(PUT|PATCH)/)).toEqual([]);
      },
    );

    it('but nothing has to be allowed where nothing is left to be done', async () => {
      expect((await unpack(registry.host, 'done')).status).toBe(0);
      const proxy = await behind(({ method }) =>
        method === 'POST' ? { kind: 'answer', status: 403 } : undefined,
      );
      expect((await unpack(proxy.host, 'done')).status).toBe(0);
      expect(proxy.seen(/^POST/)).toEqual([]);
    });
  },
);
