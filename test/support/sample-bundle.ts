import { createCipheriv, createHash } from 'node:crypto';
import { join } from 'node:path';

import type { BundledPart } from '../../src/bundle/format/manifest.ts';
import {
  type BundleContents,
  type BundlePlan,
  describeBundle,
  planBundle,
} from '../../src/bundle/format/plan.ts';
import { BundleWriter, type FinishedVolume } from '../../src/bundle/writing/writer.ts';
import { streamOf } from '../../src/core/bytes.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST } from '../../src/core/media-types.ts';
import { MemoryStore } from '../../src/stores/memory.ts';
import type { PlannedBlob } from '../../src/transfer/plan.ts';
import { verified } from '../../src/transfer/verified.ts';
import { SigningKey } from '../../src/trust/keys.ts';

/** Bytes that look random and are the same for the same seed. */
export function seededBytes(seed: string | number, length: number): Uint8Array {
  const key = createHash('sha256').update(String(seed)).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

export interface SampleBundle {
  readonly path: string;
  readonly plan: BundlePlan;
  readonly contents: BundleContents;
  /** Layers and, behind them, the config, in bundle order. */
  readonly layers: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
  readonly key: SigningKey;
  /** The physical files. */
  readonly volumes: readonly FinishedVolume[];
}

/** A blob as a plan has it, for code that never asks where it comes from. */
export function planned(descriptor: Descriptor): PlannedBlob {
  return { descriptor, store: NOWHERE, image: 'an image' };
}

const NOWHERE = new MemoryStore('nowhere');

/** One image with layers of the given sizes, as a bundle needs to be told of it. */
export function sampleContents(sizes: readonly number[]): {
  contents: BundleContents;
  layers: SampleBundle['layers'];
} {
  const layers = sizes.map((size, index) => {
    const bytes = seededBytes(`layer ${index}`, size);
    return { descriptor: { mediaType: DOCKER_LAYER, digest: digestOf(bytes), size }, bytes };
  });
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux' }));
  const configDescriptor = {
    mediaType: DOCKER_CONFIG,
    digest: digestOf(config),
    size: config.length,
  };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: DOCKER_MANIFEST,
      config: configDescriptor,
      layers: layers.map(({ descriptor }) => descriptor),
    }),
  );
  const image = { mediaType: DOCKER_MANIFEST, digest: digestOf(manifest), size: manifest.length };
  const reference = `quay.io/openshift-release-dev/ocp-release@${image.digest}`;
  const release: BundledPart = {
    kind: 'release',
    claim: {
      version: '4.17.3',
      architecture: 'x86_64',
      digest: image.digest,
      reference,
      created: '2024-10-01T12:00:00Z',
      signatures: [],
    },
  };
  const blobs = [...layers, { descriptor: configDescriptor, bytes: config }];
  const contents: BundleContents = {
    name: 'ocp-4.17.3-x86_64',
    parts: [release],
    images: [
      {
        ...image,
        name: '4.17.3-x86_64',
        role: 'release',
        source: reference,
        tags: ['4.17.3-x86_64'],
        parts: [0],
      },
    ],
    files: [],
    manifests: [{ descriptor: image, bytes: manifest }],
    blobs: blobs.map(({ descriptor }) => planned(descriptor)),
  };
  return { contents, layers: blobs };
}

/**
 * Writes a bundle with layers of the given sizes (bytes) into `folder`, in volumes if a size of
 * theirs is given.
 */
export async function writeSampleBundle(
  folder: string,
  sizes: readonly number[],
  key = SigningKey.generate('ed25519'),
  volumeSize?: number,
): Promise<SampleBundle> {
  const { contents, layers } = sampleContents(sizes);
  const described = describeBundle(contents);
  const signature = Buffer.from(`${Buffer.from(key.sign(described.sums)).toString('base64')}\n`);
  const plan = planBundle(
    described,
    { signature, publicKey: Buffer.from(key.public.pem) },
    volumeSize,
  );
  const path = join(folder, 'ocp-4.17.3-x86_64.tar.zst');
  const volumes: FinishedVolume[] = [];
  const writer = await BundleWriter.create(path, plan, {
    finished: async (volume) => void volumes.push(volume),
  });
  for (const { descriptor, bytes } of layers)
    await writer.append(descriptor, verified(streamOf(bytes), descriptor));
  await writer.finish();
  return { path, plan, contents, layers, key, volumes };
}
