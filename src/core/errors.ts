import { withoutPasswords } from './http/user-info.ts';

/**
 * Every way a command can fail, and the exit status it ends with. The statuses are part of the
 * command line's contract (docs/exit-status.md); the codes are part of the JSON output's.
 */
const STATUS_OF_CODE = {
  USAGE: 2,
  CONFIGURATION: 2,
  CONTENT_MISMATCH: 20,
  CLOSURE_MISMATCH: 20,
  UNSUPPORTED_CONTENT: 20,
  SIGNATURE_MISSING: 21,
  SIGNATURE_INVALID: 21,
  SIGNER_UNKNOWN: 21,
  TOO_FEW_SIGNERS: 21,
  NOT_THE_EXPECTED_BUNDLE: 21,
  NOT_PROVEN: 21,
  BUNDLE_UNUSABLE: 22,
  NOT_FOUND: 23,
  NOT_ALLOWED: 24,
  BLOCKED: 24,
  NETWORK: 25,
  REGISTRY: 25,
  CLUSTER: 25,
  DISK: 26,
  TAG_CONFLICT: 27,
  NOT_REPLAYABLE: 30,
  INTERRUPTED: 130,
} as const;

export type ErrorCode = keyof typeof STATUS_OF_CODE;

/** The two ends of a copy. */
export type Side = 'source' | 'target';

/** A list below a message, as the faults of a bundle. */
export interface Detail {
  /** A word. */
  readonly label: string;
  readonly items: readonly string[];
}

export interface ErrorDetail {
  /**
   * What to do next: sentences, and commands to be typed, each on a line of its own that begins
   * with two blanks.
   */
  readonly hint?: string | undefined;
  /** What else is known: lists that stand below the message. */
  readonly details?: readonly Detail[] | undefined;
  readonly cause?: unknown;
  /** The expected and the found value, if the failure is a comparison. */
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  /** The image, entry or file that the failure is about. */
  readonly subject?: string | undefined;
  /** The end of a copy that failed, set where it is known: it is never concluded from a code. */
  readonly side?: Side | undefined;
  /**
   * The same might succeed a moment later, and was not tried often yet: a broken connection, a busy
   * server.
   */
  readonly temporary?: boolean | undefined;
  /** Overrides the status of the code: only interruption needs it (129, 130, 143). */
  readonly status?: number | undefined;
}

/**
 * The one error class of the program: a failure that was foreseen, with a code and a way out. Its
 * texts quote what somebody has written, on the command line or in a file; never a password in it.
 */
export class BundleError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: readonly Detail[];
  readonly expected: string | undefined;
  readonly got: string | undefined;
  readonly subject: string | undefined;
  readonly side: Side | undefined;
  readonly temporary: boolean;
  readonly #status: number | undefined;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(shown(message), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'BundleError';
    this.code = code;
    // Commands in it have to work as they are printed.
    this.hint = detail.hint === undefined ? undefined : withoutPasswords(detail.hint);
    this.details = (detail.details ?? []).map(({ label, items }) => {
      return { label, items: items.map(withoutPasswords) };
    });
    this.expected = shown(detail.expected);
    this.got = shown(detail.got);
    this.subject = shown(detail.subject);
    this.side = detail.side;
    this.temporary = detail.temporary ?? false;
    this.#status = detail.status;
  }

  get exitStatus(): number {
    return this.#status ?? STATUS_OF_CODE[this.code];
  }

  /**
   * The same failure, told of `subject` too: for a layer that knows which image was being moved.
   */
  about(subject: string): BundleError {
    return this.subject === undefined
      ? this.#with(`${subject}: ${this.message}`, { subject })
      : this;
  }

  /** The same failure, as one of content that a place has given, if it does not name the place. */
  from(place: string): BundleError {
    return this.message.includes(place)
      ? this
      : this.#with(`${this.message}; it came from ${place}`, {});
  }

  /**
   * The same failure in other words, of which this one is the cause: for a layer that knows what
   * else is to be told.
   */
  retold(message: string): BundleError {
    return this.#with(message, { cause: this });
  }

  /** The same failure with another way out: for somebody who knows a better one. */
  withHint(hint: string): BundleError {
    return this.#with(this.message, { hint });
  }

  /** The same failure, of what was tried as often as that is worth it. */
  lasting(): BundleError {
    return this.#with(this.message, { temporary: false });
  }

  /** The same failure, with lists below its message. */
  withDetails(details: readonly Detail[]): BundleError {
    return this.#with(this.message, { details });
  }

  /** The same failure, as one of this end of the copy: for a layer that knows whom it asked. */
  onSide(side: Side): BundleError {
    return this.side === side ? this : this.#with(this.message, { side });
  }

  #with(
    message: string,
    other: Pick<ErrorDetail, 'hint' | 'cause' | 'details' | 'subject' | 'side' | 'temporary'>,
  ): BundleError {
    const { hint, details, cause, expected, got, subject, side, temporary } = this;
    return new BundleError(this.code, message, {
      hint,
      details,
      cause,
      expected,
      got,
      subject,
      side,
      temporary,
      status: this.#status,
      ...other,
    });
  }
}

/** A longer word is no name: nobody wants to scroll past a file that was given as a value. */
const LONGEST_WORD = /\S{1001,}/g;

function shown(text: string): string;
function shown(text: string | undefined): string | undefined;
function shown(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  return withoutPasswords(text).replace(LONGEST_WORD, (word) => `${word.slice(0, 300)}…`);
}

/** Which of several failures decides the exit status, gravest first (docs/exit-status.md). */
const GRAVITY: readonly number[] = [21, 20, 22, 24, 23, 25, 26];

/**
 * The failure to report of several that happened in one run; `undefined` only for an empty list.
 */
export function gravest(errors: readonly unknown[]): unknown {
  const rank = (error: unknown): number => {
    if (!(error instanceof BundleError)) return -1; // a bug outranks everything: it must be seen
    const index = GRAVITY.indexOf(error.exitStatus);
    return index === -1 ? GRAVITY.length : index;
  };
  return errors.toSorted((a, b) => rank(a) - rank(b))[0];
}

/** True for a failure of the given code: how callers tell an absence from a refusal. */
export function hasCode(error: unknown, code: ErrorCode): error is BundleError {
  return error instanceof BundleError && error.code === code;
}

/**
 * True for a failure that may pass when the same is done again: a broken connection, a busy
 * registry.
 */
export function isTemporary(error: unknown): error is BundleError {
  return error instanceof BundleError && error.temporary;
}

/** The system error code (`ENOENT`, `ENOSPC`, …) of an error thrown by Node, or `undefined`. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
