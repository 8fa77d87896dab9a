import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import type { DescribedBundle } from '../../../../src/bundle/format/plan.ts';
import { digestOf } from '../../../../src/core/digest.ts';
import { recallSet, rememberSet } from '../../../../src/packing/resume/started-sets.ts';
import { sealWith } from '../../../../src/packing/signing-key.ts';
import { SigningKey } from '../../../../src/trust/keys.ts';
import { contextIn } from '../../../support/context.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-sets-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('a set that is under way is gone on with as it was begun; a refusal says how, and how to keep both', async () => {
  const context = contextIn(folder);
  const key = SigningKey.generate('ed25519');
  const sums = Buffer.from('the listing');
  const described = {
    bundleDigest: digestOf(sums),
    sums,
  } as Partial<DescribedBundle> as DescribedBundle;
  const path = '/media/usb/set.tar.zst';
  const volume = { path: `${path}.001`, digest: digestOf(Buffer.from('a volume')) };
  const set = {
    ...{ seal: sealWith(key, key.sign(sums)), volumeSize: 10_000_000, done: [volume] },
    ...{ until: 2, isComplete: false },
  };
  await rememberSet(path, described.bundleDigest, set, context);
  const recalled = (volumeSize: number, of = described): ReturnType<typeof recallSet> =>
    recallSet({ path, volumeSize }, of, key, context);
  expect(await recalled(10_000_000)).toMatchObject({ done: [volume] });
  const hint = expect.stringMatching(
    /^To go on with it: --volume-size 10000000\. To make another one, .* --name.* --restart /,
  ) as string;
  await expect(recalled(7_000_000)).rejects.toMatchObject({ code: 'USAGE', hint });
  const other = { ...described, bundleDigest: digestOf(Buffer.from('another listing')) };
  await expect(recalled(10_000_000, other)).rejects.toMatchObject({
    ...{ code: 'USAGE', hint: expect.stringMatching(/^To make another one, .* --name/) as string },
  });
});
