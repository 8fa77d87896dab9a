import { createServer, type Server, type ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { forEachLimited, Pace } from '../../src/core/concurrency.ts';
import { anonymous } from '../../src/core/credentials.ts';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { OCI_LAYER_GZIP } from '../../src/core/media-types.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts';

const ITEMS = 300;
/** Requests at once that the registry takes. */
const TAKES = 12;

/** What the registry saw, in rounds: it answers when as many wait as the client sends. */
interface Run {
  readonly widths: readonly number[];
  readonly refused: number;
  readonly asked: number;
  readonly small: Pace;
  readonly large: Pace;
}

describe('the width of small requests', () => {
  const cleanUp: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const task of cleanUp.splice(0).reverse()) await task();
  });

  /** Asks for many blobs, small requests all, through a proxy that refuses some. */
  async function askForMany(takes: number, fault: Fault): Promise<Run> {
    const contents = new Map<string, Buffer>(
      Array.from({ length: ITEMS }, (_, index) => Buffer.from(`blob ${index}`)).map((content) => [
        digestOf(content),
        content,
      ]),
    );
    const [small, large] = [new Pace(32, 8), new Pace(8)];
    const held: { response: ServerResponse; content: Buffer }[] = [];
    const widths: number[] = [];
    let [refused, done] = [0, 0];
    /** One that is refused and asks again in the same round makes it no wider. */
    const inRound = new Set<string>();

    const registry = createServer(({ url = '' }, response) => {
      if (!isBlob(url)) response.end();
      else held.push({ response, content: contents.get(url.split('/').at(-1)!)! });
    });
    const address = await listenOnLoopback(registry);
    const proxy = await startFaultProxy(`http://${address}`, ({ url }) => {
      if (!isBlob(url)) return undefined;
      inRound.add(url);
      if (inRound.size <= takes) return undefined;
      refused += 1;
      return fault;
    });
    const options = { credentials: anonymous, ca: [], backoffMs: 1, limits: [large, small] };
    const client = new RegistryClient(options);
    cleanUp.push(
      async () => closed(registry),
      proxy.stop,
      async () => client.close(),
    );
    const store = client.repository({ registry: proxy.host, repository: 'some/images' });

    const over = new AbortController();
    const answering = (async (): Promise<void> => {
      while (!over.signal.aborted) {
        await turn();
        if (inRound.size < Math.min(small.now, ITEMS - done)) continue;
        if (held.length < Math.min(inRound.size, takes)) continue; // some are on their way
        widths.push(inRound.size);
        inRound.clear();
        done += held.length;
        for (const { response, content } of held.splice(0)) response.end(content);
      }
    })();
    const items = [...contents].map(([digest, content]) => ({
      mediaType: OCI_LAYER_GZIP,
      digest: digest as Digest,
      size: content.length,
    }));
    let asked = 0;
    try {
      await forEachLimited(items, small, async (descriptor, signal) => {
        if (await store.exists(descriptor, { signal })) asked += 1;
      });
    } finally {
      over.abort();
      await answering;
    }
    return { widths, refused, asked, small, large };
  }

  it.each<[string, Fault]>([
    ['429', { kind: 'answer', status: 429 }],
    ['503', { kind: 'answer', status: 503, headers: { 'retry-after': '0' } }],
    ['a connection reset', { kind: 'reset' }],
  ])('narrows at %s to what the registry takes, and everything is done', async (_, fault) => {
    const { widths, refused, asked, small, large } = await askForMany(TAKES, fault);
    expect(asked).toBe(ITEMS);
    expect(Math.max(...widths)).toBeGreaterThan(TAKES);
    const later = widths.slice(Math.floor(widths.length / 2));
    expect(Math.max(...later)).toBeLessThanOrEqual(TAKES + 1);
    expect(small.now).toBeLessThanOrEqual(TAKES + 1);
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(widths.length);
    expect(large.now, 'large transfers make room too').toBeLessThan(8);
  });

  it('rises to the most where the registry takes all, and leaves large transfers alone', async () => {
    const { widths, refused, asked, small, large } = await askForMany(32, { kind: 'reset' });
    expect(asked).toBe(ITEMS);
    expect(refused).toBe(0);
    // One more than it began with, for the greeting; then twice as many each round.
    expect(widths.slice(0, 3)).toEqual([9, 18, 32]);
    expect(small.now).toBe(32);
    expect(large.now).toBe(8);
  });
});

function isBlob(url: string): boolean {
  return url.includes('/blobs/');
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
