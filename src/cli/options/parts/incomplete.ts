import { BundleError } from '../../../core/errors.ts';
import type { Arguments } from '../../command.ts';
import { many, type OptionTable, yes } from '../table.ts';

/** For the commands that fetch: what they do without. */
export const incompleteOption: OptionTable = {
  incomplete: yes(
    'leave out images that their sources do not give: list them, do the rest, end with status 30',
  ),
};

export const completeOption: OptionTable = {
  complete: many(
    'bundle that lacks images: pack what it lacks into a second one (repeatable: bundles that ' +
      'were packed to complete it, the last one last)',
  ),
};

/** @throws BundleError USAGE for options that say what else is to be packed */
export function refuseOtherParts(args: Arguments, names: readonly string[]): void {
  const other = names.find((name) => {
    const value = args[name];
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
  });
  if (other === undefined) return;
  const word = other === other.toUpperCase() ? 'a version' : `--${other}`;
  throw new BundleError('USAGE', `--complete and ${word} cannot be used together`, {
    hint: 'The earlier bundle says what belongs to it: nothing else goes into the second one.',
  });
}
