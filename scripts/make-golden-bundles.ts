import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { BundledImage } from '../src/bundle/format/manifest.ts';
import { describeBundle, planBundle } from '../src/bundle/format/plan.ts';
import { encodeSignatureFile } from '../src/bundle/format/signature-file.ts';
import { BundleWriter } from '../src/bundle/writing/writer.ts';
import { streamOf } from '../src/core/bytes.ts';
import type { Descriptor } from '../src/core/descriptor.ts';
import { digestOf, hexOf } from '../src/core/digest.ts';
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '../src/core/media-types.ts';
import { verified } from '../src/transfer/verified.ts';
import type { KeyType } from '../src/trust/key-types.ts';
import { SigningKey } from '../src/trust/keys.ts';
import { MemoryStore } from '../src/stores/memory.ts';
import { seededBytes } from './lib/seeded-bytes.ts';

const HELP = `Makes the bundles that every later version has to read and to write again, byte for byte: one for each kind of key.
The keys are made on the spot and thrown away, so a second run makes other files.

  node out/scripts/make-golden-bundles.js --out fixtures/bundles
`;

const KEY_TYPES: readonly KeyType[] = ['ed25519', 'ecdsa-p256', 'rsa-3072'];
/** Nothing, a byte, a tar block, one that needs padding, and more than a raw block. */
const LAYER_SIZES = [0, 1, 512, 700, 130 * 1024 + 5];
const NOWHERE = new MemoryStore('nowhere');
const NAME = 'ocp-4.17.3-x86_64';
const REPOSITORY = 'quay.io/openshift-release-dev/ocp-release';

interface Blob {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

const { values } = parseArgs({
  options: { out: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
});
if (values.help || values.out === undefined) process.stdout.write(HELP);
else await make(values.out);

async function make(out: string): Promise<void> {
  await mkdir(out, { recursive: true });
  const layers = LAYER_SIZES.map((size) =>
    blob(OCI_LAYER_GZIP, seededBytes(`golden ${size}`, size)),
  );
  const release = image('4.17.3-x86_64', 'release', layers.slice(0, 4));
  const component = image('4.17.3-x86_64-cli', 'component', layers.slice(3));
  const digest = release.image.digest;
  // As in a real bundle: config and layers of the release image, top layer first, then the rest.
  const leading = [...layers.slice(0, 4)].reverse();
  const blobs = [
    ...[release.config, ...leading, component.config],
    ...layers.filter((layer) => !leading.includes(layer)),
  ];
  const described = describeBundle({
    name: NAME,
    parts: [
      {
        kind: 'release',
        claim: {
          version: '4.17.3',
          architecture: 'x86_64',
          digest,
          reference: release.image.source,
          created: '2024-10-01T12:00:00Z',
          signatures: [digestOf('a release signature')],
        },
      },
    ],
    images: [release.image, component.image],
    files: [
      {
        role: 'release-signature',
        path: `config/signature-sha256-${hexOf(digest).slice(0, 16)}.yaml`,
        bytes: Buffer.from('apiVersion: v1\nkind: ConfigMap\n'),
      },
    ],
    manifests: [release.manifest, component.manifest],
    blobs: blobs.map(({ descriptor }) => ({ descriptor, store: NOWHERE, image: 'any' })),
  });
  for (const type of KEY_TYPES) {
    const key = SigningKey.generate(type);
    await mkdir(join(out, `v1-${type}`), { recursive: true });
    const seal = {
      signature: encodeSignatureFile(key.sign(described.sums)),
      publicKey: Buffer.from(key.public.pem),
    };
    const writer = await BundleWriter.create(
      join(out, `v1-${type}`, `${NAME}.tar.zst`),
      planBundle(described, seal),
    );
    for (const { descriptor, bytes } of blobs)
      await writer.append(descriptor, verified(streamOf(bytes), descriptor));
    await writer.finish();
    await writeFile(join(out, `v1-${type}`, `${NAME}.pub`), key.public.pem);
  }
}

function image(
  name: string,
  role: string,
  layers: readonly Blob[],
): { image: BundledImage; manifest: Blob; config: Blob } {
  const config = blob(
    OCI_CONFIG,
    Buffer.from(
      JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Labels: { name } } }),
    ),
  );
  const content = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
  };
  const manifest = blob(OCI_MANIFEST, Buffer.from(JSON.stringify(content)));
  return {
    image: {
      ...manifest.descriptor,
      name,
      role,
      source: `${REPOSITORY}@${manifest.descriptor.digest}`,
      tags: [name],
      parts: [0],
    },
    ...{ manifest, config },
  };
}

function blob(mediaType: string, bytes: Uint8Array): Blob {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}
