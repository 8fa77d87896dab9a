import { oneLine } from '../core/text.ts';
import type { Fields, Text } from './fields.ts';

/** Says so where something is listed twice. */
export function refuseRepeated(texts: readonly Text[], what: string): void {
  const lines = new Map<string, number>();
  for (const { value, at } of texts) {
    const before = lines.get(value);
    if (before === undefined) lines.set(value, at.line);
    else {
      const message = `${what} ${value} is listed in line ${before} already`;
      at.error('duplicate', message, 'Keep one of the two.');
    }
  }
}

/** Nothing has such a name: it was pasted with too much, or quoted twice. */
function refuseOdd({ value, at }: Text, what: string): void {
  const [found] = /[\s\p{C}"'`]/u.exec(value) ?? [];
  if (found === undefined) return;
  const isQuote = /["'`]/.test(found);
  const sort = isQuote ? 'a quote' : found === ' ' ? 'a blank' : 'a line feed or the like';
  const message = `${what} ${JSON.stringify(oneLine(value, 60))} has ${sort} in its name`;
  at.error('invalid-value', message, 'Write the name alone: nothing has such a one.');
}

/**
 * Reads a list of things that have names, each its own.
 * @param read is told the name, which is empty where it is missing: that is among the findings.
 */
export function readNamed<T>(
  entries: readonly Fields[],
  what: string,
  read: (fields: Fields, name: string) => T,
): readonly T[] {
  const names: Text[] = [];
  const things = entries.map((fields) => {
    const name = fields.requiredText('name');
    if (name !== undefined) {
      names.push(name);
      refuseOdd(name, what);
    }
    return read(fields, name?.value ?? '');
  });
  refuseRepeated(names, what);
  return things;
}
