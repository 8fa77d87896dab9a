/** Stands for what is left out; in ASCII, since every terminal shows that. */
const MARK = '..';

/**
 * Lines of at most so many columns, broken between words, with the margin of the first one. A word
 * that is longer, as a path or a reference is, is not broken: it has to be copied as it is.
 */
export function wrapped(text: string, columns: number): readonly string[] {
  if (text.length <= columns) return [text];
  const [margin = ''] = /^ */.exec(text) ?? [];
  const lines: string[] = [];
  let line = margin;
  for (const word of text.trim().split(/ +/)) {
    const isFirst = line.length === margin.length;
    if (!isFirst && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = margin + word;
    } else line += isFirst ? word : ` ${word}`;
  }
  return [...lines, line];
}

/** The same for text that nobody copies: long words are broken too, behind a mark if there is one. */
export function broken(text: string, columns: number): readonly string[] {
  return wrapped(text, columns).flatMap((line) => {
    const pieces: string[] = [];
    let rest = line;
    while (rest.length > columns) {
      const fitting = rest.slice(0, columns);
      const mark = Math.max(...['/', '@', ':', '-', '.'].map((each) => fitting.lastIndexOf(each)));
      const end = mark < columns / 2 ? columns : mark + 1;
      pieces.push(rest.slice(0, end));
      rest = rest.slice(end);
    }
    return [...pieces, rest];
  });
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
