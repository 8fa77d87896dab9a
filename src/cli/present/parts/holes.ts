import type { BundledHole } from '../../../bundle/format/manifest.ts';
import { counted } from '../../../core/text.ts';
import { type Closure, dropsOf, holesOf } from '../../../kinds/closure.ts';
import type { Block, Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';

/** Images that are listed without --verbose. */
const SHOWN = 10;

const REASONS: Readonly<Record<BundledHole['reason'], string>> = {
  'not-found': 'its source does not have it',
  'not-allowed': 'its source refused access to it',
  'wrong-content': 'its source gave other bytes than its digest says',
  unreadable: 'its source could not be read',
};

/** An image that a bundle lacks, for programs. */
export interface HoleJson extends Omit<BundledHole, 'part'> {
  /** How the part is called that lacks it. */
  readonly part: string;
}

export function holesJson(closure: Closure): readonly HoleJson[] {
  return holesOf(closure).map((hole) => ({ ...hole, part: closure.parts[hole.part]!.label }));
}

/** `3 images are missing`; nothing where none is. */
export function missingWords(closure: Closure): string | undefined {
  const { length } = holesOf(closure);
  return length === 0 ? undefined : counted(length, 'image is missing', 'images are missing');
}

/**
 * The same where it is packed, or mirrored: versions of operators that were left out for it are
 * missing, too. Where it is read, nothing is missing of what it claims to be.
 */
export function undoneWords(closure: Closure): string | undefined {
  const { length } = dropsOf(closure);
  const dropped =
    length === 0
      ? []
      : [counted(length, 'version of an operator is', 'versions of operators are') + ' left out'];
  const missing = missingWords(closure);
  const all = [...(missing === undefined ? [] : [missing]), ...dropped];
  return all.length === 0 ? undefined : all.join(', ');
}

/** Which versions of operators were left out, since images of them are missing. */
export function dropsText(closure: Closure, screen: Screen): Section {
  const drops = dropsOf(closure);
  if (drops.length === 0) return [];
  const shown = screen.isVerbose ? drops : drops.slice(0, SHOWN);
  const rows = shown.map(([name, { image, reason, lacks }]) => [
    `  ${name}`,
    shortened(image, screen),
    REASONS[reason] + (lacks === undefined ? '' : ` (blob ${shortened(lacks, screen)})`),
  ]);
  const more = drops.length - shown.length;
  const [are, each] =
    drops.length === 1
      ? ['This version of an operator is', 'An image of it']
      : [`These ${drops.length} versions of operators are`, 'An image of each'];
  return [
    { text: `${are} LEFT OUT of the catalog. ${each} is missing:` },
    { table: { rows } }, // the names are told whole: those of a release differ in their middle
    ...(more > 0 ? [{ text: `  and ${more} more (--verbose lists all)` } satisfies Block] : []),
    { text: 'When the sources have them, pack the operators again.' },
  ];
}

/** Which images are missing, and why. */
export function holesText(closure: Closure, screen: Screen): Section {
  const holes = holesJson(closure);
  if (holes.length === 0) return [];
  const shown = screen.isVerbose ? holes : holes.slice(0, SHOWN);
  const withParts = closure.parts.length > 1;
  const rows = shown.map(({ name, part, reason, lacks }) => [
    `  ${shortened(name, screen)}`,
    ...(withParts ? [part] : []),
    REASONS[reason] + (lacks === undefined ? '' : ` (blob ${shortened(lacks, screen)})`),
  ]);
  const more = holes.length - shown.length;
  const are = holes.length === 1 ? 'This image is' : `These ${holes.length} images are`;
  return [
    { text: `${are} MISSING: the signed listing says so.` },
    { table: { rows } }, // the names are told whole: those of a release differ in their middle
    ...(more > 0 ? [{ text: `  and ${more} more (--verbose lists all)` } satisfies Block] : []),
  ];
}

/** Options of the commands that complete a bundle, as words of a command line. */
interface CompletionWords {
  /** What packing needs again: keys, mirrors and the like; where it is known. */
  readonly pack?: readonly string[];
  /** Whether `pack` has all that is needed: who only reads a bundle does not know its sources. */
  readonly isPackedHere?: boolean;
  /** Where to, and about trust. */
  readonly unpack?: readonly string[];
}

/**
 * How the bundle gets what it lacks.
 * @param bundles as words of a command line: the one that lacks something is the last, after those
 * that it completes.
 */
export function completionSteps(
  closure: Closure,
  bundles: readonly string[],
  { pack = [], unpack = ['--to', 'REGISTRY/NAMESPACE'], isPackedHere }: CompletionWords = {},
): Section {
  if (holesOf(closure).length === 0) return [];
  const completed = bundles.map((bundle) => `--complete ${bundle}`);
  return [
    {
      text:
        'When the sources have what is missing, pack it into a second bundle on the connected side' +
        `${isPackedHere ? '' : ', with the same mirrors, keys and signature options as this one'}:`,
    },
    { commands: [['bundle pack', ...completed, ...pack, '-o FOLDER'].join(' ')] },
    { text: `On the closed side, unpack ${bundles.length > 1 ? 'all' : 'both'} together:` },
    { commands: [['bundle unpack', ...bundles, 'COMPLETION', ...unpack].join(' ')] },
  ];
}
