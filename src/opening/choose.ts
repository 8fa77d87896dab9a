import { SealedBundle } from '../bundle/reading/sealed.ts';
import type { Context } from '../core/context.ts';
import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { optionWords } from '../core/text.ts';
import type { Kind } from '../kinds/kind.ts';
import type { BundleFiles, Choose } from './bundle-files.ts';
import { checkSigners, type SignerRequest } from './signers.ts';

/** What a command line says about the bundle that it means. */
export interface Choice extends SignerRequest {
  readonly kinds?: readonly Kind[];
  readonly expected?: readonly string[] | undefined;
  readonly expectedDigest?: Digest | undefined;
}

/**
 * Chooses among the bundles of a folder by what a command line expects of one. It only chooses: the
 * bundle is checked as any other when it is opened.
 */
export function chooser(choice: Choice, context: Context): Choose {
  const { expected = [], expectedDigest } = choice;
  const choose = async (bundles: readonly BundleFiles[]): Promise<readonly BundleFiles[]> => {
    if (expected.length === 0 && expectedDigest === undefined) return bundles;
    const meant: BundleFiles[] = [];
    for (const bundle of bundles) if (await isMeant(bundle, choice, context)) meant.push(bundle);
    return meant;
  };
  const asked = [
    ...optionWords('expect', expected),
    ...optionWords('bundle-digest', expectedDigest === undefined ? [] : [hexOf(expectedDigest)]),
  ].join(' ');
  return Object.assign(choose, { asked });
}

/** What cannot be read is not meant, and nothing is read of what the signer is not believed for. */
async function isMeant(
  { path, files }: BundleFiles,
  choice: Choice,
  context: Context,
): Promise<boolean> {
  const { kinds = [], expected = [], expectedDigest } = choice;
  try {
    const heads = await SealedBundle.survey(files, () => undefined);
    try {
      for (const sealed of heads) {
        if (expectedDigest !== undefined && sealed.digest !== expectedDigest) continue;
        if (expected.length === 0) return true;
        await checkSigners(sealed, path, choice, context);
        const { manifest } = await sealed.unseal();
        const names = manifest.parts.flatMap(
          ({ kind: name, claim }) => kinds.find((kind) => kind.name === name)?.namesOf(claim) ?? [],
        );
        if (expected.every((name) => names.includes(name))) return true;
      }
      return false;
    } finally {
      await heads[0]?.close();
    }
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof BundleError) return false;
    throw error;
  }
}
