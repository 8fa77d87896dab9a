import { TextPieces } from '../../core/bytes.ts';
import { isObject, type Json } from '../../core/json.ts';
import { type Lock, LOCK_KIND } from './lock.ts';

const STEP = '  ';

/**
 * The bytes of a lock: JSON, since a reader of JSON finds a key that is there twice, and knows
 * nothing that grows when it is read. A thing is a line, so that programs that compare texts show
 * what has changed. The same lock gives the same bytes.
 */
export function formatLock(lock: Lock): Uint8Array {
  const text = new TextPieces();
  const { name, volumeSize, signatures, referrers, offers, config, ...lists } = lock;
  const first = { kind: LOCK_KIND, name, volumeSize, signatures, referrers, offers, config };
  const all = Object.entries({ ...first, ...lists }).filter(([, value]) => value !== undefined);
  for (const [at, [key, value]] of all.entries()) {
    text.add(`${at === 0 ? '{' : ','}\n${STEP}${JSON.stringify(key)}: `);
    addList(text, plain(value));
  }
  text.add('\n}\n');
  return text.bytes();
}

/** A long list is added entry by entry: it is never in memory as text and as objects at once. */
function addList(text: TextPieces, value: Json): void {
  if (!Array.isArray(value) || value.length === 0) {
    text.add(broken(value, STEP));
    return;
  }
  for (const [at, entry] of (value as readonly Json[]).entries())
    text.add(`${at === 0 ? '[' : ','}\n${STEP}${STEP}${broken(entry, STEP + STEP)}`);
  text.add(`\n${STEP}]`);
}

/** Values as JSON has them: what is undefined is not there. */
function plain(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** On one line, unless there is a list of things in it: these have a line each. */
function broken(value: Json, margin: string): string {
  if (!hasThings(value)) return inline(value);
  const inner = margin + STEP;
  const [open, close, entries] = Array.isArray(value)
    ? ['[', ']', (value as readonly Json[]).map((entry) => broken(entry, inner))]
    : [
        '{',
        '}',
        Object.entries(value as object).map(
          ([key, own]: [string, Json]) => `${JSON.stringify(key)}: ${broken(own, inner)}`,
        ),
      ];
  return `${open}\n${entries.map((entry) => inner + entry).join(',\n')}\n${margin}${close}`;
}

function hasThings(value: Json): boolean {
  if (Array.isArray(value))
    return (value as readonly Json[]).some((entry) => isObject(entry) || hasThings(entry));
  return isObject(value) && Object.values(value).some(hasThings);
}

function inline(value: Json): string {
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(inline).join(', ')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const fields = Object.entries(value).map(
    ([key, own]) => `${JSON.stringify(key)}: ${inline(own)}`,
  );
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}
