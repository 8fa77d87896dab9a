import { isObject, type Json } from '../core/json.ts';
import type { ApiObject } from './object.ts';

/** A field that is not the same before and after. */
export interface FieldChange {
  /** `.spec.imageDigestMirrors[0].source` */
  readonly field: string;
  /** `undefined` where the field was not there. */
  readonly before: Json | undefined;
  /** `undefined` where it is not there any more. */
  readonly after: Json | undefined;
}

/** What the API server keeps for itself, and changes with every request. */
const OF_THE_SERVER = new Set([
  '.metadata.creationTimestamp',
  '.metadata.generation',
  '.metadata.managedFields',
  '.metadata.resourceVersion',
  '.metadata.selfLink',
  '.metadata.uid',
  '.status',
]);

/** The fields that differ between two states of an object, leaf by leaf, sorted by their paths. */
export function differences(
  before: ApiObject | undefined,
  after: ApiObject,
): readonly FieldChange[] {
  return compared('', before, after);
}

function compared(
  field: string,
  before: Json | undefined,
  after: Json | undefined,
): readonly FieldChange[] {
  if (OF_THE_SERVER.has(field)) return [];
  const [old, now] = [membersOf(before), membersOf(after)];
  const isSameSort = Array.isArray(before) === Array.isArray(after);
  if (old !== undefined && now !== undefined && isSameSort) return members(field, old, now);
  if (before === undefined && now !== undefined && now.size > 0)
    return members(field, new Map(), now);
  if (after === undefined && old !== undefined && old.size > 0)
    return members(field, old, new Map());
  return before === after || (isEmpty(before) && isEmpty(after)) ? [] : [{ field, before, after }];
}

function members(field: string, old: Members, now: Members): readonly FieldChange[] {
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((key) =>
    compared(`${field}${key}`, old.get(key), now.get(key)),
  );
}

/**
 * The fields that were sent, and that an object does not hold as they were sent. It may have more:
 * others set fields too, and add members to lists.
 */
export function missing(sent: ApiObject, got: ApiObject): readonly string[] {
  return lacking('', sent, got);
}

function lacking(field: string, sent: Json, got: Json | undefined): readonly string[] {
  // An API server leaves out what is empty.
  if (OF_THE_SERVER.has(field) || isEmpty(sent)) return [];
  const wanted = membersOf(sent);
  if (wanted === undefined) return sent === got ? [] : [field];
  if (Array.isArray(sent)) {
    const items = Array.isArray(got) ? (got as readonly Json[]) : [];
    const isHeld = (item: Json): boolean =>
      items.some((some) => lacking(`${field}[]`, item, some).length === 0);
    return [...wanted].flatMap(([key, item]) => (isHeld(item) ? [] : [`${field}${key}`]));
  }
  const held = isObject(got) ? membersOf(got) : undefined;
  return [...wanted].flatMap(([key, item]) => lacking(`${field}${key}`, item, held?.get(key)));
}

type Members = ReadonlyMap<string, Json>;

/** The members of an object or a list under what is added to the path for them. */
function membersOf(value: Json | undefined): Members | undefined {
  if (Array.isArray(value)) {
    return new Map((value as readonly Json[]).map((item, index) => [`[${index}]`, item]));
  }
  if (!isObject(value)) return undefined;
  const keys = Object.keys(value).sort();
  return new Map(keys.map((key) => [keyText(key), value[key]!]));
}

/** `.key`, or `["a.b/c"]` where a dot would lead astray. */
function keyText(key: string): string {
  return /^[\w-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function isEmpty(value: Json | undefined): boolean {
  return value === undefined || value === null || membersOf(value)?.size === 0;
}
