import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { readChart } from '../../../../src/kinds/chart/files/chart.ts';
import {
  readChartArchive,
  readChartFolder,
} from '../../../../src/kinds/chart/files/chart-files.ts';
import { CHART_YAML, chartArchive } from '../../../support/chart.ts';

const FILES = { 'Chart.yaml': CHART_YAML, 'templates/a.yaml': 'kind: A', 'values.yaml': 'a: 1' };
const refusedFor = (why: string): unknown =>
  expect.objectContaining({
    code: 'UNSUPPORTED_CONTENT',
    message: expect.stringContaining(why) as string,
  });

describe('a packaged chart', () => {
  it('gives its files in one order, without the folder around them', async () => {
    const files = await readChartArchive(await chartArchive(FILES), 'web.tgz');
    expect([...files.keys()]).toEqual(['Chart.yaml', 'templates/a.yaml', 'values.yaml']);
    expect(Buffer.from(files.get('values.yaml')!).toString()).toBe('a: 1');
  });

  it.each([
    ['a link', { name: 'web/x', type: 'symlink', linkname: '/etc/passwd' }, 'of the type symlink'],
    ['a hard link', { name: 'web/x', type: 'link', linkname: 'web/y' }, 'of the type link'],
    ['a device', { name: 'web/x', type: 'character-device' }, 'of the type character-device'],
    ['a FIFO', { name: 'web/x', type: 'fifo' }, 'of the type fifo'],
    ['a path that leads out', { name: 'web/../../x' }, 'leads out of the chart'],
    ['an absolute path', { name: '/web/x' }, 'leads out of the chart'],
    ['a path of Windows', { name: String.raw`web\..\x` }, 'leads out of the chart'],
    ['a drive', { name: 'c:/web/x' }, 'leads out of the chart'],
    ['a file beside the folder', { name: 'README' }, 'lies beside its folder'],
    ['a file twice', { name: 'web/values.yaml' }, 'it holds web/values.yaml twice'],
    [
      'a second folder',
      { name: 'other/Chart.yaml' },
      'it has two folders at its top, web and other, and an archive holds one chart',
    ],
    [
      'a file that is too large',
      { name: 'web/x', text: 'x'.repeat(5 * 2 ** 20 + 1) },
      'larger than Helm takes',
    ],
  ] as const)('is refused with %s', async (_name, entry, why) => {
    const archive = await chartArchive(FILES, [entry]);
    await expect(readChartArchive(archive, 'web.tgz')).rejects.toEqual(refusedFor(why));
  });

  it('is refused where it was cut, wherever that was', async () => {
    const archive = await chartArchive(FILES);
    const tar = gunzipSync(archive);
    for (let length = 0; length < tar.length; length += 512) {
      await expect(readChartArchive(gzipSync(tar.subarray(0, length)), 'web.tgz')).rejects.toEqual(
        refusedFor('cannot be'),
      );
    }
    for (const length of [0, 1, 9, archive.length - 9, archive.length - 1]) {
      await expect(readChartArchive(archive.subarray(0, length), 'web.tgz')).rejects.toEqual(
        refusedFor('cannot be read'),
      );
    }
  });

  it('is refused where it unpacks to more than Helm takes', async () => {
    const bomb = gzipSync(Buffer.alloc(300 * 2 ** 20));
    await expect(readChartArchive(bomb, 'web.tgz')).rejects.toEqual(refusedFor('cannot be'));
  });

  it('is refused without Chart.yaml', async () => {
    const archive = await chartArchive({ 'values.yaml': '' });
    await expect(readChartArchive(archive, 'web.tgz')).rejects.toEqual(
      refusedFor('it has no Chart.yaml'),
    );
  });
});

describe('a chart in a folder', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-chart-'));
    await mkdir(join(folder, 'templates'));
    await mkdir(join(folder, 'ci/deep'), { recursive: true });
    for (const [path, text] of Object.entries({
      ...FILES,
      '.helmignore': '# what stays here\n\n*.swp\nci/\n/only-at-top\ntemplates/[ab]?.txt\n',
      'templates/.hidden': 'no',
      'templates/a1.txt': 'no',
      'templates/c1.txt': 'yes',
      'values.yaml.swp': 'no',
      'ci/deep/values.yaml': 'no',
      'only-at-top': 'no',
      'templates/only-at-top': 'yes',
    }))
      await writeFile(join(folder, path), text);
    await symlink('a.yaml', join(folder, 'templates/linked.yaml'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('gives what `helm package` takes, with links that stay in it', async () => {
    expect([...(await readChartFolder(folder)).keys()]).toEqual([
      '.helmignore',
      'Chart.yaml',
      'templates/a.yaml',
      'templates/c1.txt',
      'templates/linked.yaml',
      'templates/only-at-top',
      'values.yaml',
    ]);
  });

  it('is refused with a link that leads out, and with one that leads into itself', async () => {
    const out = join(folder, 'templates/out.yaml');
    await symlink('/etc/passwd', out);
    await expect(readChartFolder(folder)).rejects.toEqual(refusedFor('leads out of the chart'));
    await rm(out);
    await symlink('..', out);
    await expect(readChartFolder(folder)).rejects.toEqual(refusedFor('lies too deep'));
    await rm(out);
  });

  it('is refused with ** in its .helmignore, as Helm does', async () => {
    await writeFile(join(folder, '.helmignore'), 'a/**/b\n');
    await expect(readChartFolder(folder)).rejects.toMatchObject({
      message: expect.stringContaining('has ** in it') as string,
    });
  });
});

describe('Chart.yaml', () => {
  const chartOf = async (text: string): Promise<unknown> =>
    readChart(
      await readChartArchive(await chartArchive({ 'Chart.yaml': text }), 'web.tgz'),
      'web.tgz',
    );

  it('says what the chart is', async () => {
    expect(
      await chartOf(`${CHART_YAML}type: library\nannotations:\n  a: b\n  n: 1\n`),
    ).toMatchObject({
      ...{ name: 'web', version: '1.2.3', appVersion: '4.5', isLibrary: true },
      annotations: { a: 'b', n: '1' },
    });
  });

  it.each([
    ['no YAML', 'a: [', 'no valid YAML'],
    ['a list', '- a', 'is not a map'],
    ['a name that is a path', 'name: ../web\nversion: 1.2.3', 'names the chart ../web'],
    ['a number for a version', 'name: web\nversion: 1.2', 'is not a string'],
    ['a version that is none', 'name: web\nversion: latest', 'has no version'],
    [
      'a flood of aliases',
      `a: &a [1, 1]\n${Array.from({ length: 30 }, (_n, at) => `b${at}: &b${at} [*${at === 0 ? 'a' : `b${at - 1}`}, *${at === 0 ? 'a' : `b${at - 1}`}]`).join('\n')}\nname: web\nversion: 1.2.3`,
      'no valid YAML',
    ],
  ])('is refused with %s', async (_name, text, why) => {
    await expect(chartOf(text)).rejects.toEqual(refusedFor(why));
  });
});
