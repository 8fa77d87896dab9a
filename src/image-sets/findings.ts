import { withoutPasswords } from '../core/http/user-info.ts';

/** What a reader of an image set found wrong with it. */
export interface Finding {
  /** An error keeps the file from being used; a warning is for its author. */
  readonly level: 'error' | 'warning';
  readonly code: FindingCode;
  /** From 1, as editors count them. */
  readonly line: number;
  readonly column: number;
  /** `mirror.platform.channels[0].minVersion`; empty for the whole file. */
  readonly path: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

export type FindingCode =
  /** It is no YAML, or more than one document. */
  | 'syntax'
  | 'too-large'
  /** A kind or an API version that is another one. */
  | 'kind'
  | 'unknown-key'
  | 'duplicate-key'
  /** A key that oc-mirror v1 knew. */
  | 'changed-key'
  | 'wrong-type'
  /** A number where a text is meant. */
  | 'unquoted'
  | 'missing'
  /** The same thing listed twice. */
  | 'duplicate'
  | 'invalid-value'
  /** Keys that exclude each other. */
  | 'contradiction'
  | 'never-matches'
  /** A key that has no effect, here and in oc-mirror. */
  | 'no-effect';

/** More findings than these help nobody. */
const MOST_FINDINGS = 1000;

/** Gathers findings. */
export class Findings {
  readonly #all: Finding[] = [];

  /** Its texts quote the file: never a password in it. */
  add(finding: Finding): void {
    if (this.#all.length >= MOST_FINDINGS) return;
    const { message, hint } = finding;
    const told = hint !== undefined && { hint: withoutPasswords(hint) };
    this.#all.push({ ...finding, message: withoutPasswords(message), ...told });
  }

  /** The last one: it is kept however many there are. */
  end(finding: Finding): void {
    this.#all.push(finding);
  }

  get hasErrors(): boolean {
    return this.#all.some(({ level }) => level === 'error');
  }

  /** All, in the order of the file. */
  sorted(): readonly Finding[] {
    return this.#all.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }
}
