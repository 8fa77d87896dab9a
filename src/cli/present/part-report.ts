import type { Part } from '../../kinds/kind.ts';
import type { PlannedImage } from '../../transfer/image.ts';

export type Rows = readonly (readonly [string, string | undefined])[];

/** The lines of reports about a part of one kind. */
export interface PartReport<Facts = unknown> {
  rows(part: Part<Facts>, images: readonly PlannedImage[]): Rows;
  json(part: Part<Facts>): object;
}

/** For kinds that need no words of their own. */
export const plainReport: PartReport = {
  rows: ({ kind, label }, images) => [
    [kind, label],
    ['images', String(images.length)],
  ],
  json: ({ claim }) => claim,
};
