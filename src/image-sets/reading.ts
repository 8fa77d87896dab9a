import { type Document, isAlias, isScalar, type LineCounter, type Node } from 'yaml';

import { BundleError } from '../core/errors.ts';
import { type Finding, type FindingCode, Findings } from './findings.ts';
import type { ImageSetKind } from './image-set.ts';

/** Values that are read: aliases can make billions out of a short file. */
const MOST_VALUES = 200_000;

/** Thrown where reading makes no sense any more: what is wrong is among the findings. */
export class Unreadable extends Error {}

/** What is said of a place of the file. */
export type Said = Pick<Finding, 'message'> & { readonly hint?: string | undefined };

/** One reading of a file: its document, and what was found wrong so far. */
export class Reading {
  readonly findings = new Findings();
  /** Known as soon as the key `kind` was read. */
  kind: ImageSetKind = 'ImageSetConfiguration';
  readonly #document: Document;
  readonly #lines: LineCounter;
  #values = 0;

  constructor(document: Document, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  /**
   * The node itself, where an alias stands for it.
   * @throws Unreadable after too many values.
   */
  resolved(node: unknown): Node | undefined {
    this.#values += 1;
    if (this.#values > MOST_VALUES) {
      const message = `the file has more than ${MOST_VALUES} values`;
      const hint = 'Aliases repeat what they name. No image set is that long: shorten it.';
      const place = { line: 1, column: 1 };
      this.findings.end({ level: 'error', code: 'too-large', ...place, path: '', message, hint });
      throw new Unreadable(message);
    }
    if (!isAlias(node)) return (node ?? undefined) as Node | undefined;
    return node.resolve(this.#document) ?? undefined;
  }

  error(code: FindingCode, at: Value, said: Said): void {
    this.#add('error', code, at, said);
  }

  warn(code: FindingCode, at: Value, said: Said): void {
    this.#add('warning', code, at, said);
  }

  placeOf(node: Node | undefined): { readonly line: number; readonly column: number } {
    const { line, col } = this.#lines.linePos(node?.range?.[0] ?? 0);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #add(
    level: Finding['level'],
    code: FindingCode,
    { place, path }: Value,
    { message, hint }: Said,
  ): void {
    const told = hint !== undefined && { hint };
    this.findings.add({ level, code, ...place, path, message, ...told });
  }
}

/** A value of the file, with its path. */
export class Value {
  readonly node: Node | undefined;
  /** `mirror.operators[0].catalog`. */
  readonly path: string;
  readonly reading: Reading;
  /** Where it is written: for an alias, where the alias is. */
  readonly place: { readonly line: number; readonly column: number };

  constructor(node: unknown, path: string, reading: Reading) {
    this.path = path;
    this.reading = reading;
    this.place = reading.placeOf((node ?? undefined) as Node | undefined);
    this.node = node === undefined || node === null ? undefined : reading.resolved(node);
  }

  get line(): number {
    return this.place.line;
  }

  /** The path without numbers: `mirror.operators[].catalog`. */
  get schemaPath(): string {
    return this.path.replace(/\[\d+\]/g, '[]');
  }

  /** Nothing, or `null`, which is the same. */
  get isEmpty(): boolean {
    return this.node === undefined || (isScalar(this.node) && this.node.value === null);
  }

  error(code: FindingCode, message: string, hint?: string): void {
    this.reading.error(code, this, { message, hint });
  }

  warn(code: FindingCode, message: string, hint?: string): void {
    this.reading.warn(code, this, { message, hint });
  }

  /** What a function of core makes of a text, or its complaint among the findings. */
  parsed<T>(parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      this.error('invalid-value', error.message, error.hint);
      return undefined;
    }
  }
}
