import { PassThrough, Readable } from 'node:stream';

import { expect, it } from 'vitest';

import { isTemporary } from '../../../../../src/core/errors.ts';
import { answerError } from '../../../../../src/stores/registry/http/answers.ts';
import { explanationIn, readStart } from '../../../../../src/stores/registry/http/explanation.ts';
import type { HttpResponse } from '../../../../../src/stores/registry/http/transport.ts';

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

it.each([
  ['no idea', true],
  ['no space left on device', false],
])('an upload that is answered 500, %s, is worth another attempt: %s', async (message, is) => {
  const said = JSON.stringify({ errors: [{ code: 'UNKNOWN', message }] });
  const body = Readable.from([Buffer.from(said)]);
  const url = new URL('https://registry.example.com/v2/a/blobs/uploads/1');
  const response = { status: 500, headers: {}, body, url } as unknown as HttpResponse;
  const name = { registry: 'registry.example.com', repository: 'a' };
  const error = await answerError(response, { action: 'push', name, places: [], known: true });
  expect(isTemporary(error)).toBe(is);
});
