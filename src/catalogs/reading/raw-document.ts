import { BundleError } from '../../core/errors.ts';
import { oneLine } from '../../core/text.ts';

/** Where a document lies, so that it can be copied byte for byte. */
export interface DocumentPlace {
  /** The path of the file in the catalog. */
  readonly file: string;
  /** Which one of the file it is, from 0. */
  readonly index: number;
  /** The first byte, and the one behind the last. */
  readonly start: number;
  readonly end: number;
  readonly format: 'json' | 'yaml';
}

/** A document as it is written. Its bytes are valid only until the next one is asked for. */
export interface RawDocument extends DocumentPlace {
  readonly bytes: Uint8Array;
}

/** A document that cannot be used, named as people find it: file and number. */
export function badDocument(
  { file, index }: Pick<DocumentPlace, 'file' | 'index'>,
  why: string,
  cause?: unknown,
): BundleError {
  const name = `document ${index + 1} of ${oneLine(file)}`;
  return new BundleError('UNSUPPORTED_CONTENT', `${name} ${why}`, {
    subject: name,
    expected: 'documents of a file-based catalog, in JSON or YAML',
    hint: 'Mend the catalog, or take it from its publisher again.',
    cause,
  });
}
