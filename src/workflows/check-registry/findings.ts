import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import { namingAll } from '../../delivering/target-refusal.ts';

/**
 * `lacking`: the registry cannot do it, and an unpack gets along without. `unknown`: it could not
 * be found out.
 */
export type Verdict = 'good' | 'bad' | 'lacking' | 'unknown';

export interface Check {
  readonly check:
    | 'reachable'
    | 'TLS'
    | 'credentials'
    | 'pull'
    | 'push'
    | 'mount'
    | 'chunks'
    | 'largest request'
    | 'manifests'
    | 'referrers'
    | 'cluster';
  /** The registry or repository that it is about. */
  readonly subject: string;
  readonly verdict: Verdict;
  readonly fact: string;
  /** Only of what is bad. */
  readonly error?: BundleError;
}

/** What came out of a look. */
export type Finding = Pick<Check, 'verdict' | 'fact'> & { readonly error?: BundleError };

/** What is found out, in the order in which it is told. */
export class Findings {
  readonly checks: Check[] = [];
  readonly #context: Pick<Context, 'signal' | 'observe'>;
  readonly #names: readonly string[] | undefined;

  /** @param names the repositories that a refusal has to name; none where it speaks for itself. */
  constructor(context: Pick<Context, 'signal' | 'observe'>, names?: readonly string[]) {
    this.#context = context;
    this.#names = names;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  /** Says what is looked at, and makes a finding of a failure; it is not told yet. */
  async look(
    check: Check['check'],
    subject: string,
    task: () => Promise<Finding>,
  ): Promise<Finding> {
    const { signal, observe } = this.#context;
    const what = check === 'largest request' ? `the ${check}` : check;
    observe({ type: 'phase', what: `checking ${what} at ${subject}` });
    try {
      return await task();
    } catch (thrown) {
      const error = this.#names === undefined ? thrown : namingAll(thrown, this.#names);
      if (!(error instanceof BundleError) || signal.aborted) throw error;
      return { verdict: 'bad', fact: error.message, error };
    }
  }

  tell(check: Check['check'], subject: string, finding: Finding): void {
    this.checks.push({ check, subject, ...finding });
  }

  async find(
    check: Check['check'],
    subject: string,
    task: () => Promise<Finding>,
  ): Promise<Verdict> {
    const finding = await this.look(check, subject, task);
    this.tell(check, subject, finding);
    return finding.verdict;
  }
}
