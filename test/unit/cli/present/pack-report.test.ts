import { expect, it } from 'vitest';

import { checkFirst } from '../../../../src/cli/present/packing/pack-report.ts';

it('only what lies on a medium is to be unmounted before it is checked', () => {
  const onMedium = JSON.stringify(checkFirst({ isOnMedium: true }));
  expect(onMedium).toMatch(/^.*Next, unmount the medium and mount it again: .* Then check it:/);
  const elsewhere = JSON.stringify(checkFirst({ isOnMedium: false }));
  expect(elsewhere).toContain('Next, check what was written. If you copy it to a medium, unmount');
});
