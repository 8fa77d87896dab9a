import { oneLine } from '../../../core/text.ts';
import type { Excerpt } from '../../../updates/excerpt.ts';
import type { Risk } from '../../../updates/graph.ts';

/** What a drawing of a path shows. */
export interface PathDrawing {
  readonly title: string;
  /** A line under the title, in place of that for releases. */
  readonly note?: string;
  /** The releases of the path. */
  readonly versions: readonly string[];
  /** Of these, those that only the control plane has to pass. */
  readonly controlPlaneOnly: readonly string[];
  readonly excerpt: Excerpt;
}

/** An arrow has room for that many names. */
const SHOWN_RISKS = 3;
const LONGEST_NAME = 60;

/** The names of the risks of an update, a line each. */
export function riskLabel(risks: readonly Risk[]): readonly string[] {
  const names = risks.map(({ name }) => oneLine(name, LONGEST_NAME));
  return names.length <= SHOWN_RISKS
    ? names
    : [...names.slice(0, SHOWN_RISKS - 1), `and ${names.length - SHOWN_RISKS + 1} more`];
}
