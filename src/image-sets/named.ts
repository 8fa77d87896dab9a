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
    if (name !== undefined) names.push(name);
    return read(fields, name?.value ?? '');
  });
  refuseRepeated(names, what);
  return things;
}
