import { Readable } from 'node:stream';

import { describe, expect, it } from 'vitest';

import { readAll } from '../../../../../src/core/bytes.ts';
import { download } from '../../../../../src/stores/registry/blobs/download.ts';
import { type HttpResponse, Transport } from '../../../../../src/stores/registry/http/transport.ts';

const CONTENT = Buffer.from('all that there is');

/** An answer whose body breaks after so many bytes. */
function breaking(after: number): HttpResponse {
  const body = Readable.from(
    (async function* () {
      yield CONTENT.subarray(0, after);
      throw Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
    })(),
  );
  return {
    status: 200,
    headers: {},
    body: body as unknown as HttpResponse['body'],
    url: new URL('http://registry/v2/blob'),
  };
}

describe('a download', () => {
  const run = async (
    after: number,
  ): Promise<{ content: Uint8Array; ranges: readonly (string | undefined)[] }> => {
    const ranges: (string | undefined)[] = [];
    const content = download({
      transport: new Transport({ ca: [], backoffMs: 0 }),
      action: 'fetch it',
      part: { start: 0, end: undefined },
      size: CONTENT.length,
      signal: undefined,
      open: async (range) => {
        ranges.push(range);
        return breaking(ranges.length === 1 ? after : CONTENT.length);
      },
    });
    return { content: await readAll(content, 1000, 'content'), ranges };
  };

  it('that breaks behind its last byte has come to its end', async () => {
    const { content, ranges } = await run(CONTENT.length);
    expect(Buffer.from(content)).toEqual(CONTENT);
    expect(ranges).toEqual([undefined]);
  });

  it('that breaks before is continued there', async () => {
    const { content, ranges } = await run(CONTENT.length - 1);
    expect(Buffer.from(content)).toEqual(CONTENT);
    expect(ranges).toEqual([undefined, `bytes=${CONTENT.length - 1}-`]);
  });
});
