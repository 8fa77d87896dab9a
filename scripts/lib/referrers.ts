import type { Descriptor } from '../../src/core/descriptor.ts';
import { type Image, makeReferrer } from './image.ts';

export const SBOM = 'application/spdx+json';
export const SIGSTORE_BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/** What cosign says of an image that it signs. */
const COSIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/** The statement of a signature, in the words of in-toto. */
export function statementAbout({ digest }: Descriptor): object {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { sha256: digest.slice('sha256:'.length) } }],
    predicateType: COSIGN_PREDICATE,
    predicate: {},
  };
}

/** An SBOM of an image, as a tool would attach it. */
export function sbomOf(subject: Descriptor): Image {
  const document = { spdxVersion: 'SPDX-2.3', name: subject.digest, packages: [] };
  return makeReferrer(subject, SBOM, document, {
    'org.opencontainers.image.title': 'sbom.spdx.json',
  });
}

/** A signature as cosign 3 attaches it. It has the form of one, and signs nothing. */
export function sigstoreBundleOf(subject: Descriptor): Image {
  const document = {
    mediaType: SIGSTORE_BUNDLE,
    dsseEnvelope: {
      payload: Buffer.from(JSON.stringify(statementAbout(subject))).toString('base64'),
      payloadType: 'application/vnd.in-toto+json',
      signatures: [],
    },
  };
  return makeReferrer(subject, SIGSTORE_BUNDLE, document, {
    'dev.sigstore.bundle.content': 'dsse-envelope',
    'dev.sigstore.bundle.predicateType': COSIGN_PREDICATE,
  });
}
