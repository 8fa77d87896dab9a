import { describe, expect, it } from 'vitest';

import type { TransferEvent } from '../../../../src/core/events.ts';
import { tellFindings } from '../../../../src/kinds/catalog/tell.ts';
import { catalogOf } from '../../../support/catalogs.ts';

const noticed = async (documents: readonly unknown[]): Promise<readonly TransferEvent[]> => {
  const events: TransferEvent[] = [];
  const observe = (event: TransferEvent): void => {
    events.push(event);
  };
  tellFindings(await catalogOf(documents), 'strict', { reference: 'r.io/index:1', observe });
  return events;
};

describe('what is told of a catalog', () => {
  it('is that it has no operators', async () => {
    const empty = { type: 'noticed', code: 'catalog-empty', catalog: 'r.io/index:1' };
    expect(await noticed([])).toEqual([empty]);
    expect(await noticed([{ schema: 'others.say', name: 'a' }])).toEqual([empty]);
  });

  it('is what OLM would refuse, and nothing of one that it takes', async () => {
    const own = { schema: 'olm.package', name: 'p', defaultChannel: 'stable' };
    expect(await noticed([own])).toMatchObject([
      { type: 'noticed', code: 'catalog-refused', catalog: 'r.io/index:1' },
    ]);
    const bundle = {
      ...{ schema: 'olm.bundle', package: 'p', name: 'p.v1.0.0', image: 'r.io/p:1' },
      properties: [{ type: 'olm.package', value: { packageName: 'p', version: '1.0.0' } }],
    };
    const entries = [{ name: 'p.v1.0.0' }];
    const channel = { schema: 'olm.channel', package: 'p', name: 'stable', entries };
    expect(await noticed([own, channel, bundle])).toEqual([]);
  });
});
