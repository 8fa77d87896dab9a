import { describe, expect, it } from 'vitest';

import { describeBundle } from '../../../src/bundle/format/plan.ts';
import type { RequiredBundle } from '../../../src/bundle/format/manifest.ts';
import type { Digest } from '../../../src/core/digest.ts';
import type { Notice } from '../../../src/core/events.ts';
import type { KeptBundle } from '../../../src/history/entry.ts';
import { formatKept, parseKept } from '../../../src/history/entry.ts';
import { deliveredBy } from '../../../src/history/baselines.ts';
import { deliveredToAll, requireAnyReceipt } from '../../../src/history/for-sites.ts';
import { type Closure, contentsOf } from '../../../src/kinds/closure.ts';
import { incrementFacts, leftOut } from '../../../src/packing/increments/leave-out.ts';
import type { Receipt } from '../../../src/receipts/receipt.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { bundleRow, receiptOf } from '../../support/receipts.ts';
import { sampleClosure } from '../../support/sample-parts.ts';
import { configOf, keep, layerOf, manifestOf } from '../transfer/images.ts';

/** Images whose layers are called as they are told, each a part. */
async function closureWith(...images: readonly (readonly string[])[]): Promise<Closure> {
  const store = new MemoryStore();
  const requests = [];
  for (const words of images) {
    const name = words.join('-');
    const layers = words.map((word) => layerOf(word));
    const image = manifestOf(name, layers);
    await keep(store, ...layers, configOf(name), image);
    requests.push({ name, image: image.descriptor, store });
  }
  return sampleClosure(requests);
}

interface Packed {
  readonly kept: KeptBundle;
  readonly closure: Closure;
}

async function packed(
  name: string,
  images: readonly (readonly string[])[],
  requires: readonly RequiredBundle[] = [],
): Promise<Packed> {
  const closure = await closureWith(...images);
  const described = describeBundle(contentsOf(name, closure, requires));
  const kept = parseKept(formatKept(described, closure), described.bundleDigest, name);
  return { kept, closure };
}

const layer = (word: string): Digest => layerOf(word).descriptor.digest;

/** A receipt of a site that has bundles whole, or some parts of them. */
function receiptFor(
  site: string,
  bundles: readonly (Packed | readonly [Packed, number])[],
  more: Partial<Receipt> = {},
): Receipt {
  const rows = bundles.map((one) => {
    const [{ kept }, part] = 'kept' in one ? [one] : one;
    const { digest, manifest } = kept;
    const parts = [{ number: part ?? 0, label: manifest.name }];
    return bundleRow(manifest.name, { digest, whole: part === undefined, parts });
  });
  const target = receiptOf([]).target;
  const own = { ...target, registry: `${site}.example.com` };
  return { ...receiptOf(rows, { site, target: own, ...more }), signer: 'a'.repeat(64) };
}

function known(all: readonly Packed[], receipts: readonly Receipt[], unbelieved: string[] = []) {
  const bundles = new Map(all.map(({ kept }) => [kept.digest, kept]));
  return {
    ...{ receipts, unbelieved: new Set(unbelieved), untrusted: new Set(unbelieved) },
    listings: { bundle: async (digest: Digest) => Promise.resolve(bundles.get(digest)) },
  };
}

const silent = (): void => undefined;

