import { BundleError } from '../../../core/errors.ts';
import { architectureOfOci } from '../architecture.ts';
import type { Program } from './programs.ts';
import type { Rhel, System } from './systems.ts';

/** Which programs are wanted; all of them where a list is empty. */
export interface ProgramChoice {
  readonly systems: readonly System[];
  /** GOARCH. */
  readonly architectures: readonly string[];
  /** Of programs that are built for several RHELs, only those for these. */
  readonly rhels: readonly Rhel[];
}

/** Those of some programs that are wanted. */
export function choosePrograms(
  programs: readonly Program[],
  { systems, architectures, rhels }: ProgramChoice,
): readonly Program[] {
  const isBuiltForRhel = ({ system, command }: Program): boolean =>
    programs.some((other) => other.rhel && other.system === system && other.command === command);
  return programs.filter(
    (program) =>
      isIn(program.system, systems) &&
      isIn(program.architecture, architectures) &&
      (rhels.length === 0 || !isBuiltForRhel(program) || isIn(program.rhel, rhels)),
  );
}

/** With nothing asked for, everything is. */
function isIn<T>(value: T | undefined, asked: readonly T[]): boolean {
  return asked.length === 0 || (value !== undefined && asked.includes(value));
}

/**
 * Makes sure that there is something of everything that was asked for by name.
 * @param found programs that were taken out of the release.
 * @param there all programs that the release is known to have.
 * @throws BundleError NOT_FOUND naming those that it has.
 */
export function checkFound(
  found: readonly Program[],
  there: readonly Program[],
  { systems, architectures, rhels }: ProgramChoice,
): void {
  const lacking = [
    ...systems.filter((system) => found.every((program) => program.system !== system)),
    ...architectures
      .filter((name) => found.every(({ architecture }) => architecture !== name))
      .map(wordOf),
    ...rhels.filter((rhel) => found.every((program) => program.rhel !== rhel)),
  ];
  if (lacking.length === 0 && found.length > 0) return;
  const has = systemsOf(there);
  const what = lacking.length === 0 ? 'programs' : `programs for ${lacking.join(', ')}`;
  throw new BundleError('NOT_FOUND', `the release has no ${what} of those asked for`, {
    expected: lacking.length === 0 ? 'at least one program' : lacking.join(', '),
    got: has.length === 0 ? 'none' : has.join('; '),
    hint:
      has.length === 0
        ? 'Check that the release has the components cli, cli-artifacts and installer.'
        : `It has programs for ${has.join('; ')}.`,
  });
}

/** `linux (x86_64, aarch64, x86_64 rhel9)`. */
function systemsOf(programs: readonly Program[]): readonly string[] {
  const builds = new Map<string, Set<string>>();
  for (const { system, architecture, rhel } of programs) {
    const known = builds.get(system) ?? new Set();
    builds.set(system, known.add([wordOf(architecture), ...(rhel ? [rhel] : [])].join(' ')));
  }
  return [...builds].sort().map(([system, set]) => `${system} (${[...set].sort().join(', ')})`);
}

/** The word for an architecture that users know from releases. */
function wordOf(architecture: string): string {
  return architectureOfOci(architecture) ?? architecture;
}
