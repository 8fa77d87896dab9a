import { wrapped } from '../../core/text.ts';

/** Stands for what is left out; in ASCII, since every terminal shows that. */
const MARK = '..';

/** Lines in which long words are broken too: before a name, else behind a mark if there is one. */
export function broken(text: string, columns: number): readonly string[] {
  return wrapped(text, columns).flatMap((line) => {
    const pieces: string[] = [];
    let rest = line;
    while (rest.length > columns) {
      const fitting = rest.slice(0, columns);
      const end = nameEnd(rest, columns) ?? markEnd(fitting);
      pieces.push(rest.slice(0, end));
      rest = rest.slice(end);
    }
    return [...pieces, rest];
  });
}

/** Before a name that fits a line of its own: it is copied, as that of a file or a tag is. */
function nameEnd(text: string, columns: number): number | undefined {
  const start = text.slice(0, columns).search(/\/[^/]*$/) + 1;
  const [name = ''] = /^[^/]*/.exec(text.slice(start)) ?? [];
  return start > 0 && name.length < columns ? start : undefined;
}

function markEnd(fitting: string): number {
  const mark = Math.max(...['/', '@', ':', '-', '.'].map((each) => fitting.lastIndexOf(each)));
  return mark < fitting.length / 2 ? fitting.length : mark + 1;
}

/** Lines whose later ones stand under the text behind `lead`. */
export function hanging(lead: string, text: string, columns: number): readonly string[] {
  const [first = '', ...more] = wrapped(text, Math.max(columns - lead.length, 1));
  return [lead + first, ...more.map((line) => ' '.repeat(lead.length) + line)];
}

/** A name that is cut in its middle to a width: both ends of it say more than that. */
export function cut(text: string, columns: number): string {
  if (text.length <= columns) return text;
  const kept = columns - MARK.length;
  if (kept < 2) return text.slice(0, columns);
  const behind = Math.floor(kept / 2);
  return text.slice(0, kept - behind) + MARK + text.slice(text.length - behind);
}
