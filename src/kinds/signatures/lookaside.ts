import type { PartFile } from '../../bundle/format/plan.ts';
import { mapLimited } from '../../core/concurrency.ts';
import { type Digest, digestOf, hexOf, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asArray, asObject, type JsonObject } from '../../core/json.ts';
import { parseReference, type RepositoryName } from '../../core/reference.ts';
import { compareText } from '../../core/text.ts';
import { manifestsOf } from '../../transfer/image.ts';
import { readLookasideSignature } from '../../trust/lookaside-signature.ts';
import type { BundleFiles, LookasideSignature, Part, Walk } from '../kind.ts';
import type { Sources } from '../sources.ts';

/** The key of a claim that lists them; the last one of its row. */
const LOOKASIDE = 'lookaside';
const ROLE = 'lookaside-signature';

/** The registry of what was made here: nobody keeps signatures of it. */
const OWN_HOST = 'localhost';

/** Messages by the manifest that they are about. */
type Messages = ReadonlyMap<Digest, readonly Uint8Array[]>;

/**
 * Looks for the signatures that are kept beside the images of a part, and puts them into it. What
 * is no signature of the image that it is kept for is told and left out, and so is what cannot be
 * read: no image has to have any.
 * @param told the places that it was told of that they cannot be read.
 */
export async function withFoundLookaside<Facts>(
  part: Part<Facts>,
  sources: Pick<Sources, 'lookaside'>,
  { lookups, signal, observe }: Pick<Walk, 'lookups' | 'signal' | 'observe'>,
  told = new Set<string>(),
): Promise<Part<Facts>> {
  const subjects = subjectsOf(part);
  const ask = async ({ digest, name, image }: Subject): Promise<readonly Uint8Array[]> => {
    const { signatures, failures } = await sources.lookaside(name, digest);
    for (const { place, error } of failures) {
      if (told.has(place)) continue;
      told.add(place);
      observe({ type: 'noticed', code: 'lookaside-not-read', place, cause: error.message });
    }
    return signatures.filter((message) => {
      const cause = whyNot(message, digest);
      if (cause !== undefined)
        observe({ type: 'noticed', code: 'lookaside-left-out', image, digest, cause });
      return cause === undefined;
    });
  };
  const answers = await mapLimited(subjects, lookups, ask, signal);
  const found = new Map<Digest, Uint8Array[]>();
  for (const [index, messages] of answers.entries()) {
    const { digest } = subjects[index]!;
    found.set(digest, [...(found.get(digest) ?? []), ...messages]);
  }
  return withLookaside(part, found);
}

/** A claim without the signatures that it lists, and what they are in the bundle. */
export interface ReadClaim {
  readonly claim: JsonObject;
  readonly messages: Messages;
}

/**
 * Takes out of a row of `bundle.json` what it says of such signatures, for {@link withLookaside}.
 * @throws BundleError UNSUPPORTED_CONTENT for what no packer writes; CLOSURE_MISMATCH for a file
 * that is not there, or another one.
 */
export function readLookaside(row: JsonObject, files: BundleFiles): ReadClaim {
  if (!(LOOKASIDE in row)) return { claim: row, messages: new Map() };
  const { [LOOKASIDE]: listed, ...claim } = row;
  const messages = new Map<Digest, Uint8Array[]>();
  for (const entry of asArray(listed, LOOKASIDE)) {
    const { digest, signatures } = asObject(entry, LOOKASIDE);
    const subject = parseDigest(digest);
    for (const named of asArray(signatures, 'signatures')) {
      const own = parseDigest(named);
      const path = pathOf(subject, own);
      const message = files.get(path);
      if (message === undefined) throw foreign(`it does not hold ${path}`);
      if (digestOf(message) !== own) throw foreign(`${path} is another signature`);
      messages.set(subject, [...(messages.get(subject) ?? []), message]);
    }
  }
  return { claim, messages };
}

/**
 * A part with the signatures that are kept beside its images: in its claim, and as files of it. The
 * same on both sides of the air gap.
 * @throws BundleError CLOSURE_MISMATCH for a signature of anything else than a manifest of the part.
 */
export function withLookaside<Facts>(part: Part<Facts>, messages: Messages): Part<Facts> {
  const subjects = new Set(subjectsOf(part).map(({ digest }) => digest));
  const lookaside: LookasideSignature[] = [];
  for (const [subject, some] of messages) {
    if (some.length > 0 && !subjects.has(subject))
      throw foreign(`${subject}, of which it has a signature, is no image of ${part.label}`);
    for (const message of new Map(some.map((one) => [digestOf(one), one])).values()) {
      const cause = whyNot(message, subject);
      if (cause !== undefined) throw foreign(`a signature of ${subject} is none: ${cause}`);
      lookaside.push({ subject, message, digest: digestOf(message) });
    }
  }
  if (lookaside.length === 0) return part;
  lookaside.sort((a, b) => compareText(a.subject, b.subject) || compareText(a.digest, b.digest));
  const rows = new Map<Digest, Digest[]>();
  for (const { subject, digest } of lookaside)
    rows.set(subject, [...(rows.get(subject) ?? []), digest]);
  return {
    ...part,
    lookaside,
    claim: {
      ...part.claim,
      [LOOKASIDE]: [...rows].map(([digest, signatures]) => ({ digest, signatures })),
    },
    files: [
      ...part.files,
      ...lookaside.map(({ subject, digest, message }): PartFile => {
        return { path: pathOf(subject, digest), role: ROLE, bytes: message };
      }),
    ],
  };
}

/** A manifest that may have been signed, and what its image is called. */
interface Subject {
  readonly digest: Digest;
  readonly name: RepositoryName;
  readonly image: string;
}

/** Each manifest under each name that the world knows it by, once. */
function subjectsOf({ images }: Pick<Part, 'images'>): readonly Subject[] {
  const subjects = new Map<string, Subject>();
  for (const { request, tree } of images) {
    const { registry, repository } = parseReference(request.source);
    if (request.attachment !== undefined || registry === OWN_HOST) continue;
    const name = { registry, repository };
    for (const { descriptor } of manifestsOf(tree)) {
      const { digest } = descriptor;
      const key = `${registry}/${repository}@${digest}`;
      if (!subjects.has(key)) subjects.set(key, { digest, name, image: request.name });
    }
  }
  return [...subjects.values()];
}

/** Why a message is no signature of a manifest; `undefined` for one that is. */
function whyNot(message: Uint8Array, subject: Digest): string | undefined {
  try {
    const { digest } = readLookasideSignature(message);
    return digest === subject ? undefined : `it is a signature of ${digest}`;
  } catch (error) {
    if (error instanceof BundleError && error.code === 'SIGNATURE_INVALID') return error.message;
    throw error;
  }
}

/** In few characters, since a tar holds no longer paths: `signatures/HEX/HEX16`. */
function pathOf(subject: Digest, signature: Digest): string {
  return `signatures/${hexOf(subject)}/${hexOf(signature).slice(0, 16)}`;
}

function foreign(why: string): BundleError {
  return new BundleError('CLOSURE_MISMATCH', `the bundle does not list its signatures: ${why}`, {
    hint: 'This program did not make the bundle from this content: do not use it.',
  });
}
