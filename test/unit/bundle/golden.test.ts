import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { describeBundle, planBundle } from '../../../src/bundle/format/plan.ts';
import { SealedBundle } from '../../../src/bundle/reading/sealed.ts';
import { encodeSignatureFile } from '../../../src/bundle/format/signature-file.ts';
import { BundleWriter } from '../../../src/bundle/writing/writer.ts';
import { streamOf } from '../../../src/core/bytes.ts';
import { hexOf } from '../../../src/core/digest.ts';
import { verified } from '../../../src/transfer/verified.ts';
import { SignerKey } from '../../../src/trust/keys.ts';
import { partsOf, readEveryByte } from '../../support/crafted-bundle.ts';

const fixtures = fileURLToPath(new URL('../../../fixtures/bundles/', import.meta.url));
const BUNDLE_DIGEST = 'a4ce3bdbbc7fc3d29ab841a8cf69076a3c9bc01444efcd44d878a526c35b58bf';

describe.each([
  ['ed25519', 'Ed25519'],
  ['ecdsa-p256', 'ECDSA P-256'],
  ['rsa-3072', 'RSA 3072'],
])('the bundle of format 1 that was signed with %s', (type, algorithm) => {
  const golden = join(fixtures, `v1-${type}.tar.zst`);
  let folder: string;
  let sealed: SealedBundle;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-golden-'));
    sealed = await SealedBundle.open(golden);
  });
  afterAll(async () => {
    await sealed.close();
    await rm(folder, { recursive: true });
  });

  it('is signed with the key beside it', async () => {
    const key = SignerKey.parse(await readFile(join(fixtures, `v1-${type}.pub`)), type);
    expect(key.algorithm).toBe(algorithm);
    expect(Buffer.from(sealed.publicKey).toString()).toBe(key.pem);
    key.verify(sealed.sums, sealed.signature);
  });

  it('has the digest that follows from its content alone', () => {
    expect(hexOf(sealed.digest)).toBe(BUNDLE_DIGEST);
  });

  it('is read to the last byte', async () => {
    const { manifest, files } = await readEveryByte(golden);
    expect(manifest.releases).toMatchObject([
      { version: '4.17.3', architecture: 'x86_64', created: '2024-10-01T12:00:00Z' },
    ]);
    expect(manifest.images.map(({ name, role }) => [name, role])).toEqual([
      ['4.17.3-x86_64', 'release'],
      ['4.17.3-x86_64-cli', 'component'],
    ]);
    expect([...files.keys()]).toEqual([
      'oci-layout',
      'index.json',
      expect.stringMatching(/^config\/signature-sha256-[0-9a-f]{16}\.yaml$/),
    ]);
    expect(manifest.blobs.map(({ size }) => size).slice(-5)).toEqual([
      0,
      1,
      512,
      700,
      130 * 1024 + 5,
    ]);
  });

  it('is written again byte for byte', async () => {
    const { contents, blobs } = await partsOf(golden);
    const plan = planBundle(describeBundle(contents), {
      signature: encodeSignatureFile(sealed.signature),
      publicKey: sealed.publicKey,
    });
    const path = join(folder, 'again.tar.zst');
    const writer = await BundleWriter.create(path, plan);
    for (const layer of contents.layers)
      await writer.append(layer, verified(streamOf(blobs.get(layer.digest)!), layer));
    await writer.finish();
    expect((await readFile(path)).equals(await readFile(golden))).toBe(true);
  });
});
