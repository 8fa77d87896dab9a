import { PassThrough } from 'node:stream';

import { expect, it } from 'vitest';

import { readStart } from '../../../../../src/stores/registry/http/explanation.ts';

it('an explanation that never ends is what came of it in time', async () => {
  const body = new PassThrough();
  body.write('why');
  expect(await readStart({ body }, 1000, 50)).toBe('why');
  expect(body.destroyed).toBe(true);
});