describe('a bundle for several sites', () => {
  it('leaves out what each of them has, from as few bundles as there are for it', async () => {
    const base = await packed('base', [['shared', 'old']]);
    const other = await packed('other', [['shared', 'further']]);
    const receipts = [
      receiptFor('a', [base]),
      receiptFor('b', [other]),
      receiptFor('c', [other, base]),
    ];
    const { sites, blobs } = await deliveredToAll(
      ['a', 'b', 'c'],
      [],
      known([base, other], receipts),
      silent,
    );
    expect(sites).toEqual([
      'a (a.example.com/ocp4)',
      'b (b.example.com/ocp4)',
      'c (c.example.com/ocp4)',
    ]);
    const names = (digest: Digest) => blobs.get(digest)?.holders.map(({ name }) => name);
    // a has it from one bundle, b from another: each of them needs one that it has.
    expect(names(layer('shared'))).toEqual(['base', 'other']);
    expect([names(layer('old')), names(layer('further'))]).toEqual([undefined, undefined]);
    // a and c have one in common.
    const two = await deliveredToAll(['c', 'a'], [], known([base, other], receipts), silent);
    expect(two.blobs.get(layer('shared'))!.holders.map(({ name }) => name)).toEqual(['base']);
  });

  it('lists a blob in the row of each bundle that has it, and counts it once', async () => {
    const base = await packed('base', [['shared', 'old']]);
    const other = await packed('other', [['shared', 'further']]);
    const receipts = [receiptFor('a', [base]), receiptFor('b', [other])];
    const delivered = await deliveredToAll(['a', 'b'], [], known([base, other], receipts), silent);
    const next = await closureWith(['shared', 'new']);
    const requires = leftOut(next, delivered);
    expect(requires.map(({ name, blobs }) => [name, blobs.map(({ digest }) => digest)])).toEqual([
      ['base', [layer('shared')]],
      ['other', [layer('shared')]],
    ]);
    const { size } = layerOf('shared').descriptor;
    expect(incrementFacts({ requires }, next, delivered.sites).total).toEqual({
      ...{ blobs: 1, bytes: size },
    });
    // The bundle itself, in a history, is had from either.
    const union = await packed('union', [['shared', 'new']], requires);
    const later = known([base, other, union], [...receipts, receiptFor('d', [union])]);
    const { blobs } = await deliveredToAll(['d'], [], later, silent);
    expect(blobs.has(layer('shared'))).toBe(true);
    const both = await deliveredToAll(['b', 'd'], [], later, silent);
    expect(both.blobs.get(layer('shared'))!.holders.map(({ name }) => name)).toEqual(['other']);
  });

  it('counts of a bundle that arrived in part what did, and what all targets of a site have', async () => {
    const base = await packed('base', [
      ['one', 'both'],
      ['two', 'both'],
    ]);
    const part = receiptFor('a', [[base, 0]]);
    const whole = receiptFor('a', [base], {
      target: { ...part.target, registry: 'second.example.com' },
    });
    const { sites, blobs } = await deliveredToAll(['a'], [], known([base], [part, whole]), silent);
    expect(sites).toHaveLength(2);
    expect([...['one', 'two', 'both']].map((word) => blobs.has(layer(word)))).toEqual([
      ...[true, false, true],
    ]);
  });

  it('leaves nothing out for a site without receipts, but what is assumed', async () => {
    const base = await packed('base', [['shared']]);
    const sure = await packed('sure', [['sure']]);
    const notices: Notice[] = [];
    const { blobs, sites } = await deliveredToAll(
      ['a', 'new'],
      [sure.kept],
      known([base], [receiptFor('a', [base])]),
      (event) => {
        if (event.type === 'noticed') notices.push(event);
      },
    );
    expect(notices).toEqual([{ type: 'noticed', code: 'site-without-receipts', site: 'new' }]);
    expect([blobs.has(layer('shared')), blobs.get(layer('sure'))?.isAssumed]).toEqual([
      ...[false, true],
    ]);
    expect(sites).toEqual(['a (a.example.com/ocp4)']);
  });

  it('is refused where receipts of a site are not believed, or none of any site is there', async () => {
    const base = await packed('base', [['shared']]);
    const receipts = [receiptFor('a', [base])];
    const refused = expect.objectContaining({ code: 'NOT_PROVEN', exitStatus: 21 }) as Error;
    await expect(
      deliveredToAll(['a', 'b'], [], known([base], receipts, ['b']), silent),
    ).rejects.toThrow(refused);
    expect(() => {
      requireAnyReceipt(['b', 'c'], { receipts, untrusted: new Set() });
    }).toThrow(refused);
    expect(() => {
      requireAnyReceipt(['b', 'a'], { receipts, untrusted: new Set() });
    }).not.toThrow();
  });

  it('names the one way out: the key of the site, or the name that was meant', async () => {
    const base = await packed('base', [['shared']]);
    const since = async (site: string, untrusted: string[]) => {
      const baseline = { kind: 'site', site } as const;
      const receipts = untrusted.length > 0 ? [] : [receiptFor('plant-a', [base])];
      return deliveredBy([baseline], [], known([base], receipts, untrusted), silent);
    };
    const hint = (words: RegExp) => ({ hint: expect.stringMatching(words) as string });
    await expect(since('plant-a', ['plant-a'])).rejects.toMatchObject({
      got: 'receipts whose key is not trusted in this run',
      ...hint(/^Add --trusted-key KEY\.pub, with the key of plant-a\.$/),
    });
    for (const untrusted of [[], ['plant-a']])
      await expect(since('planta', untrusted)).rejects.toMatchObject({
        got: 'plant-a',
        ...hint(/^Did you mean plant-a\? Else read its receipts in/),
      });
    await expect(since('elsewhere', [])).rejects.toMatchObject(hint(/^Read its receipts in/));
  });

  it('tells of each site which bundle it names is not known here', async () => {
    const base = await packed('base', [['shared']]);
    const lost = await packed('lost', [['lost']]);
    const notices: Notice[] = [];
    const receipts = [receiptFor('a', [base, lost]), receiptFor('b', [base, lost])];
    await deliveredToAll(['a', 'b'], [], known([base], receipts), (event) => {
      if (event.type === 'noticed') notices.push(event);
    });
    expect(notices).toMatchObject([
      { code: 'bundle-not-known', site: 'a', name: 'lost' },
      { code: 'bundle-not-known', site: 'b', name: 'lost' },
    ]);
  });
});
