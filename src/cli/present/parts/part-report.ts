import type { Part } from '../../../kinds/kind.ts';
import type { PlannedImage } from '../../../transfer/image.ts';
import type { Rows } from '../layout.ts';
import type { Screen } from '../screen.ts';

/** The lines of reports about a part of one kind. */
export interface PartReport<Facts = unknown> {
  rows(part: Part<Facts>, images: readonly PlannedImage[], screen: Screen): Rows;
  /** The lines that matter most; its label where it is left out. */
  brief?(part: Part<Facts>, screen: Screen): Rows;
  json(part: Part<Facts>): object;
  /** Parts of the kind stand together, without their sizes. */
  readonly isShort?: boolean;
}

/** For kinds that need no words of their own. */
export const plainReport: PartReport = {
  rows: ({ kind, label }, images) => [
    [kind, label],
    ['images', String(images.length)],
  ],
  json: ({ claim }) => claim,
};
