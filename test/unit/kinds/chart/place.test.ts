import { expect, it } from 'vitest';

import { placeOfChart } from '../../../../src/kinds/chart/place.ts';

const LOCAL = { type: 'local', path: 'web.tgz' } as const;

it('puts a chart where registries take it, and keeps the path of one of a registry', () => {
  expect(placeOfChart({ name: 'Web', version: '1.2.3+5' }, LOCAL)).toEqual({
    path: 'charts/web',
    tag: '1.2.3_5',
  });
  const reference = 'r.io/team/web:1.2.3';
  expect(placeOfChart({ name: 'web', version: '1.2.3' }, { type: 'registry', reference })).toEqual({
    path: 'team/web',
    tag: '1.2.3',
  });
});

it('refuses a version that is longer than a tag, and a name that is no repository', () => {
  const version = (length: number): string => `1.0.0-${'a'.repeat(length - 6)}`;
  expect(placeOfChart({ name: 'web', version: version(128) }, LOCAL).tag).toHaveLength(128);
  expect(() => placeOfChart({ name: 'web', version: version(129) }, LOCAL)).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED_CONTENT',
      message: expect.stringContaining('the chart web cannot be carried') as string,
      expected: '128 characters at most',
      got: '129',
    }),
  );
  for (const name of ['we..b', 'web-', 'web.'])
    expect(() => placeOfChart({ name, version: '1.0.0' }, LOCAL)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_CONTENT' }),
    );
});
