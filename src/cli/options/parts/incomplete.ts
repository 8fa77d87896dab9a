import { type OptionTable, yes } from '../table.ts';

/** For the commands that fetch: what they do without. */
export const incompleteOption: OptionTable = {
  incomplete: yes(
    'leave out images that their sources do not give: list them, do the rest, end with status 30',
  ),
};
