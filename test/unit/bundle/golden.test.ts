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
const BUNDLE_DIGEST = '9f259ff000c888b8febbd0d7bacf6699f2d772ef99f4b923d40dd8be4b968ada';

describe.each([
  ['ed25519', 'Ed25519'],
  ['ecdsa-p256', 'ECDSA P-256'],
  ['rsa-3072', 'RSA 3072'],
])('the bundle of format 1 that was signed with %s', (type, algorithm) => {
  const golden = join(fixtures, `v1-${type}`, 'ocp-4.17.3-x86_64.tar.zst');
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
    const key = SignerKey.parse(await readFile(golden.replace('.tar.zst', '.pub')), type);
    expect(key.algorithm).toBe(algorithm);
    expect(Buffer.from(sealed.publicKey).toString()).toBe(key.pem);
    key.verify(sealed.sums, sealed.signature);
  });

  it('has the digest that follows from its content alone', () => {
    expect(hexOf(sealed.digest)).toBe(BUNDLE_DIGEST);
  });

  it('is read to the last byte', async () => {
    const { manifest, files } = await readEveryByte(golden);
    expect(manifest.name).toBe('ocp-4.17.3-x86_64');
    expect(manifest.parts).toMatchObject([
      {
        kind: 'release',
        claim: { version: '4.17.3', architecture: 'x86_64', created: '2024-10-01T12:00:00Z' },
      },
    ]);
    expect(manifest.images.map(({ name, role, parts }) => [name, role, parts])).toEqual([
      ['4.17.3-x86_64', 'release', [0]],
      ['4.17.3-x86_64-cli', 'component', [0]],
    ]);
    expect([...files.keys()]).toEqual([
      'oci-layout',
      'index.json',
      expect.stringMatching(/^config\/signature-sha256-[0-9a-f]{16}\.yaml$/),
    ]);
    // Behind the two manifests: config and layers of the release image, the top one first, then
    // what the component adds.
    const [config, own] = [82, 86];
    expect(manifest.blobs.map(({ size }) => size).slice(2)).toEqual([
      ...[config, 700, 512, 1, 0],
      ...[own, 130 * 1024 + 5],
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
    for (const { descriptor } of contents.blobs) {
      const bytes = blobs.get(descriptor.digest)!;
      await writer.append(descriptor, verified(streamOf(bytes), descriptor));
    }
    await writer.finish();
    expect((await readFile(path)).equals(await readFile(golden))).toBe(true);
  });
});
