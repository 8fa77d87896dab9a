import { expect, it } from 'vitest';

import { unpackReport } from '../../../../src/cli/present/delivery-report.ts';
import type { Screen } from '../../../../src/cli/present/screen.ts';
import { closureOf } from '../../../../src/kinds/closure.ts';
import type { UnpackReport } from '../../../../src/workflows/unpack.ts';

/** The first line about a release of two images, of which these are left out. */
function headline(...left: readonly string[]): unknown {
  const parts = [{ kind: 'release', label: '4.17.3 for x86_64', isWhole: false, named: [] }];
  const images = ['a', 'b'].map((name) => ({ name, role: 'x', digest: '', parts: [] }));
  const copied = { left, held: [], blobs: {}, manifests: {}, tags: {} };
  const delivery = {
    ...{ parts, images, copied, target: 't', newer: [], replacedTags: [], unreplacedTags: [] },
  };
  const bundle = {
    ...{
      closure: closureOf([]),
      digest: '0'.repeat(64),
      signer: { id: '0', algorithm: 'x' },
      files: [],
      signers: [],
    },
    ...{ countersigners: [], uncheckedSignatures: [], path: 'b', size: 1, reader: undefined },
  };
  const report = { delivery, bundle, missingVolumes: [], patchCommand: '' };
  const asked = { paths: ['b'], isPiped: true, trust: [], packing: [], where: [], names: [] };
  const { report: shown } = unpackReport(report as unknown as UnpackReport, asked);
  return shown({ isVerbose: false } as Screen)[0];
}

it('a release of which no image has arrived is not called partly done', () => {
  const none = 'No image is complete: 4.17.3 for x86_64 cannot be used yet';
  expect(headline('a', 'b')).toEqual([{ verdict: none, mood: 'warning' }]);
  const some = 'PARTLY DONE: 4.17.3 for x86_64 has no tag';
  expect(headline('a')).toEqual([{ verdict: some, mood: 'warning' }]);
});
