import { expect, it } from 'vitest';

import { askReport } from '../../../../src/cli/present/receipts/ask-report.ts';
import type { Screen } from '../../../../src/cli/present/screen.ts';
import { digestOf } from '../../../../src/core/digest.ts';
import type { AskReport } from '../../../../src/workflows/receipts/ask.ts';
import { receiptSections } from '../../../../src/cli/present/receipts/receipt-report.ts';
import { bundleRow, receiptOf } from '../../../support/receipts.ts';

const issued = { ...receiptOf([bundleRow('a')]), signer: 'a'.repeat(64) };
const screen = { isVerbose: false } as Screen;

function asked(...lacking: readonly (readonly string[])[]): string {
  const bundles = lacking.map((subjects, at) => ({
    ...{ name: `set-${at}`, digest: digestOf(`${at}`), of: 2 },
    parts:
      subjects.length > 0 ? [] : [1, 2].map((number) => ({ number, label: `chart ${number}` })),
    lacking: subjects.map((name) => ({ subject: `r/a@${name}`, images: [{ name }] })),
  }));
  const receipt = { path: '/media/usb/receipt-a.json', paper: [], receipt: issued };
  const report = { target: 'host/ocp4', bundles, receipt } as unknown as AskReport;
  return JSON.stringify(askReport(report).report(screen));
}

it('a receipt that was asked for says of how much the registry holds all', () => {
  expect(asked(['x', 'y'], [], ['z'])).toContain('2 of 3 bundles are not whole at host/ocp4');
  expect(asked(['x'])).toContain('set-0 is not whole at host/ocp4');
  expect(asked([], [])).toContain('host/ocp4 holds all of 2 bundles');
});

it('a receipt that was asked for lists one thing a line', () => {
  const words = asked(['x', 'y'], []);
  expect(words).toContain('["whole","0 of 2 parts"],["lacking","x: 1 blob"],["","y: 1 blob"]');
  expect(words).toContain('["whole","2 of 2 parts"],["","chart 1"],["","chart 2"]');
});

it('a receipt says when something was pushed, and which receipt is before it', () => {
  const words = JSON.stringify(receiptSections({ ...issued, previous: digestOf('b') }, screen));
  expect(words).toContain(
    '["evidence","pushed, or found there, by unpack when this receipt was made"]',
  );
  expect(words).toContain('["previous","receipt ');
});
