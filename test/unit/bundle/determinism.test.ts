import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { KeyType } from '../../../src/trust/key-types.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import { type SampleBundle, writeSampleBundle } from '../../support/sample-bundle.ts';

const SIZES = [1, 512, 130 * 1024 + 5];

describe('the same content', () => {
  let folder: string;
  let count = 0;

  const write = async (key: SigningKey): Promise<SampleBundle & { readonly file: Buffer }> => {
    const own = await mkdtemp(join(folder, String((count += 1))));
    const bundle = await writeSampleBundle(own, SIZES, key);
    return { ...bundle, file: await readFile(bundle.path) };
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-same-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each<KeyType>(['ed25519', 'rsa-3072'])(
    'and the same key makes the same bytes: %s',
    async (type) => {
      const key = SigningKey.generate(type);
      const [one, other] = [await write(key), await write(key)];
      expect(one.file.equals(other.file)).toBe(true);
    },
  );

  it.each<KeyType>(['ecdsa-p256', 'ecdsa-p384'])(
    'and the same key that signs at random differs in the signature alone: %s',
    async (type) => {
      const key = SigningKey.generate(type);
      const [one, other] = [await write(key), await write(key)];
      expect(one.file.equals(other.file)).toBe(false);
      expect(one.plan.bundleDigest).toBe(other.plan.bundleDigest);
      expect(one.file.length).toBe(other.file.length);
      expect(withoutSignature(one).equals(withoutSignature(other))).toBe(true);
    },
  );

  it('and another key differs in the seal, and in what counts its bytes', async () => {
    const [one, other] = [
      await write(SigningKey.generate('ed25519')),
      await write(SigningKey.generate('rsa-3072')),
    ];
    expect(one.plan.bundleDigest).toBe(other.plan.bundleDigest);
    const [listing, , ...metadata] = one.plan.volumes[0]!.head;
    const [otherListing, , ...otherMetadata] = other.plan.volumes[0]!.head;
    expect(Buffer.from(listing!).equals(otherListing!)).toBe(true);
    expect(Buffer.concat(metadata).equals(Buffer.concat(otherMetadata))).toBe(true);
    const layersOf = ({ plan, file }: typeof one): Buffer =>
      file.subarray(
        plan.layers[0]!.portions[0]!.offset,
        file.length - Buffer.concat(plan.volumes[0]!.tail).length,
      );
    expect(layersOf(one).equals(layersOf(other))).toBe(true);
  });
});

/**
 * The file with zeros where the signature stands: in the seal's frame, and in the copy of the head.
 */
function withoutSignature({
  file,
  plan,
}: {
  readonly file: Buffer;
  readonly plan: SampleBundle['plan'];
}): Buffer {
  const seal = Buffer.from(plan.volumes[0]!.head[1]!);
  const line = /[A-Za-z0-9+/]{60,}={0,2}\n/.exec(seal.toString('latin1'))?.[0];
  if (line === undefined) throw new Error('there is no signature in the seal');
  const copy = Buffer.from(file);
  let found = 0;
  for (let at = copy.indexOf(line, 0, 'latin1'); at !== -1; at = copy.indexOf(line, at, 'latin1')) {
    copy.fill(0, at, at + line.length);
    found += 1;
  }
  expect(found).toBe(2);
  return copy;
}
