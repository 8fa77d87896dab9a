import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { HELM, pathOfPeer } from '../../scripts/lib/go-peers.ts';
import { projectPath } from '../../scripts/lib/project-root.ts';
import { readChart } from '../../src/kinds/chart/files/chart.ts';
import { readChartArchive } from '../../src/kinds/chart/files/chart-files.ts';
import { imagesOfChart } from '../../src/kinds/chart/images/chart-images.ts';
import { checkSubcharts } from '../../src/kinds/chart/files/subcharts.ts';
import {
  DEFAULT_KUBE_VERSION,
  findHelm,
  type Helm,
  type HelmLimits,
  renderChart,
} from '../../src/kinds/chart/helm.ts';
import { CHART_YAML, chartArchive } from '../support/chart.ts';
import { describeWhere } from '../support/needs.ts';

const OPTIONS = { values: [], kubeVersion: DEFAULT_KUBE_VERSION, apiVersions: [] };

interface Expected {
  readonly chart: string;
  readonly upstream: readonly string[];
  readonly correctAdditionally?: readonly string[];
  readonly imagePaths?: readonly string[];
}

let scratch: string;
let aborter: AbortController;
const run = (limits?: HelmLimits) => ({
  ...{ scratch, env: process.env, signal: aborter.signal },
  ...(limits !== undefined && { limits }),
});

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'bundle-helm-'));
  aborter = new AbortController();
});
afterEach(() => rm(scratch, { recursive: true }));

/** A program that stands for helm. */
async function program(script: string): Promise<string> {
  const path = join(scratch, 'helm');
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

/** One that has ended, and that nobody has asked about yet, is no more than a number. */
async function isRunning(pid: number): Promise<boolean> {
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return state !== '' && !/\) [ZX] /.test(state);
}

