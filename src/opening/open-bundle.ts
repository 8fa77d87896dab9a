import { basename } from 'node:path';
import type { Readable } from 'node:stream';

import { BUNDLE_SUFFIX, patchName, stemOf } from '../bundle/format/names.ts';
import type { BundleManifest } from '../bundle/format/manifest.ts';
import type { Seal } from '../bundle/format/plan.ts';
import { parseSums } from '../bundle/format/sums.ts';
import {
  isDamage,
  NotOneBundle,
  type OnFault,
  PART_ROOT,
  refuseFault,
} from '../bundle/reading/fault.ts';
import { volumesMissing } from '../bundle/reading/found-volumes.ts';
import type { BundleContent, BundleReader } from '../bundle/reading/reader.ts';
import { SealedBundle } from '../bundle/reading/sealed.ts';
import type { Context } from '../core/context.ts';
import { type Digest, hexOf } from '../core/digest.ts';
import { counted } from '../core/text.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { type Closure, missingParts } from '../kinds/closure.ts';
import { loadReleaseKeys } from '../kinds/release/proof/prove.ts';
import type { ReleaseKeys } from '../trust/release-keys.ts';
import { type BundleFiles, findBundleFiles } from './bundle-files.ts';
import { chooser } from './choose.ts';
import { type Derivation, deriveParts, labelOf, refusedPatch, unknownParts } from './derive.ts';
import { tellMisnamed } from './misnamed.ts';
import { type CheckedPatch, checkedPatch, checkPatch, PatchedBundle } from './patched.ts';
import { CompletedBundle, checkRequired } from './incomplete/completed.ts';
import { checkSigners, type SignerRequest, type Signers } from './signers.ts';
import type { DerivedParts } from './some-parts.ts';
import { checkUnproven } from './unproven.ts';

/** The name of a pipe. */
const STDIN = 'stdin';

/** Which bundle, and who is believed about it. */
export interface OpenRequest extends SignerRequest, Pick<Derivation, 'kinds'> {
  /** Of OpenPGP keys that publishers may have signed with, beside the built-in ones. */
  readonly releaseKeyFiles: readonly string[];
  /** A file, any volume, or folders that hold one bundle or the volumes of one. */
  readonly paths: readonly string[];
  /** A pipe that it comes through, in place of files. */
  readonly input?: Readable | undefined;
  /** The parts that the bundle has to hold: the version of a release, or another name of a part. */
  readonly expected?: readonly string[] | undefined;
  /** The bundle digest that was passed on out of band: 64 hex digits. */
  readonly expectedDigest?: Digest | undefined;
  /** Parts of kinds that are not known are named, and no reason to refuse the bundle. */
  readonly allowsUnknownKinds?: boolean;
}

/** A bundle of which some may be damaged or missing. */
export interface SurveyedBundle extends Signers {
  /** Volume numbers left out; `stdin` for a pipe. */
  readonly path: string;
  /** The physical files. */
  readonly files: readonly string[];
  /** Bytes of all files. */
  readonly size: number;
  readonly digest: Digest;
  readonly seal: Seal;
  /**
   * The parts, derived again from their digests; `undefined` where the manifests that they are
   * derived from are damaged or missing, or a kind is not known.
   */
  readonly closure: Closure | undefined;
  /**
   * Where some parts can be derived, and others not for damage: the two. Each of the former has
   * been checked as it is checked in a whole bundle.
   */
  readonly some: DerivedParts | undefined;
  /** Layers that an unknown packer alone stands for, and that cannot be read to be checked. */
  readonly unchecked: ReadonlySet<Digest>;
  /** The labels of the parts, in their order; they are unchecked if the closure is `undefined`. */
  readonly labels: readonly string[];
  /** The bundle itself. */
  readonly reader: BundleReader;
  /** The bundle, with what patches hold in place of what it holds. */
  readonly content: BundleContent;
  /** OpenPGP keys that its publishers may have signed with. */
  readonly releaseKeys: ReleaseKeys;
  /** Those that have what it leaves out, as far as they were named. */
  readonly earlier: ReadonlyMap<Digest, BundleReader>;
  readonly isPatched: boolean;
  readonly patches: readonly CheckedPatch[];
  /** The physical files of the patches. */
  readonly patchFiles: readonly string[];
  /** Closes the bundle and its patches. */
  readonly close: () => Promise<void>;
}

/** The facts about an opened bundle for a report. */
export type OpenedFacts = Omit<
  SurveyedBundle,
  'reader' | 'content' | 'releaseKeys' | 'earlier' | 'patches' | 'close' | 'closure' | 'some'
> & {
  readonly closure: Closure;
};

