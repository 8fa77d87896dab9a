import type { CheckRegistryReport } from '../../workflows/check-registry/check-registry.ts';
import type { Check, Verdict } from '../../workflows/check-registry/findings.ts';
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
  const hints = differentHints(checks, repositories);
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
      checks.some(({ verdict }) => verdict === 'lacking')
        ? [{ text: 'What is marked with - is not there, and unpack does without it.' }]
        : [],
    ],
    json,
    ...(failure !== undefined && { status: statusOf(failure) }),
  };
}

/** What is said of one repository is not said again of another. */
function differentHints(checks: readonly Check[], names: readonly string[]): readonly string[] {
  const longestFirst = names.toSorted((a, b) => b.length - a.length);
  const anyOf = (hint: string): string =>
    longestFirst.reduce((text, name) => text.replaceAll(name, 'it'), hint);
  const different = new Map<string, string>();
  for (const hint of checks.flatMap(({ error }) => error?.hint ?? [])) {
    if (!different.has(anyOf(hint))) different.set(anyOf(hint), hint);
  }
  return [...different.values()];
}

function refusal(registry: string, checks: readonly Check[]): string {
  const isUsable = checks.every(({ check, verdict }) => check === 'cluster' || verdict !== 'bad');
  return isUsable
    ? `unpack can use ${registry}, but what clusters may do there is not as it has to be`
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
