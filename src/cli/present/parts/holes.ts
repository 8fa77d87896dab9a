import type { BundledHole } from '../../../bundle/format/manifest.ts';
import { counted } from '../../../core/text.ts';
import { type Closure, holesOf } from '../../../kinds/closure.ts';
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
    { table: { rows, cut: 0 } },
    ...(more > 0 ? [{ text: `  and ${more} more (--verbose lists all)` } satisfies Block] : []),
  ];
}

/**
 * How the bundle gets what it lacks.
 * @param bundle as words of a command line.
 * @param options of unpack: where to, and about trust.
 */
export function completionSteps(
  closure: Closure,
  bundle: string,
  options: readonly string[] = ['--to', 'REGISTRY/NAMESPACE'],
): Section {
  if (holesOf(closure).length === 0) return [];
  return [
    {
      text:
        'To have them too, pack what is missing into a second bundle, on the connected side, when ' +
        'the sources have it:',
    },
    { commands: [`bundle pack --complete ${bundle} -o FOLDER`] },
    { text: 'On the closed side, unpack both together:' },
    { commands: [`bundle unpack ${bundle} COMPLETION ${options.join(' ')}`] },
  ];
}
