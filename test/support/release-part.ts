import { type Digest, digestOf } from '../../src/core/digest.ts';
import type { Part } from '../../src/kinds/kind.ts';
import type { Architecture } from '../../src/kinds/release/architecture.ts';
import { RELEASE } from '../../src/kinds/release/expand.ts';
import type { ReleaseFacts } from '../../src/kinds/release/payload/release-image.ts';
import type { ImageRequest, WalkedImage } from '../../src/transfer/image.ts';
import type { ReleaseSignature } from '../../src/trust/release-signature.ts';

const OCP = 'quay.io/openshift-release-dev';

export interface ReleasePartOptions {
  readonly architecture?: Architecture;
  /** What was signed: none for a release that nobody has signed. */
  readonly signatures?: readonly string[];
  /** Bytes of the layer of each component, by its name. */
  readonly components?: Readonly<Record<string, number>>;
  /** Images that have a sigstore signature: `release`, or a component. */
  readonly signed?: readonly string[];
}

/** A release without any store behind it, as far as plans for clusters look at one. */
export function releasePart(
  version: string,
  {
    architecture = 'x86_64',
    signatures = ['a signed message'],
    components = { cli: 100, etcd: 200 },
    signed = [],
  }: ReleasePartOptions = {},
): Part<ReleaseFacts> {
  const digest = digestOf(`${version} ${architecture}`);
  const facts: ReleaseFacts = {
    ...{ version, architecture, digest, reference: `${OCP}/ocp-release@${digest}` },
    created: '2024-10-01T12:00:00Z',
    previous: [],
    signatures: signatures.map(
      (message) => ({ message: Buffer.from(message) }) as unknown as ReleaseSignature,
    ),
  };
  const release = image(digest, 50, {
    ...{ name: `${version}-${architecture}`, role: 'release', place: 'entry', order: 'last' },
    source: `${OCP}/ocp-release@${digest}`,
  });
  const others = Object.entries(components).map(([name, size]) => {
    const own = digestOf(`${name} of ${size}`);
    return image(own, size, {
      ...{ name, role: 'component', place: 'content', order: 'first' },
      source: `${OCP}/ocp-v4.0-art-dev@${own}`,
    });
  });
  const attached = signed.map((name) => {
    const subject = name === 'release' ? release : others.find((one) => one.request.name === name)!;
    return image(digestOf(`signature of ${name}`), 1, {
      ...{ ...subject.request, name: `${name}.sig`, role: 'signature', order: 'first' },
      ...{ attachment: 'tag', subject: subject.tree.descriptor.digest },
    });
  });
  return {
    ...{ kind: RELEASE, label: `${version} for ${architecture}`, facts },
    names: [version, `${version}-${architecture}`, digest],
    ...{ claim: {}, images: [release, ...others, ...attached], files: [], leading: [] },
  };
}

/** An image of one layer. */
function image(digest: Digest, size: number, request: Partial<ImageRequest>): WalkedImage {
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const layer = { mediaType: 'layer', digest: digestOf(`layer of ${digest}`), size };
  return {
    request: request as ImageRequest,
    tree: {
      descriptor: { mediaType: type, digest, size: 1 },
      bytes: Buffer.from('{}'),
      manifest: { kind: 'manifest', config: { ...layer, size: 0 }, layers: [layer] } as never,
      children: [],
    },
  };
}
