import { BundleError } from '../../core/errors.ts';
import { printable, printableLine } from '../units.ts';
import { hexLines } from './layout.ts';
import { type Screen, showable, styled } from './screen.ts';
import { withShortDigests } from './shown.ts';
import { hanging } from './wrap.ts';

const BUG_STATUS = 1;

/** Items of a list that are shown to somebody who does not want everything. */
const SHOWN_ITEMS = 5;

/** The exit status of a failure: its own, or 1 for a bug of ours. */
export function statusOf(error: unknown): number {
  return error instanceof BundleError ? error.exitStatus : BUG_STATUS;
}

/** What failed, the fact, and what to do next; the stack only where it is a bug of ours. */
export function failureText(error: unknown, screen: Screen): string {
  if (!(error instanceof BundleError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `bundle: this is a bug in bundle, please report it with the lines below\n${stack}`;
  }
  const line = (lead: string, style: 'red' | 'dim', text: string): readonly string[] => {
    const [first = '', ...more] = hanging(lead, printableLine(text), screen.columns);
    return [styled(style, lead, screen) + first.slice(lead.length), ...more];
  };
  // What is printed to be read has short digests; a file or a program gets them whole.
  const isRead = Number.isFinite(screen.columns) && !screen.isVerbose;
  const message = isRead ? withShortDigests(error.message) : error.message;
  const lines = [...line('bundle: ', 'red', message)];
  const add = (label: string, fact: string | undefined): void => {
    if (fact === undefined) return;
    const lead = leadOf(label);
    if (!isHex(fact)) lines.push(...line(lead, 'dim', isRead ? withShortDigests(fact) : fact));
    else {
      const [first = '', ...more] = hexLines({ hex: fact }, screen.columns - lead.length);
      lines.push(styled('dim', lead, screen) + first);
      lines.push(...more.map((groups) => ' '.repeat(lead.length) + groups));
    }
  };
  const untold = (fact: string | undefined): string | undefined =>
    fact === undefined || error.message.includes(fact) ? undefined : fact;
  for (const { label, items } of error.details) {
    const all = isRead ? items.map(withShortDigests) : items;
    const shown = screen.isVerbose ? all : all.slice(0, SHOWN_ITEMS);
    const more = all.length - shown.length;
    const rest = more > 0 ? [`and ${more} more (--verbose lists all)`] : [];
    for (const [index, item] of [...shown, ...rest].entries())
      lines.push(...line(index === 0 ? leadOf(`${label}:`) : leadOf(''), 'dim', item));
  }
  // The list of what is wrong has it already, with what it is about.
  if (error.details.length === 0) {
    add('expected:', untold(error.expected));
    add('got:', untold(error.got));
  }
  const { hint } = error;
  if (hint !== undefined) lines.push(...hintLines(hint, line));
  return showable(lines.join('\n'), screen);
}

function leadOf(label: string): string {
  return `  ${label} `.padEnd(12);
}

/** A command is not broken into lines, so that it can be copied. */
function hintLines(
  hint: string,
  line: (lead: string, style: 'dim', text: string) => readonly string[],
): readonly string[] {
  return hint
    .split('\n')
    .flatMap((text, index) =>
      text.startsWith('  ')
        ? [printable(text)]
        : line(leadOf(index === 0 ? 'next:' : ''), 'dim', text),
    );
}

/** The id of a key, or a bundle digest, as it stands in reports. */
function isHex(fact: string): boolean {
  return /^[0-9a-f]{64}$/.test(fact);
}

/** The same for a machine. */
export function failureJson(error: unknown): unknown {
  const status = statusOf(error);
  if (!(error instanceof BundleError))
    return { error: { code: 'BUG', status, message: String(error) } };
  const { code, message, subject, expected, got, hint, details } = error;
  const lists = details.length === 0 ? undefined : details;
  return { error: { code, status, message, subject, expected, got, hint, details: lists } };
}
