import { SealedBundle } from '../bundle/reading/sealed.ts';
import type { Context } from '../core/context.ts';
import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { optionWords } from '../core/text.ts';
import type { Kind } from '../kinds/kind.ts';
import type { BundleFiles, Chosen, Chooser, UnreadableBundle } from './bundle-files.ts';
import { checkSigners, type SignerRequest } from './signers.ts';

/** What a command line says about the bundle that it means. */
export interface Choice extends SignerRequest {
  readonly kinds?: readonly Kind[];
  readonly expected?: readonly string[] | undefined;
  readonly expectedDigest?: Digest | undefined;
}

/**
 * Chooses among several bundles by what a command line expects of one; of those of which one leaves
 * out what others have, it chooses that one. It only chooses: the bundle is checked as any other
 * when it is opened.
 */
export function chooser(choice: Choice, context: Context): Chooser {
  const { expected = [], expectedDigest } = choice;
  const isAsked = expected.length > 0 || expectedDigest !== undefined;
  const choose = async (bundles: readonly BundleFiles[]): Promise<Chosen> => {
    const meant: BundleFiles[] = [];
    for (const bundle of bundles)
      if (!isAsked || (await isMeant(bundle, choice, context))) meant.push(bundle);
    const chain = await chainOf(bundles, meant.length === 1 ? meant[0] : undefined);
    const last = chain.ends.filter((end) => meant.includes(end));
    const { unreadable } = chain;
    if (last.length === 0) return { meant, earlier: [], areEnds: false, unreadable };
    const earlier = last.length === 1 ? chain.earlierOf(last[0]!) : [];
    return { meant: last, earlier, areEnds: true, unreadable };
  };
  const asked = [
    ...optionWords('expect', expected),
    ...optionWords('bundle-digest', expectedDigest === undefined ? [] : [hexOf(expectedDigest)]),
  ].join(' ');
  return { asked, choose, apart };
}

interface Chain {
  /** Those that no other requires, or the one that was asked for; none where there is no chain. */
  readonly ends: readonly BundleFiles[];
  /** Those that have what one of them leaves out. */
  readonly earlierOf: (end: BundleFiles) => readonly BundleFiles[];
  readonly unreadable: readonly UnreadableBundle[];
}

/**
 * Which of bundles that stand in for each other could be the last one. There is no chain where none
 * of them leaves out what another has: then it is one of them that is meant. Nor is there one while
 * any of them cannot be read, unless it is known which is meant.
 */
async function chainOf(
  bundles: readonly BundleFiles[],
  asked: BundleFiles | undefined,
): Promise<Chain> {
  const known = new Map<BundleFiles, { digest: Digest; requires: readonly Digest[] }>();
  const unreadable: UnreadableBundle[] = [];
  for (const bundle of bundles) {
    try {
      const one = await SealedBundle.peek(bundle.files, async ([head]) => {
        const { manifest } = await head!.unseal();
        return {
          digest: head!.digest,
          requires: (manifest.requires ?? []).map((row) => row.bundle),
        };
      });
      known.set(bundle, one);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      unreadable.push({ ...bundle, error });
    }
  }
  const isOpen = asked === undefined ? unreadable.length > 0 : !known.has(asked);
  if (isOpen) return { ends: [], earlierOf: () => [], unreadable };
  const all = [...known];
  const earlierOf = (end: BundleFiles): readonly BundleFiles[] =>
    all
      .filter(([, { digest }]) => known.get(end)!.requires.includes(digest))
      .map(([files]) => files);
  const isRequired = (digest: Digest): boolean =>
    all.some(([, { requires }]) => requires.includes(digest));
  const ends = all
    .filter(([files, { digest }]) => (asked === undefined ? !isRequired(digest) : files === asked))
    .map(([files]) => files);
  const isChain = ends.some((end) => earlierOf(end).length > 0);
  return { ends: isChain ? ends : [], earlierOf, unreadable };
}

/** By the bundle that all files of each are of; together where one of them does not say it. */
async function apart(alike: readonly BundleFiles[]): Promise<readonly (readonly BundleFiles[])[]> {
  const groups = new Map<Digest, BundleFiles[]>();
  for (const one of alike) {
    const [digest, ...others] = await digestsOf(one.files);
    if (digest === undefined || others.length > 0) return [alike];
    groups.set(digest, [...(groups.get(digest) ?? []), one]);
  }
  return [...groups.values()];
}

/** What files say they are of; nothing where one of them cannot be read. */
async function digestsOf(files: readonly string[]): Promise<readonly Digest[]> {
  const digests = new Set<Digest>();
  for (const file of files) {
    try {
      const found = await SealedBundle.peek([file], (heads) => heads.map(({ digest }) => digest));
      for (const digest of found) digests.add(digest);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      return []; // it is told when it is opened
    }
  }
  return [...digests];
}

/** What cannot be read is not meant, and nothing is read of what the signer is not believed for. */
async function isMeant(
  { path, files }: BundleFiles,
  choice: Choice,
  context: Context,
): Promise<boolean> {
  const { kinds = [], expected = [], expectedDigest } = choice;
  try {
    return await SealedBundle.peek(files, async (heads) => {
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
    });
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof BundleError) return false;
    throw error;
  }
}
