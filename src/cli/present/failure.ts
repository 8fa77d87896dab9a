import { BundleError } from '../../core/errors.ts';
import { printable } from '../units.ts';

const BUG_STATUS = 1;

/** The exit status of a failure: its own, or 1 for a bug of ours. */
export function statusOf(error: unknown): number {
  return error instanceof BundleError ? error.exitStatus : BUG_STATUS;
}

/** What failed, the fact, and what to do next; the stack only where it is a bug of ours. */
export function failureText(error: unknown): string {
  if (!(error instanceof BundleError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `bundle: this is a bug in bundle, please report it with the lines below\n${stack}`;
  }
  const lines = [`bundle: ${error.message}`];
  const told = (fact: string | undefined): boolean =>
    fact === undefined || error.message.includes(fact);
  if (!told(error.expected)) lines.push(`  expected: ${error.expected ?? ''}`);
  if (!told(error.got)) lines.push(`  got:      ${error.got ?? ''}`);
  if (error.hint !== undefined) lines.push(`  next:     ${error.hint}`);
  return printable(lines.join('\n'));
}

/** The same for a machine. */
export function failureJson(error: unknown): unknown {
  const status = statusOf(error);
  if (!(error instanceof BundleError))
    return { error: { code: 'BUG', status, message: String(error) } };
  const { code, message, subject, expected, got, hint } = error;
  return { error: { code, status, message, subject, expected, got, hint } };
}
