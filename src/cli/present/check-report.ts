import type { Check, CheckRegistryReport, Verdict } from '../../workflows/check-registry.ts';
import type { Outcome } from '../command.ts';
import { printable } from '../units.ts';
import { statusOf } from './failure.ts';
import { columns } from './table.ts';

const WORDS: Readonly<Record<Verdict, string>> = {
  good: 'ok',
  bad: 'NO',
  lacking: '-',
  unknown: '?',
};

export function checkRegistryReport({
  registry,
  repositories,
  product,
  checks,
  failure,
}: CheckRegistryReport): Outcome {
  const rows = checks.map(({ check, subject, verdict, fact }) => [
    WORDS[verdict],
    check,
    subject,
    fact,
  ]);
  const hints = new Set(checks.flatMap(({ error }) => error?.hint ?? []));
  const verdict =
    failure === undefined
      ? `unpack can use ${registry}.`
      : `unpack cannot use ${registry} as it is.`;
  const text = [columns(rows), '', verdict, ...[...hints].map((hint) => `  next: ${hint}`)].join(
    '\n',
  );
  const json = {
    registry,
    repositories,
    product,
    ready: failure === undefined,
    checks: checks.map(checkJson),
  };
  return {
    text: printable(text),
    json,
    ...(failure !== undefined && { status: statusOf(failure) }),
  };
}

function checkJson({ error, ...facts }: Check): object {
  return { ...facts, ...(error && { code: error.code, hint: error.hint }) };
}
