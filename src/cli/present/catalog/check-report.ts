import { type Finding, objectOf } from '../../../catalogs/check/finding.ts';
import type { CheckReport } from '../../../workflows/catalog/look.ts';
import { counted, oneLine } from '../../../core/text.ts';
import type { Outcome } from '../../command.ts';
import type { Section } from '../layout.ts';
import { catalogJson, contentText } from './facts.ts';

/** More findings than these are counted. */
const SHOWN = 50;
/** As for other content that is not what it has to be. */
const WRONG = 20;

/** What OLM would refuse of a catalog. */
export function checkReport(report: CheckReport): Outcome {
  const { name, packages, bundles, findings } = report;
  const content = contentText(packages, bundles);
  return {
    ...(findings.length > 0 && { status: WRONG }),
    report: ({ isVerbose }) => [
      [
        findings.length === 0
          ? { verdict: `${name} is good: ${content}`, mood: 'good' }
          : {
              verdict: `OLM refuses ${name}, and all of its operators: ${counted(findings.length, 'fault')}`,
              mood: 'bad',
            },
      ],
      findingSection(findings, isVerbose),
    ],
    json: { ...catalogJson(report), packages, bundles, findings },
  };
}

/** Each finding in a line. */
export function findingSection(findings: readonly Finding[], isVerbose: boolean): Section {
  const shown = isVerbose ? findings : findings.slice(0, SHOWN);
  return [
    ...shown.map((finding) => ({ text: oneLine(`${objectOf(finding)} ${finding.message}`, 1000) })),
    ...(shown.length < findings.length
      ? [{ text: `${findings.length - shown.length} more with --verbose.` }]
      : []),
  ];
}
