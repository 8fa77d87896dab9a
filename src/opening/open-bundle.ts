import { basename } from 'node:path';
import type { Readable } from 'node:stream';

import { isDamage, type OnFault, refuseFault, RELEASE_IMAGE } from '../bundle/reading/fault.ts';
import { volumesMissing } from '../bundle/reading/found-volumes.ts';
import type { Seal } from '../bundle/format/plan.ts';
import type { BundleContent, BundleReader } from '../bundle/reading/reader.ts';
import { SealedBundle } from '../bundle/reading/sealed.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { type BundleFiles, contradiction, findBundleFiles } from './bundle-files.ts';
import type { Context } from '../core/context.ts';
import { deriveRelease, isPatch } from './derive-release.ts';
import { type CheckedPatch, checkedPatch, checkPatch, PatchedBundle } from './patched.ts';
import type { PlannedRelease } from '../kinds/release/release.ts';
import { checkUnproven } from './unproven.ts';
import { checkSigners, type SignerRequest, type Signers } from './signers.ts';

/** What a pipe is called. */
const STDIN = 'stdin';

/** Which bundle, and who is believed about it. */
export interface OpenRequest extends SignerRequest {
  /** A file, any volume, or folders that hold one bundle or the volumes of one. */
  readonly paths: readonly string[];
  /** A pipe that it comes through, in place of files. */
  readonly input?: Readable | undefined;
  readonly releaseKeyFiles: readonly string[];
  /** The version that the bundle has to be of. */
  readonly expectedVersion?: string | undefined;
  /** The bundle digest that was passed on by another way: 64 hex digits. */
  readonly expectedDigest?: string | undefined;
}

export interface OpenedBundle extends SurveyedBundle {
  /** The release, derived again from its digest. */
  readonly release: PlannedRelease;
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
  /** `undefined` where the manifests that it is derived from are damaged or missing. */
  readonly release: PlannedRelease | undefined;
  /** The bundle itself. */
  readonly reader: BundleReader;
  /** The bundle, with what patches hold in place of what it holds. */
  readonly content: BundleContent;
  readonly isPatched: boolean;
  /** The physical files of the patches. */
  readonly patchFiles: readonly string[];
  readonly closePatches: () => Promise<void>;
}

/** What of an opened bundle goes into a report. */
export type OpenedFacts = Omit<OpenedBundle, 'reader' | 'content' | 'closePatches'>;

/**
 * Opens a bundle and checks everything but the layers: signer, listing, every byte of the metadata,
 * release signature, and that the bundle holds exactly what the release consists of. The caller
 * closes the reader.
 * @throws BundleError SIGNER_UNKNOWN, TOO_FEW_SIGNERS, SIGNATURE_INVALID, NOT_THE_EXPECTED_BUNDLE,
 * BUNDLE_UNUSABLE, CONTENT_MISMATCH, CLOSURE_MISMATCH
 */
export async function openBundle(request: OpenRequest, context: Context): Promise<OpenedBundle> {
  const opened = await surveyBundle(request, context, refuseFault);
  const { reader, path, release } = opened;
  await opened.closePatches(); // who asks for a whole bundle gets nothing from them
  if (reader.missingVolumes.length === 0 && release !== undefined) return { ...opened, release };
  await reader.close();
  throw volumesMissing(basename(path), reader.missingVolumes, reader.volumeCount);
}

/**
 * Opens a bundle that may be damaged, or lack volumes, and checks what there is of it as {@link
 * openBundle} does. Damage is told to `onFault`; a bundle that contradicts itself, or whose signer
 * is not accepted, is refused all the same. A pipe is refused for any damage: nothing of it can be
 * read again. Patches that are named beside it stand in for what they hold.
 * @throws BundleError as {@link openBundle}
 */
