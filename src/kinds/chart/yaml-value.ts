import { BundleError } from '../../core/errors.ts';
import type { Json } from '../../core/json.ts';
import { oneLine } from '../../core/text.ts';
import { parse, parseAllDocuments } from '../../yaml/documents.ts';

/** Aliases multiply what a text holds: no chart needs more of them. */
const MAX_ALIASES = 1000;

/**
 * One document of YAML, as JSON.
 * @param what it is, for messages.
 * @throws BundleError UNSUPPORTED_CONTENT
 */
export function yamlValue(bytes: Uint8Array, what: string): Json {
  try {
    // Merge keys and numbers of any size are what Go's readers take as well.
    return asJson(
      parse(Buffer.from(bytes).toString('utf8'), { maxAliasCount: MAX_ALIASES, merge: true }),
    );
  } catch (error) {
    throw noYaml(what, error);
  }
}

/** A document of a stream of YAML, and the comment at its begin. */
export interface YamlDocument {
  readonly value: Json;
  readonly comment: string;
}

/** All documents of a text, but for empty ones. @throws BundleError UNSUPPORTED_CONTENT */
export function yamlDocuments(text: string, what: string): readonly YamlDocument[] {
  try {
    const documents = parseAllDocuments(text, { merge: true, uniqueKeys: false });
    const values = [...documents].map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      const value = asJson(document.toJS({ maxAliasCount: MAX_ALIASES }));
      const comment = document.commentBefore ?? document.contents?.commentBefore ?? '';
      return { value, comment };
    });
    return values.filter(({ value }) => value !== null);
  } catch (error) {
    throw noYaml(what, error);
  }
}

function asJson(value: unknown): Json {
  return value === undefined ? null : (value as Json);
}

function noYaml(what: string, error: unknown): BundleError {
  const why = error instanceof Error ? oneLine(error.message.split('\n')[0] ?? '') : '';
  return new BundleError('UNSUPPORTED_CONTENT', `${what} is no valid YAML: ${why}`, {
    cause: error,
  });
}
