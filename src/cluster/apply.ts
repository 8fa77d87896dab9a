import { BundleError } from '../core/errors.ts';
import { OddAnswer } from './api-http.ts';
import type { ClusterClient } from './client.ts';
import { differences, type FieldChange } from './difference.ts';
import { type ApiObject, called, type ObjectName } from './object.ts';

/** The fields that an object is called by. */
const IDENTITY = new Set(['.apiVersion', '.kind', '.metadata.name', '.metadata.namespace']);

/** What applying an object does, or has done. */
export type Change = 'new' | 'changed' | 'same';

export interface ObjectChange {
  /** `ConfigMap openshift-config-managed/sha256-…` */
  readonly object: string;
  readonly change: Change;
  /** The fields that differ; of a new object all but its name. */
  readonly fields: readonly FieldChange[];
}

/**
 * Lets the API server compute what applying would do. It checks everything then that it would
 * check: permissions, the schema, and whether somebody else has set a field.
 * @throws BundleError the first refusal, naming all others.
 */
export async function planApply(
  client: ClusterClient,
  objects: readonly ObjectName[],
): Promise<readonly ObjectChange[]> {
  const planned: ObjectChange[] = [];
  const refused: BundleError[] = [];
  for (const object of objects) {
    try {
      planned.push(changeOf(object, await client.read(object), await client.apply(object, true)));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refused.push(error);
    }
  }
  const [first, ...others] = refused;
  if (first === undefined) return planned;
  const more = others.length === 0 ? '' : `; ${others.map(({ message }) => message).join('; ')}`;
  throw first.retold(`${first.message}${more}`);
}

/**
 * Applies objects, one after the other, and only those that are not as wanted already.
 * @throws BundleError for the first that fails, saying what was applied before it and what was not.
 */
export async function applyObjects(
  client: ClusterClient,
  objects: readonly ObjectName[],
): Promise<readonly ObjectChange[]> {
  const done: ObjectChange[] = [];
  for (const [index, object] of objects.entries()) {
    let isSent = false;
    try {
      const before = await client.read(object);
      const planned = changeOf(object, before, await client.apply(object, true));
      isSent = planned.change !== 'same';
      done.push(isSent ? changeOf(object, before, await client.apply(object, false)) : planned);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      const isOpen = isSent && isWithoutAnswer(error);
      throw withProgress(error, {
        done,
        open: isOpen ? object : undefined,
        left: objects.slice(isOpen ? index + 1 : index),
      });
    }
  }
  return done;
}

/** An answer that is none, or that never came, does not say what the API server has done. */
function isWithoutAnswer(error: BundleError): boolean {
  const isCut = error.code === 'NETWORK' || error.code === 'INTERRUPTED';
  return isCut || error.cause instanceof OddAnswer;
}

/** How far applying has come. */
export interface Progress {
  readonly done: readonly ObjectChange[];
  /** Was sent, and nothing is known of it. */
  readonly open?: ObjectName | undefined;
  readonly left: readonly ObjectName[];
}

/** The same failure, with what was applied before it and what was not. */
export function withProgress(error: BundleError, { done, open, left }: Progress): BundleError {
  const applied = done.filter(({ change }) => change !== 'same').map((some) => some.object);
  const told = [
    `Applied: ${listText(applied)}`,
    ...(open === undefined ? [] : [`Perhaps applied: ${called(open)}`]),
    `Not applied: ${listText(left.map(called))}`,
  ];
  return error.retold(`${error.message}. ${told.join('. ')}`);
}

function listText(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(', ');
}

/** @param before what the cluster has; `undefined` where there is no such object. */
function changeOf(
  object: ObjectName,
  before: ApiObject | undefined,
  after: ApiObject,
): ObjectChange {
  const fields = differences(before, after);
  const change = before === undefined ? 'new' : fields.length === 0 ? 'same' : 'changed';
  // What the API server adds to a new object of itself is none of what is applied.
  const own = before === undefined ? differences(undefined, object as ApiObject) : fields;
  const told = own.filter(({ field }) => !IDENTITY.has(field));
  return { object: called(object), change, fields: told };
}

/** A refusal of one object says nothing of the others; a broken connection does. */
function isRefusal(error: unknown): error is BundleError {
  if (!(error instanceof BundleError) || isUnknownUser(error)) return false;
  return error.code !== 'NETWORK' && error.code !== 'INTERRUPTED';
}

function isUnknownUser({ cause }: BundleError): boolean {
  return cause instanceof Error && cause.message === 'status 401';
}
