import type { Json, JsonObject } from '../core/json.ts';

/** What an object is called. */
export interface ObjectName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** An object as it is sent, or as the API server has it. */
export interface ApiObject extends ObjectName {
  readonly [field: string]: Json;
  readonly metadata: ObjectName['metadata'] & JsonObject;
}

/** `ConfigMap openshift-config-managed/sha256-…`, as people call an object. */
export function called({ kind, metadata }: ObjectName): string {
  const { name, namespace } = metadata;
  if (name === '') return kind;
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
