import { type Digest, parseDigest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { asObject, asString, type JsonObject, parseStrictJson } from '../core/json.ts';

/** The signed content of a release signature. */
export interface SignedStatement {
  readonly digest: Digest;
  /** Not empty; what it names is not checked here. */
  readonly dockerReference: string;
}

/**
 * Reads the signed JSON of an "atomic container signature" (containers/image,
 * docs/containers-signature.5.md): nothing left out, nothing added, as `oc` demands it too.
 * @throws BundleError SIGNATURE_INVALID
 */
export function readSignedStatement(content: Uint8Array): SignedStatement {
  return readStatement(content, checkOptional);
}

/**
 * The same of an image that is no release: there, others may have added to what is optional.
 * @throws BundleError SIGNATURE_INVALID
 */
export function readImageStatement(content: Uint8Array): SignedStatement {
  return readStatement(content, () => undefined);
}

function readStatement(
  content: Uint8Array,
  check: (optional: JsonObject) => void,
): SignedStatement {
  try {
    const statement = fields(parseStrictJson(content, 'the signed JSON'), 'the signed JSON', [
      'critical',
      'optional',
    ]);
    const critical = fields(statement['critical'], 'critical', ['type', 'image', 'identity']);
    const image = fields(critical['image'], 'critical.image', ['docker-manifest-digest']);
    const identity = fields(critical['identity'], 'critical.identity', ['docker-reference']);
    if (critical['type'] !== 'atomic container signature')
      throw refused('critical.type is not "atomic container signature"');
    const dockerReference = asString(identity['docker-reference'], 'docker-reference');
    if (dockerReference === '') throw refused('docker-reference is empty');
    check(asObject(statement['optional'], 'optional'));
    return { digest: parseDigest(image['docker-manifest-digest']), dockerReference };
  } catch (cause) {
    if (!(cause instanceof BundleError)) throw cause;
    throw new BundleError(
      'SIGNATURE_INVALID',
      `the release signature does not say what it should: ${cause.message}`,
      {
        hint: 'It is genuine, but not a release signature: fetch the signature of this release.',
        cause,
      },
    );
  }
}

function checkOptional(optional: JsonObject): void {
  for (const [key, value] of Object.entries(optional)) {
    const type = key === 'creator' ? 'string' : key === 'timestamp' ? 'number' : undefined;
    if (type === undefined || typeof value !== type)
      throw refused(`optional.${key} is not known, or of the wrong type`);
  }
}

/** An object with exactly these keys. */
function fields(
  value: Parameters<typeof asObject>[0],
  what: string,
  names: readonly string[],
): JsonObject {
  const object = asObject(value, what);
  const unknown = Object.keys(object).find((key) => !names.includes(key));
  if (unknown !== undefined)
    throw refused(`${what} has the unknown field ${JSON.stringify(unknown)}`);
  const missing = names.find((name) => !Object.hasOwn(object, name));
  if (missing !== undefined) throw refused(`${what} has no ${missing}`);
  return object;
}

function refused(why: string): BundleError {
  return new BundleError('SIGNATURE_INVALID', why);
}
