import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Ended, runBundle } from '../support/bundle-process.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { anIncrement, type KilledCargo, threeReleases } from '../support/killed-cargo.ts';
import {
  differsAt,
  expectPrefixes,
  killedRun,
  storedBlobs,
  wholeTags,
} from '../support/killed-runs.ts';
import { describeWith } from '../support/needs.ts';
import type { TestRegistry } from '../support/registry.ts';

/**
 * How often pack and unpack of three releases are killed each: a few times with every run of the
 * tests, 200 times by `npm run kill`. Those of an increment are killed half as often.
 */
const KILLS = Number(process.env['BUNDLE_KILLS'] ?? 3);
const MINUTE = 60_000;
/**
 * One window: what is fetched ahead, wherever on the way it is, and what is fetched again to go on.
 */
const LOST_AT_MOST = 64 * 1024 * 1024;
describeWith(['docker-registry'], 'killed at any moment', () => {
  describe.each([
    ['three releases', threeReleases, KILLS],
    ['an increment', anIncrement, Math.ceil(KILLS / 2)],
  ])('%s', (_, prepare, kills) => {
    let cargo: KilledCargo;
    let folder: string;
    /** What the bundle is called. */
    let file: string;
    /** Where everything that an undisturbed run writes lies. */
    let whole: string;

    const bundle = (args: readonly string[]): Promise<Ended> => runBundle(args, { folder });
    const packArgs = (host: string, output: string): string[] => [
      ...cargo.packing(host),
      ...['-o', output],
    ];
    const unpackArgs = (host: string, resources: string): string[] => [
      ...['unpack', join(whole, file), '--to', `${host}/ocp4`],
      ...['--resources-dir', join(folder, resources, 'cluster'), ...cargo.trust],
    ];
    beforeAll(async () => {
      cargo = await prepare();
      ({ folder } = cargo);
      file = `${cargo.name}.tar.zst`;
      whole = join(folder, 'whole');
    }, 2 * MINUTE);
    afterAll(() => cargo.remove());

    it(
      'pack leaves an exact prefix, and goes on to the same file without fetching much twice',
      async () => {
        const proxy = await startFaultProxy(cargo.source.url);
        const fetched = (): number => proxy.requests.reduce((total, { sent }) => total + sent, 0);
        try {
          const begun = performance.now();
          expect(await bundle(packArgs(proxy.host, whole))).toMatchObject({ status: 0 });
          const wholeMs = performance.now() - begun;
          const wholeBytes = fetched();
          const finished = join(whole, file);
          const output = join(folder, 'killed');
          let most = 0;
          for (let left = kills; left > 0;) {
            await rm(output, { recursive: true, force: true });
            const before = fetched();
            const killed = await killedRun({
              ...{ args: packArgs(proxy.host, output), folder, wholeMs, kills: left },
              afterKill: () => expectPrefixes(output, finished),
            });
            left -= Math.max(killed, 1);
            expect(await differsAt(join(output, file), finished)).toBeUndefined();
            expect((await readdir(output)).toSorted()).toEqual((await readdir(whole)).toSorted());
            const perKill = (fetched() - before - wholeBytes) / Math.max(killed, 1);
            most = Math.max(most, perKill);
            expect(perKill).toBeLessThan(LOST_AT_MOST);
          }
          process.stdout.write(
            `pack: ${kills} kills, at most ${(most / 1e6).toFixed(1)} MB for each fetched twice\n`,
          );
        } finally {
          await proxy.stop();
        }
      },
      MINUTE + kills * 10_000,
    );

    it(
      'unpack leaves no tag on an image that is not whole, and goes on to the same state',
      async () => {
        const reference = await cargo.newTarget();
        try {
          expect(await bundle(packArgs(cargo.source.host, whole))).toMatchObject({ status: 0 });
          const begun = performance.now();
          expect(await bundle(unpackArgs(reference.host, 'resources'))).toMatchObject({
            status: 0,
          });
          const wholeMs = performance.now() - begun;
          const wanted = await wholeTags(reference);
          for (const version of cargo.versions)
            expect(tagsOf(version, wanted)).toHaveLength(cargo.tagsOfEach);
          for (let left = kills; left > 0;) {
            await rm(join(folder, 'resources-killed'), { recursive: true, force: true });
            const target = await cargo.newTarget();
            const proxy = await startFaultProxy(target.url);
            const args = unpackArgs(proxy.host, 'resources-killed');
            const held: { readonly blob: string; readonly requests: number }[] = [];
            try {
              const check = async (): Promise<void> => {
                const requests = proxy.requests.length;
                held.push(...(await heldBlobs(target)).map((blob) => ({ blob, requests })));
                const tags = await wholeTags(target);
                for (const version of cargo.versions) {
                  if (tags.has(`ocp4/openshift/release-images:${version}-x86_64`))
                    expect(tagsOf(version, tags)).toEqual(tagsOf(version, wanted));
                }
              };
              const killed = await killedRun({
                args,
                folder,
                wholeMs,
                kills: left,
                afterKill: check,
              });
              left -= Math.max(killed, 1);
              expect(await wholeTags(target)).toEqual(wanted);
              expect(await storedBlobs(target)).toEqual(await storedBlobs(reference));
              expect(await resourcesIn(join(folder, 'resources-killed'))).toEqual(
                await resourcesIn(join(folder, 'resources')),
              );
              const sent = proxy.requests.map(({ method, url }) =>
                method === 'PUT' ? uploadedBlob(url) : undefined,
              );
              expect(held.filter(({ blob, requests }) => sent.includes(blob, requests))).toEqual(
                [],
              );
            } finally {
              await Promise.all([proxy.stop(), target.stop()]);
            }
          }
        } finally {
          await reference.stop();
        }
      },
      MINUTE + kills * 10_000,
    );
  });
});

/** Those that name the images of one release. */
function tagsOf(version: string, tags: ReadonlyMap<string, string>): (readonly string[])[] {
  return [...tags].filter(([tag]) => tag.includes(`:${version}-`));
}

/** `REPOSITORY HEX` of every blob that a registry would say it has. */
async function heldBlobs({ root }: TestRegistry): Promise<string[]> {
  const repositories = join(root, 'storage/docker/registry/v2/repositories');
  const paths = await readdir(repositories, { recursive: true }).catch(() => []);
  return paths.flatMap((path) => {
    const [, repository, hex] = /^(.+)\/_layers\/sha256\/([0-9a-f]{64})\/link$/.exec(path) ?? [];
    return repository === undefined || hex === undefined ? [] : [`${repository} ${hex}`];
  });
}

/** The same of what a request uploads. */
function uploadedBlob(url: string): string | undefined {
  const [, repository, hex] =
    /^\/v2\/(.+)\/blobs\/uploads\/.*[?&]digest=sha256(?::|%3A)([0-9a-f]{64})/.exec(url) ?? [];
  return repository === undefined || hex === undefined ? undefined : `${repository} ${hex}`;
}

/**
 * Names of the files for the cluster; one of them names the port of the registry, which is another
 * each time. What a killed run was writing keeps a name that no reader of such files takes.
 */
async function resourcesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names
    .filter((name) => !UNFINISHED.test(name))
    .map((name) => name.replace(/127-0-0-1-[0-9]+(-ocp4)?(-[0-9a-f]{8})?/, 'registry'))
    .toSorted();
}

const UNFINISHED = /\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