describeWhere(
  existsSync(pathOfPeer(HELM)),
  'helm: npm run peers',
  'charts and the real helm',
  () => {
    let helm: Helm;

    beforeEach(async () => {
      helm = (await findHelm(pathOfPeer(HELM), run()))!;
    });

    it('give the images that oc-mirror finds, and those of hooks', async () => {
      const list = await readFile(projectPath('fixtures/charts/expected.json'), 'utf8');
      const { cases } = JSON.parse(list) as { cases: readonly Expected[] };
      expect(cases).toHaveLength(4);
      for (const { chart: name, upstream, correctAdditionally = [], imagePaths = [] } of cases) {
        const archive = projectPath(`fixtures/charts/${name}`);
        const chart = readChart(await readChartArchive(await readFile(archive), name), name);
        const rendered = await renderChart(helm, { archive, what: name }, OPTIONS, run());
        const { images } = imagesOfChart(chart, { rendered, imagePaths, listed: [] });
        expect(images.map(({ reference }) => reference)).toEqual(
          [...upstream, ...correctAdditionally].sort(),
        );
      }
    });

    it('render with values, a version of Kubernetes and APIs, and keep away from the user', async () => {
      const archive = join(scratch, 'web.tgz');
      const template = `kind: Pod
spec:
  containers:
    - image: r.io/{{ .Values.name }}:{{ .Capabilities.KubeVersion.Version }}
    {{- if .Capabilities.APIVersions.Has "a.example.com/v1" }}
    - image: r.io/api:1
    {{- end }}
`;
      const files = {
        'Chart.yaml': CHART_YAML,
        'values.yaml': 'name: web',
        'templates/a.yaml': template,
      };
      await writeFile(archive, await chartArchive(files));
      const values = join(scratch, 'own.yaml');
      await writeFile(values, 'name: own');
      const rendered = await renderChart(
        helm,
        { archive, what: 'web' },
        { values: [values], kubeVersion: '1.30.0', apiVersions: ['a.example.com/v1'] },
        run(),
      );
      expect(rendered).toContain('image: r.io/own:v1.30.0');
      expect(rendered).toContain('image: r.io/api:1');
      expect(await readdir(scratch)).toEqual(expect.arrayContaining(['own.yaml', 'web.tgz']));
    });

    it.each([
      ['a dependency', { 'Chart.yaml': `${CHART_YAML}dependencies: [{name: db, version: 1.0.0}]` }],
      ['one of Helm 2', { 'requirements.yaml': 'dependencies: [{name: db, version: 1.0.0}]' }],
      ['a stray file', { 'charts/README.md': 'x' }],
      ['a folder of something else', { 'charts/x/values.yaml': 'x' }],
    ])('are refused as helm refuses them, and before it: %s', async (_, files) => {
      const archive = join(scratch, 'web.tgz');
      const bytes = await chartArchive({ 'Chart.yaml': CHART_YAML, ...files });
      await writeFile(archive, bytes);
      const chart = readChart(await readChartArchive(bytes, 'web'), 'web');
      await expect(checkSubcharts(chart)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
      await expect(
        renderChart(helm, { archive, what: 'web' }, OPTIONS, run()),
      ).rejects.toMatchObject({ message: expect.stringContaining('does not render') as string });
    });

    it('render what lies in charts/ and is not listed', async () => {
      const archive = join(scratch, 'web.tgz');
      const bytes = await chartArchive({
        'Chart.yaml': CHART_YAML,
        'charts/db/Chart.yaml': CHART_YAML.replace('web', 'db'),
        'charts/db/templates/a.yaml': 'kind: Db',
      });
      await writeFile(archive, bytes);
      const chart = readChart(await readChartArchive(bytes, 'web'), 'web');
      expect(await checkSubcharts(chart)).toEqual(['db']);
      expect(await renderChart(helm, { archive, what: 'web' }, OPTIONS, run())).toContain('Db');
    });

    it('are refused with the file, the line and the function where they do not render', async () => {
      const archive = join(scratch, 'web.tgz');
      const template = 'kind: A\nname: {{ include "nothing" . }}\n';
      await writeFile(
        archive,
        await chartArchive({ 'Chart.yaml': CHART_YAML, 'templates/a.yaml': template }),
      );
      await expect(
        renderChart(helm, { archive, what: 'web 1.2.3' }, OPTIONS, run()),
      ).rejects.toMatchObject({
        code: 'UNSUPPORTED_CONTENT',
        message: expect.stringMatching(
          /web 1\.2\.3 does not render: .*web\/templates\/a\.yaml:2:9:.*include.*nothing/,
        ) as string,
      });
    });
  },
);

describe('a program that stands for helm', () => {
  const rendering = (path: string, limits?: HelmLimits): Promise<string> =>
    renderChart(
      { program: path, version: 'v3' },
      { archive: 'a.tgz', what: 'web' },
      OPTIONS,
      run(limits),
    );
  const AT_ONCE: HelmLimits = { versionMs: 1, renderMs: 1 };

  it('is none where there is no such program', async () => {
    expect(await findHelm(join(scratch, 'nothing'), run())).toBeUndefined();
  });

  it('is refused where it is too old, fails, or is no program', async () => {
    for (const script of ['echo v2.17.0', 'echo v3.1.0; exit 1', 'exec sleep 0'])
      await expect(findHelm(await program(script), run())).rejects.toMatchObject({
        code: 'CONFIGURATION',
      });
    await chmod(await program('echo v3.1.0'), 0o644);
    await expect(findHelm(join(scratch, 'helm'), run())).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
  });

  it('is ended where it writes without end', async () => {
    const path = await program('while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done');
    await expect(findHelm(path, run())).rejects.toMatchObject({
      code: 'CONFIGURATION',
      got: expect.stringContaining('writes more than') as string,
    });
    await expect(rendering(path)).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      message: expect.stringContaining('web does not render: helm writes more than') as string,
    });
  });

  it('is ended where it does not answer, or renders without end', async () => {
    const path = await program('exec sleep 600');
    await expect(findHelm(path, run(AT_ONCE))).rejects.toMatchObject({
      code: 'CONFIGURATION',
      got: 'helm did not end within 1 seconds',
    });
    await expect(rendering(path, AT_ONCE)).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      message: 'the chart web does not render: helm did not end within 1 seconds',
    });
  });

  it('is not believed where something that it started goes on holding its output', async () => {
    const path = await program('sleep 600 & echo v3.1.0');
    const limits = { versionMs: 600_000, renderMs: 600_000, graceMs: 1 };
    await expect(findHelm(path, run(limits))).rejects.toMatchObject({
      code: 'CONFIGURATION',
      got: expect.stringContaining('a program that it started keeps its output open') as string,
    });
    await expect(rendering(path, limits)).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      message: expect.stringContaining('keeps its output open') as string,
    });
  });

  it('is ended with the run, and so is what it has started', async () => {
    const path = await program(`sleep 600 & echo $! >${scratch}/pid; wait`);
    const reason = new Error('interrupted');
    const ended = rendering(path).catch((error: unknown) => error);
    const started = (): Promise<string> => readFile(join(scratch, 'pid'), 'utf8').catch(() => '');
    await expect.poll(started).toMatch(/\d\n/);
    aborter.abort(reason);
    expect(await ended).toBe(reason);
    const pid = Number(await started());
    await expect.poll(() => isRunning(pid)).toBe(false);
  });
});
