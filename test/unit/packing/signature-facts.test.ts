import { expect, it } from 'vitest';

import { closureOf } from '../../../src/kinds/closure.ts';
import { signatureFacts } from '../../../src/packing/signature-facts.ts';
import { contextIn } from '../../support/context.ts';

it('reads no release key where there is no signature to check: a pipe is read only once', async () => {
  const request = { parts: [], referrers: false, releaseKeyFiles: ['/nowhere/key.asc'] };
  const facts = await signatureFacts(closureOf([]), request, contextIn('/nowhere'));
  expect(facts).toEqual({ lookaside: [], unsigned: [] });
});
