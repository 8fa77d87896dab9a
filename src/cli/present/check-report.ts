import type { Check, CheckRegistryReport, Verdict } from '../../workflows/check-registry.ts';
import type { Outcome } from '../command.ts';
import { statusOf } from './failure.ts';
import type { Mood, Rows, Section } from './layout.ts';

const WORDS: Readonly<Record<Verdict, readonly [string, Mood]>> = {
  good: ['ok', 'good'],
  bad: ['NO', 'bad'],
  lacking: ['-', 'warning'],
  unknown: ['?', 'warning'],
};

export function checkRegistryReport({
  registry,
  repositories,
  product,
  checks,
  failure,
}: CheckRegistryReport): Outcome {
  const hints = [...new Set(checks.flatMap(({ error }) => error?.hint ?? []))];
  const json = {
    registry,
    repositories,
    product,
    ready: failure === undefined,
    checks: checks.map(checkJson),
  };
  return {
    report: () => [
      failure === undefined
        ? [{ verdict: `unpack can use ${registry}`, mood: 'good' }]
        : [{ verdict: refusal(registry, checks), mood: 'bad' }],
      hints.map((hint) => ({ text: `Next: ${hint}` })),
      ...subjectsOf(checks).map((subject) => section(subject, checks)),
    ],
    json,
    ...(failure !== undefined && { status: statusOf(failure) }),
  };
}

function refusal(registry: string, checks: readonly Check[]): string {
  const isUsable = checks.every(({ check, verdict }) => check === 'cluster' || verdict !== 'bad');
  return isUsable
    ? `unpack can use ${registry}, but the pull secret of the clusters is not as it has to be`
    : `unpack cannot use ${registry} as it is`;
}

function subjectsOf(checks: readonly Check[]): readonly string[] {
  return [...new Set(checks.map(({ subject }) => subject))];
}

/** What was found out about a registry, or about one of its repositories. */
function section(subject: string, checks: readonly Check[]): Section {
  const widest = Math.max(...checks.map(({ check }) => check.length));
  const rows = checks
    .filter((check) => check.subject === subject)
    .map(({ check, verdict, fact }): Rows[number] => {
      const [word, mood] = WORDS[verdict];
      const before = checks.find((other) => other.check === check && other.fact === fact);
      const isSaid = check === 'credentials' && before?.subject !== subject;
      return [`  ${word.padEnd(2)}  ${check.padEnd(widest)}`, isSaid ? 'as above' : fact, mood];
    });
  return [{ text: subject }, { facts: rows }];
}

function checkJson({ error, ...facts }: Check): object {
  return { ...facts, ...(error && { code: error.code, hint: error.hint }) };
}
