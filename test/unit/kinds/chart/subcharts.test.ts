import { describe, expect, it } from 'vitest';

import { readChart } from '../../../../src/kinds/chart/files/chart.ts';
import { readChartArchive } from '../../../../src/kinds/chart/files/chart-files.ts';
import { checkSubcharts } from '../../../../src/kinds/chart/files/subcharts.ts';
import { CHART_YAML, chartArchive } from '../../../support/chart.ts';

const named = (name: string): string => `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`;
const listing = (...names: readonly string[]): string =>
  `dependencies:\n${names.map((name) => `- {name: ${name}, version: 1.0.0}\n`).join('')}`;

/** The unlisted charts of one with these files, besides `Chart.yaml`. */
async function checked(
  files: Readonly<Record<string, string | Uint8Array>>,
  dependencies = '',
): Promise<readonly string[]> {
  const archive = await chartArchive({ 'Chart.yaml': CHART_YAML + dependencies, ...files });
  return checkSubcharts(readChart(await readChartArchive(archive, 'web.tgz'), 'web.tgz'));
}
const packed = (name: string): Promise<Buffer> => chartArchive({ 'Chart.yaml': named(name) });

describe('the charts in a chart', () => {
  it('are there that it depends on, as folders and as archives', async () => {
    const files = { 'charts/a/Chart.yaml': named('a'), 'charts/b-1.0.0.tgz': await packed('b') };
    expect(await checked(files, listing('a', 'b', 'b'))).toEqual([]);
    expect(await checked({ ...files, 'requirements.yaml': listing('a', 'b') })).toEqual([]);
    expect(await checked({})).toEqual([]);
  });

  it('are told where it does not list them, but for libraries', async () => {
    const files = {
      'charts/z/Chart.yaml': named('z'),
      'charts/b-1.0.0.tgz': await packed('b'),
      'charts/lib/Chart.yaml': `${named('lib')}type: library\n`,
      'charts/a/Chart.yaml': named('a'),
    };
    expect(await checked(files, listing('a'))).toEqual(['b', 'z']);
  });

  it.each([
    ['Chart.yaml', {}, listing('db', 'cache')],
    ['requirements.yaml', { 'requirements.yaml': listing('db', 'cache') }, listing('a')],
    ['Chart.yaml', { 'charts/db/Chart.yaml': named('other') }, listing('db', 'cache')],
    ['Chart.yaml', { 'charts/.db/Chart.yaml': named('db') }, listing('db', 'cache')],
  ])('are refused where one is missing that %s lists', async (file, files, dependencies) => {
    await expect(checked(files, dependencies)).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      message: 'the chart web 1.2.3 lacks charts that it depends on',
      expected: `in charts/, each chart that ${file} lists as a dependency`,
      got: 'without db, cache',
      hint: expect.stringContaining('helm dependency build') as string,
    });
  });

  it('may have files beside them that Helm passes over', async () => {
    const files = ['.gitkeep', '_notes/x', 'a-1.0.0.tgz.prov'].map((name) => [
      `charts/${name}`,
      'x',
    ]);
    expect(await checked(Object.fromEntries(files) as Record<string, string>)).toEqual([]);
  });

  it.each([
    ['README.md', 'README.md'],
    ['empty', 'empty/values.yaml'],
    ['deep', 'deep/deeper/Chart.yaml'],
    ['folder.tgz', 'folder.tgz/Chart.yaml'],
    ['a.zip', 'a.zip'],
  ])('are refused with %s among them', async (name, path) => {
    await expect(checked({ [`charts/${path}`]: named('a') })).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      message: expect.stringContaining(`charts/${name} is no chart`) as string,
      hint: 'Remove it from the chart, or name it in .helmignore.',
    });
  });

  it('are refused where they are no charts, or unpack to too much', async () => {
    await expect(checked({ 'charts/a.tgz': 'junk' })).rejects.toMatchObject({
      message: expect.stringContaining('the chart charts/a.tgz of web cannot be used') as string,
    });
    const zeros = 'x'.repeat(5 * 2 ** 20);
    const files = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`f${at}`, zeros]));
    const large = await chartArchive({ 'Chart.yaml': named('a'), ...files });
    await expect(checked({ 'charts/a.tgz': large, 'charts/b.tgz': large })).rejects.toMatchObject({
      message: expect.stringContaining('unpack to more than Helm takes') as string,
    });
  });
});
