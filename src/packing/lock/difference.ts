import type { Detail } from '../../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import { oneLine } from '../../core/text.ts';

/** What is another one in two documents, and where. */
export interface Difference {
  readonly what: string;
  /** `nothing` where it is not there. */
  readonly was: string;
  readonly is: string;
}

/** More than anybody reads. */
const MOST = 100;
/** Characters of a value. */
const SHOWN = 100;
const NOTHING = 'nothing';
/** What tells the things of a list apart, the first that they have. */
const NAMES = ['source', 'reference', 'catalog', 'name', 'label', 'version', 'path', 'digest'];

/** What differs in two documents, by the names of things. The first hundred. */
export function differencesOf(before: Json, after: Json, what: string): readonly Difference[] {
  const found: Difference[] = [];
  collect({ was: before, is: after }, what, found);
  return found;
}

interface Pair {
  readonly was: Json | undefined;
  readonly is: Json | undefined;
}

function collect({ was, is }: Pair, what: string, found: Difference[]): void {
  if (found.length >= MOST || JSON.stringify(was) === JSON.stringify(is)) return;
  const [old, now] = [fieldsOf(was), fieldsOf(is)];
  if (old === undefined || now === undefined) {
    found.push({ what, was: shown(was), is: shown(is) });
    return;
  }
  for (const name of new Set([...old.keys(), ...now.keys()]))
    collect({ was: old.get(name), is: now.get(name) }, `${what}, ${name}`, found);
}

/** The fields of an object, and the things of a list by their names; nothing for all else. */
function fieldsOf(value: Json | undefined): ReadonlyMap<string, Json> | undefined {
  if (isObject(value)) return new Map(Object.entries(value));
  if (!Array.isArray(value) || !(value as readonly Json[]).every(isObject)) return undefined;
  const fields = new Map<string, Json>();
  const counts = new Map<string, number>();
  for (const entry of value as readonly JsonObject[]) {
    const name = nameOf(entry);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    fields.set(count === 1 ? name : `${name} (${count})`, entry);
  }
  return fields;
}

function nameOf(entry: JsonObject): string {
  const key = NAMES.find((name) => typeof entry[name] === 'string');
  const { package: own, architecture } = entry;
  const words = [own, key === undefined ? undefined : entry[key], architecture];
  return words.filter((word) => typeof word === 'string').join(' ') || 'entry';
}

function shown(value: Json | undefined): string {
  if (value === undefined) return NOTHING;
  return oneLine(typeof value === 'string' ? value : JSON.stringify(value), SHOWN);
}

/** Differences below a message, where there are several. */
export function differenceDetails(all: readonly Difference[]): readonly Detail[] {
  if (all.length < 2) return [];
  const items = all.map(({ what, was, is }) => `${what}: locked ${was}, now ${is}`);
  return [{ label: 'differences', items }];
}
