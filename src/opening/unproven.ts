import type { BundleReader } from '../bundle/reading/reader.ts';
import type { ByteStream } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { MAX_SIGNATURE_BYTES } from '../core/limits.ts';
import type { FetchOptions, ReadOnlyStore } from '../core/store.ts';
import { readVerified } from '../transfer/verified.ts';
import { checkStatement } from '../trust/image-statements.ts';
import type { SignerKey } from '../trust/keys.ts';
import type { Closure } from '../kinds/closure.ts';
import { attachedStatements, type Statement } from '../kinds/statements.ts';

/**
 * No publisher's signature covers signature images and referrers. From a packer whom nobody knows
 * they are taken only if they are what they should be: small statements about their subject, of
 * cosign or notation, whose signatures clusters check with keys of their own.
 *
 * @returns the closure; out of a pipe, whose layers are yet to come, it gives no such layer out
 * that has not been checked.
 * @throws BundleError SIGNER_UNKNOWN
 */
export async function checkUnproven(
  closure: Closure,
  reader: BundleReader,
  signer: SignerKey,
): Promise<Closure> {
  const statements = statementsIn(closure, signer);
  if (reader.pass === undefined) {
    for (const statement of statements) await checkOne(statement, signer);
    return closure;
  }
  const store = new CheckedStatements(reader, statements, signer);
  const { content } = closure;
  const images = content.images.map((image) => ({ ...image, store }));
  const blobs = content.blobs.map((blob) => ({ ...blob, store }));
  return { ...closure, content: { ...content, images, blobs } };
}

function statementsIn({ content }: Closure, signer: SignerKey): readonly Statement[] {
  const { statements, unproven: others } = attachedStatements(content);
  const [first] = others;
  if (first !== undefined) throw unproven(first.name, signer, first.why);
  return statements;
}

async function checkOne(
  { layer, subject, name, store }: Statement,
  signer: SignerKey,
  options: Pick<FetchOptions, 'signal'> = {},
): Promise<void> {
  try {
    const bytes = await readVerified(store.fetch(layer, options), layer, MAX_SIGNATURE_BYTES);
    checkStatement(bytes, layer.mediaType, subject);
  } catch (cause) {
    if (!(cause instanceof BundleError)) throw cause;
    if (cause.code === 'BUNDLE_UNUSABLE') throw cause.withHint(UNCHECKED);
    throw unproven(name, signer, cause.message, cause);
  }
}

/** A trusted signer vouches for signatures that cannot be looked at. */
const UNCHECKED =
  'No key is trusted on this host, so the signatures of images in the bundle have to be checked, ' +
  'and this one cannot be. Give the whole bundle; or trust the packer first, with ' +
  'bundle trust add KEY.pub: then what is there can be used.';

function unproven(name: string, signer: SignerKey, why: string, cause?: BundleError): BundleError {
  return new BundleError(
    'SIGNER_UNKNOWN',
    `nothing proves ${name}, which is in the bundle: ${why}`,
    {
      cause,
      got: signer.id,
      hint:
        'Such content is accepted only from a trusted signer: bundle trust add KEY.pub, ' +
        'with the key that you got out of band.',
    },
  );
}

/** A bundle that gives out no statement before it has been checked. */
class CheckedStatements implements ReadOnlyStore {
  readonly isSteady = true;
  readonly #reader: BundleReader;
  readonly #statements = new Map<Digest, Statement[]>();
  readonly #signer: SignerKey;

  constructor(reader: BundleReader, statements: readonly Statement[], signer: SignerKey) {
    this.#reader = reader;
    this.#signer = signer;
    for (const statement of statements) {
      const { digest } = statement.layer;
      this.#statements.set(digest, [...(this.#statements.get(digest) ?? []), statement]);
    }
  }

  get name(): string {
    return this.#reader.name;
  }

  async *fetch(
    descriptor: Descriptor,
    options: FetchOptions = {},
  ): ByteStream & AsyncGenerator<Uint8Array> {
    const { signal } = options;
    for (const statement of this.#statements.get(descriptor.digest) ?? []) {
      await checkOne(statement, this.#signer, { ...(signal && { signal }) });
    }
    yield* this.#reader.fetch(descriptor, options);
  }

  exists: ReadOnlyStore['exists'] = (descriptor) => this.#reader.exists(descriptor);
  resolve: ReadOnlyStore['resolve'] = (reference) => this.#reader.resolve(reference);
  tags: ReadOnlyStore['tags'] = () => this.#reader.tags();
  referrers: ReadOnlyStore['referrers'] = (subject) => this.#reader.referrers(subject);
}
