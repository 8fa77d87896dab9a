import { completionName } from '../bundle/format/names.ts';
import { SealedBundle } from '../bundle/reading/sealed.ts';
import type { Context } from '../core/context.ts';
import { keepPacked } from '../history/keep-packed.ts';
import type { Closure } from '../kinds/closure.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import { findBundleFiles } from '../opening/bundle-files.ts';
import { chooser } from '../opening/choose.ts';
import {
  type CompleteRequest,
  type Earlier,
  findCompletion,
  requiredOf,
} from '../packing/complete.ts';
import {
  type PackedContent,
  patchContent,
  readWantedPatch,
  wholeContent,
} from '../packing/content.ts';
import { type JobOf, planInPlace, writeInPlace } from '../packing/in-place.ts';
import {
  bundlePath,
  checkFileName,
  checkName,
  inOutput,
  type Output,
  parseOutput,
} from '../packing/output.ts';
import type { PackReport } from '../packing/report.ts';
import { checkedSeal } from '../packing/resume/begun.ts';
import { signatureFacts } from '../packing/signature-facts.ts';
import { firstKey, type KeySource, loadSigningKey } from '../packing/signing-key.ts';
import type { FileJob } from '../packing/to-files.ts';
import type { SigningKey } from '../trust/keys.ts';

export interface CompletionRequest
  extends CompleteRequest, Pick<FileJob, 'volumeSize' | 'stopAfter' | 'restart' | 'limitRate'> {
  /** The bundles that are completed: the one whose parts are wanted is the last. */
  readonly bundles: readonly string[];
  readonly output: string;
  readonly name?: string | undefined;
  readonly key: KeySource;
  readonly network: NetworkOptions;
  /** A damage map: then only what it lists is packed, as a patch for the bundle that it is of. */
  readonly repairFile?: string | undefined;
  readonly dryRun: boolean;
  /** Where what was packed is kept; `undefined` for nowhere. */
  readonly history?: string | undefined;
}

/**
 * Packs what earlier bundles lack into a bundle that completes them: it has the same parts, and
 * leaves out the configs and layers that these have. They have to be signed with the same key, since
 * their claims become those of the new one.
 * @throws BundleError USAGE where nothing is missing, or another key has signed; as packing does
 */
export async function complete(request: CompletionRequest, context: Context): Promise<PackReport> {
  const output = await parseOutput(request.output, request.name);
  const work = (): Promise<PackReport> => completeInto(output, request, context);
  return request.dryRun ? work() : inOutput(output, context, work);
}

async function completeInto(
  output: Output,
  request: CompletionRequest,
  context: Context,
): Promise<PackReport> {
  const { dryRun } = request;
  const { repairFile } = request;
  const patch = repairFile === undefined ? undefined : await readWantedPatch(repairFile);
  const own = await loadSigningKey(request.key, context.configFolder);
  const { key } = own === undefined ? await firstKey(request.key, dryRun, context) : { key: own };
  const earlier: Earlier[] = [];
  const network = await Network.open(request.network, context);
  try {
    for (const path of request.bundles) earlier.push(await openEarlier(path, key, context));
    const last = earlier.at(-1)!;
    const asked = patch === undefined ? request : { ...request, without: patch.wanted.without };
    const found = await findCompletion(last, asked, network, context);
    const name = output.name ?? request.name ?? completionName(last.reader.manifest.name);
    checkName(name);
    const contentOf = (of: Closure): PackedContent =>
      patch === undefined
        ? wholeContent(of, name, requiredOf(of, earlier))
        : patchContent(of, patch, requiredOf(of, earlier));
    const { fileName } = contentOf(found);
    checkFileName(output, fileName);
    const path = bundlePath(output, fileName);
    const written = { ...request, key, made: undefined, path, isRestarted: request.restart };
    const jobOf: JobOf = (closure) => ({ ...written, ...contentOf(closure), closure });
    const incomplete = patch === undefined && request.incomplete;
    const report = dryRun
      ? await planInPlace(jobOf(found), context, incomplete)
      : await writeInPlace(found, jobOf, { ...request, incomplete }, context);
    const { closure, left } = report;
    if (!dryRun && patch === undefined && left === 0)
      await keepPacked(jobOf(closure).described, closure, request, context);
    const signatures = await signatureFacts(found, { ...request, parts: [] }, context);
    return { ...report, signatures, completes: earlier.map(({ reader }) => reader.name) };
  } finally {
    for (const { reader } of earlier) await reader.close();
    await network.close();
  }
}

/** @throws BundleError USAGE for a bundle that another key has signed */
async function openEarlier(path: string, key: SigningKey, context: Context): Promise<Earlier> {
  const request = { paths: [path], trustedKeyFiles: [], releaseKeyFiles: [] };
  const found = await findBundleFiles(request.paths, chooser(request, context));
  const sealed = await SealedBundle.open(...found.files);
  try {
    checkedSeal(sealed, found.path, key.public);
    return { reader: await sealed.unseal(), digest: sealed.digest };
  } catch (error) {
    await sealed.close();
    throw error;
  }
}
