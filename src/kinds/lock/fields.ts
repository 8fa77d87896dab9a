import { type Digest, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asArray, asObject, asSize, asString, type Json } from '../../core/json.ts';

/** Makes a value of a document into what it stands for. @throws BundleError UNSUPPORTED_CONTENT */
export type Reader<T> = (value: Json, what: string) => T;

/** How each key of an object is read; one that may be left out says so. */
export type Fields<T extends object> = {
  readonly [Key in keyof T]-?: object extends Pick<T, Key>
    ? { readonly optional: Reader<Exclude<T[Key], undefined>> }
    : Reader<T[Key]>;
};

/**
 * An object that has exactly the keys that it may have.
 * @throws BundleError UNSUPPORTED_CONTENT naming the key
 */
export function objectOf<T extends object>(fields: Fields<T>): Reader<T> {
  const readers = new Map(
    Object.entries<Reader<unknown> | { readonly optional: Reader<unknown> }>(fields),
  );
  return (value, what) => {
    const object = asObject(value, what);
    const odd = Object.keys(object).find((key) => !readers.has(key));
    if (odd !== undefined) throw wrong(`${what} has a key ${JSON.stringify(odd)}`);
    const read: [string, unknown][] = [];
    for (const [key, reader] of readers) {
      const own = Object.hasOwn(object, key) ? object[key] : undefined;
      const name = `${key} of ${what}`;
      if (typeof reader === 'function') {
        if (own === undefined) throw wrong(`${name} is missing`);
        read.push([key, reader(own, name)]);
      } else if (own !== undefined) read.push([key, reader.optional(own, name)]);
    }
    // Each field was read by the reader of its own type.
    return Object.fromEntries(read) as T;
  };
}

export const text: Reader<string> = asString;

export const size: Reader<number> = asSize;

export const digest: Reader<Digest> = (value, what) => {
  try {
    return parseDigest(value);
  } catch (error) {
    throw error instanceof BundleError ? error.about(what) : error;
  }
};

export const yesOrNo: Reader<boolean> = (value, what) => {
  if (typeof value === 'boolean') return value;
  throw wrong(`${what} is neither true nor false`);
};

export function oneOf<T extends string>(words: readonly T[]): Reader<T> {
  return (value, what) => {
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    throw wrong(`${what} is none of ${words.join(', ')}`);
  };
}

export function listOf<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (value, what) =>
    asArray(value, what).map((own, at) => reader(own, `entry ${at + 1} of ${what}`));
}

/** An object whose keys are names that others have chosen. */
export function mapOf<T>(reader: Reader<T>): Reader<Readonly<Record<string, T>>> {
  return (value, what) =>
    Object.fromEntries(
      Object.entries(asObject(value, what)).map(([key, own]) => [
        key,
        reader(own, `${key} of ${what}`),
      ]),
    );
}

/** One of several objects, which their `type` tells apart. */
export function byType<T extends { readonly type: string }>(
  readers: Readonly<Record<T['type'], Reader<T>>>,
): Reader<T> {
  const known = new Map(Object.entries<Reader<T>>(readers));
  return (value, what) => {
    const type = asString(asObject(value, what)['type'], `type of ${what}`);
    const reader = known.get(type);
    if (reader !== undefined) return reader(value, what);
    throw wrong(`type of ${what} is none of ${[...known.keys()].join(', ')}`);
  };
}

function wrong(message: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', message);
}

/** What is locked has been resolved: an image may be missing only where nothing is locked. */
export function knownDigest(found: Digest | undefined): Digest {
  if (found === undefined) throw new RangeError('a lock names an image that nobody has resolved');
  return found;
}
