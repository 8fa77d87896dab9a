import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { randomFaults } from '../support/random-faults.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

const MINUTES = 60_000;
/** Of all requests. */
const SHARE = 0.2;

/** `npm run fault-runs` takes the whole release, and fifty seeds or `$SEEDS`. */
const seeds = (process.env['BUNDLE_FAULT_SEEDS'] ?? '1').split(/[ ,]+/).flatMap((part) => {
  const [first = 1, last = first] = part.split('-').map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
});
const isShort = process.env['BUNDLE_FAULT_SEEDS'] === undefined;
const components = isShort ? { components: 10 } : {};
/**
 * What may be moved, as a share of the content. Of ten images one layer is a third: where it breaks
 * off twice, that counts. Of a whole release no layer does.
 */
const MOST = isShort ? 2.5 : 1.5;

describeWith(['docker-registry'], `with ${SHARE * 100} % of all requests failing at random`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let target: TestRegistry;
  let made: MadeRelease;
  beforeAll(async () => {
    folder = await temporaryFolder('fault-runs');
    source = await startRegistry();
    target = await startRegistry();
    made = await makeReleaseIn(source, join(folder.path, 'release'), components);
  }, 5 * MINUTES);
  afterAll(async () => {
    await source.stop();
    await target.stop();
    await folder.remove();
  });

  const moved = ({ requests }: FaultProxy): number =>
    requests.reduce((total, { received, sent }) => total + received + sent, 0);

  it.each(seeds)(
    'pack and unpack are complete, seed %d',
    async (seed) => {
      const user = await User.new(join(folder.path, `seed-${seed}`));
      const trust = [
        '--release-key',
        made.releaseKey,
        '--progress',
        'none',
        '--log-level',
        'error',
      ];
      const medium = join(user.folder, 'medium');
      await mkdir(medium);

      const outgoing = await startFaultProxy(source.url, randomFaults(`pack ${seed}`, SHARE));
      const mirror = `quay.io/openshift-release-dev=${outgoing.host}/openshift-release-dev`;
      const packed = await user
        .bundle([
          'pack',
          made.version,
          '--mirror',
          mirror,
          '--signature-store',
          made.signatureStore,
          '-o',
          medium,
          ...trust,
        ])
        .finally(outgoing.stop);
      expect(packed).toMatchObject({
        status: 0,
        stderr: expect.not.stringContaining('bug') as unknown,
      });

      const incoming = await startFaultProxy(target.url, randomFaults(`unpack ${seed}`, SHARE));
      const unpacked = await user
        .bundle([
          'unpack',
          medium,
          '--to',
          `${incoming.host}/seed-${seed}`,
          '--resources-dir',
          join(user.folder, 'resources'),
          ...trust,
        ])
        .finally(incoming.stop);
      expect(unpacked).toMatchObject({ status: 0 });

      const [fetched, pushed] = [moved(outgoing) / made.bytes, moved(incoming) / made.bytes];
      const failed = ({ requests }: FaultProxy): string => `${requests.length} requests`;
      process.stderr.write(
        `seed ${seed}: pack ${failed(outgoing)}, ${fetched.toFixed(3)} of the content; unpack ${failed(incoming)}, ${pushed.toFixed(3)}\n`,
      );
      expect(fetched).toBeLessThan(MOST);
      expect(pushed).toBeLessThan(MOST);
      await rm(user.folder, { recursive: true });
    },
    10 * MINUTES,
  );
});
