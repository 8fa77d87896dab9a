import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describeBundle, planBundle } from '../../../src/bundle/format/plan.ts';
import { SealedBundle } from '../../../src/bundle/reading/sealed.ts';
import { encodeSignatureFile } from '../../../src/bundle/format/signature-file.ts';
import { BundleWriter } from '../../../src/bundle/writing/writer.ts';
import { streamOf } from '../../../src/core/bytes.ts';
import { subjectOf } from '../../../src/core/manifest.ts';
import { DOCKER_CONFIG, OCI_CONFIG } from '../../../src/core/media-types.ts';
import { verified } from '../../../src/transfer/verified.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import type { StoreContent } from '../../contract/content.ts';
import { type Opened, readOnlyStoreContract } from '../../contract/store.ts';

/** A bundle of exactly this content: what makes a release of it does not matter to the store. */
async function makeBundle({ blobs, manifests, tags }: StoreContent): Promise<Opened<SealedReader>> {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-contract-'));
  const isConfig = ({ descriptor }: StoreContent['blobs'][number]): boolean =>
    [OCI_CONFIG, DOCKER_CONFIG].includes(descriptor.mediaType);
  const layers = blobs.filter((blob) => !isConfig(blob));
  const described = describeBundle({
    releases: [],
    images: [
      ...Object.entries(tags).map(([name, descriptor]) => ({
        ...descriptor,
        name,
        role: 'component',
        source: 'example.com/a/b',
        tags: [name],
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
              },
            ];
      }),
    ],
    configMaps: [],
    metadata: [...manifests, ...blobs.filter(isConfig)],
    layers: layers.map(({ descriptor }) => descriptor),
  });
  const key = SigningKey.generate('ed25519');
  const plan = planBundle(described, {
    signature: encodeSignatureFile(key.sign(described.sums)),
    publicKey: Buffer.from(key.public.pem),
  });
  const path = join(folder, 'contract.tar.zst');
  const writer = await BundleWriter.create(path, plan);
  for (const { descriptor, bytes } of layers)
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
