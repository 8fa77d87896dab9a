import { describe, expect, it } from 'vitest';

import { chooseChart, readChartIndex } from '../../../../src/kinds/chart/repository-index.ts';

const REPOSITORY = 'https://charts.example.com/stable';
const DIGEST = 'b'.repeat(64);
const INDEX = Buffer.from(`apiVersion: v1
entries:
  web:
    - { version: 1.9.0, urls: [web-1.9.0.tgz] }
    - { version: 1.10.0, urls: ['https://cdn.example.com/web-1.10.0.tgz'], digest: ${DIGEST} }
    - { version: v1.10.1-rc.1, urls: [web-1.10.1.tgz], digest: 'sha1:00' }
    - { version: 1.8.0 }
    - nothing
  base:
    - { version: 0.1.0, type: library, urls: [/base.tgz] }
generated: "2026-01-01"
`);

describe('the index of a chart repository', () => {
  const index = readChartIndex(INDEX, REPOSITORY);
  const choose = (name: string, version?: string): unknown =>
    chooseChart(index, { name, version, repository: REPOSITORY });

  it('has the versions of each chart, the newest first, and where each is', () => {
    expect(index.get('web')?.map(({ version, url }) => [version, url])).toEqual([
      ['v1.10.1-rc.1', `${REPOSITORY}/web-1.10.1.tgz`],
      ['1.10.0', 'https://cdn.example.com/web-1.10.0.tgz'],
      ['1.9.0', `${REPOSITORY}/web-1.9.0.tgz`],
    ]);
    expect(index.get('base')).toMatchObject([
      { isLibrary: true, url: 'https://charts.example.com/base.tgz' },
    ]);
  });

  it('gives the version that was asked for, with or without v, else the newest release', () => {
    expect(choose('web')).toMatchObject({ version: '1.10.0', digest: `sha256:${DIGEST}` });
    expect(choose('web', '1.10.1-rc.1')).toMatchObject({
      ...{ version: 'v1.10.1-rc.1', digest: undefined },
    });
    expect(choose('web', 'v1.9.0')).toMatchObject({ version: '1.9.0' });
  });

  it('says what it has where it lacks what was asked for', () => {
    expect(() => choose('web', '2.0.0')).toThrow(
      expect.objectContaining({
        code: 'NOT_FOUND',
        message: `${REPOSITORY} has no version 2.0.0 of the chart web`,
        hint: 'It has v1.10.1-rc.1, 1.10.0, 1.9.0.',
      }),
    );
    expect(() => choose('wed')).toThrow(expect.objectContaining({ hint: 'It has base, web.' }));
  });

  it('is refused where it is none', () => {
    for (const text of ['<html>', 'a: 1', '[', ''])
      expect(() => readChartIndex(Buffer.from(text), REPOSITORY)).toThrow(
        expect.objectContaining({ code: 'UNSUPPORTED_CONTENT' }),
      );
  });
});
