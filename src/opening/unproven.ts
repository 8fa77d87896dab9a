import { blobPath } from '../bundle/format/paths.ts';
import { isDamage, type OnFault } from '../bundle/reading/fault.ts';
import type { BundleContent, BundleReader } from '../bundle/reading/reader.ts';
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

/** A bundle that nobody has vouched for. */
export interface UnknownPacker {
  readonly reader: BundleReader;
  /** What is in it, or in patches for it. */
  readonly content: BundleContent;
  readonly signer: SignerKey;
}

/** A closure of which nothing is given out that an unknown packer alone stands for. */
export interface CheckedClosure {
  readonly closure: Closure;
  /** Layers that could not be checked, since they are damaged or not there. */
  readonly unchecked: ReadonlySet<Digest>;
}

/**
 * No publisher's signature covers signature images and referrers. From a packer whom nobody knows
 * they are taken only if they are what they should be: small statements about their subject, of
 * cosign or notation, whose signatures clusters check with keys of their own.
 *
 * One that is damaged or missing keeps nobody from using the rest. It is checked when it is asked
 * for, as all of them are that come through a pipe.
 * @param onFault is told of the damaged ones; of the missing ones it has been told.
 * @throws BundleError SIGNER_UNKNOWN
 */
export async function checkUnproven(
  closure: Closure,
  { reader, content: store, signer }: UnknownPacker,
  onFault: OnFault,
): Promise<CheckedClosure> {
  const statements = statementsIn(closure, signer);
  await refuseLeftOut(statements, { reader, content: store, signer });
  const unchecked = new Set<Digest>();
  if (reader.pass === undefined) {
    for (const statement of statements) {
      const { digest } = statement.layer;
      if (unchecked.has(digest)) continue;
      const damage = await checkUnlessDamaged(statement, signer);
      if (damage === undefined) continue;
      unchecked.add(digest);
      if (!(await store.exists(statement.layer))) continue;
      for (const place of reader.placesOf(digest))
        onFault({ ...place, entries: [blobPath(digest)], error: damage });
    }
    if (unchecked.size === 0) return { closure, unchecked };
  }
  const checking = new CheckedStatements(store, statements, signer);
  const { content } = closure;
  const images = content.images.map((image) => ({ ...image, store: checking }));
  const blobs = content.blobs.map((blob) => ({ ...blob, store: checking }));
  return { closure: { ...closure, content: { ...content, images, blobs } }, unchecked };
}

function statementsIn({ content }: Closure, signer: SignerKey): readonly Statement[] {
  const { statements, unproven: others } = attachedStatements(content);
  const [first] = others;
  if (first !== undefined) throw unproven(first.name, signer, first.why);
  return statements;
}

/**
 * What others have is not looked at before it is in place, and then no more. So a statement has to
 * be at hand: in the bundle, or in an earlier one beside it.
 */
async function refuseLeftOut(
  statements: readonly Statement[],
  { reader, content, signer }: UnknownPacker,
): Promise<void> {
  const { requires = [] } = reader.manifest;
  const leftOut = new Set(requires.flatMap(({ blobs }) => blobs.map(({ digest }) => digest)));
  for (const { layer, name } of statements) {
    if (leftOut.has(layer.digest) && !(await content.exists(layer)))
      throw unproven(name, signer, `its layer ${layer.digest} is left out, so it is not checked`);
  }
}

/** @returns why it cannot be read, if it cannot. */
async function checkUnlessDamaged(
  statement: Statement,
  signer: SignerKey,
): Promise<BundleError | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readStatement(statement);
  } catch (error) {
    if (isDamage(error)) return error;
    throw error;
  }
  checkBytes(bytes, statement, signer);
  return undefined;
}

async function readStatement(
  { layer, store }: Statement,
  options: Pick<FetchOptions, 'signal'> = {},
): Promise<Uint8Array> {
  return readVerified(store.fetch(layer, options), layer, MAX_SIGNATURE_BYTES);
}

function checkBytes(
  bytes: Uint8Array,
  { layer, subject, name }: Statement,
  signer: SignerKey,
): void {
  try {
    checkStatement(bytes, layer.mediaType, subject);
  } catch (cause) {
    if (!(cause instanceof BundleError)) throw cause;
    throw unproven(name, signer, cause.message, cause);
  }
}

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
  readonly #store: ReadOnlyStore;
  readonly #statements = new Map<Digest, Statement[]>();
  readonly #signer: SignerKey;

  constructor(store: ReadOnlyStore, statements: readonly Statement[], signer: SignerKey) {
    this.#store = store;
    this.#signer = signer;
    for (const statement of statements) {
      const { digest } = statement.layer;
      this.#statements.set(digest, [...(this.#statements.get(digest) ?? []), statement]);
    }
  }

  get name(): string {
    return this.#store.name;
  }

  async *fetch(
    descriptor: Descriptor,
    options: FetchOptions = {},
  ): ByteStream & AsyncGenerator<Uint8Array> {
    const { signal } = options;
    for (const statement of this.#statements.get(descriptor.digest) ?? []) {
      const bytes = await readStatement(statement, { ...(signal && { signal }) });
      checkBytes(bytes, statement, this.#signer);
    }
    yield* this.#store.fetch(descriptor, options);
  }

  placeOf = (digest: Digest): string | undefined => this.#store.placeOf?.(digest);
  exists: ReadOnlyStore['exists'] = (descriptor) => this.#store.exists(descriptor);
  resolve: ReadOnlyStore['resolve'] = (reference) => this.#store.resolve(reference);
  tags: ReadOnlyStore['tags'] = () => this.#store.tags();
  referrers: ReadOnlyStore['referrers'] = (subject) => this.#store.referrers(subject);
}
