import { RE2JS, RE2JSSyntaxException } from 're2js';

import { oneLine } from '../core/text.ts';
import type { Fields } from './fields.ts';
import type { BlockedImage } from './image-set.ts';

/** A list of patterns that some program has joined into one may be long; longer is a mistake. */
const LONGEST_PATTERN = 10_000;

export function readBlocked(entries: readonly Fields[]): readonly BlockedImage[] {
  return entries.map((fields) => {
    const name = fields.requiredText('name');
    if (name === undefined) return { line: fields.line, pattern: '' };
    const fault = faultOf(name.value);
    if (fault !== undefined) {
      const message = `${oneLine(name.value, 60)} is not a regular expression of RE2: ${fault}`;
      const hint = String.raw`A dot stands for any character; write \. for a dot.`;
      name.at.error('invalid-value', message, hint);
    }
    return { line: fields.line, pattern: name.value };
  });
}

/** What keeps a pattern from being used. RE2 has none that could run away. */
function faultOf(pattern: string): string | undefined {
  if (pattern.length > LONGEST_PATTERN) return `it has more than ${LONGEST_PATTERN} characters`;
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    return oneLine(error.message.replace(/^error parsing regexp: /, ''), 120);
  }
}

/**
 * Finds what blocks an image: patterns are looked for anywhere in its names, as oc-mirror does.
 * @param patterns that the reader has accepted.
 * @returns a function of the names of an image: where it comes from, and where it goes.
 */
export function blocker(
  patterns: readonly BlockedImage[],
): (names: readonly string[]) => BlockedImage | undefined {
  const compiled = patterns.map((blocked) => ({ blocked, regexp: RE2JS.compile(blocked.pattern) }));
  return (names) =>
    compiled.find(({ regexp }) => names.some((name) => regexp.matcher(name).find()))?.blocked;
}
