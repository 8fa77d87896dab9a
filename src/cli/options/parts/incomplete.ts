import { BundleError } from '../../../core/errors.ts';
import { flag } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import { many, type OptionTable, yes } from '../table.ts';

/** For the commands that fetch: what they do without. */
export const incompleteOption: OptionTable = {
  incomplete: yes(
    'leave out images that their sources do not give: list them, do the rest, end with status 30',
  ),
};

/** For commands that may ask for operators as well. */
export const dropOption: OptionTable = {
  'drop-incomplete': yes(
    'with --incomplete: leave versions of operators that lack an image out of their catalog, so ' +
      'that it arrives',
  ),
};

/**
 * What the options say of images that cannot be had.
 * @throws BundleError USAGE
 */
export function incompleteRequest(args: Arguments): {
  readonly incomplete: boolean;
  readonly dropIncomplete: boolean;
} {
  const [incomplete, dropIncomplete] = [flag(args, 'incomplete'), flag(args, 'drop-incomplete')];
  if (incomplete && args['repair'] !== undefined) {
    throw new BundleError('USAGE', '--incomplete and --repair cannot be used together', {
      hint: 'The file of --repair says which images the damaged bundle lacks. Leave out --incomplete.',
    });
  }
  if (!dropIncomplete || incomplete) return { incomplete, dropIncomplete };
  throw new BundleError('USAGE', '--drop-incomplete has a meaning only with --incomplete', {
    hint: 'Without it, an image that cannot be had ends the run. Give both, or neither.',
  });
}

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