/**
 * Opens a bundle and checks everything but the blobs: signer, listing, every byte of the metadata,
 * what proves its parts, and that it holds exactly what its parts consist of.
 *
 * The bundle may be damaged, or lack volumes: damage is reported to `onFault`. A bundle that
 * contradicts itself, or whose signer is not accepted, is refused all the same. A pipe is refused
 * for any damage, since nothing of it can be read again. Patches that are named beside a bundle
 * stand in for what they hold. The caller closes it.
 * @throws BundleError SIGNER_UNKNOWN, TOO_FEW_SIGNERS, SIGNATURE_INVALID, NOT_THE_EXPECTED_BUNDLE,
 * BUNDLE_UNUSABLE, CONTENT_MISMATCH, CLOSURE_MISMATCH
 */
export async function surveyBundle(
  request: OpenRequest,
  context: Context,
  onDamage: OnFault,
): Promise<SurveyedBundle> {
  const { input } = request;
  const onFault = input === undefined ? onDamage : refuseFault;
  // A key may come through a pipe, which is read once; what is wrong with it is no damage.
  const releaseKeys = await loadReleaseKeys(request.releaseKeyFiles);
  const found =
    input === undefined
      ? await findBundleFiles(request.paths, chooser(request, context))
      : { path: STDIN, files: [], patches: [], earlier: [] };
  const { path, patches } = found;
  context.observe({ type: 'phase', what: `opening ${basename(path)}` });
  const heads =
    input === undefined
      ? await SealedBundle.survey(found.files, onFault)
      : [await SealedBundle.receive(input, path)];
  const opened: CheckedPatch[] = [];
  const earlier = new Map<Digest, BundleReader>();
  const close = async (): Promise<void> => {
    for (const { reader } of opened) await reader.close();
    for (const reader of earlier.values()) await reader.close();
    await heads[0]!.close();
  };
  try {
    const beside = input === undefined ? path : undefined;
    const { sealed, signers } = await firstSigned(heads, beside, request, context);
    sealed.expect(request.expectedDigest);
    const reader = await sealed.unseal().catch((error: unknown): never => {
      throw isDamage(error) && !(error instanceof NotOneBundle) && input === undefined
        ? withHead(error, sealed, signers)
        : error;
    });
    if (reader.manifest.repairs !== undefined) throw refusedPatch(reader, request);
    if (beside !== undefined) checkName(beside, reader.manifest.name);
    tellMisnamed(reader, context);
    const broken = { reader, digest: sealed.digest };
    for (const patch of patches) opened.push(await openPatch(patch, broken, request, context));
    for (const files of found.earlier)
      await openEarlier(files, reader, earlier, [request, context]);
    const own: BundleContent = opened.length > 0 ? new PatchedBundle(reader, opened) : reader;
    const content = earlier.size > 0 ? new CompletedBundle(own, earlier) : own;
    const { kinds } = request;
    const needsAll = input !== undefined;
    const derive = async (): Promise<DerivedParts> =>
      deriveParts(content, signers, { kinds, releaseKeys, needsAll }, context);
    const canDerive =
      (reader.hasMetadata || opened.length > 0) &&
      !(request.allowsUnknownKinds && unknownParts(reader.manifest, request.kinds).length > 0);
    const derived = canDerive ? await derivedUnlessDamaged(derive, reader, onFault) : undefined;
    const isUnproven = derived !== undefined && signers.standing === 'unknown';
    const { closure: proven, unchecked } = isUnproven
      ? await checkUnproven(derived.closure, { reader, content, signer: signers.signer }, onFault)
      : { closure: derived?.closure, unchecked: new Set<Digest>() };
    const lost = derived?.lost ?? [];
    const closure = lost.length === 0 ? proven : undefined;
    const some = proven && lost.length > 0 ? { closure: proven, lost } : undefined;
    if (closure !== undefined) checkExpected(closure, request.expected ?? []);
    tellHoles(reader.manifest, request, context);
    const { digest, seal, size, paths: files } = sealed;
    const patchFiles = patches.flatMap((patch) => patch.files);
    const isPatched = opened.length > 0;
    const labels = reader.manifest.parts.map((part) => labelOf(part, request.kinds));
    return {
      ...{ path, files, size, digest, seal, closure, some, unchecked, labels, reader, content },
      ...{ releaseKeys, earlier, isPatched, patches: opened, patchFiles, close },
      ...signers,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A bundle that lacks images says so to everybody who opens it, whatever for. */
function tellHoles(
  { holes = [], parts }: BundleManifest,
  { kinds }: OpenRequest,
  { observe }: Context,
): void {
  if (holes.length === 0) return;
  const lacking = [...new Set(holes.map(({ part }) => part))];
  const labels = lacking.map((part) => labelOf(parts[part]!, kinds));
  observe({
    ...{ type: 'noticed', code: 'bundle-incomplete' },
    ...{ images: holes.length, parts: labels },
  });
}

/** Where all else is lost: what the head of a bundle says, whose signature is good. */
function withHead(
  error: BundleError,
  { digest, sums }: SealedBundle,
  { signer }: Signers,
): BundleError {
  const { length } = parseSums(sums);
  return error.withDetails([
    {
      label: 'head',
      items: [
        `the bundle digest is ${hexOf(digest)}`,
        `${signer.id} (${signer.algorithm}) has signed it`,
        `it lists ${counted(length, 'file')}; which releases they are cannot be read: NOT PROVEN`,
      ],
    },
  ]);
}

/**
 * The first image of a part may be damaged itself, or in a missing volume. Then it is unknown which
 * blobs belong to which images.
 */
async function derivedUnlessDamaged(
  derive: () => Promise<DerivedParts>,
  reader: BundleReader,
  onFault: OnFault,
): Promise<DerivedParts | undefined> {
  // A blob in a volume that is missing is no damage; that the volume is missing is reported anyway.
  const tell = (error: BundleError): void => {
    if (reader.missingVolumes.length > 0) return;
    onFault({ path: reader.name, start: 0, end: 0, entries: [PART_ROOT], error });
  };
  try {
    const derived = await derive();
    for (const { error } of derived.lost) tell(error);
    return derived;
  } catch (error) {
    if (!isDamage(error)) throw error;
    tell(error);
    return undefined;
  }
}

/**
 * The head that was signed, of those that can be read: a damaged one has a bad signature, and a
 * copy of it a good one.
 */
async function firstSigned(
  heads: readonly SealedBundle[],
  path: string | undefined,
  request: SignerRequest,
  context: Context,
): Promise<{ sealed: SealedBundle; signers: Signers }> {
  let failure: unknown;
  for (const sealed of heads) {
    try {
      const signers = await checkSigners(sealed, path, request, context);
      checkKeyFile(sealed, signers);
      return { sealed, signers };
    } catch (error) {
      if (!hasCode(error, 'SIGNATURE_INVALID') && !hasCode(error, 'BUNDLE_UNUSABLE')) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

/** A patch, checked to the last byte, and like a bundle for its signer. */
async function openPatch(
  { path, files }: BundleFiles,
  broken: { readonly reader: BundleReader; readonly digest: Digest },
  request: OpenRequest,
  context: Context,
): Promise<CheckedPatch> {
  const sealed = await SealedBundle.open(...files);
  try {
    checkKeyFile(sealed, await checkSigners(sealed, path, request, context));
    const patch = await sealed.unseal();
    const { missingVolumes, volumeCount } = patch;
    if (missingVolumes.length > 0)
      throw volumesMissing(basename(path), missingVolumes, volumeCount);
    checkPatch(patch, broken.reader, broken.digest);
    checkName(path, patchName(patch.manifest.name, sealed.digest));
    tellMisnamed(patch, context);
    context.observe({ type: 'phase', what: `hashing ${basename(path)}` });
    return await checkedPatch(patch, context);
  } catch (error) {
    await sealed.close();
    throw error;
  }
}

/** A bundle that another one completes, checked like that one for its signer. */
async function openEarlier(
  { path, files }: BundleFiles,
  { manifest }: BundleReader,
  earlier: Map<Digest, BundleReader>,
  [request, context]: readonly [OpenRequest, Context],
): Promise<void> {
  const sealed = await SealedBundle.open(...files);
  try {
    checkKeyFile(sealed, await checkSigners(sealed, path, request, context));
    const reader = await sealed.unseal();
    checkRequired(reader, sealed.digest, manifest.requires ?? []);
    checkName(path, reader.manifest.name);
    tellMisnamed(reader, context);
    earlier.set(sealed.digest, reader);
  } catch (error) {
    await sealed.close();
    throw error;
  }
}

/** One key has one way to be written, so that one bundle has one file. */
export function checkKeyFile({ publicKey }: SealedBundle, { signer }: Signers): void {
  if (Buffer.from(signer.pem).equals(publicKey)) return;
  throw new BundleError(
    'BUNDLE_UNUSABLE',
    'SHA256SUMS.pub does not have the form of a key in a bundle',
    {
      hint:
        'The signature is good, but the file was changed afterwards: ' +
        'copy the bundle again from where it was made.',
    },
  );
}

/** A genuine bundle under another bundle's name must not pass for it. */
export function checkName(path: string, name: string): void {
  if (stemOf(path) === name) return;
  throw new BundleError(
    'NOT_THE_EXPECTED_BUNDLE',
    `the file is called ${basename(path)}, but the bundle in it was signed as ${name}`,
    {
      expected: stemOf(path),
      got: name,
      hint:
        `If you renamed the file, call it ${name}${BUNDLE_SUFFIX} again. If you did not, ask ` +
        'the packer which bundle you should have: somebody may have exchanged it.',
    },
  );
}

function checkExpected({ parts }: Closure, expected: readonly string[]): void {
  const lacking = missingParts(parts, expected);
  if (lacking.length === 0) return;
  const missing = lacking.join(', ');
  const held = parts.map(({ label }) => label).join(', ');
  throw new BundleError('NOT_THE_EXPECTED_BUNDLE', `the bundle holds ${held}, not ${missing}`, {
    expected: missing,
    got: held,
    hint:
      `Ask the packer for a bundle with ${missing}, or correct --expect: it takes a VERSION, a ` +
      'VERSION-ARCH or the digest of a release image, as bundle inspect shows them.',
  });
}
