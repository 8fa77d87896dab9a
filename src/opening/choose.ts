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

/** What is meant of several bundles; of those of which one leaves out what others have, that one. */
export interface Chooser extends Choose {
  /** The bundles that have what the chosen one leaves out, as far as they were named. */
  readonly earlier: () => readonly BundleFiles[];
}

/**
 * Chooses among the bundles of a folder by what a command line expects of one. It only chooses: the
 * bundle is checked as any other when it is opened.
 */
export function chooser(choice: Choice, context: Context): Chooser {
  let earlier: readonly BundleFiles[] = [];
  const { expected = [], expectedDigest } = choice;
  const choose = async (bundles: readonly BundleFiles[]): Promise<readonly BundleFiles[]> => {
    const isAsked = expected.length > 0 || expectedDigest !== undefined;
    const meant: BundleFiles[] = [];
    for (const bundle of bundles)
      if (!isAsked || (await isMeant(bundle, choice, context))) meant.push(bundle);
    const chain = await chainOf(bundles, meant.length === 1 ? meant[0] : undefined);
    if (chain === undefined || !meant.includes(chain.last)) return meant;
    earlier = chain.earlier;
    return [chain.last];
  };
  const asked = [
    ...optionWords('expect', expected),
    ...optionWords('bundle-digest', expectedDigest === undefined ? [] : [hexOf(expectedDigest)]),
  ].join(' ');
  return Object.assign(choose, { asked, earlier: () => earlier });
}

interface Chain {
  readonly last: BundleFiles;
  /** Those that have what the last one leaves out. */
  readonly earlier: readonly BundleFiles[];
}

/**
 * Of bundles that stand in for each other, the last one, which no other requires, or the one that
 * was asked for. `undefined` where they are not one chain: then it is one of them that is meant.
 */
async function chainOf(
  bundles: readonly BundleFiles[],
  asked: BundleFiles | undefined,
): Promise<Chain | undefined> {
  const known = new Map<BundleFiles, { digest: Digest; requires: readonly Digest[] }>();
  for (const bundle of bundles) {
    try {
      const heads = await SealedBundle.survey(bundle.files, () => undefined);
      try {
        const { manifest } = await heads[0]!.unseal();
        const requires = (manifest.requires ?? []).map((row) => row.bundle);
        known.set(bundle, { digest: heads[0]!.digest, requires });
      } finally {
        await heads[0]?.close();
      }
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      return undefined; // it is told when it is chosen and opened
    }
  }
  const all = [...known];
  const isRequired = (digest: Digest): boolean =>
    all.some(([, { requires }]) => requires.includes(digest));
  const ends = all.filter(([files, { digest }]) =>
    asked === undefined ? !isRequired(digest) : files === asked,
  );
  const [end, ...others] = ends;
  if (end === undefined || others.length > 0) return undefined;
  const [last, { requires }] = end;
  if (requires.length === 0) return undefined;
  const earlier = all.filter(([, { digest }]) => requires.includes(digest));
  return earlier.length === 0 ? undefined : { last, earlier: earlier.map(([files]) => files) };
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
