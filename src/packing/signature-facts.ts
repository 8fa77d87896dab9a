import type { Context } from '../core/context.ts';
import type { Closure } from '../kinds/closure.ts';
import { judgedSignatures, type SignatureFacts } from '../kinds/signatures/judged.ts';
import { loadReleaseKeys } from '../kinds/release/proof/prove.ts';
import type { PartsRequest } from './find-parts.ts';

/** What reports say of the signatures of images; nothing where none were looked for. */
export async function signatureFacts(
  closure: Closure,
  { signatures, releaseKeyFiles = [] }: PartsRequest,
  { now }: Context,
): Promise<SignatureFacts | undefined> {
  if (signatures === false) return undefined;
  return judgedSignatures(closure, () => loadReleaseKeys(releaseKeyFiles), now);
}
