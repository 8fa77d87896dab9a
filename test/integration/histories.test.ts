import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { type Story, story, Tally, Run } from '../support/histories/history.ts';
import { memorySite, realSite, type Site } from '../support/histories/site.ts';
import { describeWith } from '../support/needs.ts';
import { temporaryFolder } from '../support/user.ts';

// No host is asked over TLS, and to read the CAs of the system takes longer than all of a delivery.
vi.mock(import('../../src/stores/registry/http/certificates.ts'), async (original) => ({
  ...(await original()),
  systemCertificates: async () => [],
}));

/** Another one for other histories: a failure prints it. */
const SEED = Number(process.env['BUNDLE_HISTORY_SEED'] ?? 20261128);
const RUNS = Number(process.env['BUNDLE_HISTORIES'] ?? 300);
const REAL_RUNS = Math.ceil(RUNS / 30);

let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
let played = 0;
beforeAll(async () => {
  temporary = await temporaryFolder('histories');
});
afterAll(() => temporary.remove());

async function play(told: Story, site: Site, tally: Tally): Promise<void> {
  played += 1;
  try {
    await new Run(told, site, join(temporary.path, `${played}`), tally).play();
  } finally {
    await site.stop();
  }
}

/** Of everything that may come about, something did. */
function expectEventful({ counts }: Tally, least: number): void {
  for (const what of [
    ...['packed: whole', 'packed: increment', 'delivered: whole', 'delivered: increment'],
    ...['pruned: something', 'asked', 'refused: BUNDLE_UNUSABLE', 'refused: NOT_PROVEN'],
  ])
    expect([what, counts.get(what) ?? 0]).toEqual([
      what,
      expect.toSatisfy((n: number) => n >= least),
    ]);
}

describe('whatever happens to bundles and a registry', () => {
  it(
    'a delivery that is accepted is whole, and no prune takes what something needs that stays',
    async () => {
      const tally = new Tally();
      const ways = fc.record({ referrers: fc.boolean(), removesTags: fc.boolean() });
      await fc.assert(
        fc.asyncProperty(story, ways, async (told, ways_) =>
          play(told, await memorySite(ways_), tally),
        ),
        { numRuns: RUNS, seed: SEED, endOnFailure: true },
      );
      expectEventful(tally, RUNS / 60);
    },
    RUNS * 9_000,
  );
});

describeWith(['docker-registry'], 'the same at a registry of those that are in use', () => {
  it(
    'is true',
    async () => {
      await fc.assert(
        fc.asyncProperty(story, async (told) => play(told, await realSite(), new Tally())),
        { numRuns: REAL_RUNS, seed: SEED, endOnFailure: true },
      );
    },
    REAL_RUNS * 30_000,
  );
});
