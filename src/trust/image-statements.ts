import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { asArray, asObject, isObject, type Json, parseStrictJson } from '../core/json.ts';
import { MAX_SIGNATURE_BYTES } from '../core/limits.ts';
import { artifactTypeOf } from '../core/manifest.ts';
import { coseSign1Payload } from './cbor.ts';
import { checkCosignPayload, SIMPLE_SIGNING } from './cosign-payload.ts';

/** A signed statement in the envelope of in-toto, which cosign and others use. */
const DSSE = 'application/vnd.dsse.envelope.v1+json';
/** The type of what is in it: a list of subjects, and what is said of them. */
const IN_TOTO = 'application/vnd.in-toto+json';
/** What cosign 2.6 and later attach: the statement, its signature and what proves the signer. */
const SIGSTORE =
  /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.[0-9]+\+json|\+json;\s*version=0\.[0-9]+)$/;
/** Notation's two forms. */
const JOSE = 'application/jose+json';
const COSE = 'application/cose';

/** The types that say of a referrer that it is a signature, besides sigstore's bundles. */
const SIGNATURE_TYPES: readonly string[] = [
  'application/vnd.dev.cosign.artifact.sig.v1+json',
  'application/vnd.cncf.notary.signature',
  SIMPLE_SIGNING,
  DSSE,
];

/** What cosign writes beside a bundle that is an attestation, and which predicate a signature has. */
const PREDICATE = 'dev.sigstore.bundle.predicateType';
const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/** Whether layers of this type hold statements that can be told to be about a manifest. */
export function isStatementType(mediaType: string): boolean {
  return [SIMPLE_SIGNING, DSSE, JOSE, COSE].includes(mediaType) || SIGSTORE.test(mediaType);
}

/**
 * Whether a referrer is a signature of its subject: one of cosign, of notation, or another small
 * signed statement. SBOMs and attestations are none.
 * @param manifest the bytes of the referrer.
 */
export function isSignature(manifest: Uint8Array): boolean {
  let document;
  try {
    document = asObject(parseStrictJson(manifest, 'manifest'), 'manifest');
  } catch (error) {
    if (hasCode(error, 'UNSUPPORTED_CONTENT')) return false;
    throw error;
  }
  const type = artifactTypeOf(document) ?? '';
  if (!SIGNATURE_TYPES.includes(type) && !SIGSTORE.test(type)) return false;
  const { annotations, config, layers } = document;
  const predicate = isObject(annotations) ? annotations[PREDICATE] : undefined;
  if (typeof predicate === 'string' && predicate !== SIGNATURE_PREDICATE) return false;
  const blobs = [config ?? null, ...(Array.isArray(layers) ? (layers as readonly Json[]) : [])];
  return blobs.every((blob) => isObject(blob) && Number(blob['size']) <= MAX_SIGNATURE_BYTES);
}

/**
 * Checks that a statement is about `subject`. Whether its signature is good is not checked here:
 * clusters do that with their own keys.
 * @throws BundleError SIGNATURE_INVALID; UNSUPPORTED_CONTENT for what does not have the form.
 */
export function checkStatement(content: Uint8Array, mediaType: string, subject: Digest): void {
  if (mediaType === SIMPLE_SIGNING) checkCosignPayload(content, subject);
  else if (mediaType === COSE) checkNotation(cosePayload(content), subject);
  else {
    const document = asObject(parseStrictJson(content, mediaType), mediaType);
    if (mediaType === DSSE) checkEnvelope(document, subject);
    else if (mediaType === JOSE) checkNotation(decoded(document['payload'], 'base64url'), subject);
    else if (document['dsseEnvelope'] !== undefined)
      checkEnvelope(document['dsseEnvelope'], subject);
    else checkMessage(document['messageSignature'], subject);
  }
}

/** DSSE: a type, a payload, and signatures of both. */
function checkEnvelope(value: Json | undefined, subject: Digest): void {
  const envelope = asObject(value, 'the DSSE envelope');
  const payload = decoded(envelope['payload'], 'base64');
  if (envelope['payloadType'] === SIMPLE_SIGNING) {
    checkCosignPayload(payload, subject);
    return;
  }
  if (envelope['payloadType'] !== IN_TOTO) throw notAbout(subject, 'no in-toto statement');
  const statement = asObject(parseStrictJson(payload, 'the statement'), 'the statement');
  const subjects = asArray(statement['subject'], 'the subjects of the statement');
  const digests = subjects.map((one) => {
    const digest = isObject(one) ? one['digest'] : undefined;
    return isObject(digest) ? digest['sha256'] : undefined;
  });
  if (!digests.includes(hexOf(subject))) throw notAbout(subject, list(digests));
}

/** A signature of the manifest itself, by its digest. */
function checkMessage(value: Json | undefined, subject: Digest): void {
  const message = asObject(value, 'the signature');
  const { messageDigest } = message;
  const digest = isObject(messageDigest) ? messageDigest['digest'] : undefined;
  const algorithm = isObject(messageDigest) ? messageDigest['algorithm'] : undefined;
  const hex = typeof digest === 'string' ? Buffer.from(digest, 'base64').toString('hex') : '';
  if (algorithm !== 'SHA2_256' || hex !== hexOf(subject)) throw notAbout(subject, hex);
}

function checkNotation(payload: Uint8Array, subject: Digest): void {
  const document = asObject(parseStrictJson(payload, 'the payload'), 'the payload');
  const { targetArtifact } = document;
  const digest = isObject(targetArtifact) ? targetArtifact['digest'] : undefined;
  if (digest !== subject) throw notAbout(subject, list([digest]));
}

function cosePayload(content: Uint8Array): Uint8Array {
  const payload = coseSign1Payload(content);
  if (payload !== undefined) return payload;
  throw new BundleError('SIGNATURE_INVALID', 'a signature is no COSE_Sign1 message');
}

function decoded(text: Json | undefined, encoding: 'base64' | 'base64url'): Uint8Array {
  return Buffer.from(typeof text === 'string' ? text : '', encoding);
}

function list(values: readonly (Json | undefined)[]): string {
  const texts = values.filter((value) => typeof value === 'string');
  return texts.length === 0 ? 'no digest' : texts.slice(0, 3).join(', ');
}

function notAbout(subject: Digest, got: string): BundleError {
  return new BundleError(
    'SIGNATURE_INVALID',
    `a signature lies beside ${subject} but is about something else`,
    { expected: subject, got },
  );
}
