import { PassThrough } from 'node:stream';

import { expect, it } from 'vitest';

import { explanationIn, readStart } from '../../../../../src/stores/registry/http/explanation.ts';

it('an explanation that never ends is what came of it in time', async () => {
  const body = new PassThrough();
  body.write('why');
  expect(await readStart({ body }, 1000, 50)).toBe('why');
  expect(body.destroyed).toBe(true);
});

it('an explanation tells the details that its message lacks, and what they mean', () => {
  const told = (detail: unknown): unknown =>
    explanationIn(JSON.stringify({ errors: [{ code: 'UNKNOWN', message: 'no idea', detail }] }), {
      ...{ status: 500, headers: {} },
    });
  const full = { DriverName: 'filesystem', Enclosed: { Op: 'write', Err: 28 } };
  expect(told(full)).toMatchObject({
    text: `UNKNOWN: no idea (${JSON.stringify(full)})`,
    lasting: 'storage-full',
  });
  for (const nothing of [null, {}, [], 'no idea'])
    expect(told(nothing)).toMatchObject({ text: 'UNKNOWN: no idea', lasting: undefined });
});
