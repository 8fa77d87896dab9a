import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { projectPath } from '../../../scripts/lib/project-root.ts';
import { digestOf, hexOf, parseDigest } from '../../../src/core/digest.ts';
import { MAX_SIGNATURE_BYTES } from '../../../src/core/limits.ts';
import { parseManifest } from '../../../src/core/manifest.ts';
import {
  checkStatement,
  isSignature,
  isStatementType,
} from '../../../src/trust/image-statements.ts';

const SIGSTORE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const OLD_SIGSTORE = 'application/vnd.dev.sigstore.bundle+json;version=0.1';
const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
const DSSE = 'application/vnd.dsse.envelope.v1+json';
const JOSE = 'application/jose+json';
const COSE = 'application/cose';
const NOTATION = 'application/vnd.cncf.notary.signature';

const subject = digestOf('an image');
const other = digestOf('another image');
const base64 = (value: unknown, encoding: 'base64' | 'base64url' = 'base64'): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString(encoding);
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const inToto = (digest = subject): object => ({
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'x', digest: { sha512: 'ff' } }, { digest: { sha256: hexOf(digest) } }],
});
const envelope = (digest = subject, payloadType = 'application/vnd.in-toto+json'): object => ({
  payload: base64(inToto(digest)),
  payloadType,
  signatures: [{ sig: 'AA==' }],
});
const simpleSigning = (digest = subject): object => ({
  critical: {
    image: { 'docker-manifest-digest': digest },
    type: 'cosign container image signature',
  },
  optional: null,
});
const notary = (digest = subject): object => ({
  targetArtifact: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 7 },
});

/** An item of CBOR with a length (RFC 8949). */
const item = (major: number, length: number): Buffer =>
  length < 24
    ? Buffer.of((major << 5) | length)
    : length < 256
      ? Buffer.of((major << 5) | 24, length)
      : Buffer.of((major << 5) | 25, length >> 8, length & 0xff);
const bytes = (value: Uint8Array): Buffer => Buffer.concat([item(2, value.length), value]);
const text = (value: string): Buffer => Buffer.concat([item(3, value.length), Buffer.from(value)]);
const cose = (payload: unknown, tagged = true): Buffer =>
  Buffer.concat([
    ...(tagged ? [Buffer.of(0xd2)] : []),
    item(4, 4),
    bytes(Buffer.concat([item(5, 1), item(0, 1), item(1, 36)])),
    Buffer.concat([
      ...[item(5, 2), item(0, 33), item(4, 2), bytes(Buffer.alloc(300)), bytes(Buffer.alloc(9))],
      ...[text('io.cncf.notary.signingAgent'), text('x')],
    ]),
    bytes(json(payload)),
    bytes(Buffer.alloc(64)),
  ]);

const FORMS: readonly [string, string, (digest?: typeof subject) => Buffer][] = [
  ['cosign’s simple signing', SIMPLE_SIGNING, (digest) => json(simpleSigning(digest))],
  ['a sigstore bundle with a statement', SIGSTORE, (of) => json({ dsseEnvelope: envelope(of) })],
  ['an older sigstore bundle', OLD_SIGSTORE, (of) => json({ dsseEnvelope: envelope(of) })],
  [
    'a sigstore bundle with a signature of the manifest itself',
    SIGSTORE,
    (of = subject) => {
      const digest = Buffer.from(hexOf(of), 'hex').toString('base64');
      return json({
        messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest }, signature: 'AA==' },
      });
    },
  ],
  ['an envelope alone', DSSE, (of) => json(envelope(of))],
  [
    'an envelope with cosign’s payload',
    DSSE,
    (of) =>
      json({ ...envelope(), payloadType: SIMPLE_SIGNING, payload: base64(simpleSigning(of)) }),
  ],
  [
    'notation’s JSON',
    JOSE,
    (of) => json({ payload: base64(notary(of), 'base64url'), protected: 'e30', signature: 'AA' }),
  ],
  ['notation’s CBOR', COSE, (of) => cose(notary(of))],
  ['notation’s CBOR without its tag', COSE, (of) => cose(notary(of), false)],
];

