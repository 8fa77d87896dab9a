import { BundleError } from '../../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import { pathWord } from '../../core/text.ts';
import type { ImageSet } from '../../image-sets/image-set.ts';
import { type Difference, differenceDetails, differencesOf } from './difference.ts';
import type { FollowedLock } from './follow.ts';

/** What a file for oc-mirror asks for, without the lines that it says it on. */
export function askedBy(set: ImageSet): JsonObject {
  return withoutLines(JSON.parse(JSON.stringify(set)) as Json) as JsonObject;
}

function withoutLines(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(withoutLines);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, own]) =>
      key === 'line' ? [] : [[key, withoutLines(own)]],
    ),
  );
}

/** Where in the file, as people say it: `maxVersion of stable-4.17`. */
function inWords(difference: Difference): Difference {
  const [thing = '', key] = difference.what.split(', ').slice(-2);
  return key === undefined ? difference : { ...difference, what: `${key} of ${thing}` };
}

/**
 * Makes sure that a file asks for what it asked for when its lock was written.
 * @throws BundleError CONFIGURATION saying what is another one
 */
export function requireSameFile(set: ImageSet, config: string, { file, lock }: FollowedLock): void {
  if (lock.config === undefined) {
    throw new BundleError('CONFIGURATION', `${file} was not made from a file`, {
      subject: config,
      hint: `Leave --config out: ${file} says everything that is to be packed.`,
    });
  }
  const all = differencesOf(lock.config, askedBy(set), 'the file').map(inWords);
  const [first] = all;
  if (first === undefined) return;
  throw new BundleError(
    'CONFIGURATION',
    `${config} is not the file that ${file} was made from: ${first.what}`,
    {
      ...{ subject: config, expected: first.was, got: first.is },
      details: differenceDetails(all),
      hint:
        'Write a new lock beside it: bundle pack --config ' +
        `${pathWord(config)} --lock NEW.lock --dry-run -o FOLDER; and look at what is different: ` +
        `bundle imageset diff ${pathWord(file)} NEW.lock; ` +
        'or leave --config out, to pack what is locked.',
    },
  );
}
