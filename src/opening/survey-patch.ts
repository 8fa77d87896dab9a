import { basename } from 'node:path';

import { PATCH_SUFFIX, patchName } from '../bundle/format/names.ts';
import type { BundleReader } from '../bundle/reading/reader.ts';
import { SealedBundle } from '../bundle/reading/sealed.ts';
import type { Context } from '../core/context.ts';
import type { Digest } from '../core/digest.ts';
import { findBundleFiles } from './bundle-files.ts';
import { chooser } from './choose.ts';
import { labelOf } from './derive.ts';
import { checkKeyFile, checkName, type OpenRequest } from './open-bundle.ts';
import { checkSigners, type Signers } from './signers.ts';

/** A patch alone, without the bundle that it is for. */
export interface SurveyedPatch extends Signers {
  readonly path: string;
  /** Bytes of all files. */
  readonly size: number;
  readonly digest: Digest;
  /** The bundle digest of the damaged bundle, and of the repaired one. */
  readonly repairs: Digest;
  /** The parts of that bundle; nothing is derived from them. */
  readonly labels: readonly string[];
  readonly reader: BundleReader;
  readonly close: () => Promise<void>;
}

/**
 * Opens a patch, and checks its signer, its name and its listing. Its layers are not hashed. Whether
 * it belongs to a bundle is found out when the two are opened together. The caller closes it.
 * @returns `undefined` where the paths name a bundle, with or without patches for it.
 * @throws BundleError as opening a bundle does.
 */
export async function surveyPatch(
  request: OpenRequest,
  context: Context,
): Promise<SurveyedPatch | undefined> {
  if (request.input !== undefined) return undefined;
  const { path, files } = await findBundleFiles(request.paths, chooser(request, context));
  if (!path.endsWith(PATCH_SUFFIX)) return undefined;
  context.observe({ type: 'phase', what: `opening ${basename(path)}` });
  const sealed = await SealedBundle.open(...files);
  const close = async (): Promise<void> => sealed.close();
  try {
    const signers = await checkSigners(sealed, path, request, context);
    checkKeyFile(sealed, signers);
    sealed.expect(request.expectedDigest);
    const reader = await sealed.unseal();
    const { repairs, parts } = reader.manifest;
    if (repairs === undefined) {
      await close();
      return undefined;
    }
    const { digest, size } = sealed;
    checkName(path, patchName(reader.manifest.name, digest));
    const labels = parts.map((part) => labelOf(part, request.kinds));
    return { ...signers, path, size, digest, repairs, labels, reader, close };
  } catch (error) {
    await close();
    throw error;
  }
}