export async function surveyBundle(
  request: OpenRequest,
  context: Context,
  onDamage: OnFault,
): Promise<SurveyedBundle> {
  const { input } = request;
  const onFault = input === undefined ? onDamage : refuseFault;
  const { path, files, patches } =
    input === undefined
      ? await findBundleFiles(request.paths)
      : { path: STDIN, files: [], patches: [] };
  context.observe({ type: 'phase', what: `opening ${basename(path)}` });
  const heads =
    input === undefined
      ? await SealedBundle.survey(files, onFault)
      : [await SealedBundle.receive(input, path)];
  const opened: CheckedPatch[] = [];
  try {
    const { sealed, signers } = await firstSigned(
      heads,
      input === undefined ? path : undefined,
      request,
      context,
    );
    sealed.expect(request.expectedDigest);
    const reader = await sealed.unseal();
    if (reader.manifest.repairs !== undefined) throw isPatch(reader);
    for (const patch of patches)
      opened.push(await openPatch(patch, reader, sealed.digest, request, context));
    const content: BundleContent = opened.length > 0 ? new PatchedBundle(reader, opened) : reader;
    const isReadable = reader.hasMetadata || opened.length > 0;
    const derive = (): Promise<PlannedRelease> =>
      deriveRelease(content, signers, request.releaseKeyFiles, context);
    const derived = isReadable ? await derivedUnlessDamaged(derive, reader, onFault) : undefined;
    const isUnproven = derived !== undefined && signers.standing === 'unknown';
    const release = isUnproven ? await checkUnproven(derived, reader, signers.signer) : derived;
    if (release !== undefined) {
      checkIdentity(path, release, request.expectedVersion);
    }
    const closePatches = async (): Promise<void> => {
      for (const { reader: patch } of opened) await patch.close();
    };
    const { digest, seal, size, paths } = sealed;
    const patchFiles = patches.flatMap((patch) => patch.files);
    const isPatched = opened.length > 0;
    return {
      path,
      files: paths,
      size,
      digest,
      seal,
      ...signers,
      release,
      reader,
      content,
      isPatched,
      patchFiles,
      closePatches,
    };
  } catch (error) {
    for (const { reader: patch } of opened) await patch.close();
    await heads[0]!.close();
    throw error;
  }
}

/**
 * The release image itself may be damaged, or in a missing volume; then nobody knows what the
 * layers are for.
 */
async function derivedUnlessDamaged(
  derive: () => Promise<PlannedRelease>,
  reader: BundleReader,
  onFault: OnFault,
): Promise<PlannedRelease | undefined> {
  try {
    return await derive();
  } catch (error) {
    if (!isDamage(error)) throw error;
    // A layer in a volume that is missing is no damage; that the volume is missing is told anyway.
    if (reader.missingVolumes.length === 0)
      onFault({ path: reader.name, start: 0, end: 0, entries: [RELEASE_IMAGE], error });
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
  broken: BundleReader,
  digest: Digest,
  request: OpenRequest,
  context: Context,
): Promise<CheckedPatch> {
  const sealed = await SealedBundle.open(...files);
  try {
    checkKeyFile(sealed, await checkSigners(sealed, path, request, context));
    const patch = await sealed.unseal();
    if (patch.missingVolumes.length > 0)
      throw volumesMissing(basename(path), patch.missingVolumes, patch.volumeCount);
    checkPatch(patch, broken, digest);
    context.observe({ type: 'phase', what: `hashing ${basename(path)}` });
    return await checkedPatch(patch, context);
  } catch (error) {
    await sealed.close();
    throw error;
  }
}

/** One key has one way to be written, so that one bundle has one file. */
function checkKeyFile({ publicKey }: SealedBundle, { signer }: Signers): void {
  if (Buffer.from(signer.pem).equals(publicKey)) return;
  throw new BundleError(
    'BUNDLE_UNUSABLE',
    'SHA256SUMS.pub is not written as keys are written in bundles',
    {
      hint: 'The signature is good, but the file was changed after it was made: copy the bundle again from where it was made.',
    },
  );
}

/** A genuine bundle under another bundle's name must not pass for it. */
function checkIdentity(
  path: string,
  release: PlannedRelease,
  expectedVersion: string | undefined,
): void {
  const { version, architecture } = release;
  if (expectedVersion !== undefined && expectedVersion !== version) {
    throw new BundleError(
      'NOT_THE_EXPECTED_BUNDLE',
      `the bundle holds ${version}, not ${expectedVersion}`,
      {
        expected: expectedVersion,
        got: version,
        hint: 'This is another bundle than the one you asked for.',
      },
    );
  }
  const named = contradiction(path, release);
  if (named === undefined) return;
  const actual = `${version}-${architecture}`;
  throw new BundleError(
    'NOT_THE_EXPECTED_BUNDLE',
    `the file is called ${basename(path)}, but the signed content is ${actual}`,
    {
      expected: named,
      got: actual,
      hint: `A genuine bundle was given another's name; if that was you, call it ocp-${actual}.tar.zst again.`,
    },
  );
}
