import { isObject, type Json, type JsonObject } from '../core/json.ts';
import { BEING_DELETED, isPage, OddAnswer, parsed } from './api-http.ts';
import { missing } from './difference.ts';
import type { ApiObject, ObjectName } from './object.ts';

/** More fields than this no message names. */
const NAMED_FIELDS = 3;

/**
 * Checks that the text of an answer is what an API server says at all: a proxy before it may answer
 * a login page with status 200. The package does not look, and fails in odd ways.
 * @returns what the text says.
 * @param isDiscovery for the list of what a group of the API has.
 * @throws OddAnswer
 */
export function checkForm(body: string, isDiscovery: boolean): JsonObject {
  const answer = parsed(body);
  if (!isObject(answer)) throw new OddAnswer(sortOf(body, answer));
  const { kind, items, resources } = answer;
  if (isDiscovery) {
    if (kind !== 'APIResourceList') throw new OddAnswer(kindText(kind));
    if (!isListOf(resources, isResource)) throw new OddAnswer('a list without its resources');
    return answer;
  }
  if (typeof kind !== 'string' || kind === 'Status') throw new OddAnswer(kindText(kind));
  if (!isObject(answer['metadata'])) throw new OddAnswer('an object without metadata');
  if ((kind.endsWith('List') || items !== undefined) && !isListOf(items, isNamed))
    throw new OddAnswer('a list without its items');
  return answer;
}

/** @throws OddAnswer for another object than the one that was asked for. */
export function checkName(got: ApiObject, asked: ObjectName): void {
  if (got.kind !== asked.kind) throw new OddAnswer(kindText(got.kind));
  if (got.apiVersion !== asked.apiVersion) throw new OddAnswer('an object of another apiVersion');
  if (got.metadata.name !== asked.metadata.name) throw new OddAnswer('an object of another name');
  if (got.metadata.namespace !== asked.metadata.namespace)
    throw new OddAnswer('an object of another namespace');
}

/**
 * Checks what an API server answers to an object that was applied. A server that only repeats what
 * it is sent is found by the uid: each object has one, even one that is not kept.
 * @throws OddAnswer
 */
export function checkApplied(got: ApiObject, sent: ObjectName): void {
  checkName(got, sent);
  const { uid, deletionTimestamp } = got.metadata;
  if (typeof uid !== 'string' || uid === '') throw new OddAnswer('an object without uid');
  if ((deletionTimestamp ?? null) !== null) throw new OddAnswer(BEING_DELETED);
  const fields = missing(sent as ApiObject, got);
  if (fields.length === 0) return;
  const more = fields.length > NAMED_FIELDS ? ` and ${fields.length - NAMED_FIELDS} more` : '';
  const named = fields.slice(0, NAMED_FIELDS).join(', ');
  throw new OddAnswer(`an object that does not hold what was sent: ${named}${more}`);
}

/** @throws OddAnswer for what is no list of objects of this kind. */
export function checkList(list: { readonly kind?: string }, kind: string): void {
  if (list.kind !== `${kind}List`) throw new OddAnswer(kindText(list.kind));
}

function sortOf(body: string, answer: Json | undefined): string {
  if (body.trim() === '') return 'nothing';
  if (answer === undefined) return isPage(body) ? 'an HTML page' : 'a text that is no JSON';
  return Array.isArray(answer) ? 'a bare list' : answer === null ? 'null' : `a ${typeof answer}`;
}

function kindText(kind: Json | undefined): string {
  if (typeof kind !== 'string' || kind === '') return 'an object without kind';
  return kind === 'Status' ? 'a Status' : 'an object of another kind';
}

function isListOf(value: Json | undefined, isOne: (item: Json) => boolean): boolean {
  return Array.isArray(value) && (value as readonly Json[]).every(isOne);
}

function isResource(item: Json): boolean {
  return isObject(item) && typeof item['kind'] === 'string' && typeof item['name'] === 'string';
}

function isNamed(item: Json): boolean {
  return (
    isObject(item) && isObject(item['metadata']) && typeof item['metadata']['name'] === 'string'
  );
}
