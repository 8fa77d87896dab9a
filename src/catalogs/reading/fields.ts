import { isObject, type Json, type JsonObject } from '../../core/json.ts';

/** A value that Go would not put into a field. */
export class WrongField extends Error {}

/**
 * The field of an object as Go's encoding/json finds it: names match in any case. OLM sorts the keys
 * before it reads them, so the last of several spellings counts.
 */
export function field(object: JsonObject, name: string): Json | undefined {
  const exact = object[name];
  let last: string | undefined;
  for (const key of Object.keys(object)) {
    if (key === name || key.length !== name.length) continue;
    if (folded(key) === folded(name) && (last === undefined || key > last)) last = key;
  }
  if (last === undefined) return exact;
  return exact !== undefined && name > last ? exact : object[last];
}

/** A name without its case. */
export function folded(name: string): string {
  return name.toUpperCase().toLowerCase();
}

/** The text of a field; empty where it is missing. @throws WrongField */
export function textField(object: JsonObject, name: string): string {
  const value = field(object, name) ?? null;
  if (value === null) return '';
  if (typeof value === 'string') return value;
  throw new WrongField(`${name} is no text`);
}

/** The objects of a list. @throws WrongField */
export function objectsField(object: JsonObject, name: string): readonly JsonObject[] {
  return listField(object, name).map((value) => {
    if (value === null) return {};
    if (isObject(value)) return value;
    throw new WrongField(`${name} holds something else than objects`);
  });
}

/** The texts of a list. @throws WrongField */
export function textsField(object: JsonObject, name: string): readonly string[] {
  return listField(object, name).map((value) => {
    if (value === null) return '';
    if (typeof value === 'string') return value;
    throw new WrongField(`${name} holds something else than texts`);
  });
}

/** An object in a field; empty where it is missing. @throws WrongField */
export function objectField(object: JsonObject, name: string): JsonObject {
  const value = field(object, name) ?? null;
  if (value === null) return {};
  if (isObject(value)) return value;
  throw new WrongField(`${name} is no object`);
}

function listField(object: JsonObject, name: string): readonly Json[] {
  const value = field(object, name) ?? null;
  if (value === null) return [];
  if (Array.isArray(value)) return value as readonly Json[];
  throw new WrongField(`${name} is no list`);
}
