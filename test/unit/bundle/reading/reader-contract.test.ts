import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describeBundle, planBundle } from '../../../../src/bundle/format/plan.ts';
import { SealedBundle } from '../../../../src/bundle/reading/sealed.ts';
import { encodeSignatureFile } from '../../../../src/bundle/format/signature-file.ts';
import { BundleWriter } from '../../../../src/bundle/writing/writer.ts';
import { streamOf } from '../../../../src/core/bytes.ts';
import { subjectOf } from '../../../../src/core/manifest.ts';
import { verified } from '../../../../src/transfer/verified.ts';
import { SigningKey } from '../../../../src/trust/keys.ts';
import type { StoreContent } from '../../../contract/content.ts';
import { type Opened, readOnlyStoreContract } from '../../../contract/store.ts';
import { planned } from '../../../support/sample-bundle.ts';

/** A bundle of exactly this content: what makes a part of it does not matter to the store. */
async function makeBundle({ blobs, manifests, tags }: StoreContent): Promise<Opened<SealedReader>> {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-contract-'));
  const described = describeBundle({
    name: 'contract',
    parts: [{ kind: 'some', claim: {} }],
    images: [
      ...Object.entries(tags).map(([name, descriptor]) => ({
        ...descriptor,
        name,
        role: 'component',
        source: 'example.com/a/b',
        tags: [name],
        parts: [0],
      })),
      ...manifests.flatMap(({ descriptor, bytes }) => {
        const subject = subjectOf(bytes, descriptor.mediaType);
        return subject === undefined
          ? []
          : [
              {
                ...descriptor,
                name: descriptor.digest,
                role: 'referrer',
                source: 'example.com/a/b',
                tags: [],
                subject,
                parts: [0],
              },
            ];
      }),
    ],
    files: [],
    manifests,
    blobs: blobs.map(({ descriptor }) => planned(descriptor)),
  });
  const key = SigningKey.generate('ed25519');
  const plan = planBundle(described, {
    signature: encodeSignatureFile(key.sign(described.sums)),
    publicKey: Buffer.from(key.public.pem),
  });
  const path = join(folder, 'contract.tar.zst');
  const writer = await BundleWriter.create(path, plan);
  for (const { descriptor, bytes } of blobs)
    await writer.append(descriptor, verified(streamOf(bytes), descriptor));
  await writer.finish();
  const store = await (await SealedBundle.open(path)).unseal();
  return {
    store,
    close: async () => {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

type SealedReader = Awaited<ReturnType<SealedBundle['unseal']>>;

readOnlyStoreContract('a bundle', makeBundle);
