import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { seededBytes } from '../../scripts/lib/seeded-bytes.ts';
import type { Digest } from '../../src/core/digest.ts';
import { publishImage } from '../support/base-image.ts';
import { startBundle } from '../support/bundle-process.ts';
import { CHART_YAML } from '../support/chart.ts';
import type { Decide } from '../support/fault-proxy.ts';
import { wholeTags } from '../support/killed-runs.ts';
import { describeWith } from '../support/needs.ts';
import { publishOperators } from '../support/operators.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { type SignedSides, signedSides } from '../support/signed-sides.ts';

interface Packed {
  readonly bundleDigest: string;
  readonly holes: readonly { readonly part: string; readonly source: string }[];
  readonly volumes: readonly { readonly path: string }[];
  readonly kept: { readonly layers: number };
}

const NOT_THERE = { kind: 'answer', status: 404 } as const;
const NAMES = ['tool', 'web', 'zoo'] as const;

/** Bundles that lack images, in pieces: killed, in volumes, completed twice, and without a file. */
describeWith(['docker-registry'], 'a bundle that lacks images, in several runs', () => {
  let sides: SignedSides;
  const digests = new Map<string, Digest>();

  const images = [
    ...NAMES.flatMap((name) => ['--image', `quay.io/team/${name}:1`]),
    ...['--name', 'set'],
  ];
  const packArgs = (output: string, ...more: readonly string[]): readonly string[] => [
    ...sides.packArgs(output, ...more),
    ...['--output', 'json'],
  ];
  const run = async (status: number, ...args: readonly string[]): Promise<Packed> => {
    const ended = await sides.packer.bundle(args);
    expect(ended.status, ended.stderr).toBe(status);
    return JSON.parse(ended.stdout) as Packed;
  };
  const pack = async (
    status: number,
    output: string,
    ...more: readonly string[]
  ): Promise<Packed> => run(status, ...packArgs(output, ...more));
  const gone = (...names: readonly string[]): Decide => {
    return ({ url }) =>
      names.some((name) => url.includes(`/team/${name}/manifests/`)) ? NOT_THERE : undefined;
  };
  const broken = (...names: readonly string[]): Decide => {
    return ({ url }) =>
      names.some((name) => url.includes(`/team/${name}/blobs/`)) ? NOT_THERE : undefined;
  };
  const lacking = ({ holes }: Packed): readonly string[] =>
    holes.map(({ source: of }) => of.replace(/^.*\/(\w+)[:@].*$/, '$1'));
  /** Everything that a target has to have, once it is complete. */
  const expectAll = async (registry: TestRegistry): Promise<void> => {
    const tags = await wholeTags(registry);
    for (const name of NAMES) expect(tags.get(`site/team/${name}:1`)).toBe(digests.get(name));
  };
  const filesIn = async (folder: string): Promise<readonly string[]> =>
    (await readdir(sides.place(folder)))
      .filter((name) => /\.tar\.zst(\.\d+)?$/.test(name))
      .map((name) => join(sides.place(folder), name));
  /** Packs, and kills the run as soon as it asks for a blob of an image after it has begun anew. */
  const killedAfterRestart = async (
    output: string,
    repository: string,
    ...more: readonly string[]
  ): Promise<void> => {
    const usual = sides.decide;
    const { child, ended } = await startBundle(packArgs(output, ...more), {
      folder: sides.packer.folder,
      env: { XDG_RUNTIME_DIR: join(sides.packer.folder, 'run') },
    });
    sides.decide = (request) => {
      const hasBegunAnew =
        existsSync(sides.place(output)) && names(output).some((name) => name.includes('.begun'));
      if (hasBegunAnew && request.url.includes(`/${repository}/blobs/`)) {
        child.kill('SIGKILL');
        return { kind: 'reset' };
      }
      return usual?.(request);
    };
    const { signal, stderr } = await ended;
    expect(signal, stderr).toBe('SIGKILL');
    expect(stderr).toContain('packing again without');
    sides.decide = usual;
  };

  beforeAll(async () => {
    sides = await signedSides('incomplete-runs');
    for (const name of NAMES) {
      const at = { registry: 'quay.io', repository: `team/${name}`, tag: '1' };
      digests.set(name, await publishImage(sides.source.host, at, { seed: name }));
    }
    await publishOperators(sides.source.host);
  });
  beforeEach(() => sides.asAtFirst());
  afterAll(() => sides.remove());

  it('goes on after a kill, and fetches nothing twice that it has', async () => {
    sides.decide = broken('web');
    const { bundleDigest } = await pack(30, 'undisturbed', ...images, '--incomplete');
    await killedAfterRestart('killed', 'team/zoo', ...images, '--incomplete');
    const before = sides.proxy.requests.length;
    const again = await pack(30, 'killed', ...images, '--incomplete');
    expect(lacking(again)).toEqual(['web']);
    expect(again.bundleDigest).toBe(bundleDigest);
    const fetched = sides.proxy.requests
      .slice(before)
      .filter(({ method, url }) => method === 'GET' && url.includes('/team/tool/blobs/'));
    expect(fetched).toEqual([]);
    expect(await readdir(sides.place('killed'))).toEqual(await readdir(sides.place('undisturbed')));
  });

  it('goes on after a kill without the version of an operator that it has left out', async () => {
    sides.decide = ({ url }) => (url.includes('/ops/foo-operator/blobs/') ? NOT_THERE : undefined);
    const asked = [
      ...['--catalog', 'quay.io/ops/index:v4.22', '--operator', 'foo'],
      ...['--incomplete', '--drop-incomplete'],
    ];
    const { bundleDigest } = await pack(30, 'drop-undisturbed', ...asked);
    await killedAfterRestart('drop-killed', 'ops/foo-old', ...asked);
    const again = await pack(30, 'drop-killed', ...asked);
    expect(again).toMatchObject({ bundleDigest, holes: [] });
    expect(await readdir(sides.place('drop-killed'))).toEqual(
      await readdir(sides.place('drop-undisturbed')),
    );
    // The image is back while a run is killed: the version belongs in the catalog again.
    await killedAfterRestart('drop-back', 'ops/foo-old', ...asked);
    sides.decide = undefined;
    const whole = await pack(0, 'drop-back', ...asked);
    expect(whole.bundleDigest).not.toBe(bundleDigest);
  });

  it.each([1, 2, 3])(
    'is whole with its completion, whatever was missing (seed %i)',
    async (seed) => {
      const target = await startRegistry();
      try {
        const [turn = 0, which = 0, other = 0] = seededBytes(`holes ${seed}`, 3);
        const faults: readonly ((name: string) => Decide)[] = [
          (name) => gone(name),
          (name) => broken(name),
          () => () => undefined,
        ];
        // One is there in any case: of nothing there is no bundle.
        const [first, second] = [NAMES[turn % 3]!, NAMES[(turn + 1) % 3]!];
        const decides = [faults[which % 2]!(first), faults[other % 3]!(second)];
        sides.decide = (request) =>
          decides.map((one) => one(request)).find((fault) => fault !== undefined);
        const packed = await pack(30, `random-${seed}`, ...images, '--incomplete');
        expect(lacking(packed)).toContain(first);
        const [file] = await filesIn(`random-${seed}`);
        sides.decide = undefined;
        await pack(0, `random-${seed}-rest`, '--complete', file!);
        const [rest] = await filesIn(`random-${seed}-rest`);
        const to = ['--to', `${target.host}/site`, ...sides.trust];
        const both = await sides.operator.bundle(['unpack', file!, rest!, ...to]);
        expect(both.status, both.stderr).toBe(0);
        await expectAll(target);
      } finally {
        await target.stop();
      }
    },
  );

  it('is completed by a second bundle, and that by a third', async () => {
    const target = await startRegistry();
    try {
      sides.decide = gone('web', 'zoo');
      expect(lacking(await pack(30, 'first', ...images, '--incomplete'))).toEqual(['web', 'zoo']);
      const [first] = await filesIn('first');
      sides.decide = gone('web');
      const completing = ['--complete', first!, '--incomplete'];
      expect(lacking(await pack(30, 'second', ...completing))).toEqual(['web']);
      const [second] = await filesIn('second');
      sides.decide = undefined;
      const both = ['--complete', first!, '--complete', second!];
      expect(lacking(await pack(0, 'third', ...both))).toEqual([]);
      const [third] = await filesIn('third');
      expect(third).toContain('set-complete-2.tar.zst');
      const to = ['--to', `${target.host}/site`, ...sides.trust];
      const all = await sides.operator.bundle(['unpack', first!, second!, third!, ...to]);
      expect(all.status, all.stderr).toBe(0);
      await expectAll(target);
    } finally {
      await target.stop();
    }
  });

  it('is written in volumes, and completed in volumes', async () => {
    const target = await startRegistry();
    try {
      const volumes = ['--volume-size', '40k'];
      sides.decide = broken('web');
      const packed = await pack(30, 'volumes', ...images, ...volumes, '--incomplete');
      expect(lacking(packed)).toEqual(['web']);
      expect(packed.volumes.length).toBeGreaterThan(1);
      const files = await filesIn('volumes');
      expect(files).toHaveLength(packed.volumes.length);
      sides.decide = undefined;
      await pack(0, 'volumes-rest', '--complete', files[0]!, ...volumes);
      const rest = await filesIn('volumes-rest');
      const to = ['--to', `${target.host}/site`, ...sides.trust];
      const both = await sides.operator.bundle(['unpack', ...files, ...rest, ...to]);
      expect(both.status, both.stderr).toBe(0);
      await expectAll(target);
    } finally {
      await target.stop();
    }
  });

  it('is mirrored as far as it is there, and the rest when it is', async () => {
    const target = await startRegistry();
    try {
      const to = ['mirror', '--to', `${target.host}/site`, ...sides.sources, '--output', 'json'];
      const asked = images.filter((word) => word !== '--name' && word !== 'set');
      sides.decide = (request) => gone('web')(request) ?? broken('zoo')(request);
      expect(lacking(await run(30, ...to, ...asked, '--incomplete'))).toEqual(['web']);
      const tags = await wholeTags(target);
      expect([...tags.keys()].filter((name) => name.endsWith(':1'))).toEqual(['site/team/tool:1']);
      sides.decide = undefined;
      expect(lacking(await run(0, ...to, ...asked, '--incomplete'))).toEqual([]);
      await expectAll(target);
    } finally {
      await target.stop();
    }
  });

  it('lacks an image of a chart, and holds the chart back', async () => {
    const target = await startRegistry();
    try {
      await mkdir(sides.place('web'));
      const annotation = NAMES.map(
        (name) => `    - name: ${name}\n      image: quay.io/team/${name}:1`,
      );
      const yaml = `${CHART_YAML}annotations:\n  artifacthub.io/images: |\n${annotation.join('\n')}\n`;
      await writeFile(join(sides.place('web'), 'Chart.yaml'), yaml);
      const chart = ['--chart', sides.place('web'), '--helm', 'none'];
      sides.decide = gone('zoo');
      const packed = await pack(30, 'chart', ...chart, '--incomplete');
      expect(packed.holes).toMatchObject([{ source: 'quay.io/team/zoo:1', role: 'chart-image' }]);
      const [file] = await filesIn('chart');
      const to = ['--to', `${target.host}/site`, ...sides.trust];
      const lacks = await sides.operator.bundle(['unpack', file!, ...to]);
      expect(lacks.status, lacks.stderr).toBe(30);
      expect(lacks.stdout).toContain('Held back: chart web');
      sides.decide = undefined;
      await pack(0, 'chart-rest', '--complete', file!);
      const [rest] = await filesIn('chart-rest');
      const both = await sides.operator.bundle(['unpack', file!, rest!, ...to]);
      expect(both.status, both.stderr).toBe(0);
      await expectAll(target);
    } finally {
      await target.stop();
    }
  });

  function names(output: string): readonly string[] {
    return readdirSync(sides.place(output));
  }
});
