import type { BundleManifest } from '../../bundle/format/manifest.ts';
import type { DescribedBundle } from '../../bundle/format/plan.ts';
import { parseSums } from '../../bundle/format/sums.ts';
import { SealedBundle } from '../../bundle/reading/sealed.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { counted } from '../../core/text.ts';
import { shownName, wayOutOf } from './restart-folder.ts';

type Images = BundleManifest['images'];
type Asked = Pick<DescribedBundle, 'manifest' | 'sums'>;

/** A file of a bundle that holds something else than what is packed now, and its list of digests. */
interface Found {
  readonly path: string;
  readonly isFinished: boolean;
  readonly sums: Uint8Array;
}

export const TO_HAVE_BOTH =
  'To have both, give this one another name with --name, or name another folder or file with -o. ' +
  '--restart replaces what is there: an unfinished bundle at once, a finished one when the new one ' +
  'is whole.';

/** The refusal to continue a bundle that has other content: what it has, and what is asked for. */
export async function otherContent(found: Found, asked: Asked): Promise<BundleError> {
  const { path, isFinished, sums } = found;
  const name = shownName(path);
  const what = isFinished ? 'a finished bundle' : 'an unfinished bundle';
  const before = differInBlobs(sums, asked.sums) ? await imagesIn(path) : undefined;
  const now = asked.manifest.images;
  const [expected, got] = [now, before].map((images) => images && countOf(images));
  const difference =
    got === undefined || got === expected
      ? differenceOf(sums, asked.sums)
      : `it has ${got}; what is asked for now has ${expected!}`;
  return new BundleError(
    'USAGE',
    `${name} exists already, and is ${what} with other content: ${difference}`,
    {
      hint: `${wayOut(before, now)}${wayOutOf(path)}`,
      ...(got !== undefined && { expected, got }),
    },
  );
}

function wayOut(before: Images | undefined, now: Images): string {
  const isAttached = ({ subject }: Images[number]): boolean => subject !== undefined;
  const isUnsigned = before?.some(isAttached) === true && !now.some(isAttached);
  return isUnsigned
    ? `To keep this bundle, run the same command without --no-signatures. ${TO_HAVE_BOTH}`
    : TO_HAVE_BOTH;
}

/** `18 images, of which 5 are signatures`. */
function countOf(images: Images): string {
  const attached = images.filter(({ subject }) => subject !== undefined).length;
  const all = counted(images.length, 'image');
  if (attached === 0) return all;
  return `${all}, of which ${counted(attached, 'is a signature or referrer', 'are signatures or referrers')}`;
}

/** What a file of a bundle lists; `undefined` where that cannot be read. */
async function imagesIn(path: string): Promise<Images | undefined> {
  try {
    return await SealedBundle.peek(
      [path],
      async ([head]) => (await head!.unseal()).manifest.images,
    );
  } catch (error) {
    if (error instanceof BundleError) return undefined;
    throw error;
  }
}

type Listing = ReadonlyMap<string, Digest>;

function listingOf(sums: Uint8Array): Listing {
  return new Map(parseSums(sums).map(({ path, digest }) => [path, digest]));
}

function differInBlobs(begun: Uint8Array, planned: Uint8Array): boolean {
  const { gone, added } = blobsThatDiffer(listingOf(begun), listingOf(planned));
  return gone + added > 0;
}

function blobsThatDiffer(before: Listing, now: Listing): { gone: number; added: number } {
  const lacking = (some: Listing, others: Listing): number =>
    [...some.keys()].filter((path) => path.startsWith('blobs/') && !others.has(path)).length;
  return { gone: lacking(before, now), added: lacking(now, before) };
}

/** What differs between two listings: a signature that was made since is no other image. */
function differenceOf(begun: Uint8Array, planned: Uint8Array): string {
  const [before, now] = [listingOf(begun), listingOf(planned)];
  const { gone, added } = blobsThatDiffer(before, now);
  if (gone + added > 0) {
    const has = gone === 0 ? [] : [`has ${counted(gone, 'blob')} that are not asked for now`];
    const lacks = added === 0 ? [] : [`lacks ${counted(added, 'blob')} that are asked for`];
    return `it ${[...has, ...lacks].join(', and ')}`;
  }
  const files = [...new Set([...before.keys(), ...now.keys()])].filter(
    (path) => !DERIVED.includes(path) && before.get(path) !== now.get(path),
  );
  return files.length === 0
    ? 'the images are the same, but bundle.json describes them otherwise'
    : `the images are the same, but not ${files.join(', ')}`;
}

/** Files that differ whenever others do. */
const DERIVED: readonly string[] = ['bundle.json', 'index.json'];
