import { wrapped } from '../../core/text.ts';

/** A console has 80 columns, and a pager may take one or two of them. */
const COLUMNS = 78;

/** At the left, or behind the number of a step: everything else is a command, a name or a list. */
const PROSE = /^(?<lead>(?: {3}|\d\. )?(?:- )?)(?=[^\s=])/;

/**
 * The lines of a text with its sentences in so many columns: what a line has too much goes before
 * the next one of the same paragraph. Commands stay whole, since they are copied.
 */
export function proseWrapped(lines: readonly string[]): readonly string[] {
  const result: string[] = [];
  let rest = '';
  for (const [index, line] of lines.entries()) {
    const lead = PROSE.exec(line)?.groups?.['lead'];
    if (lead === undefined) {
      result.push(line);
      continue;
    }
    const margin = ' '.repeat(lead.length);
    const words = rest === '' ? line.slice(lead.length) : `${rest} ${line.trim()}`;
    const pieces = wrapped(words, COLUMNS - lead.length);
    const shown = pieces.map((piece, at) => (at === 0 && rest === '' ? lead : margin) + piece);
    const next = lines[index + 1];
    const goesOn = pieces.length > 1 && next !== undefined && PROSE.exec(next)?.[0] === margin;
    rest = goesOn ? pieces.at(-1)! : '';
    result.push(...(goesOn ? shown.slice(0, -1) : shown));
  }
  return result;
}
