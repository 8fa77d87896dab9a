import { describe, expect, it } from 'vitest';

import { BundleError } from '../../../../src/core/errors.ts';
import { findGraph } from '../../../../src/kinds/graph/seed.ts';
import type { Sources } from '../../../../src/kinds/sources.ts';

describe('graph data at a URL', () => {
  it.each([
    ['is not there', undefined, 'NOT_FOUND'],
    ['is none', Buffer.from('{}'), 'UNSUPPORTED_CONTENT'],
  ])('that %s is told without its secrets', async (_, answer, code) => {
    const asked: string[] = [];
    const publicFile: Sources['publicFile'] = async (url) => {
      asked.push(url);
      return answer;
    };
    const data = 'http://user:SECRET@example.com/graph-data?sig=SECRET';
    const failure: unknown = await findGraph(
      { data, base: 'example.com/base:1', architectures: ['amd64'] },
      { publicFile } as Sources,
      { signal: new AbortController().signal, observe: () => undefined, now: new Date() },
    ).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect((failure as Error).message).toContain('http://example.com/graph-data');
    expect(JSON.stringify([failure, (failure as Error).message])).not.toContain('SECRET');
    expect(asked).toEqual([data]);
  });

  it('that cannot be reached says what was wanted, and the ways out', async () => {
    const publicFile: Sources['publicFile'] = async () => {
      throw new BundleError('NETWORK', 'example.com: no such host', { hint: 'Check the name.' });
    };
    const failing = findGraph(
      { data: 'http://example.com/', base: 'example.com/base:1', architectures: ['amd64'] },
      { publicFile } as Sources,
      { signal: new AbortController().signal, observe: () => undefined, now: new Date() },
    );
    await expect(failing).rejects.toMatchObject({
      code: 'NETWORK',
      message: 'the graph data cannot be fetched: example.com: no such host',
      hint: expect.stringMatching(/^Check the name\. .*--graph-data.*--no-graph-data/) as string,
    });
  });

  it('has to be one', async () => {
    const failing = findGraph(
      { data: 'http://[', base: 'example.com/base:1', architectures: ['amd64'] },
      {} as Sources,
      { signal: new AbortController().signal, observe: () => undefined, now: new Date() },
    );
    await expect(failing).rejects.toMatchObject({ code: 'USAGE' });
  });
});
