import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { BundleFile } from '../../src/bundle/reading/file.ts';
import { type FrontHead, readFrontHead } from '../../src/bundle/reading/head.ts';
import { SealedBundle } from '../../src/bundle/reading/sealed.ts';
import { type Ended, runBundle } from '../support/bundle-process.ts';
import { type Decide, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { digestOf } from '../../src/core/digest.ts';
import { describeWith } from '../support/needs.ts';
import {
  makeReleaseIn,
  type PackableRelease,
  packableRelease,
  packingOf,
} from '../support/packable-release.ts';

const MiB = 1024 * 1024;
const NAME = 'ocp-4.17.3-x86_64.tar.zst';
const TAG = '/v2/openshift-release-dev/ocp-release/manifests/4.17.3-x86_64';

describeWith(['docker-registry'], 'a pack that was interrupted', () => {
  let release: PackableRelease;
  let undisturbed: Buffer;
  let largest: string;
  /** Where the layer with the payload stands in the bundle. */
  let payload: { readonly start: number; readonly end: number };
  let output: string;
  let cases = 0;

  const bundle = (args: readonly string[]): Promise<Ended> =>
    runBundle(args, { folder: release.folder });
  const through = async (
    decide: Decide,
    work: (proxy: FaultProxy) => Promise<void>,
  ): Promise<void> => {
    const proxy = await startFaultProxy(release.source.url, decide);
    try {
      await work(proxy);
    } finally {
      await proxy.stop();
    }
  };
  /**
   * One request after the other, and the `nth` for the largest layer is answered with 404: what
   * came before it is written.
   */
  const breakOff = (nth: number, more: readonly string[] = []): Promise<string[]> => {
    const asked: string[] = [];
    const breaks: Decide = (request) =>
      request.url.includes(largest) && request.nth === nth
        ? { kind: 'answer', status: 404 }
        : undefined;
    return through(breaks, async (proxy) => {
      const args = [...release.packing(proxy.host), '-o', output, '--concurrency', '1', ...more];
      expect(await bundle(args)).toMatchObject({ status: 23 });
      asked.push(...proxy.seen());
    }).then(() => asked);
  };
  /** Goes on to the end. @returns what was asked for. */
  const goOn = async (more: readonly string[] = []): Promise<FaultProxy['requests']> => {
    let asked: FaultProxy['requests'] = [];
    await through(
      () => undefined,
      async (proxy) => {
        const { status, stderr } = await bundle([
          ...release.packing(proxy.host),
          '-o',
          output,
          ...more,
        ]);
        expect({ status, stderr }).toEqual({ status: 0, stderr });
        asked = proxy.requests;
      },
    );
    return asked;
  };
  const namesOf = (requests: FaultProxy['requests']): string[] =>
    requests.map(({ method, url }) => `${method} ${url}`);
  /** Whether the sources may be read is found out with a digest that none of them has. */
  const manifestsIn = (requests: readonly string[]): string[] =>
    requests.filter((line) => /^GET .*\/manifests\//.test(line) && !line.endsWith(digestOf('')));
  /** Changes a byte of what is begun. */
  const change = async (at: number): Promise<void> => {
    const partial = await open(join(output, `${NAME}.partial`), 'r+');
    const byte = Buffer.alloc(1);
    await partial.read(byte, 0, 1, at);
    byte[0]! ^= 1;
    await partial.write(byte, 0, 1, at);
    await partial.close();
  };
  const written = (): Promise<Buffer> => readFile(join(output, NAME));

  beforeAll(async () => {
    // The first layer is larger than the window: it is written while it comes.
    const shape = { base: [60 * MiB, MiB, MiB, MiB], own: () => MiB };
    release = await packableRelease('resume', { components: 3, shape, cosign: true });
    output = join(release.folder, 'undisturbed');
    const asked = await goOn();
    undisturbed = await written();
    const sent = new Map<string, number>();
    for (const { url, sent: bytes } of asked) sent.set(url, (sent.get(url) ?? 0) + bytes);
    largest = basename([...sent].toSorted(([, a], [, b]) => b - a)[0]![0]);
    const reader = await (await SealedBundle.open(join(output, NAME))).unseal();
    payload = reader.placesOf(reader.layerDigests[0]!)[0]!;
    await reader.close();
  });
  beforeEach(() => {
    output = join(release.folder, `case-${(cases += 1)}`);
  });
  afterAll(() => release.remove());

  it('goes on within a layer, and asks for nothing that it has but for what the tag names', async () => {
    const before = await breakOff(4);
    const { size } = await stat(join(output, `${NAME}.partial`));
    const requests = await goOn();
    expect((await written()).equals(undisturbed)).toBe(true);
    expect(manifestsIn(namesOf(requests))).toEqual([`GET ${TAG}`]);
    const again = requests.filter(
      ({ url }) => url.includes('/blobs/') && before.includes(`GET ${url}`),
    );
    expect(again.filter(({ url }) => !url.includes(largest))).toEqual([]);
    const starts = again.map(({ headers }) =>
      Number(/^bytes=([0-9]+)-/.exec(headers.range ?? '')?.[1]),
    );
    expect(starts.length).toBeGreaterThan(0);
    expect(Math.min(...starts)).toBeGreaterThan(0);
    const fetched = requests.reduce((total, { sent }) => total + sent, 0);
    expect(fetched).toBeLessThan(undisturbed.length - size + MiB);
  });

  it('begins anew with --restart', async () => {
    const before = await breakOff(1);
    const requests = await goOn(['--restart']);
    expect((await written()).equals(undisturbed)).toBe(true);
    expect(manifestsIn(namesOf(requests)).toSorted()).toEqual(manifestsIn(before).toSorted());
  });

  it.each(['listing', 'metadata'])(
    'fetches again what is damaged in its head: its %s',
    async (part) => {
      const before = await breakOff(1);
      await change(
        part === 'listing'
          ? 600
          : (await headOf(join(output, `${NAME}.partial`))).metadataOffset + 100,
      );
      const requests = await goOn();
      expect((await written()).equals(undisturbed)).toBe(true);
      expect(manifestsIn(namesOf(requests)).toSorted()).toEqual(manifestsIn(before).toSorted());
    },
  );

  it('fetches a payload again that is damaged, and nothing else of what it has', async () => {
    await breakOff(1);
    await change(payload.start + 2048);
    const requests = await goOn();
    expect((await written()).equals(undisturbed)).toBe(true);
    expect(manifestsIn(namesOf(requests))).toEqual([`GET ${TAG}`]);
  });

  it('on several media takes its manifests from the first volume, while that is there', async () => {
    const size = ['--volume-size', String(Math.ceil(undisturbed.length / 2.5))];
    const first = await bundle([...release.packing(), '-o', output, ...size, '--stop-after', '1']);
    expect(first).toMatchObject({ status: 30 });
    const volume = (await readdir(output)).find((name) => name.endsWith('.001'))!;
    const medium = output;
    output = join(release.folder, 'second-medium');
    expect(manifestsIn(namesOf(await goOn([...size, '--stop-after', '2'])))).toEqual([
      `GET ${TAG}`,
    ]);
    expect((await readdir(output)).filter((name) => name.includes('.tar.zst.'))).toHaveLength(2);
    expect((await stat(join(medium, volume))).size).toBeGreaterThan(0);
  });

  it('keeps the volumes behind one that is lost', async () => {
    const size = ['--volume-size', '20MB'];
    await goOn(size);
    const volumes = (await readdir(output)).filter((name) => /\.\d{3}$/.test(name)).toSorted();
    const before = await Promise.all(volumes.map((name) => readFile(join(output, name))));
    expect(volumes).toHaveLength(4);
    await rm(join(output, volumes[1]!));
    const requests = await goOn(size);
    for (const [index, name] of volumes.entries())
      expect((await readFile(join(output, name))).equals(before[index]!)).toBe(true);
    const fetched = requests.reduce((total, { sent }) => total + sent, 0);
    expect(fetched).toBeGreaterThan(19e6);
    expect(fetched).toBeLessThan(20e6 + 2 * 6 * MiB + MiB); // in parts of 6 MiB
  });

  it('that was begun anew without volumes is bound to no size of them', async () => {
    await breakOff(1, ['--volume-size', '20MB']);
    await breakOff(1, ['--restart']);
    await goOn();
    expect((await written()).equals(undisturbed)).toBe(true);
  });

  it('on several media is not forgotten over another pack of the release', async () => {
    const set = ['--volume-size', '20MB', '--stop-after', '1'];
    const media = ['first', 'second'].map((name) => join(output, name));
    const volumesOn = async (medium: string): Promise<string[]> =>
      (await readdir(medium)).filter((name) => /\.\d{3}$/.test(name));
    expect(await bundle([...release.packing(), '-o', media[0]!, ...set])).toMatchObject({
      status: 30,
    });
    expect(await bundle([...release.packing(), '-o', join(output, 'elsewhere')])).toMatchObject({
      status: 0,
    });
    expect(await bundle([...release.packing(), '-o', media[1]!, ...set])).toMatchObject({
      status: 30,
    });
    expect([await volumesOn(media[0]!), await volumesOn(media[1]!)]).toEqual([
      [`${NAME}.001`],
      [`${NAME}.002`],
    ]);
    const third = join(output, 'third');
    const rest = [...set.slice(0, -1), '9'];
    expect(await bundle([...release.packing(), '-o', third, ...rest])).toMatchObject({ status: 0 });
    const again = await bundle([...release.packing(), '-o', join(output, 'fourth'), ...set]);
    expect(again).toMatchObject({ status: 30 });
    expect(again.stderr).toContain(
      `all 4 volumes of this set were written before, the last one to ${join(third, NAME)}.004. ` +
        'This run begins the set again with its first volume',
    );
    expect(await volumesOn(join(output, 'fourth'))).toEqual([`${NAME}.001`]);
    await bundle([...release.packing(), '-o', join(output, 'fifth'), ...rest]);
  });

  it('on several media is over when the same volumes have all been written to one of them', async () => {
    const size = ['--volume-size', '20MB'];
    expect(
      await bundle([...release.packing(), '-o', output, ...size, '--stop-after', '2']),
    ).toMatchObject({ status: 30 });
    await rm(join(output, `${NAME}.001`));
    expect(await bundle([...release.packing(), '-o', output, ...size])).toMatchObject({
      status: 0,
    });
    const second = join(output, 'second copy');
    expect(
      await bundle([...release.packing(), '-o', second, ...size, '--stop-after', '1']),
    ).toMatchObject({ status: 30 });
    expect((await readdir(second)).filter((name) => /\.\d{3}$/.test(name))).toEqual([
      `${NAME}.001`,
    ]);
    await bundle([...release.packing(), '-o', second, ...size, '--stop-after', '9']);
  });

  it('of which the tag names another release by now is not continued, unless it is begun anew', async () => {
    const options = { components: 3, version: '4.17.4', cosign: true };
    const key = join(release.folder, 'packer.pem');
    const old = packingOf(
      await makeReleaseIn(release.source, join(release.folder, 'old'), options),
      release.source,
      key,
    );
    expect(await bundle([...old.packing(), '-o', output])).toMatchObject({ status: 0 });
    const [path, partial] = ['', '.partial'].map((suffix) =>
      join(output, `ocp-4.17.4-x86_64.tar.zst${suffix}`),
    ) as [string, string];
    await rename(path, partial);
    const begun = await readFile(partial);
    const made = await makeReleaseIn(release.source, join(release.folder, 'new'), {
      ...options,
      seed: 'another',
    });
    const args = [...packingOf(made, release.source, key).packing(), '-o', output];
    expect(await bundle(args)).toMatchObject({ status: 2 });
    expect((await readFile(partial)).equals(begun)).toBe(true);
    expect(await bundle([...args, '--restart'])).toMatchObject({ status: 0 });
    expect((await readFile(path)).equals(begun)).toBe(false);
    await rm(output, { recursive: true });
  });

  it('is not continued with another size of volumes, or another key', async () => {
    await breakOff(1);
    expect(
      await bundle([...release.packing(), '-o', output, '--volume-size', '40M']),
    ).toMatchObject({ status: 2 });
    await bundle(['keygen', '--type', 'ed25519', '-o', join(release.folder, 'other.pem')]);
    const other = release.packing().with(-3, join(release.folder, 'other.pem'));
    expect(await bundle([...other, '-o', output])).toMatchObject({ status: 2 });
  });
});

async function headOf(path: string): Promise<FrontHead> {
  const file = await BundleFile.open(path);
  try {
    return await readFrontHead({ file, start: 0 });
  } finally {
    await file.close();
  }
}