const codeOf = (work: () => void): unknown => {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe('checkStatement', () => {
  it.each(FORMS)('reads %s', (_, type, make) => {
    expect(isStatementType(type)).toBe(true);
    expect(
      codeOf(() => {
        checkStatement(make(), type, subject);
      }),
    ).toBeUndefined();
    expect(
      codeOf(() => {
        checkStatement(make(other), type, subject);
      }),
    ).toBe('SIGNATURE_INVALID');
  });

  it.each(FORMS)('takes nothing else for %s, cut off or empty', (_, type, make) => {
    const whole = make();
    const refusals = new Set(['SIGNATURE_INVALID', 'UNSUPPORTED_CONTENT']);
    for (let length = 0; length < whole.length; length += 1) {
      const cut = whole.subarray(0, length);
      expect(refusals).toContain(
        codeOf(() => {
          checkStatement(cut, type, subject);
        }),
      );
    }
    const longer = Buffer.concat([whole, Buffer.of(0)]);
    for (const wrong of [longer, json({}), json([]), json(null), Buffer.alloc(100, 0x9f)])
      expect(refusals).toContain(
        codeOf(() => {
          checkStatement(wrong, type, subject);
        }),
      );
  });

  it('takes no statement of another kind for one about images', () => {
    const work = (): void => {
      checkStatement(json(envelope(subject, 'text/plain')), DSSE, subject);
    };
    expect(codeOf(work)).toBe('SIGNATURE_INVALID');
  });

  it('does not follow CBOR that nests without end', () => {
    const deep = Buffer.concat([item(4, 4), Buffer.alloc(100_000, 0x81)]);
    expect(
      codeOf(() => {
        checkStatement(deep, COSE, subject);
      }),
    ).toBe('SIGNATURE_INVALID');
  });
});

describe('what cosign 2.6 attaches', () => {
  const read = (name: string): Buffer =>
    readFileSync(projectPath('fixtures', 'image-signatures', name));
  const about = parseDigest(read('subject').toString().trim());

  it.each([
    ['sign', true],
    ['sign-oci-1-1', true],
    ['attest', false],
  ])('with %s is a signature: %s', (name, expected) => {
    const bytesOf = read(`${name}.manifest.json`);
    expect(isSignature(bytesOf)).toBe(expected);
    const manifest = parseManifest(bytesOf);
    expect(manifest.subject).toBe(about);
    const [layer] = manifest.kind === 'manifest' ? manifest.layers : [];
    const content = read(`${name}.layer.json`);
    expect(digestOf(content)).toBe(layer!.digest);
    expect(isStatementType(layer!.mediaType)).toBe(true);
    // An attestation is a small statement about the image too.
    checkStatement(content, layer!.mediaType, about);
    expect(() => {
      checkStatement(content, layer!.mediaType, other);
    }).toThrow('is about something else');
  });
});

describe('isSignature', () => {
  const manifest = (more: object, size = 3000): Uint8Array =>
    json({
      config: { mediaType: 'application/vnd.oci.empty.v1+json', size: 2 },
      layers: [{ size }],
      ...more,
    });
  const predicate = (type: string): object => ({
    annotations: { 'dev.sigstore.bundle.predicateType': type },
  });

  it.each<[string, object, boolean, number?]>([
    ['cosign since 2.6', { artifactType: SIGSTORE }, true],
    [
      'cosign with what it says of signatures',
      { artifactType: SIGSTORE, ...predicate('https://sigstore.dev/cosign/sign/v1') },
      true,
    ],
    [
      'an SBOM of cosign',
      { artifactType: SIGSTORE, ...predicate('https://spdx.dev/Document') },
      false,
    ],
    ['older sigstore bundles', { artifactType: OLD_SIGSTORE }, true],
    ['notation', { artifactType: NOTATION }, true],
    ['older notation', { config: { mediaType: NOTATION, size: 2 } }, true],
    [
      'cosign’s first referrers',
      { artifactType: 'application/vnd.dev.cosign.artifact.sig.v1+json' },
      true,
    ],
    ['cosign’s simple signing', { artifactType: SIMPLE_SIGNING }, true],
    ['envelopes', { artifactType: DSSE }, true],
    ['an SBOM', { artifactType: 'application/spdx+json' }, false],
    [
      'cosign’s attestations',
      { artifactType: 'application/vnd.dev.cosign.artifact.att.v1+json' },
      false,
    ],
    ['no type', {}, false],
    ['a large one', { artifactType: SIGSTORE }, false, MAX_SIGNATURE_BYTES + 1],
    ['no layers', { artifactType: SIGSTORE, layers: null }, true],
  ])('of %s: %j is %s', (_, more, expected, size) => {
    expect(isSignature(manifest(more, size))).toBe(expected);
  });

  it('of what is no JSON', () => {
    expect(isSignature(Buffer.from('{'))).toBe(false);
  });
});
