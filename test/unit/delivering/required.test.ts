import { describe, expect, it } from 'vitest';

import { streamOf } from '../../../src/core/bytes.ts';
import { digestOf } from '../../../src/core/digest.ts';
import type { Closure } from '../../../src/kinds/closure.ts';
import { findRequired } from '../../../src/delivering/required.ts';
import type { DeliveryTarget } from '../../../src/delivering/delivery-target.ts';
import type { Places } from '../../../src/delivering/places.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { contextIn } from '../../support/context.ts';

describe('findRequired', () => {
  const blobs = ['one', 'two', 'three'].map((word) => {
    const bytes = Buffer.from(word);
    return { mediaType: '', digest: digestOf(bytes), size: bytes.length, bytes };
  });

  it('says how many blobs it has looked for, those that are nowhere too', async () => {
    const store = new MemoryStore('target');
    const bundles = [{ name: 'first', bundle: digestOf(Buffer.from('first')), blobs }];
    const image = { name: 'example.com/a:1', place: 'content', blobs };
    const closure = { parts: [], content: { images: [image] } } as unknown as Closure;
    const places = { storeAt: () => store, used: [] } as unknown as Places;
    const to = { kind: 'registry', name: 'host:5000/ocp4' } as DeliveryTarget;
    const required = { bundles, placesOf: () => [], to };
    const counted: string[] = [];
    const context = contextIn('/', {
      observe: (event) => {
        if (event.type === 'counted') counted.push(`${event.done} of ${event.total} ${event.what}`);
      },
    });
    const [first, ...others] = blobs;
    for (const { bytes, ...descriptor } of others) await store.push(descriptor, streamOf(bytes));
    await expect(findRequired(closure, required, places, context)).rejects.toMatchObject({
      message: expect.stringContaining('the target lacks 1 ') as string,
      hint: expect.stringContaining(
        'carry it back: bundle receipt make --afresh --to host:5000/ocp4 -o DIR --site SITE. ',
      ) as string,
    });
    const all = ['1 of 3 blobs', '2 of 3 blobs', '3 of 3 blobs'];
    expect(counted.splice(0)).toEqual(all);
    await store.push(first!, streamOf(first!.bytes));
    const held = await findRequired(closure, required, places, context);
    expect([...held.values()]).toEqual([[store], [store], [store]]);
    expect(counted).toEqual(all);
  });
});
