import { expect, it } from 'vitest';

import { checkFirst } from '../../../../src/cli/present/packing/pack-report.ts';

const kept = { layers: 0, bytes: 0, finished: false };

it('only what lies on a medium is to be unmounted before it is checked', () => {
  const onMedium = JSON.stringify(checkFirst({ isOnMedium: true, kept }));
  expect(onMedium).toMatch(/^.*Next, unmount the medium and mount it again: .* Then check it:/);
  const elsewhere = JSON.stringify(checkFirst({ isOnMedium: false, kept }));
  expect(elsewhere).toContain('Next, check what was written. If you copy it to a medium, unmount');
  const isRead = JSON.stringify(checkFirst({ kept: { ...kept, finished: true } }));
  expect(isRead).toContain('Next, copy it to a medium, unmount that');
  expect(isRead).not.toContain('check what was written');
});
